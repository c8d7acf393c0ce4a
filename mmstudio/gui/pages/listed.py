"""The window's pages: a page is one folder here and one entry in this list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from mmstudio.gui.state.session import Session


@dataclass(frozen=True)
class PageEntry:
    """One page.

    Attributes:
        name: What the window calls it.
        icon: Its icon's name.
        make: Makes it with the stores that it shows. It imports the page: what that needs is
            loaded when somebody asks for it.
        light: It needs no heavy library and is made before anybody asks for it.
    """

    name: str
    icon: str
    make: Callable[[Session], QWidget]
    light: bool = False

    @property
    def title(self) -> str:
        """The name in the language of the window."""
        return QCoreApplication.translate("MainWindow", self.name)


def _data(session: Session) -> QWidget:
    from mmstudio.gui.pages.data.page import DataPage

    return DataPage(session.jobs, session.project, session.check, session.mending)


def _model(session: Session) -> QWidget:
    from mmstudio.gui.pages.model.page import ModelPage

    return ModelPage(
        session.jobs, session.libraries, session.heavy, session.project, session.check,
        session.runs, session.models, session.advice)


def _train(session: Session) -> QWidget:
    from mmstudio.gui.pages.train.page import TrainPage

    return TrainPage(
        session.jobs, session.libraries, session.heavy, session.project, session.runs,
        session.training, session.testing, session.models, session.fit)


def _test(session: Session) -> QWidget:
    from mmstudio.gui.pages.testing.page import TestPage

    return TestPage(
        session.jobs, session.project, session.runs, session.training, session.testing,
        session.similar, session.explaining, session.take_away, session.tables)


def _results(session: Session) -> QWidget:
    from mmstudio.gui.pages.results.page import ResultsPage

    return ResultsPage(
        session.jobs, session.project, session.runs, session.training, session.testing,
        session.results)


def _runs(session: Session) -> QWidget:
    from mmstudio.gui.pages.runs.page import RunsPage

    return RunsPage(session.heavy, session.project, session.runs, session.take_away)


def _compare(session: Session) -> QWidget:
    from mmstudio.gui.pages.compare.page import ComparePage

    return ComparePage(
        session.libraries, session.heavy, session.project, session.comparing, session.models)


LISTED = (
    PageEntry(str(QT_TRANSLATE_NOOP("MainWindow", "Data")), "mdi6.database-outline", _data, True),
    PageEntry(str(QT_TRANSLATE_NOOP("MainWindow", "Model")), "mdi6.graph-outline", _model, True),
    PageEntry(str(QT_TRANSLATE_NOOP("MainWindow", "Train")), "mdi6.chart-line", _train),
    PageEntry(str(QT_TRANSLATE_NOOP("MainWindow", "Test")), "mdi6.flask-outline", _test),
    PageEntry(str(QT_TRANSLATE_NOOP("MainWindow", "Results")), "mdi6.chart-box-outline", _results),
    PageEntry(str(QT_TRANSLATE_NOOP("MainWindow", "Runs")), "mdi6.history", _runs, True),
    PageEntry(str(QT_TRANSLATE_NOOP("MainWindow", "Compare")), "mdi6.podium", _compare),
)
"""All of them, in the order in which a person works; Ctrl and the number shows one."""

PAGES = {entry.name: entry for entry in LISTED}
