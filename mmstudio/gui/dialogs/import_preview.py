"""Some samples of new data, as the proposal would use them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.media.medium import medium_of
from mmstudio.gui.parts.cards import label
from mmstudio.gui.parts.emptied import empty
from mmstudio.gui.plain_text import PlainLabel, plain_tip
from mmstudio.gui.state.jobs import LatestFirst

if TYPE_CHECKING:
    from mmstudio.data.propose import Column
    from mmstudio.data.table import Table

SAMPLES = 4
SIDE = 36
"""Height of a thumbnail, logical pixels; fixed, so that nothing moves when it comes."""
LONGEST_TEXT = 140
LONGEST_FACT = 44


class ImportPreview(QWidget):
    """A card per sample: its pictures and sounds, the beginnings of its texts, its labels."""

    def __init__(self, small_things: LatestFirst, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._small_things = small_things
        self._waiting: dict[Any, list[QLabel]] = {}
        self._shown: tuple[Table, list[Column]] | None = None
        self._box = QVBoxLayout(self)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(style.SPACE)
        small_things.done.connect(self._on_made)
        style.changed.connect(self._repeat)

    def show_samples(self, table: Table, columns: list[Column]) -> None:
        """Show rows spread over the table with the columns in their roles."""
        self._shown = (table, columns)
        self._waiting = {}
        empty(self._box)
        count = min(SAMPLES, len(table))
        for index in range(count):
            self._box.addWidget(self._card(table, columns, index * len(table) // count))
        self._box.addStretch(1)

    def _repeat(self) -> None:
        if self._shown is not None:
            self.show_samples(*self._shown)

    def _card(self, table: Table, columns: list[Column], row: int) -> QWidget:
        card = QFrame()
        style.mark(card, "card")
        card.setAccessibleName(self.tr("Sample {0}").format(row + 1))
        box = QVBoxLayout(card)
        box.setContentsMargins(12, 10, 12, 10)
        box.setSpacing(6)
        media = QHBoxLayout()
        media.setSpacing(style.SPACE)
        inputs = [c for c in columns if c.role == "input" and not _is_cell(c)]
        for column in inputs:
            if medium_of(column.modality).thumbnail is not None:
                media.addWidget(self._medium(table, column, row))
        if media.count():
            media.addStretch(1)
            box.addLayout(media)
        for column in inputs:
            if medium_of(column.modality).thumbnail is None:
                box.addWidget(self._text(table, column, row))
        self._add_facts(box, table, columns, row)
        if not box.count():
            box.addWidget(label(self.tr("No column is used yet."), "small"))
        return card

    def _medium(self, table: Table, column: Column, row: int) -> QWidget:
        path = table.path_of(row, column.name)
        if path is None:
            return label(self.tr("no {0}").format(column.name), "small")
        holder = PlainLabel()
        holder.setMinimumHeight(SIDE)
        holder.setToolTip(plain_tip(str(path)))
        holder.setAccessibleName(f"{column.name}: {path.name}")
        color = style.palette().accent
        key = ("import", column.modality, path, color)
        self._waiting.setdefault(key, []).append(holder)
        self._small_things.ask(key, partial(_made, str(column.modality), path, color))
        return holder

    def _text(self, table: Table, column: Column, row: int) -> QLabel:
        text = table.cell(row, column.name)
        if text is None:
            return label(self.tr("no {0}").format(column.name), "small")
        line = label(_beginning(text), wrap=True)
        line.setAccessibleName(f"{column.name}: {line.text()}")
        if len(text) < 500 and text.lower().endswith((".txt", ".md")):
            path = table.places(column.name).path(text)
            key = ("import", "words", path)
            self._waiting.setdefault(key, []).append(line)
            self._small_things.ask(key, partial(_beginning_of, path))
        return line

    def _add_facts(self, box: QVBoxLayout, table: Table, columns: list[Column], row: int) -> None:
        if cells := [f"{c.name}: {table.cell(row, c.name) or self.tr('missing')}"
                     for c in columns if _is_cell(c)]:
            box.addWidget(label(_beginning(" · ".join(cells)), wrap=True))
        for role, marks in (("target", "badge"), ("split", "small"), ("group", "small")):
            for column in (c for c in columns if c.role == role):
                value = table.cell(row, column.name)
                text = f"{column.name}: {self.tr('unknown') if value is None else value}"
                fact = label(_beginning(text, LONGEST_FACT), marks)
                box.addWidget(fact, 0, Qt.AlignmentFlag.AlignLeft)

    def _on_made(self, key: Any, made: Any) -> None:
        for holder in self._waiting.pop(key, []):
            if isinstance(made, QImage):
                holder.setPixmap(QPixmap.fromImage(made))
            elif isinstance(made, str):
                holder.setText(made)
            else:
                self._show_missing(holder)

    def _show_missing(self, holder: QLabel) -> None:
        name = holder.accessibleName().partition(": ")[2]
        holder.setText(self.tr("{0} can't be read").format(name))
        style.mark(holder, "bad")


def _beginning(text: str, longest: int = LONGEST_TEXT) -> str:
    words = " ".join(text[: 4 * longest].split())
    return words if len(words) <= longest else f"{words[: longest - 1].rstrip()}…"


def _is_cell(column: Column) -> bool:
    """Whether it is one of the columns of an input that reads several."""
    from mmstudio.modalities import MODALITIES

    return (column.role == "input" and column.modality is not None
            and MODALITIES.get(column.modality).several_columns)


def _beginning_of(path: Path) -> str:
    from mmstudio.modalities.text import read_text

    return _beginning(read_text(path))


def _made(modality: str, path: Path, color: str) -> QImage:
    thumbnail = medium_of(modality).thumbnail
    if thumbnail is None:
        raise ValueError(f"{modality} has no small pictures")
    return thumbnail(path, color)
