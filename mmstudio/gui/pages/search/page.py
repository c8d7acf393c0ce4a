"""The Search page: better settings, in the time that there is."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.overriding import override
from mmstudio.gui.pages.search.choices import SearchChoicesPanel
from mmstudio.gui.pages.search.trials_card import TrialsCard
from mmstudio.gui.pages.search.verdict import SearchVerdict
from mmstudio.gui.pages.search.words import search_sentence
from mmstudio.gui.parts.cards import EmptyState, button, page_head
from mmstudio.gui.parts.note_line import NoteLine
from mmstudio.gui.parts.progress_line import ProgressLine
from mmstudio.gui.state.heavy_work import HeavyWork
from mmstudio.gui.state.libraries import Libraries
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.gui.state.search_store import SearchController

_EMPTY, _NEW, _SHOWN = range(3)


class SearchPage(QWidget):
    """Puts a search together, shows how it goes and what it found."""

    page_asked = Signal(str)

    def __init__(
        self, libraries: Libraries, heavy: HeavyWork, project: ProjectStore,
        searching: SearchController, parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("Search")
        self._libraries, self._project, self._searching = libraries, project, searching
        box = QVBoxLayout(self)
        box.setContentsMargins(24, 16, 24, 16)
        box.setSpacing(12)
        box.addLayout(self._build_head())
        self.note = NoteLine("Search failed", self)
        box.addWidget(self.note)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._build_empty())
        self.choices = SearchChoicesPanel()
        self.choices.changed.connect(self._show_state)
        self._stack.addWidget(self.choices)
        self._stack.addWidget(self._build_shown())
        box.addWidget(self._stack, 1)
        for signal in (project.changed, project.experiment_changed, libraries.components_ready):
            signal.connect(self._show_experiment)
        heavy.changed.connect(self._show_state)
        searching.changed.connect(self._show_all)
        searching.events_arrived.connect(self._on_events)
        searching.listed.connect(self._show_list)
        searching.space_read.connect(self.choices.show_space)
        searching.used.connect(lambda: self.note.show_note(
            self.tr("The project has these settings now."),
            self.tr("Train it on the Train page."), "good"))
        style.changed.connect(self._restyle)
        self._show_experiment()

    # Building ------------------------------------------------------------------------------

    def _build_head(self) -> QHBoxLayout:
        head, self._about = page_head(self.tr("Search"))
        self.chooser = QComboBox()
        self.chooser.setObjectName("Search on show")
        self.chooser.setAccessibleName(self.tr("Search on show"))
        self.chooser.setMinimumWidth(160)
        guard_wheel(self.chooser)
        self.chooser.activated.connect(
            lambda index: self._searching.show(self.chooser.itemData(index)))
        self.start_button = button(
            self.tr("Start search"), "mdi6.play", "primary", name="Start search")
        self.start_button.clicked.connect(self._start)
        self.pause_button = button(self.tr("Pause"), name="Pause")
        self.pause_button.setMinimumWidth(96)
        self.pause_button.clicked.connect(
            lambda: self._searching.pause(not self._searching.paused))
        self.stop_button = button(
            self.tr("Stop"), "mdi6.stop",
            tip=self.tr("End it here; it can be resumed later"), name="Stop")
        self.stop_button.clicked.connect(self._searching.stop)
        for widget in (self.chooser, self.start_button, self.pause_button, self.stop_button):
            head.addWidget(widget)
        return head

    def _build_empty(self) -> QWidget:
        leave = button(self.tr("Go to the Data page"), mark="primary")
        leave.clicked.connect(lambda: self.page_asked.emit("Data"))
        return EmptyState(
            "mdi6.tune-variant", self.tr("Nothing to search yet"),
            self.tr("Add data first and say which columns are inputs and what to predict. Then "
                    "better settings can be looked for here."), leave)

    def _build_shown(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        self.verdict = SearchVerdict()
        self.verdict.use_asked.connect(self._searching.use)
        column.addWidget(self.verdict)
        self.progress = ProgressLine()
        column.addWidget(self.progress)
        self.trials = TrialsCard()
        column.addWidget(self.trials, 1)
        return page

    # What a person does --------------------------------------------------------------------

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._searching.read_space()

    def _start(self) -> None:
        focused = self.focusWidget()
        if focused is not None:
            focused.clearFocus()  # a number that is still being typed counts
        if self._searching.shown:
            self._searching.resume()
        else:
            self._searching.start(self.choices.choices())

    # What the stores tell ------------------------------------------------------------------

    def _show_experiment(self) -> None:
        self.choices.show_experiment(self._project.experiment)
        if self.isVisible():
            self._searching.read_space()
        self._show_all()

    def _on_events(self, events: list[object]) -> None:
        from mmstudio.search.events import SearchTold

        if not all(isinstance(event, SearchTold) for event in events):
            self._show_trials()
        self._show_progress()

    def _show_all(self) -> None:
        failure = self._searching.failure
        if failure is None:
            self.note.hide()
        else:
            self.note.show_note(*failure, "bad")
        self._show_list(self._searching.searches)
        self._show_trials()
        self._show_state()

    def _show_list(self, searches: Sequence[object]) -> None:
        from mmstudio.search.progress import SearchSummary

        entries = [(self.tr("New search"), "")]
        for one in searches:
            if isinstance(one, SearchSummary):
                text = one.name if one.is_complete else self.tr("{0} (not finished)").format(
                    one.name)
                entries.append((text, one.name))
        shown = self._searching.shown
        if shown and shown not in [name for _, name in entries]:
            entries.append((shown, shown))
        if [self.chooser.itemData(i) for i in range(self.chooser.count())] != [
                name for _, name in entries]:
            self.chooser.clear()
            for text, name in entries:
                self.chooser.addItem(text, name)
        for index, (text, _) in enumerate(entries):
            self.chooser.setItemText(index, text)
        self.chooser.setCurrentIndex(max(0, self.chooser.findData(shown)))

    def _show_trials(self) -> None:
        searching = self._searching
        view, progress = searching.view, searching.progress
        trials = {t.number: t for t in view.trials} if view is not None else {}
        if progress is not None:
            trials |= progress.trials
        space = view.plan.space if view is not None else ()
        self.trials.show_trials(
            space, list(trials.values()), view.importance if view is not None else {})
        self.verdict.show_result(
            view.result if view is not None and not searching.running else None)

    # State ---------------------------------------------------------------------------------

    def _show_state(self) -> None:
        searching, experiment = self._searching, self._project.experiment
        running, new = searching.running, not searching.shown
        whole = searching.view is not None and searching.view.result is not None
        self._stack.setCurrentIndex(
            _SHOWN if searching.shown else _EMPTY if experiment is None else _NEW)
        self.start_button.setText(
            self.tr("Start search") if new or running else self.tr("Continue"))
        self.start_button.setVisible(experiment is not None and not (whole and not new))
        self.start_button.setEnabled(
            self._libraries.ready and not running and (not new or self.choices.can_start()))
        for widget in (self.pause_button, self.stop_button):
            widget.setVisible(running)
            widget.setEnabled(not searching.stopping)
        self.pause_button.setText(self.tr("Resume") if searching.paused else self.tr("Pause"))
        self.chooser.setVisible(not running and (bool(searching.searches) or not new))
        about = self.tr("Try many settings in the time that you have, and keep the best")
        self._about.set_text(about if new else searching.shown)
        self._restyle()
        self._show_progress()

    def _show_progress(self) -> None:
        searching = self._searching
        progress = searching.progress
        share = progress.share() if progress is not None else 0.0
        self.progress.show_progress(search_sentence(searching), share)
        self.progress.bar.setVisible(searching.running)

    def _restyle(self) -> None:
        name = "mdi6.play" if self._searching.paused else "mdi6.pause"
        self.pause_button.setIcon(style.icon(name, "muted"))
