"""The window's pages: a page is one folder here and one entry in this list."""

from __future__ import annotations

import importlib
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
        name: What the window calls it; its class is ``NAMEPage`` in ``gui/pages/FOLDER/page.py``.
        icon: Its icon's name.
        folder: Where it stands, the lower-case name when "".
        light: It needs no heavy library and is made before anybody asks for it.
    """

    name: str
    icon: str
    folder: str = ""
    light: bool = False

    @property
    def title(self) -> str:
        """The name in the language of the window."""
        return QCoreApplication.translate("MainWindow", self.name)

    def make(self, session: Session) -> QWidget:
        """A new page."""
        folder = self.folder or self.name.lower()
        module = importlib.import_module(f"mmstudio.gui.pages.{folder}.page")
        page: QWidget = getattr(module, f"{self.name}Page")(session)
        return page


LISTED = (
    PageEntry(QT_TRANSLATE_NOOP("MainWindow", "Data"), "mdi6.database-outline", light=True),
    PageEntry(QT_TRANSLATE_NOOP("MainWindow", "Model"), "mdi6.graph-outline", light=True),
    PageEntry(QT_TRANSLATE_NOOP("MainWindow", "Train"), "mdi6.chart-line"),
    PageEntry(QT_TRANSLATE_NOOP("MainWindow", "Test"), "mdi6.flask-outline", "testing"),
    PageEntry(QT_TRANSLATE_NOOP("MainWindow", "Results"), "mdi6.chart-box-outline"),
    PageEntry(QT_TRANSLATE_NOOP("MainWindow", "Runs"), "mdi6.history", light=True),
    PageEntry(QT_TRANSLATE_NOOP("MainWindow", "Compare"), "mdi6.podium"),
)
"""All of them, in the order in which a person works; Ctrl and the number shows one."""

PAGES = {entry.name: entry for entry in LISTED}
