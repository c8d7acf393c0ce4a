"""A sound on the screen: waveform, spectrogram below it, the playing position over both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from mmstudio.gui import style
from mmstudio.gui.media.views.sound_picture import SoundPicture

_GAP = 6
_RADIUS = 6.0
_MUTED_OPACITY = 0.3


@dataclass(frozen=True)
class SoundHeat:
    """A map of what counted in a sound.

    Attributes:
        image: Time to the right, pitch upward in even steps on the mel scale from 0.
        seconds: How much of the sound it is of; a model may hear only its beginning.
        top_hz: The highest pitch that it is of.
    """

    image: QImage
    seconds: float
    top_hz: float


class WaveView(QWidget):
    """Paints one `SoundPicture`; empty until `show_sound` is called."""

    def __init__(self, parent: QWidget | None = None) -> None:
        """Make an empty view."""
        super().__init__(parent)
        self._sound: SoundPicture | None = None
        self._spectrogram: QImage | None = None
        self._position: float | None = None
        self._heat: SoundHeat | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(self.tr("Waveform and spectrogram"))
        style.changed.connect(self.update)

    def show_sound(self, sound: SoundPicture | None) -> None:
        """Show a sound, or nothing, which takes its map away; a map may come before it."""
        self._sound = sound
        self._position = None
        self._spectrogram = None
        if sound is None:
            self._heat = None
        else:
            bands, frames, _ = sound.spectrogram.shape
            image = QImage(
                sound.spectrogram.data, frames, bands, 3 * frames, QImage.Format.Format_RGB888
            )
            # RGB32 is what the screen paints quickest; the conversion also copies the numbers.
            self._spectrogram = image.convertToFormat(QImage.Format.Format_RGB32)
        self.update()

    def show_heat(self, heat: SoundHeat | None) -> None:
        """Lay a map over the spectrogram, which turns grey; None takes it away."""
        self._heat = heat
        self.update()

    def set_position(self, share: float | None) -> None:
        """Mark how much has been played, 0 to 1; None takes the mark away."""
        self._position = share
        self.update()

    def sizeHint(self) -> QSize:
        """A size at which the bands can be told apart."""
        return QSize(280, 150)

    def minimumSizeHint(self) -> QSize:
        """The least at which it is still worth showing."""
        return QSize(120, 90)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint waveform, spectrogram and position."""
        if self._sound is None or self._spectrogram is None:
            return
        painter = QPainter(self)
        painter.setOpacity(1.0 if self.isEnabled() else _MUTED_OPACITY)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        wave_height = round(self.height() * 0.4)
        wave = QRectF(0, 0, self.width(), wave_height)
        below = QRectF(
            0, wave_height + _GAP, self.width(), max(1, self.height() - wave_height - _GAP)
        )
        self._paint_wave(painter, wave, self._sound.outline)
        painter.save()
        rounded = QPainterPath()
        rounded.addRoundedRect(below, _RADIUS, _RADIUS)
        painter.setClipPath(rounded)
        if self._heat is None:
            painter.drawImage(below, self._spectrogram)
        else:
            grey = self._spectrogram.convertToFormat(QImage.Format.Format_Grayscale8)
            painter.drawImage(below, grey)
            painter.drawImage(_part_of(below, self._heat, self._sound), self._heat.image)
        painter.restore()
        if self._position is not None:
            x = self._position * self.width()
            painter.setPen(QPen(QColor(style.palette().accent), 2))
            painter.drawLine(QPointF(x, 0), QPointF(x, self.height()))

    def _paint_wave(self, painter: QPainter, area: QRectF, outline: np.ndarray) -> None:
        colours = style.palette()
        middle = area.center().y()
        painter.setPen(QPen(QColor(colours.grid), 1))
        painter.drawLine(QPointF(area.left(), middle), QPointF(area.right(), middle))
        loudest = max(float(np.abs(outline).max()), 1e-4)
        scale = (area.height() / 2 - 1) / loudest
        columns = np.linspace(area.left(), area.right(), len(outline))
        # Half a pixel each way keeps silence visible as a thin line.
        highest = middle - outline[:, 1] * scale - 0.5
        lowest = middle - outline[:, 0] * scale + 0.5
        points = [QPointF(x, y) for x, y in zip(columns, highest, strict=True)]
        points += [QPointF(x, y) for x, y in zip(columns[::-1], lowest[::-1], strict=True)]
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.accent))
        painter.drawPolygon(QPolygonF(points))


def _part_of(area: QRectF, heat: SoundHeat, sound: SoundPicture) -> QRectF:
    """Where in the spectrogram's area the part lies that the map is of."""
    wide = area.width() * min(1.0, heat.seconds / max(sound.seconds, 1e-6))
    top = _mel(sound.sample_rate_hz / 2)
    high = area.height() * min(1.0, _mel(heat.top_hz) / max(top, 1e-6))
    return QRectF(area.left(), area.bottom() - high, wide, high)


def _mel(hertz: float) -> float:
    return float(np.log10(1 + hertz / 700))
