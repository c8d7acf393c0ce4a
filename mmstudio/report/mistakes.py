"""The rows that a run is most wrong about, with their contents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmstudio.data.schema import modality_of, values_of
from mmstudio.data.table import Table, read_table
from mmstudio.errors import UserError
from mmstudio.evaluation.scores import CLASSIFICATION, MULTILABEL, REGRESSION, Scores
from mmstudio.evaluation.slices import errors_of
from mmstudio.experiment import Experiment
from mmstudio.modalities.preview import Preview

MOST = 12


@dataclass(frozen=True)
class Mistake:
    """One row that was answered wrongly.

    Attributes:
        row: Its id.
        truth: The label, or the number.
        answer: What was answered.
        confidence: The answer's score; nan of a number.
        alone: Per input what it answers alone.
        contents: Per input its content.
    """

    row: str
    truth: str
    answer: str
    confidence: float
    alone: dict[str, str]
    contents: dict[str, Preview] = field(default_factory=dict)


def mistakes_of(
    scores: Scores, name: str, experiment: Experiment, folder: Path, most: int = MOST
) -> list[Mistake]:
    """The surest wrong answers of a target, the worst first; of a number the largest errors.

    Args:
        scores: The run's.
        name: The target.
        experiment: The run's.
        folder: The project.
        most: How many.
    """
    task = scores.tasks[name]
    known = np.flatnonzero(task.known)
    if task.kind == CLASSIFICATION:
        wrong = known[task.answers(0)[known] != task.values[known]]
        badness = task.scores(0)[wrong].max(axis=1)
    elif task.kind == MULTILABEL:
        sets = task.answers(0)[known] != task.values[known].astype(bool)
        wrong = known[sets.any(axis=1)]
        badness = np.abs(task.scores(0)[wrong] - task.values[wrong]).max(axis=1)
    elif task.kind == REGRESSION:
        wrong = known[errors_of(task, 0)[known]]
        badness = np.abs(task.answers(0)[wrong] - task.values[wrong])
    else:
        return []
    places = wrong[np.argsort(-badness, kind="stable")[:most]]
    contents = _contents(scores, places, experiment, folder)
    return [_mistake(scores, name, int(place), contents.get(int(place), {})) for place in places]


def _mistake(scores: Scores, name: str, place: int, contents: dict[str, Preview]) -> Mistake:
    task = scores.tasks[name]
    sure = float("nan") if task.kind == REGRESSION else float(task.scores(0)[place].max())
    alone = {}
    for at in range(len(scores.subsets)):
        inputs = scores.subset(at)
        if len(inputs) == 1 and scores.present[place, scores.inputs.index(inputs[0])]:
            alone[inputs[0]] = _answer(scores, name, at, place)
    return Mistake(scores.ids[place], _truth(scores, name, place),
                   _answer(scores, name, 0, place), sure,
                   alone if len(scores.inputs) > 1 else {}, contents)


def _truth(scores: Scores, name: str, place: int) -> str:
    task = scores.tasks[name]
    if task.kind == REGRESSION:
        return f"{task.values[place]:.4g} {task.unit}".strip()
    if task.kind == MULTILABEL:
        return _set(task.classes, task.values[place].astype(bool))
    return task.labels[int(task.values[place])]


def _answer(scores: Scores, name: str, at: int, place: int) -> str:
    task = scores.tasks[name]
    answer = task.answers(at)[place]
    if task.kind == REGRESSION:
        return f"{answer:.4g} {task.unit}".strip()
    return _set(task.classes, answer) if task.kind == MULTILABEL else task.labels[int(answer)]


def _set(classes: tuple[str, ...], chosen: np.ndarray) -> str:
    return ", ".join(c for c, there in zip(classes, chosen, strict=True) if there) or "none"


def _contents(
    scores: Scores, places: np.ndarray, experiment: Experiment, folder: Path
) -> dict[int, dict[str, Preview]]:
    """Per place and input what is there; nothing where the table is not as it was."""
    try:
        table = read_table(scores.table or folder / experiment.data.table)
    except UserError:
        return {}
    if not len(places) or int(scores.rows[places].max()) >= len(table):
        return {}
    return {place: found for place, found in _previews(scores, places, experiment, table)}


def _previews(
    scores: Scores, places: np.ndarray, experiment: Experiment, table: Table
) -> Iterator[tuple[int, dict[str, Preview]]]:
    values = {name: values_of(table, experiment.inputs[name]) for name in scores.inputs}
    for place in places:
        found = {}
        for name in scores.inputs:
            value = values[name][int(scores.rows[place])]
            if value is None:
                continue
            try:
                found[name] = modality_of(experiment.inputs[name]).preview(value)
            except UserError:  # moved or damaged since: the figures stand without it
                found[name] = Preview(Path(value).name)
        yield int(place), found
