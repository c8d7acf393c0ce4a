"""A trained run's answers on the rows that all runs are compared on."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmstudio.comparison.plan import Plan, PlannedRun
from mmstudio.comparison.scores import RunScores
from mmstudio.data.groups import groups_of
from mmstudio.data.prepare import Dataset, Progress, prepared
from mmstudio.data.row_marks import marks_of
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.inference.predictor import Predictor
from mmstudio.training.choose import with_encoders_of, without_auto
from mmstudio.training.events import EpochDone
from mmstudio.training.model import completed
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.suited import with_suited
from mmstudio.training.validate import outputs_of

BETWEEN = "."
"""The parts of a fingerprint: the compared rows, how all rows were marked, their marks."""


@dataclass(frozen=True)
class ComparedRows:
    """The rows on which all are compared.

    Attributes:
        split: ``test``, or ``validation`` where no test row has a known label.
        rows: Of that split, ``(N,)`` row numbers: those with any input and a known label.
        validation: The validation rows, likewise.
        fingerprint: Of the rows and their labels, and of all rows; other data has another.
        groups: ``(N,)`` whole numbers, equal where rows belong together; None where no column of
            the experiment says so.
    """

    split: str
    rows: np.ndarray
    validation: np.ndarray
    fingerprint: str
    groups: np.ndarray | None = None


def find_rows(plan: Plan, folder: Path) -> Generator[Progress, None, ComparedRows]:
    """Read the data and find the rows to compare on.

    A row counts as soon as one of the experiment's inputs is there: an input that is trained
    alone must answer it too, even where it is absent, as it would have to in the field.

    Raises:
        UserError: What ``prepare`` raises, or no row to compare on.
    """
    dataset = yield from prepared(completed(without_auto(plan.experiment)), folder)
    labels = dataset.labels[plan.target]
    usable = {split: _usable(dataset, split, plan.target) for split in ("test", "validation")}
    split = "test" if len(usable["test"]) else "validation"
    if not len(usable[split]):
        raise UserError(f"No test or validation row has an input and a known '{plan.target}'.",
                        "Add labelled rows, or choose another target.")
    digest = hashlib.sha256()
    for part in (usable[split], labels.of(usable[split]).values):
        digest.update(np.ascontiguousarray(part).tobytes())
    all_rows = marks_of(plan.experiment, dataset.table, dataset.splits)
    parts = (digest.hexdigest(), *(hashlib.sha256(part).hexdigest() for part in (
        all_rows.probe.encode(), all_rows.marks.tobytes())))
    return ComparedRows(split, usable[split], usable["validation"],
                        BETWEEN.join(part[:16] for part in parts),
                        groups_of(plan.experiment, dataset.table, usable[split]))


def same_data(before: str, now: str) -> bool:
    """Whether two fingerprints are of the same rows, training rows and all.

    Of a comparison from before those were noted, or where another version of polars noted them,
    the compared rows alone decide.
    """
    old, new = before.split(BETWEEN), now.split(BETWEEN)
    if len(old) < len(new) or old[1:2] != new[1:2]:
        return old[0] == new[0]
    return old == new


def score_run(
    plan: Plan, planned: PlannedRun, compared: ComparedRows, folder: Path
) -> Generator[Progress, None, RunScores]:
    """Have a run's best model answer.

    Raises:
        UserError: The run holds no model, or its files are damaged.
    """
    run = RunFolder.existing(folder / "runs" / planned.run)
    predictor = Predictor(run.path, plan.experiment.training.device)
    dataset = yield from prepared(
        completed(predictor.experiment), folder, schema=predictor.schema)
    dataset = predictor.with_features(dataset)
    task = predictor.model.tasks[plan.target]
    labels = dataset.labels[plan.target]
    outputs, scores = [], []
    # each split by itself: a combination has learnt from the validation rows too
    for split, rows in ((compared.split, compared.rows), ("validation", compared.validation)):
        with predictor.answering(split):
            found = outputs_of(predictor.model, dataset, rows, predictor.device)[plan.target]
        outputs.append(found)
        scores.append(task.row_scores(found, labels.of(rows).values) if len(rows)
                      else np.zeros(0))
    here, validation = scores
    epochs = {e.epoch: e.seconds for e in run.events() if isinstance(e, EpochDone)}
    history = run.history()
    return RunScores(
        run=planned.run, contestant=planned.contestant.key, seed=planned.seed,
        rows=compared.rows, scores=here,
        validation=float(validation.mean()) if len(validation) else float(here.mean()),
        split=compared.split, fingerprint=compared.fingerprint,
        metrics=task.metrics(outputs[0], labels.of(compared.rows).values),
        epochs=len(epochs), seconds=sum(epochs.values()),
        seconds_per_epoch=float(np.median(list(epochs.values()))) if epochs else 0.0,
        parameters=sum(p.numel() for p in predictor.model.parameters()),
        bytes=sum(f.stat().st_size for f in (run.best, run.answers) if f.is_file()),
        device=history.started.device if history.started is not None else "",
        groups=compared.groups)


def check_run_fits(plan: Plan, planned: PlannedRun, run: RunFolder) -> None:
    """A folder that is there already must be this very run.

    Raises:
        UserError: It was trained with other settings.
    """
    def settings(experiment: Experiment) -> Experiment:
        return completed(experiment).replaced("training.device", "auto")

    begun = settings(run.experiment())
    asked = _as_became(settings(plan.experiment_of(planned)), run, begun)
    if not asked.training.combine and not run.answers.is_file():
        # of a run from before there were combinations, whose file does not name them
        begun = begun.replaced("training.combine", False)
    if begun != asked:
        raise UserError(f"runs/{planned.run} already exists, with other settings.",
                        "Rename or delete that run, or give the comparison another name.")


def _as_became(asked: Experiment, run: RunFolder, begun: Experiment) -> Experiment:
    """What was asked for, with what the run found for all that was left open."""
    found, settings = begun.training, asked.training
    asked = with_suited(begun, with_encoders_of(begun, asked))
    became: dict[str, Any] = {}
    if not settings.epochs:
        became |= {"epochs": found.epochs, "patience": found.patience}
    elif run.history(steps=False).shortened is not None:
        became["epochs"] = found.epochs
    if not settings.batch_size:
        became["batch_size"] = found.batch_size
    if settings.precision == "auto":
        became["precision"] = found.precision
    if settings.memory_layout == "auto":
        became["memory_layout"] = found.memory_layout
    for key, value in became.items():
        asked = asked.replaced(f"training.{key}", value)
    return asked


def _usable(dataset: Dataset, split: str, target: str) -> np.ndarray:
    rows = dataset.rows(split)
    kept: np.ndarray = rows[dataset.labels[target].known[rows]]
    return kept
