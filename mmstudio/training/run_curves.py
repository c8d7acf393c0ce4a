"""A run's curves as arrays, to be laid over those of other runs: smoothed, and as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from mmstudio.training.history import RunHistory

AXES = ("step", "epoch", "seconds")
MOST_SMOOTHING = 0.999
LEAST_SHARE = 1e-12
"""A point that counts for less than this share is left out of a mean."""


class CurveName(NamedTuple):
    """Which figure a curve shows; ``task`` is empty for a loss of the whole run.

    ``split`` is ``step``, the training loss of each step, ``train`` or ``validation``.
    """

    task: str
    figure: str
    split: str


STEP_LOSS = CurveName("", "loss", "step")
TRAIN_LOSS = CurveName("", "loss", "train")
VALIDATION_LOSS = CurveName("", "loss", "validation")


@dataclass(frozen=True)
class Curve:
    """One figure of one run; all arrays are ``(points,)``.

    Attributes:
        step, epoch: Where the points lie, both counted over the whole run; half of the first
            epoch is 0.5.
        seconds: How long the run had trained by then: the epochs' own times added up, in between
            as if steps took equally long; nan where no epoch has ended yet.
        values: The figure, nan where it is unknown.
    """

    step: np.ndarray
    epoch: np.ndarray
    seconds: np.ndarray
    values: np.ndarray

    def along(self, axis: str) -> np.ndarray:
        """Where the points lie on one of ``AXES``."""
        places: np.ndarray = getattr(self, axis)
        return places


@dataclass(frozen=True)
class RunCurves:
    """All curves of a run."""

    curves: Mapping[CurveName, Curve]

    @classmethod
    def of(cls, history: RunHistory) -> RunCurves:
        """The curves of a run's history."""
        per_epoch = history.started.steps_per_epoch if history.started is not None else 1
        epochs = np.array(history.epochs, float)
        ends = np.cumsum(np.array(history.epoch_seconds, float))

        def curve(at: np.ndarray, values: list[float]) -> Curve:
            return Curve(np.round(at * per_epoch), at, _seconds(at, epochs, ends),
                         np.array(values, float))

        found = {}
        if history.step_loss:
            found[STEP_LOSS] = curve(np.array(history.step_epochs, float), history.step_loss)
        if history.epochs:
            found[TRAIN_LOSS] = curve(epochs, history.train_loss)
            found[VALIDATION_LOSS] = curve(epochs, history.validation_loss)
        for task, figures in history.metrics.items():
            for figure, series in figures.items():
                for split in ("validation", "train"):
                    if any(map(math.isfinite, series[split])):
                        found[CurveName(task, figure, split)] = curve(epochs, series[split])
        return cls(found)


def _seconds(at: np.ndarray, epochs: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """(points,) when a run was at these places, in epochs.

    Args:
        at: (points,) in epochs.
        epochs: (epochs,) those that have ended.
        ends: (epochs,) the seconds that had gone by then.
    """
    if not len(epochs):
        return np.full(len(at), np.nan)
    seconds: np.ndarray = np.interp(
        at, np.concatenate([[epochs[0] - 1], epochs]), np.concatenate([[0.0], ends]))
    pace = ends[-1] - (ends[-2] if len(ends) > 1 else 0.0)
    late = at > epochs[-1]  # the epoch that was not brought to its end is as quick as the last
    seconds[late] = ends[-1] + pace * (at[late] - epochs[-1])
    return seconds


def smoothed(values: np.ndarray, smoothing: float) -> np.ndarray:
    """The exponential moving mean, without the pull towards zero at its begin.

    Each mean is ``sum(smoothing^k * values[i - k]) / sum(smoothing^k)`` over the known values so
    far, as Adam corrects its moments (Kingma and Ba 2015, section 3). A gap in the values ages
    what came before it; where a value is unknown its mean is too.

    Args:
        values: (points,), nan where unknown.
        smoothing: 0 for the values themselves, below 1; as much of a mean goes into the next.
    """
    weight = min(max(smoothing, 0.0), MOST_SMOOTHING)
    if weight == 0.0 or len(values) == 0:
        return values
    known = np.isfinite(values)
    sums = _decayed_sums(np.where(known, values, 0.0), weight)
    weights = _decayed_sums(known.astype(float), weight)
    means: np.ndarray = np.where(known, sums / np.where(known, weights, 1.0), np.nan)
    return means


def _decayed_sums(values: np.ndarray, weight: float) -> np.ndarray:
    """(points,) sums of all values so far, each by ``weight`` to the power of its age.

    By doubling: after the step of a distance, each sum reaches twice as far back.
    """
    sums = values.copy()
    distance = 1
    while distance < len(sums) and weight**distance >= LEAST_SHARE:
        sums[distance:] += weight**distance * sums[:-distance]
        distance *= 2
    return sums


def curves_as_csv(runs: Mapping[str, Curve], smoothing: float = 0.0) -> str:
    """A row per point: ``run,step,epoch,seconds,value``, with ``smoothed`` where it is asked for.

    Args:
        runs: Per run's name the curve of one figure.
        smoothing: As of `smoothed`.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["run", *AXES, "value", *(["smoothed"] if smoothing > 0 else [])])
    for name, curve in runs.items():
        columns = [curve.step, curve.epoch, curve.seconds, curve.values]
        if smoothing > 0:
            columns.append(smoothed(curve.values, smoothing))
        for row in zip(*(column.tolist() for column in columns), strict=True):
            writer.writerow([name, *(f"{v:.9g}" if math.isfinite(v) else "" for v in row)])
    return text.getvalue()
