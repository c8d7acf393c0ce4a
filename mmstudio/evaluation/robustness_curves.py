"""What is found of a run's robustness: curves, and the ways in which inputs get worse.

Nothing here needs torch: the window shows it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmstudio.data.schema import modality_of
from mmstudio.experiment import Experiment
from mmstudio.modalities.corruption import Content, Corruption
from mmstudio.training.events import without_nan

ABSENT = "absent"
ABSENT_SHARES = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Point:
    """The figures at one strength.

    Attributes:
        strength: Of the corruption; 0 for the rows as they are.
        figures: Per target its main figure.
        shares: Per target and input the share of its mean absolute Shapley value, of all inputs
            that are there; empty for more than six inputs.
    """

    strength: float
    figures: dict[str, float]
    shares: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Curve:
    """One way in which one input gets worse, and what becomes of the figures."""

    input: str
    corruption: str
    unit: str
    points: list[Point]

    def taken_over(self, target: str, clean: Point) -> tuple[int, str] | None:
        """From which step on another input counts more, and which; None where none does.

        Args:
            target: Of the answers.
            clean: The rows as they are, which are step 0; step 1 is the first of ``points``.
        """
        for step, point in enumerate((clean, *self.points)):
            shares = point.shares.get(target, {})
            others = {n: s for n, s in shares.items() if n != self.input}
            if others and self.input in shares:
                most = max(others, key=others.__getitem__)
                if others[most] > shares[self.input]:
                    return step, most
        return None


@dataclass(frozen=True)
class Robustness:
    """How robust a run is.

    Attributes:
        run: Its folder.
        split: Whose rows were looked at.
        rows: How many.
        main_figures: Per target the name of its figure.
        clean: The rows as they are.
        curves: Per input and corruption.
    """

    run: str
    split: str
    rows: int
    main_figures: dict[str, str]
    clean: Point
    curves: list[Curve]

    def curve(self, name: str, corruption: str) -> Curve | None:
        """One of the curves; None where it was not asked for."""
        return next((one for one in self.curves
                     if (one.input, one.corruption) == (name, corruption)), None)

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it; null where a figure is not known."""
        data: dict[str, Any] = without_nan(dataclasses.asdict(self))
        return data


def _absent(content: Content, strength: float, chance: np.random.Generator) -> np.ndarray:
    """Nothing where a row is hit; a row that is hit at a share is hit at every greater one."""
    return content.array[:0] if chance.random() < strength else content.array


GONE = Corruption(ABSENT, "of the rows", ABSENT_SHARES, _absent)


def ways_of(experiment: Experiment) -> list[tuple[str, Corruption]]:
    """Every input with each way in which it gets worse; to be absent comes last."""
    return [(name, corruption) for name, settings in experiment.active_inputs.items()
            for corruption in (*modality_of(settings).corruptions(), GONE)]


def strength_text(strength: float, unit: str) -> str:
    """``25 % of the rows``, or ``10 dB more quiet``."""
    if 0 < strength <= 1 and unit.startswith(("of ", "lost", "faster")):
        return f"{strength:.0%} {unit}"
    return f"{strength:g} {unit}"
