"""Which points a loop holds."""

from __future__ import annotations

import numpy as np


def inside(corners: np.ndarray, points: np.ndarray) -> np.ndarray:
    """``(N,)`` bool: which of ``(N, 2)`` points lie inside a polygon of ``(K, 2)`` corners.

    A line from a point to the right crosses the border an odd number of times.
    """
    found = np.zeros(len(points), bool)
    x, y = points[:, 0], points[:, 1]
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        crosses = (ay > y) != (by > y)
        if by != ay:
            found ^= crosses & (x < ax + (y - ay) * (bx - ax) / (by - ay))
    return found
