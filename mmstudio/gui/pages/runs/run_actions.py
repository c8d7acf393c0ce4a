"""What can be done with the selected runs, as a menu that the button and the table share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QUrl
from PySide6.QtGui import QAction, QDesktopServices, QKeySequence
from PySide6.QtWidgets import QInputDialog, QMenu, QMessageBox, QWidget

from mmstudio.gui import style
from mmstudio.gui.pages.runs.notes_dialog import NotesDialog
from mmstudio.gui.pages.runs.settings_question import ask_to_use
from mmstudio.gui.plain_text import plain_box
from mmstudio.gui.state.run_again import RunAgain
from mmstudio.gui.state.run_files import RunFiles
from mmstudio.gui.state.runs_store import RunsStore

if TYPE_CHECKING:
    from mmstudio.training.run_summary import RunSummary


class RunActions(QObject):
    """The actions, and the questions that some of them ask.

    Args:
        runs: Knows the runs.
        files: Changes their folders.
        again: Brings their settings into the project.
        selected: Gives the runs that are meant.
        page: Asks the questions.
    """

    def __init__(
        self, runs: RunsStore, files: RunFiles, again: RunAgain,
        selected: Callable[[], list[RunSummary]], page: QWidget,
    ) -> None:
        super().__init__(page)
        self._runs, self._files, self._again = runs, files, again
        self._selected, self._page = selected, page
        self.menu = QMenu(page)
        self._train_again = self._add(
            self.tr("Train again with these settings…"), "mdi6.replay", self._ask_again)
        self._go_on = self._add(
            self.tr("Continue from this model…"), "mdi6.source-branch", self._ask_to_go_on)
        self.menu.addSeparator()
        self._star = self._add(self.tr("Star"), "mdi6.star-outline", self._toggle_star, "S")
        self._notes = self._add(
            self.tr("Tags and note…"), "mdi6.tag-outline", self.ask_notes, "N")
        self._rename = self._add(
            self.tr("Rename…"), "mdi6.rename-outline", self.ask_name, "F2")
        self.menu.addSeparator()
        self._folder = self._add(
            self.tr("Open folder"), "mdi6.folder-open-outline", self._open_folder)
        self._delete = self._add(
            self.tr("Move to the trash…"), "mdi6.trash-can-outline", self.ask_delete,
            QKeySequence.StandardKey.Delete)
        again.offered.connect(lambda offer: ask_to_use(self._page, offer, again.use))
        style.changed.connect(self._tint)

    def _add(
        self, text: str, icon: str, done: Callable[[], None],
        key: str | QKeySequence.StandardKey = "",
    ) -> QAction:
        action = QAction(text, self._page)
        action.setData(icon)
        action.setIcon(style.icon(icon, "muted"))
        action.triggered.connect(lambda: done())
        if key:
            action.setShortcut(QKeySequence(key))
        self.menu.addAction(action)
        return action

    def listen_in(self, table: QWidget) -> None:
        """Have the actions' keys work while a widget has the focus."""
        for action in self.menu.actions():
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            table.addAction(action)

    def show_for(self, runs: Sequence[RunSummary]) -> None:
        """Offer what can be done with these runs."""
        whole = [run for run in runs if run.status != "unreadable"]
        self._star.setEnabled(bool(whole))
        starred = bool(whole) and all(run.notes.starred for run in whole)
        self._star.setText(self.tr("Remove the star") if starred else self.tr("Star"))
        self._train_again.setEnabled(len(runs) == 1 and bool(whole))
        self._go_on.setEnabled(len(runs) == 1 and bool(whole))
        self._notes.setEnabled(len(runs) == 1 and bool(whole))
        self._rename.setEnabled(len(runs) == 1 and bool(whole))
        self._folder.setEnabled(len(runs) == 1)
        self._delete.setEnabled(bool(runs))

    def _ask_again(self) -> None:
        run = self._one()
        if run is not None:
            self._again.ask(run.path, goes_on=False)

    def _ask_to_go_on(self) -> None:
        run = self._one()
        if run is not None:
            self._again.ask(run.path, goes_on=True)

    # Notes ---------------------------------------------------------------------------------

    def star(self, paths: Sequence[Path]) -> None:
        """Star runs, or take their stars away where all have one."""
        runs = [run for run in self._runs.listed
                if run.path in paths and run.status != "unreadable"]
        on = not all(run.notes.starred for run in runs)
        if runs:
            self._files.note({run.path: replace(run.notes, starred=on) for run in runs})

    def _toggle_star(self) -> None:
        self.star([run.path for run in self._selected()])

    def ask_notes(self) -> None:
        """Have the tags and the note of the selected run edited."""
        run = self._one()
        if run is None:
            return
        known = dict.fromkeys(tag for one in self._runs.listed for tag in one.notes.tags)
        dialog = NotesDialog(run, list(known), self._page)
        dialog.written.connect(lambda notes: self._files.note({run.path: notes}))
        dialog.open()

    def ask_name(self) -> None:
        """Ask for another name of the selected run."""
        run = self._one()
        if run is None:
            return
        dialog = QInputDialog(self._page)
        dialog.setWindowTitle(self.tr("Rename run"))
        dialog.setLabelText(self.tr("New name"))
        dialog.setTextValue(run.name)
        dialog.setOkButtonText(self.tr("Rename"))
        dialog.resize(420, dialog.sizeHint().height())
        dialog.textValueSelected.connect(lambda name: self._files.rename(run.path, name))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _one(self) -> RunSummary | None:
        runs = [run for run in self._selected() if run.status != "unreadable"]
        return runs[0] if len(runs) == 1 else None

    # Folders -------------------------------------------------------------------------------

    def _open_folder(self) -> None:
        for run in self._selected()[:1]:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(run.path)))

    def ask_delete(self) -> None:
        """Ask whether the selected runs may go."""
        runs = self._selected()
        if not runs:
            return
        box = plain_box(self._page)
        box.setWindowTitle(self.tr("Delete runs"))
        one = self.tr("Move the run “{0}” to the trash?").format(runs[0].name)
        many = self.tr("Move {0} runs to the trash?").format(len(runs))
        box.setText(one if len(runs) == 1 else many)
        starred = sum(run.notes.starred for run in runs)
        told = [self.tr("Its model goes with it.") if len(runs) == 1
                else self.tr("Their models go with them.")]
        if starred and len(runs) > 1:
            told.append(self.tr("{0} of them are starred.").format(starred))
        box.setInformativeText(" ".join(told))
        delete = box.addButton(self.tr("Move to trash"), QMessageBox.ButtonRole.DestructiveRole)
        box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
        paths = [run.path for run in runs]

        def done() -> None:
            if box.clickedButton() is delete:
                self._files.delete(paths)
            box.deleteLater()

        box.finished.connect(done)
        box.open()

    def _tint(self) -> None:
        for action in self.menu.actions():
            if action.data():
                action.setIcon(style.icon(action.data(), "muted"))
