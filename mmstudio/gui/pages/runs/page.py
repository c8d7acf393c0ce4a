"""The Runs page: all runs of the project, to open, compare and delete."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QMessageBox,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from mmstudio.gui.pages.runs.compare_card import CompareCard
from mmstudio.gui.pages.runs.runs_table import RunsModel, RunsView
from mmstudio.gui.parts.cards import EmptyState, button, page_head
from mmstudio.gui.parts.take_away import TakeAwayButton, TakeAwayLine
from mmstudio.gui.plain_text import plain_box
from mmstudio.gui.state import loading
from mmstudio.gui.state.heavy_work import HeavyWork
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.gui.state.runs_store import RunsStore
from mmstudio.gui.state.take_away import TakeAway

if TYPE_CHECKING:
    from mmstudio.training.history import RunHistory

MOST_COMPARED = 8


class RunsPage(QWidget):
    """Lists the project's runs; `page_asked` asks the window for a page."""

    page_asked = Signal(str)

    def __init__(
        self, heavy: HeavyWork, project: ProjectStore, runs: RunsStore, take_away: TakeAway,
        parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._heavy, self._project, self._runs = heavy, project, runs
        self._take_away = take_away
        self._compare_card: CompareCard | None = None
        self._wanted: Path | None = None
        box = QVBoxLayout(self)
        box.setContentsMargins(24, 16, 24, 16)
        box.setSpacing(12)
        box.addLayout(self._head())
        box.addWidget(TakeAwayLine(take_away, self))
        self._stack = QStackedWidget()
        box.addWidget(self._stack, 1)
        action = button(self.tr("Go to training"), "mdi6.chart-line", mark="primary")
        action.clicked.connect(lambda: self.page_asked.emit("Train"))
        self._stack.addWidget(
            EmptyState(
                "mdi6.history",
                self.tr("No runs yet"),
                self.tr("Train a model; each training is kept here with its curves and figures."),
                action,
            )
        )
        self.model = RunsModel(self)
        self.table = RunsView(self.model)
        self.table.chosen.connect(self._show_buttons)
        self.table.opened.connect(self._runs.open)
        self._splitter = QSplitter(Qt.Orientation.Vertical)
        self._splitter.setHandleWidth(12)
        self._splitter.setChildrenCollapsible(False)
        self._splitter.addWidget(self.table)
        self._stack.addWidget(self._splitter)
        QShortcut(
            QKeySequence.StandardKey.Delete,
            self.table,
            self._ask_delete,
            context=Qt.ShortcutContext.WidgetShortcut,
        )
        self._runs.changed.connect(self._show)
        self._project.changed.connect(self._show_project)
        self._show()

    def _head(self) -> QHBoxLayout:
        row, self._about = page_head(self.tr("Runs"))
        self.compare_button = button(
            self.tr("Compare curves"),
            "mdi6.chart-multiple",
            tip=self.tr("Lay the curves of the selected runs over each other"),
            name="Compare curves",
        )
        self.compare_button.clicked.connect(self._compare)
        self.folder_button = button(
            self.tr("Open folder"),
            "mdi6.folder-open-outline",
            tip=self.tr("Show the run's files"),
            name="Open folder",
        )
        self.folder_button.clicked.connect(self._open_folder)
        self.delete_button = button(
            self.tr("Delete"),
            "mdi6.trash-can-outline",
            mark="danger",
            tip=self.tr("Move the selected runs to the trash (Del)"),
            name="Delete",
        )
        self.delete_button.clicked.connect(self._ask_delete)
        self.open_button = button(
            self.tr("Open"),
            "mdi6.open-in-app",
            mark="primary",
            tip=self.tr("Show its curves and load its model for testing (Enter)"),
            name="Open",
        )
        self.open_button.clicked.connect(self._open)
        self.take_away_button = TakeAwayButton(self._take_away, self._chosen)
        self._buttons = (
            self.delete_button,
            self.folder_button,
            self.take_away_button,
            self.compare_button,
            self.open_button,
        )
        for widget in self._buttons:
            row.addWidget(widget)
        return row

    def showEvent(self, event: QShowEvent) -> None:
        """The command line may have made runs meanwhile."""
        super().showEvent(event)
        self._project.look_again()
        self._runs.look_again()

    def select_run(self, run: Path) -> None:
        """Select a run, now or as soon as it is listed."""
        self._wanted = run
        self._show()

    def _show_project(self) -> None:
        self._close_compare()
        self._show()

    def _show(self) -> None:
        selected = [run.path for run in self.table.selected()]
        if self._wanted in [run.path for run in self._runs.listed]:
            selected, self._wanted = [self._wanted], None
        self.model.show_runs(self._runs.listed, self._heavy.run)
        self.table.select(selected)
        self._stack.setCurrentIndex(1 if self._runs.listed else 0)
        self._show_buttons()

    def _show_buttons(self) -> None:
        runs = self._runs.listed
        for widget in self._buttons:
            widget.setVisible(bool(runs))
        count = len(self.table.selected())
        self.open_button.setEnabled(count == 1)
        self.folder_button.setEnabled(count == 1)
        self.take_away_button.setEnabled(count == 1 and self._chosen() is not None)
        self.delete_button.setEnabled(count > 0)
        self.compare_button.setEnabled(count > 1)
        if not runs:
            text = ""
        elif count > 1:
            text = self.tr("{0} selected").format(count)
        elif len(runs) > 1:
            text = self.tr("Select two or more (Ctrl+click) to compare them")
        else:
            text = self.tr("Double-click a run to open it")
        self._about.set_text(text)

    def _chosen(self) -> Path | None:
        """The one run that is selected, where it has a model."""
        runs = self.table.selected()
        return runs[0].path if len(runs) == 1 and loading.has_model(runs[0].path) else None

    def _open(self) -> None:
        runs = self.table.selected()
        if runs:
            self._runs.open(runs[0].path)

    def _open_folder(self) -> None:
        for run in self.table.selected()[:1]:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(run.path)))

    # Comparing -----------------------------------------------------------------------------

    def _compare(self) -> None:
        runs = [run.path for run in self.table.selected()[:MOST_COMPARED]]
        if len(runs) < 2:
            return
        self._runs.read_histories(runs, self._show_compare)  # loads pyqtgraph on its way

    def _show_compare(self, histories: dict[Path, RunHistory]) -> None:
        if self._compare_card is None:
            self._compare_card = CompareCard()
            self._compare_card.closed.connect(self._close_compare)
            self._splitter.addWidget(self._compare_card)
            self._splitter.setSizes([200, 400])
            self._compare_card.begin_drawing()
        self._compare_card.show()
        self._compare_card.show_histories(histories)

    def _close_compare(self) -> None:
        if self._compare_card is not None:
            self._compare_card.hide()

    # Deleting ------------------------------------------------------------------------------

    def _ask_delete(self) -> None:
        runs = self.table.selected()
        if not runs:
            return
        box = plain_box(self)
        box.setWindowTitle(self.tr("Delete runs"))
        one = self.tr("Move the run “{0}” to the trash?").format(runs[0].name)
        many = self.tr("Move {0} runs to the trash?").format(len(runs))
        box.setText(one if len(runs) == 1 else many)
        box.setInformativeText(self.tr("Its model goes with it.") if len(runs) == 1 else "")
        delete = box.addButton(self.tr("Move to trash"), QMessageBox.ButtonRole.DestructiveRole)
        box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))

        def done() -> None:
            if box.clickedButton() is delete:
                for run in runs:
                    self._runs.delete(run.path)

        box.finished.connect(done)
        box.open()
