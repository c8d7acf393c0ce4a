"""A run's figures on one split."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmstudio.data.contents import contents_of
from mmstudio.data.prepare import Dataset, Progress, prepared
from mmstudio.data.split import SPLITS
from mmstudio.data.table import read_table
from mmstudio.errors import UserError, nearest
from mmstudio.inference.evaluation import Evaluation, looked_at
from mmstudio.inference.predictor import Predictor
from mmstudio.tasks.kinds.label_set import split_cell
from mmstudio.training.alignment_figures import Embeddings
from mmstudio.training.environment import files_changed
from mmstudio.training.input_scores import InputScores, score_inputs
from mmstudio.training.retrieval import Retrieval, retrieval
from mmstudio.training.same_data import changed_since
from mmstudio.training.validate import figures_of, outputs_of

__all__ = ["Evaluation", "evaluate"]


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
    asked = yield from rows_asked(run, split, table, device)
    with asked.answering():
        found = _evaluated(asked, inputs)
    yield dataclasses.replace(found, looks=asked.noted())


@dataclass(frozen=True)
class Asked:
    """The rows that a run is evaluated on, at least one.

    Attributes:
        predictor: The run's best model.
        dataset: Where the rows are, without kept features.
        split: The split that they are of.
        table: Another table than the experiment's, or None.
        trained_on: As in ``Evaluation``.
        changed: Likewise.
    """

    predictor: Predictor
    dataset: Dataset
    split: str
    table: Path | None
    trained_on: int
    changed: tuple[str, ...]

    @property
    def source(self) -> str:
        """Which rows they are, for people."""
        return f"the split '{self.split}'" if self.table is None else f"the table {self.table}"

    def answering(self) -> contextlib.AbstractContextManager[None]:
        """Inside, they are answered by what has not learnt from them."""
        return self.predictor.answering(self.split if self.table is None else "")

    def unseen(self) -> dict[str, np.ndarray]:
        """Per task the rows with a label that training never saw, where there are any."""
        return _unseen(self.predictor, self.dataset, self.split)

    def noted(self) -> int | None:
        """Keep that test rows were looked at; how often they were, as in ``Evaluation``."""
        return looked_at(self.predictor.run.path, self.split, self.table)


def rows_asked(
    run: Path, split: str, table: Path | None, device: str, folder: Path | None = None
) -> Generator[Progress, None, Asked]:
    """Read the rows that a run is to be evaluated on; arguments and errors as ``evaluate``.

    ``folder`` is the project of a run that lies elsewhere than in its ``runs``.
    """
    if split not in SPLITS:
        raise UserError(f"There is no split '{split}'.", nearest(split, SPLITS))
    predictor = Predictor(run, device)
    experiment = predictor.experiment
    other, splits = None, None
    if table is not None:
        other = read_table(table)
        splits = np.full(len(other), split)
    folder = predictor.run.path.resolve().parent.parent if folder is None else folder
    dataset = yield from prepared(
        experiment, folder, schema=predictor.schema, table=other, splits=splits)
    trained, told = (0, []) if split == "train" else changed_since(
        predictor.run, experiment, dataset.table, dataset.splits, split, own=table is None)
    if table is None:
        told = [*told, *files_changed(predictor.run, dataset)]
    asked = Asked(predictor, dataset, split, table, trained, tuple(told))
    if len(dataset.rows(split)) == 0:
        raise UserError(f"No row of {asked.source} has an input and a known label.",
                        " ".join([*told, "Choose another split or table."]))
    return asked


def _evaluated(asked: Asked, inputs: bool) -> Evaluation:
    """The figures of the rows, which are answered here."""
    predictor, plain = asked.predictor, asked.dataset
    dataset = predictor.with_features(plain)
    rows = dataset.rows(asked.split)
    alignment = predictor.model.alignment
    embeddings = None if alignment is None else Embeddings(alignment)
    outputs = outputs_of(
        predictor.model, dataset, rows, predictor.device, embeddings=embeddings)
    never = {name: outputs_of(predictor.model, plain, unseen, predictor.device)[name]
             for name, unseen in asked.unseen().items()
             if predictor.model.tasks[name].counts_unseen}
    scores = score_inputs(predictor.model, dataset, rows, predictor.device,
                          weights_of(predictor)) if inputs else None
    return evaluation_of(
        asked, rows, outputs, never, scores,
        [] if embeddings is None else recall_of(predictor, dataset, rows, embeddings))


def weights_of(predictor: Predictor) -> dict[str, float]:
    """Per target its weight in the loss."""
    return {n: t.weight for n, t in predictor.experiment.active_targets.items()}


def evaluation_of(
    asked: Asked, rows: np.ndarray, outputs: Mapping[str, np.ndarray],
    never: Mapping[str, np.ndarray], scores: InputScores | None = None,
    found: Sequence[Retrieval] = (),
) -> Evaluation:
    """The figures of answers.

    Args:
        asked: The rows.
        rows: The numbers of those that have a label.
        outputs: Per target their answers ``(N, …)``.
        never: Per task that counts them the answers to ``asked.unseen()``.
        scores: What the inputs are worth, where that was found out.
        found: How well each input finds the others, likewise.
    """
    predictor, dataset = asked.predictor, asked.dataset
    labels = {n: labels.of(rows) for n, labels in dataset.labels.items()}
    figures = figures_of(predictor.model, outputs, labels, weights_of(predictor))
    loss = figures.pop("loss")
    main = {n: task.main_metric for n, task in predictor.model.tasks.items()}
    unseen = asked.unseen()
    counted = dataset.labelled.copy()
    for name, more in never.items():
        counted[unseen[name]] = True
        right = outputs[name][labels[name].known], rows[labels[name].known]
        figures[name] |= _with_wrong(predictor, dataset, name, unseen[name], more, *right)
    samples = int(counted[_having_input(dataset, asked.split)].sum())
    return Evaluation(asked.split, samples, loss, figures, scores, main, list(found),
                      {n: len(rows) for n, rows in unseen.items()}, tuple(never), asked.source,
                      asked.trained_on, asked.changed)


def _having_input(dataset: Dataset, split: str) -> np.ndarray:
    """``(N,)`` bool: the rows of a split that have an input."""
    return np.asarray((dataset.input_counts > 0) & (dataset.splits == split))


def _unseen(predictor: Predictor, dataset: Dataset, split: str) -> dict[str, np.ndarray]:
    """Per task the rows of a split with a label that training never saw, where there are any."""
    found = {}
    for name, target in predictor.experiment.active_targets.items():
        spec = predictor.schema.targets[name]
        if "classes" not in spec or target.column not in dataset.table.columns:
            continue
        known = set(spec["classes"])
        cells = dataset.table.column(target.column).to_list()
        rows = [r for r in np.flatnonzero(_having_input(dataset, split)) if cells[r] is not None
                and not known.issuperset(split_cell(cells[r], spec["separator"])
                                         if "separator" in spec else [cells[r]])]
        if rows:
            found[name] = np.array(rows)
    return found


def _with_wrong(
    predictor: Predictor, dataset: Dataset, name: str, unseen: np.ndarray, more: np.ndarray,
    outputs: np.ndarray, rows: np.ndarray,
) -> dict[str, float]:
    """The figures over the rows of known labels and those of labels never seen.

    Args:
        predictor: The run's model.
        dataset: Where the rows are.
        name: The task.
        unseen: The rows of labels never seen.
        more: ``(U, C)`` their outputs.
        outputs: ``(N, C)`` of the rows whose label is known.
        rows: ``(N,)`` these rows.
    """
    column = dataset.table.column(predictor.experiment.targets[name].column)
    truth = column[[*rows.tolist(), *unseen.tolist()]].to_list()
    return predictor.model.tasks[name].figures_with_unseen(np.concatenate([outputs, more]), truth)


def recall_of(
    predictor: Predictor, dataset: Dataset, rows: np.ndarray, embeddings: Embeddings
) -> list[Retrieval]:
    """How well each input finds the others, among these rows."""
    names = predictor.model.names
    return retrieval(names, *embeddings.arrays(), contents_of(dataset, names)[rows])
