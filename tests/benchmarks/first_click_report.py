"""The table of ``first_click.py``, and whether the promises are kept."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

ABOVE = 0.01
"""So much above scikit-learn, in so large a share of the rows:"""
ABOVE_SHARE = 2 / 3
BELOW_INPUT = 0.01
"""At most so much below the best single input."""
MOST_SECONDS = 300.0
ROUNDING = 1e-9


@dataclass(frozen=True)
class Measured:
    """One training of the app, looked at for one target.

    Attributes:
        figure: Of the whole model, over all rows.
        single: Of the best input alone; None where there is one input.
        together: Of all inputs, over the rows that ``single`` is of.
        seconds: Of the training, from the command to its end.
    """

    figure: float
    single: float | None
    together: float | None
    seconds: float


@dataclass(frozen=True)
class Row:
    """A target of a set: what scikit-learn reaches, and the app with each seed.

    Attributes:
        name: The set.
        target: The column.
        metric: What the figures are.
        baseline: scikit-learn's figure.
        chosen: What it is of.
        error: Its standard error.
        measured: Per seed; empty where the app did not run.
        promised: What is promised of this row by name, if anything.
        note: What else there is to say, such as why the app failed.
    """

    name: str
    target: str
    metric: str
    baseline: float
    chosen: str
    error: float
    measured: Sequence[Measured] = ()
    promised: float | None = None
    note: str = ""

    @property
    def figure(self) -> float | None:
        """The mean of the seeds."""
        return statistics.mean(m.figure for m in self.measured) if self.measured else None

    @property
    def single(self) -> float | None:
        """The best single input, the mean of the seeds."""
        found = [m.single for m in self.measured if m.single is not None]
        return statistics.mean(found) if found else None

    @property
    def seconds(self) -> float:
        """The longest training."""
        return max((m.seconds for m in self.measured), default=0.0)

    @property
    def at_or_above(self) -> bool:
        """Not below scikit-learn by more than half a standard error."""
        return self.figure is not None and (
            self.figure >= self.baseline - self.error / 2 - ROUNDING)

    @property
    def above(self) -> bool:
        """A point above scikit-learn or more."""
        return self.figure is not None and self.figure >= self.baseline + ABOVE - ROUNDING

    @property
    def below_input(self) -> bool:
        """More than a point below what one of the inputs reaches alone."""
        lost = [m.single - m.together for m in self.measured
                if m.single is not None and m.together is not None]
        return bool(lost) and statistics.mean(lost) > BELOW_INPUT + ROUNDING

    @property
    def verdict(self) -> str:
        """In a few words."""
        if self.figure is None:
            return self.note or "not measured"
        words = ["above" if self.above else "level" if self.at_or_above else "BELOW"]
        if self.below_input:
            words.append("BELOW ITS BEST INPUT")
        if self.seconds > MOST_SECONDS:
            words.append("SLOW")
        return ", ".join([*words, *([self.note] if self.note else [])])


def table(rows: Sequence[Row]) -> str:
    """All rows, the widest column last."""
    lines = [f"{'set':15} {'target':10} {'mmstudio':>8} {'sklearn':>8} {'± error':>7} "
             f"{'input':>6} {'s':>5}  {'verdict':9} best of scikit-learn"]
    for row in rows:
        lines.append(
            f"{row.name:15} {row.target:10} {_shown(row.figure):>8} {row.baseline:8.3f} "
            f"{row.error:7.3f} {_shown(row.single):>6} "
            f"{f'{row.seconds:.0f}' if row.measured else '-':>5}  {row.verdict:9} {row.chosen}"
            + ("" if row.metric == "accuracy" else f" ({row.metric})"))
    return "\n".join(lines)


def _shown(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.3f}"


def judgement(rows: Sequence[Row]) -> tuple[str, bool]:
    """What is promised of all rows and by name, in lines; and whether all of it is kept."""
    count = len(rows)
    level, above = sum(row.at_or_above for row in rows), sum(row.above for row in rows)
    below, longest = sum(row.below_input for row in rows), max(row.seconds for row in rows)
    lines = [
        (level == count, f"{level} of {count} rows at or above scikit-learn, within half a "
                         "standard error (promised: all)"),
        (above >= ABOVE_SHARE * count, f"{above} of {count} rows ({above / count:.0%}) at least "
                                       "1 point above (promised: two thirds)"),
        (below == 0, f"{below} rows more than 1 point below their best single input "
                     "(promised: none)"),
        (longest <= MOST_SECONDS, f"longest training {longest:.0f} s (promised: at most "
                                  f"{MOST_SECONDS:.0f} s)"),
    ]
    for row in rows:
        if row.promised is not None:
            kept = row.figure is not None and row.figure >= row.promised - ROUNDING
            lines.append((kept, f"{row.name} {row.target} {_shown(row.figure)} "
                                f"(promised: {row.promised})"))
    told = "\n".join(f"{'kept  ' if kept else 'BROKEN'}  {text}" for kept, text in lines)
    return told, all(kept for kept, _ in lines)
