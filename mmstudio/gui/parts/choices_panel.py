"""What a long job is to try, as check boxes that scroll, and beside them how it is to be done."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QScrollArea, QWidget

from mmstudio.gui import style
from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.parts.card_grid import scrolled
from mmstudio.gui.parts.cards import Card, button, label

SIDE_WIDTH = 300
"""Of the card that says how, pixels."""


class ChoicesPanel(QWidget):
    """Two cards; `changed` says that something was chosen.

    A page's own panel adds `list_card` and `side_card` to `row`, and says in `tell` what is chosen.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.boxes: dict[str, QCheckBox] = {}
        self.count = label("", "section", wrap=True)
        self.area: QScrollArea
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(0, 0, 0, 0)
        self.row.setSpacing(12)

    def minimumSizeHint(self) -> QSize:
        """The check boxes scroll."""
        return QSize(600, 240)

    def tell(self, _: object = None) -> None:
        """Say what is chosen."""
        self.changed.emit()

    def list_card(
        self, title: str, about: str, links: Sequence[tuple[str, Callable[[], None]]]
    ) -> tuple[Card, QGridLayout]:
        """A card whose list scrolls, and the list's layout.

        Args:
            title: Its heading.
            about: What the links are about, in their accessible names.
            links: Words and what they do, such as ticking all.
        """
        card = Card(title)
        for text, choose in links:
            link = button(text, mark="link", name=f"{text}: {about}")
            link.clicked.connect(lambda _=False, choose=choose: choose())
            card.heading.addWidget(link)
        inside = QWidget()
        grid = QGridLayout(inside)
        grid.setContentsMargins(0, 0, 8, 0)
        grid.setHorizontalSpacing(24)
        self.area = scrolled(inside)
        card.body.addWidget(self.area)
        return card, grid

    def side_card(self) -> Card:
        """The empty card beside it."""
        card = Card(self.tr("How"))
        card.setFixedWidth(SIDE_WIDTH)
        return card

    def fields(self, fields: Sequence[tuple[str, str, QWidget]]) -> QGridLayout:
        """Fields below each other: per field its name, its words and itself."""
        form = QGridLayout()
        form.setHorizontalSpacing(style.SPACE)
        form.setVerticalSpacing(style.SPACE)
        form.setColumnStretch(1, 1)
        for place, (name, text, field) in enumerate(fields):
            field.setObjectName(name)
            field.setAccessibleName(name)
            guard_wheel(field)
            title = label(text, "muted")
            title.setBuddy(field)
            form.addWidget(title, place, 0)
            form.addWidget(field, place, 1)
        return form

    def check_box(self, name: str, text: str, *, on: bool, key: str = "") -> QCheckBox:
        """A box that says when it changes.

        Args:
            name: Its object name.
            text: Its words.
            on: Whether it is ticked.
            key: Its key in ``boxes``; empty where it is none of the list.
        """
        box = QCheckBox(text)
        box.setObjectName(name)
        box.setAccessibleName(text)
        box.setChecked(on)
        box.toggled.connect(self.tell)
        if key:
            self.boxes[key] = box
        return box

    def ticked(self) -> tuple[str, ...]:
        """The keys of what is ticked."""
        return tuple(key for key, box in self.boxes.items() if box.isChecked())
