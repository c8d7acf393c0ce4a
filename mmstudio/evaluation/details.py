"""One target's figures from kept scores, as ``mmstudio evaluate --json`` and a page tell them."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmstudio.evaluation.calibration import (
    confidences,
    covered,
    reliability,
    temperatures_for,
)
from mmstudio.evaluation.curves import precision_recall_curve, roc_curve
from mmstudio.evaluation.figures import (
    PerClass,
    class_counts,
    confusion_matrix,
    label_counts,
    per_class,
    residual_figures,
)
from mmstudio.evaluation.intervals import (
    MANY_CLASSES,
    ClassIntervals,
    Draws,
    Interval,
    average_precision_draws,
    binned_average_precision,
    class_intervals,
    draws_for,
    label_intervals,
    mean_interval,
    r2_interval,
)
from mmstudio.evaluation.scores import CLASSIFICATION, MULTILABEL, REGRESSION, Scores, TaskScores
from mmstudio.inference.calibrated import Calibration

MOST_IN_MATRIX = 200
"""Of more classes a confusion matrix is told by its cells that hold a row."""


def figures_dict(scores: Scores, name: str, *, subsets: bool = False) -> dict[str, Any]:
    """``confusion``, ``interval`` and ``per_class`` of a target; ``residuals`` of a number.

    ``interval_groups`` tells of how many groups the rows are, where a column says which rows belong
    together; intervals of one group tell nothing of others.

    Args:
        scores: The run's.
        name: The target.
        subsets: Tell the confusion of every subset of the inputs too.
    """
    task = scores.tasks[name]
    rows = np.flatnonzero(task.known)
    if not len(rows) or task.kind not in (CLASSIFICATION, MULTILABEL, REGRESSION):
        return {}
    groups = None if scores.groups is None else scores.groups[rows]
    draws = draws_for(len(rows), groups, len(task.labels))
    of = {CLASSIFICATION: _of_classes, MULTILABEL: _of_label_sets, REGRESSION: _of_number}
    told = of[task.kind](task, rows, draws)
    if groups is not None:
        told["interval_groups"] = len(np.unique(groups))
    if task.kind == REGRESSION:
        return told
    confusion = confusion_dict(task, rows, 0)
    if subsets:
        confusion["subsets"] = [
            {"inputs": list(scores.subset(at)),
             **confusion_dict(task, np.flatnonzero(task.known & scores.counted(at)), at)}
            for at in range(len(scores.subsets))]
        for one in confusion["subsets"]:
            del one["labels"]
    return {"confusion": confusion} | told


def confusion_dict(task: TaskScores, rows: np.ndarray, at: int) -> dict[str, Any]:
    """``labels`` and ``counts``: a row per true label, a column per answered one.

    Of label sets a matrix of two by two per label, as scikit-learn's
    ``multilabel_confusion_matrix``. Of very many classes ``cells`` in place of ``counts``: the
    label's place, the answer's, and how many rows, where there are any.
    """
    answers, labels = task.answers(at)[rows], list(task.labels)
    if task.kind == MULTILABEL:
        hits, support, answered = label_counts(task.values[rows], answers)
        rest = len(rows) - support - answered + hits
        return {"labels": labels, "counts": [
            [[int(n), int(a - h)], [int(s - h), int(h)]]
            for n, a, s, h in zip(rest, answered, support, hits, strict=True)]}
    if len(labels) <= MOST_IN_MATRIX:
        return {"labels": labels,
                "counts": confusion_matrix(task.values[rows], answers, len(labels)).tolist()}
    pairs, counts = np.unique(np.stack([task.values[rows], answers]), axis=1, return_counts=True)
    return {"labels": labels, "cells": np.vstack([pairs, counts]).T.tolist()}


def calibration_dict(
    scores: Scores, name: str, calibration: Calibration, *, most: int | None = None
) -> dict[str, Any]:
    """``expected_calibration_error`` before and after, of all inputs and each subset of them.

    ``by_chance`` is what so few rows would leave of it were the scores exactly right.
    Per subset also the temperature, and of sets how often they hold what is right.

    Args:
        scores: Of other rows than those of the calibration.
        name: The target.
        calibration: What was found on the validation rows.
        most: Of so many subsets, those of most inputs; None of all.
    """
    told = [_calibration_of(scores, name, at, calibration)
            for at in range(len(scores.subsets))[:most]]
    there = [one for one in told if one is not None]
    if not there:
        return {}
    first = {k: v for k, v in there[0].items() if k != "inputs"}
    return first | {"subsets": there}


def _calibration_of(
    scores: Scores, name: str, at: int, calibration: Calibration
) -> dict[str, Any] | None:
    task, found = scores.tasks[name], calibration.of(name, scores.subset(at))
    rows = np.flatnonzero(task.known & scores.counted(at))
    if found is None or not len(rows):
        return None
    told: dict[str, Any] = {"inputs": list(scores.subset(at)), "rows": len(rows)}
    if task.kind != REGRESSION:
        temperatures = temperatures_for(scores, name, at, calibration)
        before, after = (reliability(*confidences(task, at, rows, t)) for t in (1.0, temperatures))
        told |= {"temperature": found.temperature, "expected_calibration_error": {
            "before": before.expected_calibration_error,
            "after": after.expected_calibration_error, "by_chance": after.by_chance}}
    size = "width" if task.kind == REGRESSION else "labels"
    return told | {"coverage": {str(asked): {"share": one.coverage, size: one.size} for asked, one
                                in covered(scores, name, at, calibration).items()}}


def _of_classes(task: TaskScores, rows: np.ndarray, draws: Draws) -> dict[str, Any]:
    truth, answers, count = task.values[rows], task.answers(0)[rows], len(task.labels)
    found = class_intervals(draws, truth, answers, count)
    figures = per_class(*class_counts(truth, answers, count))
    intervals = {"accuracy": found.micro_f1, "macro_f1": found.macro_f1}
    seen = truth < len(task.classes)
    if seen.all():
        # else the loss is of other rows, of which no label is new
        chances = task.scores(0)[rows]
        own = np.take_along_axis(chances, truth[:, None], axis=1)[:, 0]
        intervals["loss"] = mean_interval(draws, -np.log(own.clip(min=1e-300)))
    areas = [{}] * count if count > MANY_CLASSES else _areas(
        [truth == c for c in range(count)], task.scores(0)[rows])
    return {"interval": _told(intervals), "per_class": _per_class(task, figures, found, areas)}


def _of_label_sets(task: TaskScores, rows: np.ndarray, draws: Draws) -> dict[str, Any]:
    truth, answers = task.values[rows].astype(bool), task.answers(0)[rows]
    found = label_intervals(draws, truth, answers)
    figures = per_class(*label_counts(truth, answers))
    scores = task.scores(0)[rows]
    logits = task.outputs[0][rows].astype(np.float64)
    losses = (np.logaddexp(0, logits) - logits * truth).mean(axis=1)
    intervals = {"micro_f1": found.micro_f1, "macro_f1": found.macro_f1,
                 "loss": mean_interval(draws, losses)}
    areas = [{}] * len(task.classes) if len(task.classes) > MANY_CLASSES else _areas(
        list(truth.T), scores)
    if areas and "average_precision" in areas[0]:
        mean = float(np.mean([area["average_precision"] for area in areas]))
        each = [np.nan_to_num(average_precision_draws(draws, truth[:, c], logits[:, c]))
                for c in range(truth.shape[1])]
        drawn = np.mean(each, axis=0)
        binned = float(np.mean([
            np.nan_to_num(binned_average_precision(truth[:, c], logits[:, c]))
            for c in range(truth.shape[1])]))
        intervals["macro_average_precision"] = draws.interval(
            mean, np.clip(drawn + mean - binned, 0, 1), len(rows))
    return {"interval": _told(intervals), "per_class": _per_class(task, figures, found, areas)}


def _areas(truth: list[np.ndarray], scores: np.ndarray) -> list[dict[str, float]]:
    """Per label the area under its ROC curve, and its average precision."""
    found: list[dict[str, float]] = []
    for c, own in enumerate(truth):
        if c >= scores.shape[1]:  # one that training never saw has no score
            found.append({})
            continue
        found.append({"roc_auc": roc_curve(own, scores[:, c]).area,
                      "average_precision":
                          precision_recall_curve(own, scores[:, c]).average_precision})
    return found


def _of_number(task: TaskScores, rows: np.ndarray, draws: Draws) -> dict[str, Any]:
    truth, answers = task.values[rows], task.answers(0)[rows]
    errors = answers - truth
    found = residual_figures(truth, answers)
    intervals = {
        "mean_absolute_error": mean_interval(draws, np.abs(errors)),
        "r2": r2_interval(draws, truth, answers),
        "root_mean_squared_error": mean_interval(draws, np.square(errors), np.sqrt),
        "mean_error": mean_interval(draws, errors)}
    names = ("root_mean_squared_error", "median_absolute_error", "mean_error", "max_error")
    return {"interval": _told(intervals),
            "residuals": {name: getattr(found, name) for name in names}}


def _per_class(
    task: TaskScores, figures: PerClass, found: ClassIntervals, areas: list[dict[str, float]]
) -> dict[str, Any]:
    """Per label its figures; a mapping, as names stay where labels are added."""
    return {label: {
        "precision": float(figures.precision[c]), "recall": float(figures.recall[c]),
        "f1": float(figures.f1[c]), "support": int(figures.support[c]), **areas[c],
        "interval": _told({"precision": found.precision[c], "recall": found.recall[c],
                           "f1": found.f1[c]})}
        for c, label in enumerate(task.labels)}


def _told(intervals: dict[str, Interval]) -> dict[str, list[float]]:
    return {name: one.to_json() for name, one in intervals.items()}
