"""The answers of all folds as one: each row's by the model that had not seen it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from mmstudio.data.groups import groups_of
from mmstudio.data.merged_labels import merged
from mmstudio.data.prepare import labels_of
from mmstudio.data.schema import Schema
from mmstudio.data.table import Table, read_table
from mmstudio.errors import UserError
from mmstudio.evaluation.arrays import read_arrays, write_arrays
from mmstudio.evaluation.cross_validation.folder import FoldsFolder
from mmstudio.evaluation.curves import precision_recall_curve
from mmstudio.evaluation.depends import table_digest
from mmstudio.evaluation.details import figures_dict
from mmstudio.evaluation.figures import (
    class_counts,
    label_counts,
    macro_f1,
    micro_f1,
    residual_figures,
)
from mmstudio.evaluation.label_scores import LabelScores, parts_of, thresholds_in_parts
from mmstudio.evaluation.representation import ALL
from mmstudio.evaluation.scores import (
    CLASSIFICATION,
    KINDS,
    REGRESSION,
    Scores,
    TaskScores,
    arrays_of,
    scores_from,
)
from mmstudio.experiment import Experiment
from mmstudio.reading import reading
from mmstudio.tasks.kinds import Labels
from mmstudio.tasks.kinds.base import sorted_labels

NEVER = -1e4
"""The logit of a label that a fold's training rows lack: its model never answers with it."""
SPLIT = "out of fold"


def joined(files: FoldsFolder, experiment: Experiment, each: Sequence[Scores]) -> Scores:
    """The folds' answers in one; of tasks of the user's own there are none.

    Folds may know different labels, and scale numbers otherwise: labels are brought together by
    their names, numbers to the scale of the first fold.

    Args:
        files: The cross-validation.
        experiment: That was asked for.
        each: Per fold the answers to the rows held out.
    """
    table = merged(read_table(files.project / experiment.data.table), experiment)
    rows = np.concatenate([one.rows for one in each])
    order = np.argsort(rows, kind="stable")
    alike = all(np.array_equal(one.subsets, each[0].subsets) for one in each)
    subsets = each[0].subsets if alike else each[0].subsets[:1]
    tasks = {name: _task([one.tasks[name] for one in each], len(subsets), order)
             for name, task in each[0].tasks.items() if task.kind in KINDS}
    return Scores(
        files.path, SPLIT, None, each[0].inputs, subsets, rows[order],
        np.concatenate([one.present for one in each])[order],
        _labelled(files, experiment, table, rows[order], tasks),
        groups_of(experiment, table, rows[order]))


def _task(parts: Sequence[TaskScores], subsets: int, order: np.ndarray) -> TaskScores:
    """One target's outputs ``(S, N, C)``; its labels are read anew."""
    first = parts[0]
    if first.kind == REGRESSION:
        outputs = [((p.outputs[:subsets].astype(np.float64) * p.deviation + p.mean - first.mean)
                    / first.deviation).astype(np.float32) for p in parts]
        classes: tuple[str, ...] = ()
    else:
        classes = tuple(sorted_labels(list({label for p in parts for label in p.labels})))
        outputs = [_placed(p, classes, subsets) for p in parts]
    return dataclasses.replace(
        first, classes=classes, unseen=(), outputs=np.concatenate(outputs, axis=1)[:, order])


def _placed(part: TaskScores, classes: tuple[str, ...], subsets: int) -> np.ndarray:
    """A fold's logits ``(S, n, C)`` at the places of all labels."""
    outputs = part.outputs[:subsets]
    found = np.full((*outputs.shape[:2], len(classes)), NEVER, np.float32)
    found[:, :, [classes.index(label) for label in part.classes]] = outputs
    return found


def _labelled(
    files: FoldsFolder, experiment: Experiment, table: Table, rows: np.ndarray,
    tasks: Mapping[str, TaskScores],
) -> dict[str, TaskScores]:
    """The targets with the labels of their rows, as the table has them."""
    learnt = files.fold(1).schema()
    used = np.zeros(len(table), dtype=bool)
    used[rows] = True
    found = {}
    for name, task in tasks.items():
        schema = Schema({}, {name: spec_of(task, learnt.targets[name])})
        labels: Labels = labels_of(experiment, table, schema, used, name).of(rows)
        values = labels.values
        if task.kind == REGRESSION:
            values = np.where(
                labels.known, values.astype(np.float64) * task.deviation + task.mean, 0.0)
        found[name] = dataclasses.replace(task, values=values, known=labels.known)
    return found


def figures_of(scores: Scores) -> dict[str, dict[str, Any]]:
    """Per target its figures over all rows, and what ``figures_dict`` tells of them."""
    return {name: plain_figures(task) | figures_dict(scores, name)
            for name, task in scores.tasks.items()}


def plain_figures(task: TaskScores) -> dict[str, float]:
    """The figures of a target by scikit-learn's definitions; none where no label is known."""
    rows = np.flatnonzero(task.known)
    if not len(rows):
        return {}
    truth, answers = task.values[rows], task.answers(0)[rows]
    if task.kind == REGRESSION:
        far = residual_figures(truth, answers)
        return {"r2": far.r2, "mean_absolute_error": far.mean_absolute_error}
    if task.kind == CLASSIFICATION:
        return {"accuracy": float((truth == answers).mean()),
                "macro_f1": float(macro_f1(*class_counts(truth, answers, len(task.classes))))}
    counts = label_counts(truth, answers)
    chances = task.scores(0)[rows]
    areas = [precision_recall_curve(truth[:, c].astype(bool), chances[:, c]).average_precision
             for c in range(len(task.classes))]
    return {"macro_average_precision": float(np.mean(areas)),
            "micro_f1": float(micro_f1(*counts)), "macro_f1": float(macro_f1(*counts))}


def keep(files: FoldsFolder, experiment: Experiment, scores: Scores) -> None:
    """Write the answers and what they are of. Raises OSError."""
    arrays, told = arrays_of(scores)
    write_arrays(files.answers, arrays, told | {"data": _data_digest(files, experiment)})


def held_out_answers(files: FoldsFolder) -> Scores:
    """The answers that were kept.

    Raises:
        UserError: Not all folds are trained, the table has changed since, or the file is damaged.
    """
    if not files.answers.is_file():
        raise UserError(f"{files.path} holds no answers: not all of its folds are trained.",
                        f"Resume it: mmstudio train … --run {files.name} --folds "
                        f"{files.folds()} --resume")
    with reading(files.answers, "Cross-validate again, under another name."):
        arrays, told = read_arrays(files.answers)
        if told["data"] != _data_digest(files, files.experiment()):
            raise UserError(f"The table has changed since {files.path} was made of it: its "
                            "answers can't be matched to rows.",
                            "Cross-validate again, under another name.")
        return scores_from(files.path, SPLIT, None, arrays, told)


def _data_digest(files: FoldsFolder, experiment: Experiment) -> str:
    """What stands for the rows and which of them are left out."""
    digest = hashlib.blake2b(table_digest(files.project / experiment.data.table), digest_size=16)
    if experiment.data.leave_out is not None:
        digest.update(table_digest(files.project / experiment.data.leave_out))
    return digest.hexdigest()


def spec_of(task: TaskScores, spec: Mapping[str, Any]) -> dict[str, Any]:
    """What a fold's schema knows of a target, with the labels of all folds."""
    return dict(spec) | ({"classes": list(task.classes)} if task.classes else {})


def label_scores_of(scores: Scores) -> Iterator[LabelScores]:
    """Held-out scores of all rows that have a label, per target: those of the whole models.

    Yields:
        Per target its scores; of many labels in parts, each of which should be let go before the
        next.
    """
    alone = {}
    for i, name in enumerate(scores.inputs):
        at = np.flatnonzero((scores.subsets == (np.arange(len(scores.inputs)) == i)).all(1))
        alone[name] = int(at[0]) if len(at) else None
    for target, task in scores.tasks.items():
        rows = np.flatnonzero(task.known)
        if len(rows):
            yield from _in_parts(scores, target, rows, alone)


def _in_parts(
    scores: Scores, target: str, rows: np.ndarray, alone: Mapping[str, int | None]
) -> Iterator[LabelScores]:
    """One target's scores of these rows; per input the subset that is it alone, where one is."""
    task = scores.tasks[target]
    labels = task.values[rows]
    if task.kind == REGRESSION:
        labels = (labels - task.mean) / task.deviation
    present = {name: scores.present[rows, i] & (alone[name] is not None)
               for i, name in enumerate(scores.inputs)}

    def of(view: str, part: np.ndarray) -> np.ndarray:
        return _scores_at(task, alone.get(view) or 0, rows[part])

    parts = parts_of(labels, task.outputs[0])
    thresholds: dict[str, np.ndarray] = {}
    if len(parts) > 1 and labels.ndim == 1:
        thresholds = {view: thresholds_in_parts(partial(of, view), labels, parts,
                                                present.get(view))
                      for view in (ALL, *scores.inputs)}
    for part in parts:
        yield LabelScores(
            target, scores.rows[rows[part]], labels[part], of(ALL, part),
            {n: of(n, part) for n in scores.inputs}, {n: p[part] for n, p in present.items()},
            thresholds)


def _scores_at(task: TaskScores, at: int, rows: np.ndarray) -> np.ndarray:
    """``(n, C)`` probabilities, or ``(n,)`` estimates in deviations, as labels are held."""
    outputs = task.outputs[at : at + 1, rows]
    if task.kind == REGRESSION:
        return np.asarray(outputs[0, :, 0].astype(np.float64))
    return dataclasses.replace(task, outputs=outputs).scores(0)
