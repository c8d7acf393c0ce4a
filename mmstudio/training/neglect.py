"""Whether an input is neglected, or does not learn, while the model learns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmstudio.training.history import RunHistory

LEAST_EPOCHS = 3
"""Before so many epochs nothing can be said: every run begins unevenly."""
SMALL_SHARE = 0.1
"""Of the gradient: an input that gets less is neglected."""
FALLEN, STUCK = 0.8, 0.97
"""Of its first loss: where one input is below the one, another above the other does not learn."""


def neglected_inputs(history: RunHistory) -> list[tuple[str, float]]:
    """The inputs that get too small a share of the gradient, with that share."""
    fair = 1 / max(1, len(history.gradient_share))
    found = []
    for name, shares in history.gradient_share.items():
        share = _recent(shares)
        # with many inputs a fair share is small itself
        if share is not None and share < min(SMALL_SHARE, 0.4 * fair):
            found.append((name, share))
    return found


def stuck_inputs(history: RunHistory) -> list[str]:
    """The inputs whose own loss does not fall while another's does."""
    fallen = {}
    for name, losses in history.input_loss.items():
        known = [loss for loss in losses if math.isfinite(loss)]
        if len(known) > LEAST_EPOCHS and known[0] > 0:
            fallen[name] = (_recent(known) or 0.0) / known[0]
    if not any(share < FALLEN for share in fallen.values()):
        return []
    return [name for name, share in fallen.items() if share > STUCK]


def _recent(values: Sequence[float]) -> float | None:
    """The mean of the last epochs that have a number."""
    known = [value for value in values if math.isfinite(value)][-LEAST_EPOCHS:]
    return sum(known) / len(known) if known else None
