"""The window's pages: a page is one folder here and one entry in this list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from mmstudio.gui.state.session import Session


class Window(Protocol):
    """What a page may ask of the window that shows it."""

    def go_to(self, name: str) -> None:
        """Show a page by its name."""

    def go_to_run(self, run: Path) -> None:
        """Show a run on the Runs page, selected."""

    def go_to_sample(self, row: int) -> None:
        """Show a row of the table on the Test page."""

    def show_queue(self, shown: bool = True) -> None:
        """Show the queue, or hide it."""

    def ask_import(self, kind: str = "table") -> None:
        """Ask for a table, or a folder, and import it."""


@dataclass(frozen=True)
class PageEntry:
    """One page.

    Attributes:
        name: What the window calls it.
        icon: Its icon's name.
        guide: The page of the user guide on it, as `GuideDialog.show_page` takes it.
        make: Makes it with the stores that it shows, and connects what it asks of the window.
            It imports the page: what that needs is loaded when somebody asks for it.
        light: It needs no heavy library and is made before anybody asks for it.
    """

    name: str
    icon: str
    guide: str
    make: Callable[[Session, Window], QWidget]
    light: bool = False

    @property
    def title(self) -> str:
        """The name in the language of the window."""
        return QCoreApplication.translate("MainWindow", self.name)


def _data(session: Session, window: Window) -> QWidget:
    from mmstudio.gui.pages.data.page import DataPage

    page = DataPage(
        session.jobs, session.project, session.check, session.mending, session.labelling,
        session.decisions, session.going_on)
    page.page_asked.connect(window.go_to)
    page.import_asked.connect(window.ask_import)
    return page


def _model(session: Session, window: Window) -> QWidget:
    from mmstudio.gui.pages.model.page import ModelPage

    page = ModelPage(
        session.jobs, session.libraries, session.heavy, session.project, session.check,
        session.runs, session.models, session.advice)
    page.page_asked.connect(window.go_to)
    return page


def _train(session: Session, window: Window) -> QWidget:
    from mmstudio.gui.pages.train.page import TrainPage

    page = TrainPage(
        session.jobs, session.libraries, session.heavy, session.project, session.runs,
        session.training, session.testing, session.models, session.fit, session.queue)
    page.page_asked.connect(window.go_to)
    page.run_asked.connect(window.go_to_run)
    page.queue_asked.connect(window.show_queue)
    return page


def _test(session: Session, window: Window) -> QWidget:
    from mmstudio.gui.pages.testing.page import TestPage

    page = TestPage(
        session.jobs, session.project, session.runs, session.training, session.testing,
        session.similar, session.explaining, session.take_away, session.tables)
    page.page_asked.connect(window.go_to)
    return page


def _results(session: Session, window: Window) -> QWidget:
    from mmstudio.gui.pages.results.page import ResultsPage

    page = ResultsPage(
        session.jobs, session.project, session.runs, session.training, session.testing,
        session.results, session.reviewing, session.decisions)
    page.page_asked.connect(window.go_to)
    page.sample_asked.connect(window.go_to_sample)
    return page


def _runs(session: Session, window: Window) -> QWidget:
    from mmstudio.gui.pages.runs.page import RunsPage

    page = RunsPage(
        session.heavy, session.project, session.runs, session.run_files, session.run_again,
        session.run_curves, session.folds, session.take_away)
    page.page_asked.connect(window.go_to)
    return page


def _compare(session: Session, window: Window) -> QWidget:
    from mmstudio.gui.pages.compare.page import ComparePage

    page = ComparePage(
        session.libraries, session.heavy, session.project, session.comparing, session.models,
        session.queue)
    page.page_asked.connect(window.go_to)
    page.queue_asked.connect(window.show_queue)
    return page


def _search(session: Session, window: Window) -> QWidget:
    from mmstudio.gui.pages.search.page import SearchPage

    page = SearchPage(session.libraries, session.heavy, session.project, session.searching)
    page.page_asked.connect(window.go_to)
    return page


LISTED = (
    PageEntry(str(QT_TRANSLATE_NOOP("MainWindow", "Data")), "mdi6.database-outline",
              "02-your-data", _data, True),
    PageEntry(str(QT_TRANSLATE_NOOP("MainWindow", "Model")), "mdi6.graph-outline",
              "04-encoders", _model, True),
    PageEntry(str(QT_TRANSLATE_NOOP("MainWindow", "Train")), "mdi6.chart-line",
              "05-training", _train),
    PageEntry(str(QT_TRANSLATE_NOOP("MainWindow", "Test")), "mdi6.flask-outline",
              "06-judging#Why does it say so?", _test),
    PageEntry(str(QT_TRANSLATE_NOOP("MainWindow", "Results")), "mdi6.chart-box-outline",
              "06-judging", _results),
    PageEntry(str(QT_TRANSLATE_NOOP("MainWindow", "Runs")), "mdi6.history",
              "05-training#Runs that survive", _runs, True),
    PageEntry(str(QT_TRANSLATE_NOOP("MainWindow", "Compare")), "mdi6.podium",
              "03-fusion", _compare),
    PageEntry(str(QT_TRANSLATE_NOOP("MainWindow", "Search")), "mdi6.tune-variant",
              "05-training#Searching for settings", _search),
)
"""All of them, in the order in which a person works; Ctrl and the number shows one."""

PAGES = {entry.name: entry for entry in LISTED}
