"""A graphics view as a picture: an SVG, or a PNG that is sharp on paper too."""

from __future__ import annotations

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QRectF
from PySide6.QtGui import QImage, QImageWriter, QPainter
from PySide6.QtWidgets import QGraphicsView

PIXELS = 2
"""Of a PNG per pixel of the screen."""


def rendered(view: QGraphicsView, *, svg: bool) -> bytes:
    """What a view shows, in its colours, as the bytes of a file."""
    content = QByteArray()
    buffer = QBuffer(content)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    place = QRectF(view.viewport().rect())
    if svg:
        from PySide6.QtSvg import QSvgGenerator

        drawing = QSvgGenerator()
        drawing.setOutputDevice(buffer)
        drawing.setSize(view.viewport().size())
        drawing.setViewBox(place)
        drawing.setResolution(view.logicalDpiX())
        painter = QPainter(drawing)
        view.render(painter, place)
        painter.end()
    else:
        image = QImage(view.viewport().size() * PIXELS, QImage.Format.Format_ARGB32)
        image.setDevicePixelRatio(PIXELS)
        image.fill(view.backgroundBrush().color())
        painter = QPainter(image)
        view.render(painter, place)
        painter.end()
        QImageWriter(buffer, QByteArray(b"png")).write(image)
    buffer.close()
    return bytes(content.data())
