"""*Take away*: the button that exports a run's model or writes its report, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QMenu, QVBoxLayout, QWidget

from mmstudio import units
from mmstudio.gui import style
from mmstudio.gui.dialogs.export_dialog import ExportDialog
from mmstudio.gui.parts.cards import IconButton, button
from mmstudio.gui.parts.note_line import NoteLine
from mmstudio.gui.parts.progress_line import ProgressLine
from mmstudio.gui.plain_text import plain_tip
from mmstudio.gui.state.take_away import TakeAway

if TYPE_CHECKING:
    from mmstudio.export.exporting import Exported


class TakeAwayButton(IconButton):
    """Asks what to make of a run, and where to.

    Args:
        store: Makes it.
        run: Gives the run; None where none is chosen.
    """

    def __init__(self, store: TakeAway, run: Callable[[], Path | None]) -> None:
        super().__init__("", "mdi6.briefcase-arrow-left-right-outline")
        self._store, self._run = store, run
        self.setText(self.tr("Take away"))
        self.setObjectName("Take away")
        self.setAccessibleName("Take away")
        self.setToolTip(plain_tip(self.tr(
            "The model as a folder that answers without this app, or a report to hand on")))
        menu = QMenu(self)
        menu.addAction(self.tr("Export the model …"), self._ask_export)
        menu.addAction(self.tr("Write a report …"), self._ask_report)
        self.setMenu(menu)

    def _ask_export(self) -> None:
        run = self._run()
        if run is None:
            return
        dialog = ExportDialog(self.window())
        dialog.accepted.connect(lambda: self._ask_place(
            self.tr("Export the model to a new folder"), run.name, "",
            partial(self._store.export, run, choices=dialog.choices())))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _ask_report(self) -> None:
        run = self._run()
        if run is not None:
            self._ask_place(
                self.tr("Write a report"), f"{run.name}.html",
                self.tr("Web pages (*.html);;PDF files (*.pdf)"),
                lambda path: self._store.report(run, path))

    def _ask_place(
        self, title: str, name: str, kinds: str, done: Callable[[Path], None]
    ) -> None:
        dialog = QFileDialog(self.window(), title, str(Path.home() / name), kinds)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setFileMode(QFileDialog.FileMode.AnyFile)
        dialog.selectFile(name)
        dialog.fileSelected.connect(lambda path: done(Path(path)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()


class TakeAwayLine(QWidget):
    """How far it is, with *Stop*; then where it lies. Hidden while there is nothing to say."""

    def __init__(self, store: TakeAway, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._made: Path | None = None
        self.progress = ProgressLine(self)
        self.progress.label.setObjectName("Take away progress")
        self.progress.label.setAccessibleName("Take away progress")
        self.stop_button = button(self.tr("Stop"), "mdi6.stop", name="Stop taking away",
                                  tip=self.tr("Cancel; no files are left behind"))
        self.stop_button.clicked.connect(store.stop)
        self._working = QWidget(self)
        row = QHBoxLayout(self._working)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2 * style.SPACE)
        row.addWidget(self.progress, 1)
        row.addWidget(self.stop_button)
        self.note = NoteLine("Taken away", self)
        self.show_button = button(self.tr("Show it"), "mdi6.open-in-new", name="Show it")
        self.show_button.clicked.connect(self._show_made)
        self.note.add_button(self.show_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._working)
        column.addWidget(self.note)
        self._working.hide()
        store.progressed.connect(self._show_progress)
        store.exported.connect(self._show_exported)
        store.reported.connect(self._show_reported)
        store.failed.connect(self._show_failed)
        store.stopped.connect(self._show_stopped)
        self.hide()

    def _show_progress(self, message: str, done: int, total: int) -> None:
        self.note.hide()
        self._working.show()
        self.show()
        self.progress.show_progress(message, done / total if total else None)

    def _show_exported(self, found: Exported) -> None:
        hint = self.tr(
            "{size}; in {count} answers without the app no score differed by more than {most:.1e}."
        ).format(size=units.size_text(found.size_bytes), count=found.answers, most=found.largest)
        if found.quantized is not None:
            hint = " ".join([hint, *(f"{line}." for line in found.quantized.lines())])
        self._show_done(found.folder, self.tr("The model is in {0}").format(found.folder), hint)

    def _show_reported(self, path: Path) -> None:
        self._show_done(path, self.tr("The report is {0}").format(path), "")

    def _show_done(self, made: Path, message: str, hint: str) -> None:
        self._made = made
        self._working.hide()
        self.show_button.show()
        self.note.show_note(message, hint, "good")

    def _show_failed(self, message: str, hint: str) -> None:
        self._working.hide()
        self.show_button.hide()
        self.note.show_note(message, hint, "bad")

    def _show_stopped(self) -> None:
        self._working.hide()
        self.setVisible(not self.note.isHidden())

    def _show_made(self) -> None:
        if self._made is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._made)))
