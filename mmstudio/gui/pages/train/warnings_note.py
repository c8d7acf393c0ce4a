"""What a run warned of: the latest, and on a click all of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

from mmstudio.gui.parts.cards import button
from mmstudio.gui.parts.note_line import NoteLine

if TYPE_CHECKING:
    from mmstudio.training.events import Warned


class WarningsNote(NoteLine):
    """A note of the latest warning; closed, it stays away until there is another."""

    def __init__(self, parent: QWidget | None = None) -> None:
        """Make it hidden."""
        super().__init__("Warnings", parent)
        self._warnings: list[Warned] = []
        self._all = button("", name="All warnings")
        self._all.clicked.connect(self._show_all)
        self.add_button(self._all)

    def forget(self) -> None:
        """Another run begins to be shown."""
        self._warnings = []
        self.hide()

    def show_warnings(self, warnings: Sequence[Warned]) -> None:
        """Show the latest where one has come since the last call."""
        if len(warnings) <= len(self._warnings):
            return
        self._warnings = list(warnings)
        more = len(warnings) > 1
        self._all.setVisible(more)
        self._all.setText(self.tr("All {n} warnings").format(n=len(warnings)))
        self.show_note(warnings[-1].message, warnings[-1].hint, "warn")

    def _show_all(self) -> None:
        self._all.hide()
        first, *others = self._warnings
        lines = [first.hint, *(f"{one.message} {one.hint}".strip() for one in others)]
        self.show_note(first.message, "\n".join(line for line in lines if line), "warn")
