"""Curves that grow: copied once, thinned out to what a screen can show.

pyqtgraph's ``setDownsampling(method="peak")`` with ``setClipToView`` looks at all points in each
repaint: with a million of them a repaint takes 75 ms for one curve and 334 ms for four, in place
of 20 and 72 ms.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_ALL_SHOWN = 20


class GrowingCurve:
    """Keeps all points of a growing list as an array; only what is new is copied."""

    def __init__(self) -> None:
        """Start empty."""
        self._points = np.empty((2, 256))
        self._count = 0
        self.version = 0
        """Another one when the points are others."""

    def __len__(self) -> int:
        """Number of points."""
        return self._count

    @property
    def x(self) -> np.ndarray:
        """(points,) where the points lie."""
        return self._points[0, : self._count]

    @property
    def y(self) -> np.ndarray:
        """(points,) how high they lie."""
        return self._points[1, : self._count]

    def follow(self, x: Sequence[float], y: Sequence[float]) -> None:
        """Take over what was appended to `x` and `y`; lists that shrank are read again."""
        count = min(len(x), len(y))
        if count < self._count or (self._count and x[0] != self._points[0, 0]):
            self._count = 0
            self.version += 1
        if count == self._count:
            return
        if count > self._points.shape[1]:
            larger = np.empty((2, max(count, 2 * self._points.shape[1])))
            larger[:, : self._count] = self._points[:, : self._count]
            self._points = larger
        self._points[0, self._count : count] = x[self._count : count]
        self._points[1, self._count : count] = y[self._count : count]
        self._count = count
        self.version += 1


def thinned(x: np.ndarray, y: np.ndarray, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest point of each column, so that no spike is lost.

    Args:
        x: (points,) rising.
        y: (points,).
        columns: about how many columns the screen has for them.

    Returns:
        x and y as they are where they are few, else of at most 2 * columns points.
    """
    columns = max(1, columns)
    if len(x) <= 2 * columns:
        return x, y
    starts = np.linspace(0, len(x), columns, endpoint=False).astype(int)
    thin_x = np.repeat(x[starts], 2)
    thin_y = np.empty(2 * columns)
    thin_y[0::2] = np.fmin.reduceat(y, starts)
    thin_y[1::2] = np.fmax.reduceat(y, starts)
    return thin_x, thin_y


def nearest(x: np.ndarray, y: np.ndarray, where: float) -> float | None:
    """The value of the point nearest to `where` along x; None for an empty curve."""
    if len(x) == 0:
        return None
    right = int(np.searchsorted(x, where))
    left = max(0, right - 1)
    right = min(right, len(x) - 1)
    return float(y[left] if where - x[left] <= x[right] - where else y[right])


def last_epoch_shown(epochs_done: float, epochs_planned: int) -> float:
    """Where the epoch axis ends: ahead of the curve, in few steps, so that it seldom jumps."""
    if epochs_planned <= _ALL_SHOWN:
        return float(max(1, epochs_planned, epochs_done))
    for end in (10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1000):
        if epochs_done <= end:
            return float(min(end, max(1, epochs_planned)))
    return max(epochs_done, 1.0) * 1.1
