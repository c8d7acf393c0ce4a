"""The Runs page: all runs of the project, to open, lay over each other and delete."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QSplitter,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from mmstudio.gui import style
from mmstudio.gui.pages.runs.curves_card import CurvesCard
from mmstudio.gui.pages.runs.folds_card import FoldsCard
from mmstudio.gui.pages.runs.run_actions import RunActions
from mmstudio.gui.pages.runs.runs_model import RunsModel
from mmstudio.gui.pages.runs.runs_table import RunsView
from mmstudio.gui.parts.cards import EmptyState, button, label, page_head
from mmstudio.gui.parts.take_away import TakeAwayButton, TakeAwayLine
from mmstudio.gui.state import loading
from mmstudio.gui.state.folds_store import FoldsStore
from mmstudio.gui.state.heavy_work import HeavyWork
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.gui.state.run_again import RunAgain
from mmstudio.gui.state.run_curves import RunCurvesStore
from mmstudio.gui.state.run_files import RunFiles
from mmstudio.gui.state.runs_store import RunsStore
from mmstudio.gui.state.take_away import TakeAway

MOST_CURVES = 100
"""Of more selected runs the first so many: their points have to fit into memory."""


class RunsPage(QWidget):
    """Lists the project's runs; `page_asked` asks the window for a page."""

    page_asked = Signal(str)

    def __init__(
        self, heavy: HeavyWork, project: ProjectStore, runs: RunsStore, files: RunFiles,
        again: RunAgain, curves: RunCurvesStore, folds: FoldsStore, take_away: TakeAway,
        parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._heavy, self._project, self._runs, self._files = heavy, project, runs, files
        self._again, self._curves, self._take_away = again, curves, take_away
        self.curves_card: CurvesCard | None = None
        self._wanted: Path | None = None
        box = QVBoxLayout(self)
        box.setContentsMargins(24, 16, 24, 16)
        box.setSpacing(12)
        self.model = RunsModel(self)
        self.table = RunsView(self.model)
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
        self.table.chosen.connect(self._show_buttons)
        self._soon = QTimer(self, interval=0, singleShot=True)  # rows are selected one by one
        self._soon.timeout.connect(self._show_curves)
        self._soon.timeout.connect(
            lambda: folds.show_runs([run.path for run in self.table.selected()]))
        self.table.chosen.connect(self._soon.start)
        self.table.opened.connect(self._runs.open)
        self.table.star_asked.connect(lambda run: self.run_actions.star([run]))
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.table.customContextMenuRequested.connect(
            lambda place: self.run_actions.menu.popup(self.table.viewport().mapToGlobal(place)))
        self._splitter = QSplitter(Qt.Orientation.Vertical)
        self._splitter.setHandleWidth(12)
        self._splitter.setChildrenCollapsible(False)
        self._splitter.addWidget(self._list())
        self._stack.addWidget(self._splitter)
        self.folds_card = FoldsCard(folds, self)
        box.addWidget(self.folds_card)
        self._runs.changed.connect(self._show)
        self._files.renamed.connect(self._on_renamed)
        self._again.used.connect(lambda _: self.page_asked.emit("Train"))
        self._project.changed.connect(self._show)
        self._show()

    def _list(self) -> QWidget:
        """The filter above the table."""
        self.filter = QLineEdit()
        self.filter.setAccessibleName("Filter runs")
        self.filter.setObjectName("Filter runs")
        self.filter.setPlaceholderText(self.tr("Filter: words of name, fusion, data, tags, notes"))
        self.filter.setClearButtonEnabled(True)
        self.filter.setMaximumWidth(420)
        self.filter.textChanged.connect(self._filter)
        self.starred = QToolButton()
        self.starred.setText(self.tr("Starred"))
        self.starred.setAccessibleName("Starred only")
        self.starred.setObjectName("Starred only")
        self.starred.setToolTip(self.tr("Show starred runs only"))
        self.starred.setCheckable(True)
        self.starred.toggled.connect(self._filter)
        style.mark(self.starred, "toggle")
        self._count = label("", "small")
        row = QHBoxLayout()
        row.setSpacing(style.SPACE)
        row.addWidget(self.filter, 1)
        row.addWidget(self.starred)
        row.addWidget(self._count)
        row.addStretch(1)
        whole = QWidget()
        box = QVBoxLayout(whole)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(style.SPACE)
        box.addLayout(row)
        box.addWidget(self.table, 1)
        QShortcut(QKeySequence.StandardKey.Find, self, self.filter.setFocus,
                  context=Qt.ShortcutContext.WidgetWithChildrenShortcut)
        return whole

    def _head(self) -> QHBoxLayout:
        row, self._about = page_head(self.tr("Runs"))
        self.curves_button = button(
            self.tr("Curves"),
            "mdi6.chart-multiple",
            tip=self.tr("Show the curves of the selected runs over each other"),
            name="Curves",
        )
        self.curves_button.setCheckable(True)
        self.curves_button.setChecked(True)
        self.curves_button.toggled.connect(self._show_curves)
        self.run_actions = RunActions(
            self._runs, self._files, self._again, self.table.selected, self)
        self.run_actions.listen_in(self.table)
        self.more_button = button(
            self.tr("More"), name="More",
            tip=self.tr("Train again, continue, star, tags and note, rename, folder"))
        self.more_button.setMenu(self.run_actions.menu)
        self.delete_button = button(
            self.tr("Delete"),
            "mdi6.trash-can-outline",
            mark="danger",
            tip=self.tr("Move the selected runs to the trash (Del)"),
            name="Delete",
        )
        self.delete_button.clicked.connect(self.run_actions.ask_delete)
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
            self.more_button,
            self.take_away_button,
            self.curves_button,
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

    def _show(self) -> None:
        self.model.show_runs(self._runs.listed, self._heavy.run)
        if self._wanted in [run.path for run in self._runs.listed]:
            if self._wanted not in [run.path for run in self.model.runs]:
                self.filter.clear()
                self.starred.setChecked(False)
            self.table.clearSelection()
            self.table.select([self._wanted])
            self._wanted = None
        self._show_count()
        self._stack.setCurrentIndex(1 if self._runs.listed else 0)
        self._show_buttons()

    def _filter(self) -> None:
        self.model.filter(self.filter.text(), starred_only=self.starred.isChecked())
        self._show_count()

    def _show_count(self) -> None:
        shown, every = self.model.rowCount(), self.model.count_of_all
        self._count.setText("" if shown == every else self.tr("{0} of {1}").format(shown, every))

    def _on_renamed(self, old: Path, new: Path) -> None:
        if [run.path for run in self.table.selected()] == [old]:
            self._wanted = new

    def _show_buttons(self) -> None:
        runs = self._runs.listed
        for widget in self._buttons:
            widget.setVisible(bool(runs))
        count = len(self.table.selected())
        self.open_button.setEnabled(count == 1)
        self.more_button.setEnabled(count > 0)
        self.run_actions.show_for(self.table.selected())
        self.take_away_button.setEnabled(count == 1 and self._chosen() is not None)
        self.delete_button.setEnabled(count > 0)
        if not runs:
            text = ""
        elif count > 1:
            text = self.tr("{0} selected").format(count)
        elif len(runs) > 1:
            text = self.tr("Select runs (Ctrl+click for several) to see their curves")
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

    # Curves --------------------------------------------------------------------------------

    def _show_curves(self) -> None:
        """Lay the selected runs' curves over each other, where they are wanted."""
        wanted = self.table.selected() if self.curves_button.isChecked() else []
        self._curves.show_runs([run.path for run in wanted[:MOST_CURVES]])
        if wanted and self.curves_card is None:
            self.curves_card = CurvesCard(self._curves)
            self.curves_card.closed.connect(lambda: self.curves_button.setChecked(False))
            self._splitter.addWidget(self.curves_card)
            self._splitter.setSizes([300, 400])
        if self.curves_card is not None:
            self.curves_card.setVisible(bool(wanted))
            self.curves_card.show_left_out(len(wanted) - MOST_CURVES)
