"""The one figure that a comparison ranks by, and how people read it."""

from __future__ import annotations

from dataclasses import dataclass

ERRORS = ("mean_absolute_error",)
"""Figures whose row scores are errors made negative; all others are shares from 0 to 1."""


@dataclass(frozen=True)
class Figure:
    """What the mean of the row scores is: ``accuracy``, or an error in ``unit``.

    Scores are kept as the task gives them, more is better; only here they become percent, points
    or an error without its sign.
    """

    name: str
    unit: str = ""

    @property
    def is_share(self) -> bool:
        """Whether scores lie between 0 and 1."""
        return self.name not in ERRORS

    @property
    def title(self) -> str:
        """For a heading: "Accuracy", "Mean absolute error, years"."""
        words = self.name.replace("_", " ").replace(" f1", " F1").replace("samples", "row")
        title = words[:1].upper() + words[1:]
        return f"{title}, {self.unit}" if self.unit and not self.is_share else title

    def value(self, score: float) -> float:
        """A score as people read it: percent, or the error."""
        return 100 * score if self.is_share else -score

    def text(self, score: float) -> str:
        """A score with its unit: "97.1 %", "3.2 years"."""
        if self.is_share:
            return f"{100 * score:.1f} %"
        return f"{number(-score)} {self.unit}".strip()

    def size(self, difference: float) -> str:
        """How large a difference of scores is: "3.1 points", "0.4 years"."""
        if self.is_share:
            return f"{abs(100 * difference):.1f} points"
        return f"{number(abs(difference))} {self.unit}".strip()

    def signed(self, difference: float) -> str:
        """A difference of scores, more is better: "+3.1", "−0.4"."""
        text = f"{abs(100 * difference):.1f}" if self.is_share else number(abs(difference))
        if not float(text):
            return text
        return f"+{text}" if difference > 0 else f"−{text}"

    def equal_up_to(self, score: float) -> float:
        """The difference that does not matter: half a point, or a hundredth of the error."""
        return 0.005 if self.is_share else 0.01 * abs(score)


def number(value: float) -> str:
    """A number in three digits, never with an exponent: 0.312, 3.12, 312."""
    size = abs(value)
    if size >= 100 or size == 0:
        return f"{value:.0f}"
    if size < 0.0005:
        return "0"
    return f"{value:.2f}" if size >= 1 else f"{value:.3f}"
