"""Which epoch's model is the best, by its validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmstudio.tasks import Task


@dataclass(frozen=True)
class Score:
    """What an epoch's validation says of its model.

    Attributes:
        figure: More is better.
        loss: Of the validation.
        chance: The figure's standard error, by which other rows of the same kind would differ:
            that of a mean of targets that are right and wrong in the same rows.
    """

    figure: float
    loss: float
    chance: float = 0.0


def score_of(
    tasks: Mapping[str, Task], figures: Mapping[str, Any], rows: Mapping[str, int],
    usual: Mapping[str, float] | None = None,
) -> Score:
    """The mean of the tasks' main figures; R² below -1 counts as -1, for it has no lower end.

    Args:
        tasks: Per target its head.
        figures: As ``figures_of`` gives them.
        rows: Per target how many rows they are of.
        usual: Per target the loss of knowing nothing; the score's loss is then the mean of the
            losses as shares of these, so that one of another size does not drown the others.
            None takes the weighted sum.
    """
    loss = figures["loss"]
    if usual:
        shares = np.array([figures[n]["loss"] / usual[n] for n in usual])
        # a target of which nothing is learnt must not choose the epoch for those that are
        learnt = shares[shares < 1]
        loss = float(np.mean(np.minimum(shares, 1) if len(learnt) else shares))
    # numpy's maximum leaves nan as it is
    main = {n: float(np.maximum(-1.0, figures[n][task.main_metric]))
            for n, task in tasks.items() if rows[n]}
    told = {n: figure for n, figure in main.items() if not np.isnan(figure)}
    if not told:
        return Score(0.0, loss)
    return Score(
        float(np.mean(list(told.values()))), loss,
        float(np.mean([tasks[n].chance(figure, rows[n]) for n, figure in told.items()])))


@dataclass
class Best:
    """The best epoch so far: of those as good as the highest figure, the one of the lowest loss.

    As good means within one standard error of it (Breiman et al. 1984, sec. 3.4.3). The highest
    figure itself is often luck where the validation has few rows, and the loss alone grows with
    the confidence of the few wrong answers while the others get better.

    Attributes:
        epoch: Its number, 0 before the first.
        figure: Its figure.
        loss: Its loss.
        highest: The highest figure so far, of whichever epoch.
        chance: Its standard error.
        gained: The last epoch that was the best, or had the highest figure.
    """

    epoch: int = 0
    figure: float = float("-inf")
    loss: float = float("inf")
    highest: float = float("-inf")
    chance: float = 0.0
    gained: int = 0

    def take(self, epoch: int, score: Score) -> bool:
        """Whether this epoch's model is the best so far."""
        if score.figure > self.highest:
            self.highest, self.chance, self.gained = score.figure, score.chance, epoch
        least = self.highest - self.chance
        if score.figure < least or (self.figure >= least and not score.loss < self.loss):
            return False
        self.epoch, self.figure, self.loss, self.gained = epoch, score.figure, score.loss, epoch
        return True
