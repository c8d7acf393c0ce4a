"""Whether an input is neglected while the model learns, as a plain sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

if TYPE_CHECKING:
    from mmstudio.training.history import RunHistory

LEAST_EPOCHS = 3
"""Before so many epochs nothing is said: every run begins unevenly."""
SMALL_SHARE = 0.1
"""Of the gradient: an input that gets less is neglected."""
FALLEN, STUCK = 0.8, 0.97
"""Of its first loss: where one input is below the one, another above the other does not learn."""


def tr(text: str) -> str:
    """The text in the user's language."""
    return QCoreApplication.translate("BalanceWords", text)


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


def balance_sentence(history: RunHistory | None) -> tuple[str, str]:
    """What to say below the plot's title, and how: `warn`, `good`, or empty."""
    if history is None or len(history.epochs) < LEAST_EPOCHS or not history.gradient_share:
        return "", ""
    neglected = neglected_inputs(history)
    if neglected:
        name, share = min(neglected, key=lambda pair: pair[1])
        text = tr(
            "“{name}” is neglected: it gets {share:.0f} % of the gradient. More options: gradient "
            "modulation, or hide the others more often."
        )
        return text.format(name=name, share=100 * share), "warn"
    stuck = stuck_inputs(history)
    if stuck:
        text = tr(
            "“{name}” does not learn: its own loss does not fall. It may tell nothing alone. Where "
            "the input loss is 0 in More options, set it to 2."
        )
        return text.format(name=stuck[0]), "warn"
    return tr("No input is neglected."), "good"


def _recent(values: Sequence[float]) -> float | None:
    """The mean of the last epochs that have a number."""
    known = [value for value in values if math.isfinite(value)][-LEAST_EPOCHS:]
    return sum(known) / len(known) if known else None
