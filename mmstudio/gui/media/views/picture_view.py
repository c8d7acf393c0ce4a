"""A picture on the screen, as large as fits; tiny pictures keep their crisp pixels."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

_RADIUS = 6.0
_MUTED_OPACITY = 0.3
# Below this size a picture is enlarged several times, and smoothing would only blur it.
_CRISP_BELOW_PIXELS = 49


class PictureView(QWidget):
    """Paints one picture in the middle, its proportions kept."""

    def __init__(self, parent: QWidget | None = None) -> None:
        """Make an empty view."""
        super().__init__(parent)
        self._image: QImage | None = None
        self._heat: QImage | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(self.tr("Picture"))

    def show_image(self, image: QImage | None) -> None:
        """Show a picture, or nothing, which takes its map away; a map may come before it."""
        self._image = image
        if image is None:
            self._heat = None
        self.update()

    def show_heat(self, heat: QImage | None) -> None:
        """Lay a map of what counted over the picture, which turns grey; None takes it away."""
        self._heat = heat
        self.update()

    def sizeHint(self) -> QSize:
        """A size at which a photo can be recognised."""
        return QSize(220, 160)

    def minimumSizeHint(self) -> QSize:
        """The least at which it is still worth showing."""
        return QSize(80, 80)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the picture."""
        if self._image is None or self._image.isNull():
            return
        size = self._image.size()
        ratio = self.devicePixelRatioF()
        fitted = size.scaled(self.size() * ratio, Qt.AspectRatioMode.KeepAspectRatio) / ratio
        crisp = max(size.width(), size.height()) < _CRISP_BELOW_PIXELS
        area = QRectF(
            (self.width() - fitted.width()) / 2,
            (self.height() - fitted.height()) / 2,
            fitted.width(),
            fitted.height(),
        )
        painter = QPainter(self)
        painter.setOpacity(1.0 if self.isEnabled() else _MUTED_OPACITY)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, not crisp)
        rounded = QPainterPath()
        rounded.addRoundedRect(area, _RADIUS, _RADIUS)
        painter.setClipPath(rounded)
        if self._heat is None:
            painter.drawImage(area, self._image)
            return
        painter.drawImage(area, self._image.convertToFormat(QImage.Format.Format_Grayscale8))
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(area, self._heat)
