"""How much of something large is there."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from mmstudio.sizes import size_text


def share_text(done: int, total: int) -> str:
    """How much of it is there: "12 of 45 MB"; the unit stands once where it is the same."""
    have, whole = size_text(done), size_text(total)
    number, _, unit = have.partition(" ")
    shown = number if whole.endswith(f" {unit}") else have
    return QCoreApplication.translate("SizeWords", "{0} of {1}").format(shown, whole)
