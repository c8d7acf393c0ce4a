"""The one figure that a comparison ranks by, and how people read it."""

from __future__ import annotations

from dataclasses import dataclass

from mmstudio.tasks.kinds import Metric, metric_named
from mmstudio.units import plain_number, with_sign


@dataclass(frozen=True)
class Figure:
    """What the mean of the row scores is: ``accuracy``, or an error in ``unit``.

    Scores are kept as the task gives them, more is better; only here they become percent, points
    or an error without its sign.
    """

    name: str
    unit: str = ""

    @property
    def metric(self) -> Metric:
        """How the task describes it."""
        return metric_named(self.name)

    @property
    def is_share(self) -> bool:
        """Whether scores lie between 0 and 1."""
        return self.metric.share

    @property
    def title(self) -> str:
        """For a heading: "Accuracy", "Mean absolute error, years"."""
        words = self.metric.title
        title = words[:1].upper() + words[1:]
        return f"{title}, {self.unit}" if self.unit and not self.is_share else title

    def value(self, score: float) -> float:
        """A score as people read it: percent, or the error."""
        if self.is_share:
            return 100 * score
        return score if self.metric.higher_is_better else -score

    def text(self, score: float) -> str:
        """A score with its unit: "97.1 %", "3.2 years"."""
        if self.is_share:
            return f"{100 * score:.1f} %"
        return f"{plain_number(self.value(score))} {self.unit}".strip()

    def size(self, difference: float) -> str:
        """How large a difference of scores is: "3.1 points", "0.4 years"."""
        if self.is_share:
            return f"{abs(100 * difference):.1f} points"
        return f"{plain_number(abs(difference))} {self.unit}".strip()

    def signed(self, difference: float) -> str:
        """A difference of scores, more is better: "+3.1", "−0.4"."""
        size = f"{abs(100 * difference):.1f}" if self.is_share else plain_number(abs(difference))
        return with_sign(difference, size)

    def equal_up_to(self, score: float) -> float:
        """The difference that does not matter: half a point, or a hundredth of the error."""
        return 0.005 if self.is_share else 0.01 * abs(score)

