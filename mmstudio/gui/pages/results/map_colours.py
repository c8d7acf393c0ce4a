"""What the colours of the map's points tell: classes, or steps of a number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtGui import QColor

from mmstudio.gui import style

MOST_COLOURS = 12
"""Classes with a colour of their own."""
MORE_COLOURS = ("text", "#c49a6c", "bad", "muted")
"""Beyond those of the palette's series."""
Group = tuple[str, np.ndarray, str | int | QColor]
"""A name, which of the points it is of, ``(N,)`` bool, and their colour."""


def of_classes(
    numbers: np.ndarray, labels: Sequence[str], others: str, unknown: str
) -> list[Group]:
    """A colour for each of the most frequent classes, one for all others."""
    counts = np.bincount(numbers[numbers >= 0], minlength=len(labels))
    first = sorted(np.argsort(-counts, kind="stable")[:MOST_COLOURS].tolist())
    groups: list[Group] = []
    rest = ~np.isin(numbers, first) & (numbers >= 0)
    if rest.any():
        groups.append((others, rest, "faint"))
    if (numbers < 0).any():
        groups.append((unknown, numbers < 0, "disabled"))
    shades = len(style.palette().series)
    for place, number in enumerate(first):
        colour: int | str = place if place < shades else MORE_COLOURS[place - shades]
        if counts[number]:
            groups.append((labels[number], numbers == number, colour))
    return groups


def of_numbers(
    values: np.ndarray, *, in_percent: bool, reverse: bool
) -> list[Group]:
    """Five steps from one colour to another, of about as many samples each."""
    known = values[np.isfinite(values)]
    if not len(known):
        return []
    cuts = (np.array([0.5, 0.7, 0.9, 0.97]) if in_percent
            else np.unique(np.quantile(known, [0.2, 0.4, 0.6, 0.8])))
    which = np.searchsorted(cuts, values, side="right")
    ends = [float(known.min()), *cuts.tolist(), float(known.max())]
    groups: list[Group] = []
    for step in range(len(cuts) + 1):
        share = step / max(1, len(cuts))
        colour = _between("bad", "accent", 1 - share if reverse else share)
        low, high = ends[step], ends[step + 1]
        name = (f"{100 * low:.0f} – {100 * high:.0f} %" if in_percent
                else f"{low:.3g} – {high:.3g}")
        members = (which == step) & np.isfinite(values)
        if members.any():
            groups.append((name, members, colour))
    return groups


def _between(one: str, other: str, share: float) -> QColor:
    a, b = style.color(one), style.color(other)
    return QColor.fromRgbF(*(x + share * (y - x) for x, y in (
        (a.redF(), b.redF()), (a.greenF(), b.greenF()), (a.blueF(), b.blueF()))))
