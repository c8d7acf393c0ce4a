"""Which epoch's model is the best, by its validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmstudio.tasks import Task

MOST_CANDIDATES = 4
"""Epochs whose weights are kept for they may turn out the best."""


@dataclass(frozen=True)
class Score:
    """What an epoch's validation says of its model.

    Attributes:
        figure: More is better.
        loss: Of the validation.
        chance: The figure's standard error, by which other rows of the same kind would differ:
            that of a mean of targets that are right and wrong in the same rows.
        told: Whether any row had a label; else the others say nothing.
    """

    figure: float
    loss: float
    chance: float = 0.0
    told: bool = True


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
        return Score(0.0, loss, told=any(rows.values()))
    return Score(
        float(np.mean(list(told.values()))), loss,
        float(np.mean([tasks[n].chance(figure, rows[n]) for n, figure in told.items()])))


@dataclass(frozen=True)
class Candidate:
    """An epoch that is the best, or may turn out to be it: its number, and its score's numbers."""

    epoch: int
    figure: float
    loss: float
    chance: float


@dataclass
class Best:
    """The best epoch so far: of those as good as the highest figure, the one of the lowest loss.

    As good means within one standard error of it (Breiman et al. 1984, sec. 3.4.3). The highest
    figure itself is often luck where the validation has few rows, and the loss alone grows with
    the confidence of the few wrong answers while the others get better.

    Which one it is depends on the epochs alone and not on their order: an epoch that another one
    outdoes now is remembered as long as a higher figure may leave that other one behind. Where no
    validation row has a label, nothing tells the epochs apart, and the latest is the best.

    Attributes:
        candidates: Those epochs, the highest figure last; few where their weights are large.
        gained: The last epoch that was the best, or had the highest figure.
        highest: The highest figure so far, of whichever epoch.
        chance: Its standard error.
    """

    candidates: list[Candidate] = field(default_factory=list)
    gained: int = 0
    highest: float = float("-inf")
    chance: float = 0.0

    def __post_init__(self) -> None:
        """What only names epochs goes by the highest of them."""
        if self.candidates and self.candidates[-1].figure > self.highest:
            self.highest, self.chance = self.candidates[-1].figure, self.candidates[-1].chance

    @property
    def epoch(self) -> int:
        """The number of the best one, 0 before the first."""
        return self.candidates[0].epoch if self.candidates else 0

    @property
    def figure(self) -> float:
        """Its figure."""
        return self.candidates[0].figure if self.candidates else float("-inf")

    @property
    def loss(self) -> float:
        """Its loss."""
        return self.candidates[0].loss if self.candidates else float("inf")

    def take(self, epoch: int, score: Score, most: int = MOST_CANDIDATES) -> bool:
        """Whether this epoch's model is the best so far.

        Args:
            epoch: Its number.
            score: Its validation's.
            most: Of how many epochs the weights can be kept, the best one included.
        """
        loss = score.loss if score.told else -float(epoch)
        new = Candidate(epoch, score.figure, float("inf") if np.isnan(loss) else loss, score.chance)
        if new.figure > self.highest:
            self.highest, self.chance, self.gained = new.figure, new.chance, epoch
        before = self.epoch
        self.candidates = _front([*self.candidates, new], self.highest - self.chance, most)
        if self.epoch != before:
            self.gained = epoch
        return self.epoch == epoch

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for a resume."""
        return {"epoch": self.epoch, "figure": self.figure, "loss": self.loss,
                "highest": self.highest, "chance": self.chance, "gained": self.gained,
                "candidates": [[c.epoch, c.figure, c.loss, c.chance] for c in self.candidates]}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Best:
        """Of what ``to_dict`` gave, or a version before that remembered the best epoch alone.

        Raises:
            KeyError, TypeError, ValueError: It is damaged.
        """
        alone = [[data[name] for name in ("epoch", "figure", "loss", "chance")]]
        each = [Candidate(int(epoch), float(figure), float(loss), float(chance))
                for epoch, figure, loss, chance in [*alone, *data.get("candidates", alone)]]
        kept = [c for c in each[1:] if c.epoch]
        return cls(kept, int(data["gained"]), float(data.get("highest", "-inf")), each[0].chance)


def _front(candidates: Sequence[Candidate], least: float, most: int) -> list[Candidate]:
    """Those that are the best or may turn out to be it, by their figures; none below the least.

    Of equal figures the lowest loss, and of equal losses the first, outdoes the others; so does a
    higher figure with as low a loss. What lies below the highest figure by more than its standard
    error stays below: the highest only rises.
    """
    found: list[Candidate] = []
    for one in sorted(candidates, key=lambda c: (-c.figure, c.loss, c.epoch)):
        if not found or (one.loss, one.epoch) < (found[-1].loss, found[-1].epoch):
            found.append(one)
    kept = [one for one in reversed(found) if one.figure >= least]
    # the next best ones are the likeliest to be left behind together with the best
    return [kept[0], *kept[max(1, len(kept) - most + 1):]]
