"""A trained run's answers on the rows that all runs are compared on."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmstudio.comparison.plan import Plan, PlannedRun
from mmstudio.comparison.scores import RunScores
from mmstudio.data.prepare import Dataset, Progress, prepared
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.inference.predictor import Predictor
from mmstudio.training.choose import with_encoders_of, without_auto
from mmstudio.training.events import EpochDone
from mmstudio.training.model import completed
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.validate import outputs_of


@dataclass(frozen=True)
class ComparedRows:
    """The rows on which all are compared.

    Attributes:
        split: ``test``, or ``validation`` where no test row has a known label.
        rows: Of that split, ``(N,)`` row numbers: those with any input and a known label.
        validation: The validation rows, likewise.
        fingerprint: Of the rows and their labels; other data has another.
    """

    split: str
    rows: np.ndarray
    validation: np.ndarray
    fingerprint: str


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
    return ComparedRows(split, usable[split], usable["validation"], digest.hexdigest()[:16])


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
    both = np.concatenate([compared.rows, compared.validation])
    outputs = outputs_of(predictor.model, dataset, both, predictor.device)[plan.target]
    scores = task.row_scores(outputs, labels.of(both).values)
    here = slice(0, len(compared.rows))
    epochs = {e.epoch: e.seconds for e in run.events() if isinstance(e, EpochDone)}
    history = run.history()
    validation = scores[len(compared.rows):]
    return RunScores(
        run=planned.run, contestant=planned.contestant.key, seed=planned.seed,
        rows=compared.rows, scores=scores[here],
        validation=float(validation.mean()) if len(validation) else float(scores[here].mean()),
        split=compared.split, fingerprint=compared.fingerprint,
        metrics=task.metrics(outputs[here], labels.of(compared.rows).values),
        epochs=len(epochs), seconds=sum(epochs.values()),
        seconds_per_epoch=float(np.median(list(epochs.values()))) if epochs else 0.0,
        parameters=sum(p.numel() for p in predictor.model.parameters()),
        bytes=run.best.stat().st_size,
        device=history.started.device if history.started is not None else "")


def check_run_fits(plan: Plan, planned: PlannedRun, run: RunFolder) -> None:
    """A folder that is there already must be this very run.

    Raises:
        UserError: It was trained with other settings.
    """
    def settings(experiment: Experiment) -> Experiment:
        return completed(experiment).replaced("training.device", "auto")

    asked = settings(plan.experiment_of(planned))
    started = run.history().started
    found = settings(run.experiment())
    if started is not None:  # what is automatic stands in the run as what it became
        asked = _as_became(asked, found, started.samples["train"])
    if found != asked:
        raise UserError(f"runs/{planned.run} is there already, with other settings.",
                        "Rename or delete that run, or give the comparison another name.")


def _as_became(asked: Experiment, run: Experiment, rows: int) -> Experiment:
    """What was asked for, with what the run found for all that was left open."""
    training = asked.training
    epochs = run.training.epochs if not training.epochs else training.epochs
    with_encoders = with_encoders_of(run, asked)
    return with_encoders.replaced("training.epochs", epochs).replaced(
        "training.batch_size", training.batch_size_for(rows)).replaced(
        "training.patience", run.training.patience if not training.epochs else training.patience)


def _usable(dataset: Dataset, split: str, target: str) -> np.ndarray:
    rows = dataset.rows(split)
    kept: np.ndarray = rows[dataset.labels[target].known[rows]]
    return kept
