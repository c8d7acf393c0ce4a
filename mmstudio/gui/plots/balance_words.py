"""Whether an input is neglected while the model learns, as a plain sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from mmstudio.training.neglect import LEAST_EPOCHS, neglected_inputs, stuck_inputs

if TYPE_CHECKING:
    from mmstudio.training.history import RunHistory

def tr(text: str) -> str:
    """The text in the user's language."""
    return QCoreApplication.translate("BalanceWords", text)


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
            "“{name}” does not learn: its own loss does not fall. It may say nothing alone. If the "
            "input loss is 0 in More options, set it to 2."
        )
        return text.format(name=stuck[0]), "warn"
    return tr("No input is neglected."), "good"
