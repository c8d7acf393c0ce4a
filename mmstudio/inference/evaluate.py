"""A run's figures on one split."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmstudio.data.contents import contents_of
from mmstudio.data.prepare import Dataset, Progress, prepared
from mmstudio.data.split import SPLITS
from mmstudio.data.table import read_table
from mmstudio.errors import UserError, nearest
from mmstudio.inference.predictor import Predictor
from mmstudio.training.aligned import Embeddings
from mmstudio.training.events import without_nan
from mmstudio.training.input_scores import InputScores, score_inputs
from mmstudio.training.retrieval import Retrieval, retrieval
from mmstudio.training.validate import figures_of, outputs_of


@dataclass(frozen=True)
class Evaluation:
    """Figures of a run's best model; a task's ``loss`` stands in ``tasks`` beside its figures.

    ``inputs`` tells what each input is worth, where that was asked for; ``retrieval`` how well
    each input finds the others, where the run aligned them; ``main_figures`` names each task's
    figure for people.
    """

    split: str
    samples: int
    loss: float
    tasks: dict[str, dict[str, float]]
    inputs: InputScores | None = None
    main_figures: dict[str, str] = field(default_factory=dict)
    retrieval: list[Retrieval] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it; null where no label is known."""
        data: dict[str, Any] = without_nan(dataclasses.asdict(self))
        scores, _, _ = (data.pop(key) for key in ("inputs", "main_figures", "retrieval"))
        if self.retrieval:
            data["retrieval"] = [one.to_json() for one in self.retrieval]
        if scores is not None:
            data |= {k: scores[k] for k in ("subsets", "contributions", "interactions")}
        return data


def evaluate(
    run: Path, split: str = "test", table: Path | None = None, device: str = "auto",
    inputs: bool = False,
) -> Iterator[Progress | Evaluation]:
    """Evaluate a run's best model.

    Args:
        run: The run folder, in a project's ``runs``.
        split: ``train``, ``validation`` or ``test``.
        table: Another table of the same columns, all of whose rows count; None takes the
            experiment's own and its split.
        device: As in ``training.device``.
        inputs: Find out too what each input is worth.

    Yields:
        Progress, last the evaluation.

    Raises:
        UserError: No such run, table or split, or no rows with a label.
    """
    if split not in SPLITS:
        raise UserError(f"There is no split '{split}'.", nearest(split, SPLITS))
    predictor = Predictor(run, device)
    experiment = predictor.experiment
    other, splits = None, None
    if table is not None:
        other = read_table(table)
        splits = np.full(len(other), split)
    folder = predictor.run.path.resolve().parent.parent
    dataset = yield from prepared(
        experiment, folder, schema=predictor.schema, table=other, splits=splits)
    if len(dataset.rows(split)) == 0:
        raise UserError(f"No row of the split '{split}' has an input and a known label.",
                        "Choose another split or table.")
    dataset = predictor.with_features(dataset)
    rows = dataset.rows(split)
    alignment = predictor.model.alignment
    embeddings = None if alignment is None else Embeddings(alignment)
    outputs = outputs_of(
        predictor.model, dataset, rows, predictor.device, embeddings=embeddings)
    weights = {n: t.weight for n, t in experiment.active_targets.items()}
    labels = {n: labels.of(rows) for n, labels in dataset.labels.items()}
    figures = figures_of(predictor.model, outputs, labels, weights)
    loss = figures.pop("loss")
    scores = score_inputs(
        predictor.model, dataset, rows, predictor.device, weights) if inputs else None
    main = {n: task.main_metric for n, task in predictor.model.tasks.items()}
    samples = int(dataset.labelled[rows].sum())
    yield Evaluation(split, samples, loss, figures, scores, main,
                     [] if embeddings is None else _found(predictor, dataset, rows, embeddings))


def _found(
    predictor: Predictor, dataset: Dataset, rows: np.ndarray, embeddings: Embeddings
) -> list[Retrieval]:
    """How well each input finds the others, among these rows."""
    names = predictor.model.names
    return retrieval(names, *embeddings.arrays(), contents_of(dataset, names)[rows])
