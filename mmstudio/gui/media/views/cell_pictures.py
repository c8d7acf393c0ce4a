"""The small pictures in the cells of the samples' table: made in a thread, some of them kept."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QImage, QPixmap

from mmstudio.gui import style
from mmstudio.gui.media.medium import medium_of
from mmstudio.gui.media.views.thumbnails import SIDE, WAVE_WIDTH
from mmstudio.gui.state.jobs import LatestFirst

KEPT = 1000
"""Thumbnails in memory, some dozen pages; each takes up to 40 KB."""

Cell = tuple[int, str]
"""A row of the table and a column's name."""


class CellPictures(QObject):
    """Thumbnails by cell. `made` tells when one came that was asked for before."""

    made = Signal(int, str)

    def __init__(self, maker: LatestFirst, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._maker = maker
        self._kept: OrderedDict[Cell, QPixmap | None] = OrderedDict()
        self._asked: set[Cell] = set()
        self._round = 0
        maker.done.connect(self._on_made)
        maker.dropped.connect(self._on_dropped)
        style.changed.connect(self.forget)
        self._paint_blanks()

    def forget(self) -> None:
        """Have none: another table is shown, or other colours."""
        self._round += 1  # what is on its way belongs to the round before
        self._kept.clear()
        self._asked.clear()
        self._paint_blanks()

    def picture(self, cell: Cell, modality: str, path: Path) -> QPixmap | QIcon:
        """The thumbnail of a file, or an empty one while it is being made."""
        if cell in self._kept:
            self._kept.move_to_end(cell)
            return self._kept[cell] or style.icon("mdi6.file-alert-outline", "bad")
        if cell not in self._asked:
            color = style.palette().accent

            def make() -> Any:
                thumbnail = medium_of(modality).thumbnail
                return None if thumbnail is None else thumbnail(path, color)

            self._asked.add(cell)
            self._maker.ask(("picture", self._round, *cell), make)
        return self._blank if medium_of(modality).shown_as == "picture" else self._blank_wave

    def _on_made(self, key: object, image: object) -> None:
        if not (isinstance(key, tuple) and key[:2] == ("picture", self._round)):
            return
        cell = key[2:]
        self._asked.discard(cell)
        self._kept[cell] = QPixmap.fromImage(image) if isinstance(image, QImage) else None
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        self.made.emit(*cell)

    def _on_dropped(self, key: object) -> None:
        if isinstance(key, tuple) and key[:2] == ("picture", self._round):
            self._asked.discard(key[2:])

    def _paint_blanks(self) -> None:
        self._blank = QPixmap(SIDE, SIDE)
        self._blank.fill(QColor(style.palette().raised))
        self._blank_wave = QPixmap(WAVE_WIDTH, SIDE)
        self._blank_wave.fill(Qt.GlobalColor.transparent)
