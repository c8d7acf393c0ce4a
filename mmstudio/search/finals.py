"""The best of a search, trained again with several seeds and held against each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmstudio.comparison.figure import Figure
from mmstudio.comparison.statistics import Interval, Resampled
from mmstudio.data.groups import groups_of
from mmstudio.data.prepare import Progress, prepared
from mmstudio.experiment import Experiment
from mmstudio.inference.predictor import Predictor
from mmstudio.training.looks import note_look
from mmstudio.training.model import completed
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.validate import outputs_of


@dataclass(frozen=True)
class Finalist:
    """A trial that is trained again: its number, its values, its settings, its runs' names."""

    trial: int
    values: dict[str, Any]
    experiment: Experiment
    runs: tuple[str, ...]
    is_baseline: bool = False

    def with_seed(self, seed: int, minutes: float | None, short: bool = False) -> Experiment:
        """What one of its runs trains; ``short``, it answers with its network alone, as a trial."""
        changed: dict[str, Any] = {"seed": seed} | ({"combine": False} if short else {})
        if minutes is not None:
            changed["minutes"] = minutes
        return dataclasses.replace(
            self.experiment, training=dataclasses.replace(self.experiment.training, **changed))


@dataclass(frozen=True)
class RowScores:
    """How right a run was, row by row: ``(N,)`` scores, more is better, and the rows' groups."""

    scores: np.ndarray
    groups: np.ndarray | None


def score_rows(
    run: RunFolder, folder: Path, target: str, split: str, device: str
) -> Generator[Progress, None, RowScores]:
    """Have a run's best model answer the rows of a split whose label is known.

    Raises:
        UserError: The run holds no model, or the data can't be read.
    """
    predictor = Predictor(run.path, device)
    dataset = yield from prepared(
        completed(predictor.experiment), folder, schema=predictor.schema)
    dataset = predictor.with_features(dataset)
    labels = dataset.labels[target]
    rows = dataset.rows(split)
    rows = rows[labels.known[rows]]
    if not len(rows):
        return RowScores(np.zeros(0), None)
    with predictor.answering(split):
        found = outputs_of(predictor.model, dataset, rows, predictor.device)[target]
    scores = predictor.model.tasks[target].row_scores(found, labels.of(rows).values)
    return RowScores(np.asarray(scores, dtype=np.float64),
                     groups_of(predictor.experiment, dataset.table, rows))


@dataclass(frozen=True)
class Verdict:
    """Who is the best of the finalists.

    Attributes:
        baseline: The trial that is the experiment as it was; None where it is not among them.
        trial: Whose settings to take.
        means: Per trial its mean with the ends of its interval.
        gain: How much better it is than the experiment as it was; None where that is it.
    """

    trial: int
    means: dict[int, Interval]
    gain: Interval | None
    baseline: int | None = 0

    @property
    def is_sure(self) -> bool:
        """Whether the gain is more than chance."""
        return self.gain is not None and self.gain.low > 0

    def sentence(self, figure: Figure) -> str:
        """What was found, for people."""
        mean = self.means[self.trial]
        if self.baseline is None:
            return f"Trial {self.trial} reaches {figure.text(mean.mean)} on the validation rows."
        if self.gain is None:
            return (f"Your settings are the best that were found: {figure.text(mean.mean)} on "
                    "the validation rows.")
        ends = (f"95 % interval {figure.signed(self.gain.low)} to "
                f"{figure.signed(self.gain.high)}")
        start = (f"Trial {self.trial} reaches {figure.text(mean.mean)} on the validation rows, "
                 f"your settings {figure.text(self.means[self.baseline].mean)}")
        if self.is_sure:
            return f"{start}: better by {figure.size(self.gain.mean)} ({ends})."
        return f"{start}; the difference may be chance ({ends})."


def judged(
    scores: Mapping[int, Sequence[RowScores]], shares: bool, baseline: int | None = 0
) -> Verdict:
    """Hold the finalists against each other by the comparison's bootstrap.

    Args:
        scores: Per trial the row scores of its runs, the same rows in all.
        shares: Whether scores lie between 0 and 1.
        baseline: The trial that is the experiment as it was; None where it is not among them.
    """
    stacked = {str(trial): np.stack([one.scores for one in each])
               for trial, each in scores.items()}
    groups = next(iter(scores.values()))[0].groups
    resampled = Resampled(stacked, groups=groups, shares=shares)
    means = {int(key): resampled.mean(key) for key in stacked}
    best = max(means, key=lambda trial: (means[trial].mean, -trial))
    gain = (None if baseline in (None, best)
            else resampled.difference(str(best), str(baseline)))
    return Verdict(best, means, gain, baseline)


def note_looks(files: Path, runs: Sequence[RunFolder]) -> None:
    """Keep that the test rows were looked at. Raises OSError."""
    for folder in (files, *(run.path for run in runs)):
        note_look(folder, "a search")
