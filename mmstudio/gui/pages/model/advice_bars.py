"""What a quick look at the data found: a sentence and a thin bar for each figure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.overriding import override
from mmstudio.gui.parts.bar_list import paint_bar
from mmstudio.gui.parts.cards import label
from mmstudio.gui.plain_text import plain_tip

if TYPE_CHECKING:
    from mmstudio.advice.findings import Finding

BAR_HEIGHT = 12


class AdviceBars(QWidget):
    """The figures by kind; an input alone has its colour."""

    def __init__(self, findings: Sequence[Finding], inputs: Sequence[str]) -> None:
        super().__init__()
        titles = {
            "alone": self.tr("What each input knows alone"),
            "together": self.tr("All inputs side by side"),
            "shared": self.tr("What two inputs both know"),
            "unique": self.tr("What one adds to all others"),
            "joint": self.tr("What only the combination says"),
        }
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(4)
        for kind, found in groupby(findings, lambda f: f.kind):
            box.addSpacing(4)
            box.addWidget(label(titles.get(kind, ""), "muted", wrap=True))
            for finding in found:
                series = inputs.index(finding.inputs[0]) if len(finding.inputs) == 1 else -1
                box.addWidget(label(finding.text, "small", wrap=True))
                box.addWidget(ShareBar(finding, series))


class ShareBar(QWidget):
    """A share of a hundred as a bar, its 95 % interval as a line, guessing as a tick."""

    def __init__(self, finding: Finding, series: int) -> None:
        super().__init__()
        self._finding = finding
        self._series = series
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        low, high = (100 * _in_bar(end) for end in (finding.figure.low, finding.figure.high))
        text = self.tr("95 % interval: {0:.0f} to {1:.0f} of 100").format(low, high)
        if finding.zero:
            text += "\n" + self.tr("The tick is guessing: {0:.0f}").format(100 * finding.zero)
        self.setToolTip(plain_tip(text))
        self.setAccessibleName(f"{finding.text} {text}")
        style.changed.connect(self.update)

    @override
    def sizeHint(self) -> QSize:
        return QSize(160, BAR_HEIGHT)

    @override
    def minimumSizeHint(self) -> QSize:
        return QSize(60, BAR_HEIGHT)

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle, width = self.height() / 2, self.width() - 2.0
        figure = self._finding.figure
        fill = style.color("accent") if self._series < 0 else style.series(self._series)
        paint_bar(painter, QRectF(1, middle - 3, width, 6), figure.value, fill, "border")
        painter.setBrush(style.color("text"))
        low, high = (1 + width * _in_bar(end) for end in (figure.low, figure.high))
        painter.drawRect(QRectF(low, middle - 0.5, max(1.0, high - low), 1))
        if self._finding.zero:
            painter.setBrush(style.color("faint"))
            at = 1 + width * _in_bar(self._finding.zero)
            painter.drawRect(QRectF(at - 0.75, middle - 6, 1.5, 12))


def _in_bar(share: float) -> float:
    return min(1.0, max(0.0, share))
