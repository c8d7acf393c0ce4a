"""How the inputs share the learning: each one's own loss, or its share of the gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRect, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QToolButton, QWidget

from mmstudio.gui import style
from mmstudio.gui.overriding import override
from mmstudio.gui.plain_text import PlainLabel
from mmstudio.gui.plots.balance_words import balance_sentence
from mmstudio.gui.plots.curve_plot import CurvePlot

if TYPE_CHECKING:
    from mmstudio.training.history import RunHistory


_LEGEND_LETTERS = 44
"""Of all names together in the narrowest plot, besides their figures."""


class _Remark(PlainLabel):
    """Lines of text whose height is given.

    A height that follows the width would have the whole grid of plots ask for more than it needs.
    """

    @override
    def hasHeightForWidth(self) -> bool:
        return False


class BalancePlot(CurvePlot):
    """The plot `Balance`, with a line that says when an input is neglected and what helps.

    `asked` is sent when the other quantity is to be drawn.
    """

    asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        """Make it empty; it shows the losses first."""
        super().__init__("Balance", "", parent)
        self.share_button = QToolButton(self)
        self.share_button.setText(self.tr("Gradient"))
        self.share_button.setCheckable(True)
        self.share_button.setAccessibleName(self.tr("Share of the gradient"))
        self.share_button.setToolTip(
            self.tr("Each input's share of the gradient, instead of its loss")
        )
        style.mark(self.share_button, "toggle")
        self.share_button.toggled.connect(self._turn)
        self.header.addWidget(self.share_button)
        self.remark = style.mark(_Remark(self), "small")
        self.remark.setObjectName("Balance remark")
        self.remark.setWordWrap(True)
        self.remark.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.remark.hide()
        # before the plot, whose place is the last one
        self._body.insertWidget(self._body.count() - 1, self.remark)
        self._show_title()

    def fill(self, history: RunHistory) -> None:
        """Bring the curves and the line up to the run."""
        shares = self.share_button.isChecked()
        kept = history.gradient_share if shares else history.input_loss
        names = history.started.inputs if history.started is not None else list(kept)
        for series, name in enumerate(names):
            if name in kept:
                self.set_curve(name, self._short(name, len(names)), history.epochs, kept[name],
                               series=series)
        self.show_remark(history)

    def show_remark(self, history: RunHistory | None) -> None:
        """Say whether an input is neglected."""
        text, kind = balance_sentence(history)
        if text != self.remark.text():
            self.remark.setText(text)
            self.remark.setAccessibleName(text)
            self.remark.setVisible(bool(text))
            style.mark(self.remark, "warn" if kind == "warn" else "small")
            self._fit_remark()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The line may need two in a narrow card."""
        super().resizeEvent(event)
        self._fit_remark()

    def _fit_remark(self) -> None:
        margins = self._body.contentsMargins()
        width = max(100, self.width() - margins.left() - margins.right())
        room = QRect(0, 0, width, 1000)
        flags = int(Qt.TextFlag.TextWordWrap)
        lines = self.remark.fontMetrics().boundingRect(room, flags, self.remark.text())
        self.remark.setFixedHeight(lines.height() + 2)

    def _short(self, name: str, among: int) -> str:
        """A name for the legend: of many inputs, all must find room in one line."""
        longest = _LEGEND_LETTERS // max(1, among)
        return name if len(name) <= longest else name[:longest - 1] + "…"

    def _turn(self) -> None:
        self.remove_curves()
        self._show_title()
        self.asked.emit()

    def _show_title(self) -> None:
        shares = self.share_button.isChecked()
        what = self.tr("share of the gradient in %") if shares else self.tr("each input's loss")
        self.set_title(self.tr("Balance · {what}").format(what=what), percent=shares)
