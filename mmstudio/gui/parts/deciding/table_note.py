"""The note on a table that was written: the project can use it, and learn from it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from mmstudio.gui import style
from mmstudio.gui.parts.cards import button
from mmstudio.gui.parts.note_line import NoteLine
from mmstudio.gui.state.decisions import DecisionsStore
from mmstudio.gui.state.going_on import GoingOn
from mmstudio.gui.state.project_store import ProjectStore


class TableNote(NoteLine):
    """Follows the store; `page_asked` asks the window for another page."""

    page_asked = Signal(str)

    def __init__(
        self, project: ProjectStore, decisions: DecisionsStore, parent: QWidget | None = None
    ) -> None:
        super().__init__("Table written", parent)
        self._project, self._store = project, decisions
        self._written: Path | None = None
        self._going_on: GoingOn | None = None
        self.go_on_button = button(
            self.tr("Continue from the last model"), mark="primary",
            name="Continue from the last model")
        self.use_button = button(self.tr("Use this table"), mark="primary", name="Use this table")
        self.use_button.clicked.connect(self._use)
        self.train_button = button(self.tr("Train again"), mark="primary", name="Train again")
        self.train_button.clicked.connect(lambda: self.page_asked.emit("Train"))
        for one in (self.use_button, self.train_button, self.go_on_button):
            self.add_button(one)
        decisions.written.connect(self._show_written)
        project.changed.connect(self._show_used)

    def offer_to_go_on(self, going_on: GoingOn) -> None:
        """Offer a training that starts with the last model's weights, too."""
        self._going_on = going_on
        self.go_on_button.clicked.connect(going_on.start)
        going_on.begun.connect(self._show_begun)

    def show_words(self, message: str, hint: str, kind: str) -> None:
        """Say something else; the arguments are those of `show_note`."""
        self.use_button.hide()
        self.train_button.hide()
        self.go_on_button.hide()
        self.show_note(message, hint, kind)

    def _show_written(self, path: Path) -> None:
        self._written = path
        self.use_button.show()
        self.train_button.hide()
        self.go_on_button.hide()
        self.show_note(
            self.tr("{0} was written.").format(path.name),
            self.tr("The old table is as it was; the project still uses it."), "good")

    def _use(self) -> None:
        if self._written is not None:
            self._store.use_table(self._written)

    def _show_used(self, *_: object) -> None:
        """The project has another table, perhaps the one that was written."""
        path, table = self._written, self._project.table
        if path is None:
            return
        if table is None or table.path.resolve() != path.resolve():
            self._written = None
            self.hide()
            return
        self.use_button.hide()
        self.train_button.show()
        last = self._going_on.last if self._going_on is not None else None
        self.go_on_button.setVisible(last is not None)
        style.mark(self.train_button, "primary" if last is None else "")
        hint = self.tr("Train again, and the model learns from it.")
        if last is not None:
            hint = self.tr("Train again, or continue with what {run} has learnt: its encoders, its "
                           "fusion and its weights.").format(run=last.name)
        self.show_note(self.tr("The project uses {0} now.").format(path.name), hint, "good")

    def _show_begun(self, *_: object) -> None:
        if self.isVisible():
            self.hide()
            self.page_asked.emit("Train")
