"""The start page: three ways in, and the projects opened last."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from mmstudio.gui import style
from mmstudio.gui.parts.cards import ElidedLabel, IconLabel, label
from mmstudio.gui.parts.emptied import empty
from mmstudio.gui.plain_text import plain_tip
from mmstudio.gui.settings import Settings
from mmstudio.gui.state.project_opener import ProjectOpener

WIDTH = 880


class Tile(QPushButton):
    """A large button: icon, name, one line of what it does."""

    def __init__(self, name: str, text: str, about: str, icon: str, color: str) -> None:
        super().__init__()
        style.mark(self, "tile")
        self.setAccessibleName(name)
        self.setObjectName(name)
        self.setAccessibleDescription(about)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        box = QVBoxLayout(self)
        box.setContentsMargins(20, 20, 20, 18)
        box.setSpacing(6)
        box.addWidget(IconLabel(icon, 34, color))
        box.addSpacing(8)
        for part in (label(text, "section"), label(about, "muted", wrap=True)):
            part.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            box.addWidget(part)
        box.addStretch(1)


class RecentRow(QPushButton):
    """One project opened before."""

    def __init__(self, project: Path) -> None:
        super().__init__()
        style.mark(self, "row")
        self.setAccessibleName(f"Open {project.name}")
        self.setToolTip(plain_tip(str(project)))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 4, 10, 4)
        row.setSpacing(12)
        row.addWidget(IconLabel("mdi6.folder-outline", 20))
        row.addWidget(ElidedLabel(project.name), 2)
        place = ElidedLabel(str(project.parent), "small", mode=Qt.TextElideMode.ElideMiddle)
        row.addWidget(place, 3)


class StartPage(QWidget):
    """Shown while no project is open."""

    new_asked = Signal()
    open_asked = Signal()

    def __init__(
        self, opener: ProjectOpener, settings: Settings, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._opener = opener
        self._settings = settings
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        outer.addWidget(scroll)
        holder = QWidget()
        scroll.setWidget(holder)
        centre = QHBoxLayout(holder)
        centre.setContentsMargins(32, 24, 32, 24)
        centre.addStretch(1)
        column = QWidget()
        column.setMaximumWidth(WIDTH)
        centre.addWidget(column, 20)
        centre.addStretch(1)
        self._box = QVBoxLayout(column)
        self._box.setSpacing(style.SPACE)
        self._box.addStretch(2)
        self._fill()
        self._box.addStretch(3)
        self._opener.busy_changed.connect(self._on_busy)
        self.refresh()

    def _fill(self) -> None:
        title = label(self.tr("Teach a model with pictures, texts and sounds"), "title")
        font = title.font()
        font.setWeight(font.Weight.DemiBold)
        title.setFont(font)
        self._box.addWidget(title)
        about = self.tr(
            "Open data, choose what the model may look at, train it, and try it on files of your "
            "own. Everything stays on this computer."
        )
        self._box.addWidget(label(about, "subtitle", wrap=True))
        self._box.addSpacing(20)
        grid = QGridLayout()
        grid.setSpacing(16)
        self._tiles = [
            Tile(
                "Open sample project",
                self.tr("Open sample project"),
                self.tr("Digits seen, heard and read. Ready to train in under a minute."),
                "mdi6.creation-outline",
                "accent",
            ),
            Tile(
                "New project",
                self.tr("New project"),
                self.tr("Start from your own table or a folder of files."),
                "mdi6.plus-box-outline",
                "good",
            ),
            Tile(
                "Open project",
                self.tr("Open project"),
                self.tr("Continue with a project folder that you have."),
                "mdi6.folder-open-outline",
                "warn",
            ),
        ]
        for index, tile in enumerate(self._tiles):
            grid.addWidget(tile, 0, index)
            grid.setColumnStretch(index, 1)
        self._tiles[0].clicked.connect(self._opener.open_sample)
        self._tiles[1].clicked.connect(self.new_asked)
        self._tiles[2].clicked.connect(self.open_asked)
        self._box.addLayout(grid)
        self._box.addSpacing(16)
        self._recent_title = label(self.tr("Recent projects"), "section")
        self._box.addWidget(self._recent_title)
        self._recent = QVBoxLayout()
        self._recent.setSpacing(2)
        self._box.addLayout(self._recent)
        self._drop_hint = label(
            self.tr("You can also drop a project folder, a table or a folder of files here. "
                    "F1 opens the user guide."),
            "small",
        )
        self._box.addSpacing(8)
        self._box.addWidget(self._drop_hint)

    def refresh(self) -> None:
        """List the recent projects again."""
        empty(self._recent, hide=False)
        projects = self._settings.recent()[:5]
        self._recent_title.setVisible(bool(projects))
        for project in projects:
            row = RecentRow(project)
            row.clicked.connect(lambda _=False, path=project: self._opener.open(path))
            self._recent.addWidget(row)

    def _on_busy(self, text: str) -> None:
        for tile in self._tiles:
            tile.setEnabled(not text)
