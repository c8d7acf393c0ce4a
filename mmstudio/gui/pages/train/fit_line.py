"""The line above the curves: how long an epoch will take, and whether it fits into memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.overriding import override
from mmstudio.gui.parts.cards import IconLabel, button, label
from mmstudio.gui.state.heavy_work import TRAINING, HeavyWork
from mmstudio.units import size_text, time_left_text

if TYPE_CHECKING:
    from mmstudio.gui.state.estimate import EstimateStore
    from mmstudio.gui.state.project_store import ProjectStore
    from mmstudio.training.fit import Fit


class FitLine(QWidget):
    """Shows the fit before a training, and lets the proposed batch size be taken.

    `batch_chosen` brings that size.
    """

    batch_chosen = Signal(int)

    def __init__(
        self, project: ProjectStore, fit: EstimateStore, heavy: HeavyWork,
        parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._project, self._fit, self._heavy = project, fit, heavy
        self.setObjectName("Fit")
        self._icon = IconLabel("mdi6.timer-outline", 18, "muted")
        self.text = label("", "muted", wrap=True)
        self.hint = label("", "small", wrap=True)
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self.text)
        words.addWidget(self.hint)
        self.ask = button(
            self.tr("Estimate time and memory"), "mdi6.timer-outline",
            tip=self.tr("Tries a few steps; nothing is saved"), name="Estimate time and memory")
        self.ask.clicked.connect(self._fit.ask)
        self.use = button("", name="Use proposed batch size")
        self.use.clicked.connect(self._take)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(style.SPACE)
        row.addWidget(self._icon)
        row.addLayout(words, 1)
        row.addWidget(self.use)
        row.addWidget(self.ask)
        self._fit.changed.connect(self.show_fit)
        self.show_fit()

    def showEvent(self, event: QShowEvent) -> None:
        """It is worth its work while somebody looks."""
        super().showEvent(event)
        self._fit.watch(True)

    @override
    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._fit.watch(False)

    def show_fit(self) -> None:
        """Show what there is: the figures, the work on them, or how to ask."""
        state = self._fit
        fit = state.fit
        text, hint = self._words()
        self.text.setText(text)
        self.text.setAccessibleName(text)
        self.hint.setText(hint)
        self.hint.setVisible(bool(hint))
        bad = bool(state.trouble[0]) or (fit is not None and not fit.fits)
        self._icon.show_icon("mdi6.alert-outline" if bad else "mdi6.timer-outline",
                             "warn" if bad else "muted")
        style.mark(self.text, "warn" if bad else "muted")
        self.ask.setVisible(fit is None and not state.is_asking)
        self.ask.setEnabled(state.can_ask)
        size = self._proposed(fit)
        self.use.setVisible(bool(size))
        if size:
            self.use.setText(self.tr("Use batch size {0}").format(size))
            self.use.setAccessibleName(f"Use batch size {size}")
        self._icon.setVisible(bool(text))
        idle = self._heavy.running is TRAINING or (not text and not state.can_ask)
        if self.isHidden() != idle:
            self.setVisible(not idle)

    def _proposed(self, fit: Fit | None) -> int:
        """The batch size to offer, 0 where there is nothing better."""
        experiment = self._project.experiment
        if fit is None or experiment is None or fit.fits or (
                fit.batch_size == experiment.training.batch_size) or fit.too_large:
            return 0
        return fit.batch_size

    def _words(self) -> tuple[str, str]:
        state = self._fit
        if state.fit is not None:
            return self._figures(state.fit)
        if state.is_asking:
            return self.tr("Finding out how long an epoch will take …"), ""
        return state.trouble

    def _figures(self, fit: Fit) -> tuple[str, str]:
        memory = size_text(fit.memory_bytes)
        if fit.too_large:
            text = self.tr("Even one sample at a time needs more than the {0} of memory that are "
                           "free.").format(size_text(fit.free_bytes))
            return text, self._remedy(fit)
        if not fit.fits:
            text = self.tr("Batches of {0} need about {1} of memory; {2} are free.").format(
                fit.wanted or self._own_size(), memory, size_text(fit.free_bytes))
            return text, self._remedy(fit)
        text = self.tr("About {0} per epoch, {1} of memory for the model").format(
            time_left_text(fit.seconds_per_epoch), memory)
        if fit.encode_seconds >= 1:
            text += " · " + self.tr("first {0} to send all samples through the published model "
                                    "once").format(time_left_text(fit.encode_seconds))
        return text, ""

    def _own_size(self) -> int:
        experiment = self._project.experiment
        return 0 if experiment is None else experiment.training.batch_size

    def _remedy(self, fit: Fit) -> str:
        if self._proposed(fit):
            return self.tr("Smaller batches take less.")
        return self.tr("Choose smaller encoders on the Model page, or “Frozen” for a published "
                       "one, or close other programs.")

    def _take(self) -> None:
        size = self._proposed(self._fit.fit)
        if size:
            self.batch_chosen.emit(size)
