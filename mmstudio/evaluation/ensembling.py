"""An ensemble of finished runs, chosen by their answers to validation rows and kept as a run."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmstudio.data.prepare import Progress, prepared
from mmstudio.errors import UserError
from mmstudio.evaluation.ensemble_selection import greedy_weights
from mmstudio.inference.predictor import Predictor
from mmstudio.safe_files import link_whole
from mmstudio.tasks.base import Task
from mmstudio.tasks.kinds import Labels
from mmstudio.training.ensemble_file import Member, member_folder, refuse_ensemble, write_members
from mmstudio.training.events import Combined, RunFinished, without_nan
from mmstudio.training.published import note_published
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.validate import outputs_of

LINKED = ("schema.json", "best.safetensors", "answers.safetensors", "rows.bin",
          "environment.json")
"""What a member needs to answer, beside its experiment, its log and what it says of published
models; none of them is ever written into."""


@dataclass(frozen=True)
class EnsembleMade:
    """An ensemble.

    Attributes:
        run: Its folder's name in the project's ``runs``.
        members: Who answers in it, those that count most first.
        figures: Per target its figures on the validation rows, by which it was chosen.
        best_alone: The same of the best of the runs by itself.
        left_out: Per run that could not be asked, or answers otherwise, why.
    """

    run: str
    members: tuple[Member, ...]
    figures: dict[str, dict[str, float]]
    best_alone: dict[str, dict[str, float]]
    left_out: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain data; null where a figure is not known."""
        data: dict[str, Any] = without_nan(dataclasses.asdict(self))
        return data | {"members": [dataclasses.asdict(member) for member in self.members]}


@dataclass(frozen=True)
class ValidationAnswers:
    """A run's answers to the validation rows.

    Attributes:
        run: The run.
        inputs: The names of its inputs.
        spec: Per target what its schema knows.
        rows: ``(N,)`` the rows.
        outputs: Per target ``(N, C)`` the outputs of its head.
        labels: Per target the rows' labels.
        heads: Per target the head.
        weights: Per target its weight in the loss.
    """

    run: RunFolder
    inputs: tuple[str, ...]
    spec: dict[str, dict[str, Any]]
    rows: np.ndarray
    outputs: dict[str, np.ndarray]
    labels: dict[str, Labels]
    heads: dict[str, Task]
    weights: dict[str, float]

    def unlike(self, other: ValidationAnswers) -> str:
        """Why another run's answers can't be brought together with these; "" where they can."""
        if self.inputs != other.inputs:
            return "It has other inputs."
        if self.spec != other.spec:
            return "It knows other labels, or scales numbers otherwise."
        return "" if np.array_equal(self.rows, other.rows) else "It has other validation rows."


def make_ensemble(
    runs: Sequence[Path], name: str, *, folder: Path, device: str = "auto",
    target: str | None = None,
) -> Iterator[Progress | EnsembleMade]:
    """Choose among finished runs those that answer best together, and keep them as one run.

    They are chosen by the main figures of the validation rows, and among equals by the loss. What
    weighs an answer within a run was found on the same rows.

    Args:
        runs: Run folders, of one table and split; those that are unlike the first are left out.
        name: The ensemble is ``runs/NAME``.
        folder: The project: what ``data.table`` is relative to.
        device: As in ``training.device``.
        target: Whose figure counts; None takes the mean of all.

    Yields:
        Progress, last the ensemble.

    Raises:
        UserError: The name is taken, no run can be asked, no label of the target is known, or
            it can't be written.
    """
    files = RunFolder(Path(folder) / "runs" / name)
    files.check_free()
    each: list[ValidationAnswers] = []
    left_out: dict[str, str] = {}
    for at, path in enumerate(runs):
        yield Progress(f"Asking {path.name}", at, len(runs))
        try:
            one = yield from _validation_answers(path, Path(folder), device)
        except UserError as error:
            left_out[path.name] = f"{error.message} {error.hint}".strip()
            continue
        if each and (reason := each[0].unlike(one)):
            left_out[path.name] = reason
        else:
            each.append(one)
    if not each:
        raise UserError("Not one of the runs can answer: there is nothing to bring together.",
                        next(iter(left_out.values()), "Give two finished runs or more."))
    yield Progress("Choosing who answers together", 0, 1)
    scoring = _Scoring(each, target)
    weights = greedy_weights(len(each), scoring.score)
    alone = max(np.eye(len(each)), key=scoring.score)
    chosen = [int(k) for k in np.argsort(-weights, kind="stable") if weights[k] > 0]
    members = tuple(Member(each[k].run.name, float(weights[k])) for k in chosen)
    made = EnsembleMade(name, members, scoring.figures(weights), scoring.figures(alone), left_out)
    try:
        _write(files, [each[k].run for k in chosen], made)
    except OSError as error:
        raise UserError(f"{files.path} can't be written: {error}.", "Free some space.") from None
    yield made


def _validation_answers(
    run: Path, folder: Path, device: str
) -> Generator[Progress, None, ValidationAnswers]:
    """Have a run answer the validation rows. Raises UserError."""
    refuse_ensemble(run)
    predictor = Predictor(run, device)
    dataset = yield from prepared(predictor.experiment, folder, schema=predictor.schema)
    dataset = predictor.with_features(dataset)
    rows = dataset.rows("validation")
    with predictor.answering("validation"):
        outputs = outputs_of(predictor.model, dataset, rows, predictor.device)
    targets = predictor.experiment.active_targets
    return ValidationAnswers(
        predictor.run, tuple(predictor.inputs), {n: predictor.schema.targets[n] for n in targets},
        rows, outputs, {n: dataset.labels[n].of(rows) for n in targets}, predictor.heads,
        {n: t.weight for n, t in targets.items()})


class _Scoring:
    """How good several runs are together.

    Args:
        each: Their answers.
        target: Whose figure counts; None takes the mean of all.

    Raises:
        UserError: No label is known.
    """

    def __init__(self, each: Sequence[ValidationAnswers], target: str | None) -> None:
        first = each[0]
        self._heads, self._weights = first.heads, first.weights
        self._known = {n: of.known for n, of in first.labels.items() if of.known.any()}
        self._truth = {n: first.labels[n].values[known] for n, known in self._known.items()}
        self._outputs = {n: np.stack([one.outputs[n][known].astype(np.float32) for one in each])
                         for n, known in self._known.items()}
        self._counted = [n for n in self._known if target in (None, n)]
        if not self._counted:
            raise UserError("No validation row has a known label.", "Label some of them.")

    def figures(self, weights: np.ndarray) -> dict[str, dict[str, float]]:
        """Per target of which labels are known its figures, with these weights ``(K,)``."""
        return {n: self._heads[n].metrics(
            np.tensordot(weights.astype(np.float32), outputs, axes=1), self._truth[n])
            for n, outputs in self._outputs.items()}

    def score(self, weights: np.ndarray) -> tuple[float, float]:
        """The mean of the main figures, and the loss below zero."""
        found = self.figures(weights)
        main = [max(-1.0, found[n][self._heads[n].main_metric]) for n in self._counted]
        loss = sum(self._weights[n] * found[n]["loss"] for n in self._counted)
        return float(np.nan_to_num(np.mean(main), nan=-1.0)), -float(np.nan_to_num(loss, nan=1e9))


def _write(files: RunFolder, runs: Sequence[RunFolder], made: EnsembleMade) -> None:
    """Write the run folder beside and rename it. Raises OSError."""
    files.path.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=".ensemble-", dir=files.path.parent))
    try:
        for number, run in enumerate(runs, start=1):
            _copy(run, RunFolder(member_folder(beside, number)))
        whole, first = RunFolder(beside), runs[0]
        for name in ("schema.json", "rows.bin", "environment.json"):
            if (first.path / name).is_file():
                link_whole(first.path / name, beside / name)
        _log(whole, first, made)
        write_members(beside, made.members)
        whole.write_experiment(first.experiment())
        beside.chmod(0o755)
        if files.path.is_dir():
            files.path.rmdir()  # it was looked at: it is empty
        beside.rename(files.path)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def _copy(run: RunFolder, member: RunFolder) -> None:
    member.path.mkdir(parents=True)
    for name in LINKED:
        if (run.path / name).is_file():
            link_whole(run.path / name, member.path / name)
    if run.log.is_file():
        shutil.copyfile(run.log, member.log)
    if (run.path / "components").is_dir():
        shutil.copytree(run.path / "components", member.path / "components", symlinks=True)
    # models that lie beside the project are named as seen from here, which is as deep as it will be
    member.write_experiment(run.experiment())
    note_published(member, run.experiment())


def _log(whole: RunFolder, first: RunFolder, made: EnsembleMade) -> None:
    """What lists and pages read of a run: that it is complete, and its validation figures."""
    history = first.history()
    started, shown = history.started, f"runs/{made.run}"
    if started is None:
        return
    whole.log_event(dataclasses.replace(started, run=shown))
    rests_on = [{"kind": "fusion", "inputs": started.inputs, "name": "", "share": 1.0}]
    whole.log_event(Combined({n: rests_on for n in made.figures}, made.figures, True))
    whole.log_event(RunFinished(
        "completed", shown, history.best_epoch or 0, max(history.epochs, default=0), 0.0))
