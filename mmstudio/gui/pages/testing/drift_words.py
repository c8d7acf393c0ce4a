"""Drift in sentences: whether new rows look like those that the model learned from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

if TYPE_CHECKING:
    from mmstudio.evaluation.drift import Drift, ViewDrift


def tr(text: str) -> str:
    """The text in the user's language."""
    return QCoreApplication.translate("DriftWords", text)


def drift_words(drift: Drift, odd: int) -> tuple[str, str]:
    """The whole in a sentence, and what is behind it: each view, the rows, the warnings.

    Args:
        drift: What was found.
        odd: How many rows stand out.
    """
    from mmstudio.evaluation.drift import MOST_ROWS  # it was loaded to find this

    whole = (tr("These rows do not look like those that the model learned from.")
             if drift.drifted
             else tr("These rows look like those that the model learned from."))
    lines = [" · ".join(_view(one) for one in drift.views)]
    count = len(drift.rows)
    if odd:
        lines.append(tr("{odd} of {count} rows that were compared stand out; the table marks them."
                        ).format(odd=f"{odd:,}", count=f"{count:,}"))
    elif count >= MOST_ROWS:
        lines.append(tr("{count} of the rows were compared.").format(count=f"{count:,}"))
    return whole, "\n".join([*lines, *drift.warnings])


def _view(view: ViewDrift) -> str:
    name = view.input or tr("All together")
    if view.auc is None:
        return tr("{name}: too few rows to say").format(name=name)
    sentence = (tr("{name}: changed (separable: {auc:.2f})") if view.drifted
                else tr("{name}: as before (separable: {auc:.2f}; 0.5 is chance)"))
    return sentence.format(name=name, auc=view.auc)
