"""Building blocks of all pages: cards, headings, disclosures, empty states."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from mmstudio.gui import style
from mmstudio.gui.overriding import override
from mmstudio.gui.plain_text import PlainLabel, plain_tip


def label(text: str = "", *marks: str, wrap: bool = False) -> QLabel:
    """A label with a mark of the style sheet."""
    result = PlainLabel(text)
    result.setTextFormat(Qt.TextFormat.PlainText)
    result.setWordWrap(wrap)
    if marks:
        style.mark(result, *marks)
    return result


def button(
    text: str, icon: str = "", mark: str = "", tip: str = "", *, name: str = ""
) -> QPushButton:
    """A push button whose accessible name is its text, or `name`."""
    result = IconButton(text, icon, mark)
    result.setAccessibleName(name or text)
    result.setObjectName(name or text)
    if tip:
        result.setToolTip(plain_tip(tip))
    return result


class IconButton(QPushButton):
    """A push button with an icon of the library in the colour that suits its mark."""

    def __init__(self, text: str, icon: str = "", mark: str = "") -> None:
        super().__init__(text)
        self._icon_name = icon
        self._mark = mark
        if mark:
            style.mark(self, mark)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setIconSize(QSize(18, 18))
        if icon:
            self._tint()
            style.changed.connect(self._tint)

    def _tint(self) -> None:
        colors = {"primary": "on_accent", "danger": "bad", "link": "accent"}
        self.setIcon(style.icon(self._icon_name, colors.get(self._mark, "muted")))


class IconLabel(PlainLabel):
    """An icon of the library that follows the theme."""

    def __init__(self, icon: str, size: int = 20, color: str = "muted") -> None:
        super().__init__()
        self._args = (icon, size, color)
        self.setFixedSize(size, size)
        self._tint()
        style.changed.connect(self._tint)

    def show_icon(self, icon: str, color: str | None = None) -> None:
        """Show another icon."""
        _, size, old = self._args
        if self._args != (icon, size, color or old):
            self._args = (icon, size, color or old)
            self._tint()

    def _tint(self) -> None:
        icon, size, color = self._args
        self.setPixmap(style.pixmap(icon, size, color))


class ElidedLabel(PlainLabel):
    """One line that is cut with "…" in the middle or at the end; the tooltip has all of it."""

    def __init__(
        self,
        text: str = "",
        *marks: str,
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
    ) -> None:
        super().__init__()
        self._full = ""
        self._mode = mode
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        if marks:
            style.mark(self, *marks)
        self.set_text(text)

    def set_text(self, text: str) -> None:
        """Show another text."""
        self._full = text
        self.setAccessibleName(text)
        super().setText(text)
        self.setToolTip(plain_tip(text if self._is_cut() else ""))
        self.update()

    def _is_cut(self) -> bool:
        return self.fontMetrics().horizontalAdvance(self._full) > self.width()

    def minimumSizeHint(self) -> QSize:
        """It may become narrow."""
        return QSize(24, super().minimumSizeHint().height())

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.setToolTip(plain_tip(self._full if self._is_cut() else ""))

    def paintEvent(self, event: QPaintEvent) -> None:
        """The text, cut to the width."""
        painter = QPainter(self)
        painter.setFont(self.font())
        painter.setPen(self.palette().color(self.foregroundRole()))
        text = self.fontMetrics().elidedText(self._full, self._mode, self.width())
        alignment = self.alignment() | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(self.rect(), int(alignment), text)


class Card(QFrame):
    """A rounded card with an optional heading; add to `body`."""

    def __init__(self, title: str = "", parent: QWidget | None = None, *, space: int = 2) -> None:
        super().__init__(parent)
        style.mark(self, "card")
        outer = QVBoxLayout(self)
        gap = space * style.SPACE
        outer.setContentsMargins(gap, gap - 2, gap, gap)
        outer.setSpacing(style.SPACE)
        self.heading = QHBoxLayout()
        self.heading.setSpacing(style.SPACE)
        self.title = label(title, "section")
        if title:
            self.heading.addWidget(self.title)
            self.heading.addStretch(1)
            outer.addLayout(self.heading)
        self.body: QBoxLayout = QVBoxLayout()
        self.body.setSpacing(style.SPACE)
        outer.addLayout(self.body, 1)


class Disclosure(QWidget):
    """A small "More options" line that shows or hides what is below it.

    Args:
        title: The line's text.
        make: Makes the content when it is first shown.
        name: The accessible name, where the title alone is not enough.
    """

    def __init__(
        self, title: str, make: Callable[[], QWidget], parent: QWidget | None = None, name: str = ""
    ) -> None:
        super().__init__(parent)
        self._make: Callable[[], QWidget] | None = make
        self.content: QWidget | None = None
        box = self._box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(6)
        # a page that is short of room for a moment must not squeeze the line's icon to nothing
        self.line = QToolButton()
        self.line.setMinimumHeight(20)
        self.line.setText(title)
        self.line.setAccessibleName(name or title)
        self.line.setObjectName(name or title)
        self.line.setCheckable(True)
        self.line.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.line.setIconSize(QSize(16, 16))
        self.line.setCursor(Qt.CursorShape.PointingHandCursor)
        style.mark(self.line, "disclose")
        self.line.toggled.connect(self._toggle)
        box.addWidget(self.line, 0, Qt.AlignmentFlag.AlignLeft)
        style.changed.connect(self._tint)
        self._tint()

    def replace(self, make: Callable[[], QWidget]) -> None:
        """Show other content; it stays open where it was open."""
        if self.content is not None:
            self.content.hide()
            self.content.deleteLater()
            self.content = None
        self._make = make
        if self.line.isChecked():
            self._toggle(True)

    def _toggle(self, shown: bool) -> None:
        if shown and self.content is None and self._make is not None:
            self.content = self._make()
            self._box.addWidget(self.content)
        if self.content is not None:
            self.content.setVisible(shown)
        self._tint()
        self.updateGeometry()

    def _tint(self) -> None:
        name = "mdi6.chevron-down" if self.line.isChecked() else "mdi6.chevron-right"
        self.line.setIcon(style.icon(name, "muted"))


class IconNote(QWidget):
    """An icon and a few words beside it; hidden while there are none."""

    def __init__(self, icon: str, color: str, *marks: str) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(IconLabel(icon, 18, color), 0, Qt.AlignmentFlag.AlignTop)
        self.label = label("", *marks, wrap=True)
        row.addWidget(self.label, 1)
        self.hide()

    def show_text(self, text: str) -> bool:
        """Show other words, or hide; whether they are others than before."""
        changed = text != self.label.text()
        self.label.setText(text)
        self.setVisible(bool(text))
        return changed


class EmptyState(QFrame):
    """What stands where there is nothing yet: an icon, what is missing, what to do next."""

    def __init__(
        self,
        icon: str,
        title: str,
        text: str,
        action: QPushButton | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        style.mark(self, "empty")
        box = QVBoxLayout(self)
        box.setContentsMargins(32, 32, 32, 32)
        box.setSpacing(style.SPACE)
        box.addStretch(1)
        centre = Qt.AlignmentFlag.AlignHCenter
        box.addWidget(IconLabel(icon, 40, "faint"), 0, centre)
        self.title = label(title, "section", wrap=True)
        self.title.setAlignment(centre)
        box.addWidget(self.title)
        self.text = label(text, "muted", wrap=True)
        self.text.setAlignment(centre)
        self.text.setMaximumWidth(440)
        self.text.setMinimumWidth(200)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.text, 4)
        row.addStretch(1)
        box.addLayout(row)
        if action is not None:
            box.addSpacing(style.SPACE)
            box.addWidget(action, 0, centre)
        box.addStretch(1)

    def set_texts(self, title: str, text: str) -> None:
        """Show other words."""
        self.title.setText(title)
        self.text.setText(text)


def line() -> QFrame:
    """A thin line between two parts."""
    result = QFrame()
    style.mark(result, "line")
    return result


def page_head(title: str, text: str = "") -> tuple[QHBoxLayout, ElidedLabel]:
    """A page's heading row: its title, a muted line beside it, room for buttons at the end.

    Returns:
        The row, to add buttons to, and the muted line's label.
    """
    row = QHBoxLayout()
    row.setSpacing(style.SPACE)
    row.addWidget(label(title, "title"))
    about = ElidedLabel(text, "muted")
    row.addSpacing(style.SPACE)
    row.addWidget(about, 1)
    return row, about
