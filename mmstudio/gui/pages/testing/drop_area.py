"""The strip that invites a person to drop samples, and the base of all widgets that take drops."""

from __future__ import annotations

from PySide6.QtCore import QMimeData, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.parts.dropped import can_take, dropped_from
from mmstudio.gui.plain_text import PlainLabel


class DropTarget(QFrame):
    """A frame that takes dropped files, pictures and text, and lights up while they hover."""

    dropped = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        """Accept drops from the start."""
        super().__init__(parent)
        self.setAcceptDrops(True)
        self.hovered = False

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Light up for what can be taken."""
        if self.takes(event.mimeData()):
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            self._light(True)

    def takes(self, mime: QMimeData) -> bool:
        """Whether a drag is worth accepting."""
        return can_take(mime)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        """Keep saying yes: some file managers ask again at every move."""
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Go dark again."""
        self._light(False)

    def dropEvent(self, event: QDropEvent) -> None:
        """Hand over what was dropped."""
        self._light(False)
        # Copy, never move: a file manager would delete the file that it believes was moved.
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        self.dropped.emit(dropped_from(event.mimeData()))

    def _light(self, on: bool) -> None:
        self.hovered = on
        self.update()


class DropArea(DropTarget):
    """The dashed area "Drop samples here"; a click or Enter on it chooses files instead."""

    clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        """Make the area under its contract name."""
        super().__init__(parent)
        self.setObjectName("Drop samples here")
        self.setAccessibleName("Drop samples here")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self._icon = PlainLabel(self)
        self._title = PlainLabel(self.tr("Drop samples here"), self)
        style.mark(self._title, "section")
        self._hint = PlainLabel(self)
        style.mark(self._hint, "small")
        self._hint.setWordWrap(True)
        texts = QVBoxLayout()
        texts.setSpacing(1)
        texts.addWidget(self._title)
        texts.addWidget(self._hint)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(18, 10, 18, 10)
        layout.setSpacing(14)
        layout.addWidget(self._icon)
        layout.addLayout(texts, 1)
        style.changed.connect(self._restyle)
        self._restyle()

    def show_hint(self, text: str) -> None:
        """Say which kinds of files are taken."""
        self._hint.setText(text)
        self.setAccessibleDescription(text)

    def sizeHint(self) -> QSize:
        """A strip that is easy to hit."""
        return QSize(420, 68)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Choose files by click."""
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.pos()):
            self.clicked.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Choose files by Enter or Space."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.clicked.emit()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the dashed outline."""
        colours = style.palette()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        active = self.hovered or self.hasFocus()
        pen = QPen(QColor(colours.accent if active else colours.border), 1.6)
        pen.setDashPattern([4, 3])
        painter.setPen(pen)
        fill = QColor(colours.accent)
        fill.setAlphaF(0.14 if self.hovered else 0.04)
        painter.setBrush(fill)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 10, 10)

    def _restyle(self) -> None:
        self._icon.setPixmap(style.pixmap("mdi6.tray-arrow-down", 28, "accent"))
        self.update()
