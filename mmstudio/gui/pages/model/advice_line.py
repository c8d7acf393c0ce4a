"""The line below the fusion's choice: which one is recommended, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.overriding import override
from mmstudio.gui.pages.model.advice_bars import AdviceBars
from mmstudio.gui.parts.cards import Disclosure, ElidedLabel, button, label
from mmstudio.gui.state.advice import AdviceStore
from mmstudio.gui.state.heavy_work import HeavyWork
from mmstudio.gui.state.project_store import ProjectStore

if TYPE_CHECKING:
    from mmstudio.advice import Advice


class AdviceLine(QFrame):
    """Shows the advice and lets it be taken; `reshaped` tells of another height."""

    reshaped = Signal()

    def __init__(self, project: ProjectStore, advice: AdviceStore, heavy: HeavyWork) -> None:
        super().__init__()
        self._project, self._advice, self._heavy = project, advice, heavy
        self._shown: Advice | None = None
        self.setAccessibleName(self.tr("Advice"))
        style.mark(self, "raised")
        box = QVBoxLayout(self)
        box.setContentsMargins(12, 8, 12, 8)
        box.setSpacing(6)
        self._text = label("", wrap=True)
        box.addWidget(self._text)
        self._progress = ElidedLabel("", "small")
        box.addWidget(self._progress)
        self.ask = button(self.tr("Ask for advice"), "mdi6.lightbulb-on-outline",
                          tip=self.tr("A quick look at some rows shows which fusion suits them"),
                          name="Ask for advice")
        self.ask.clicked.connect(self._advice.ask)
        box.addWidget(self.ask)
        row = QHBoxLayout()
        self.use = button(self.tr("Use it"), tip=self.tr("Take the recommended fusion"),
                          name="Use it")
        self.use.clicked.connect(self._take)
        row.addWidget(self.use)
        row.addStretch(1)
        box.addLayout(row)
        self.why = Disclosure(self.tr("Why"), QWidget, name="Why")
        self.why.line.toggled.connect(lambda _: self.reshaped.emit())
        box.addWidget(self.why)
        self._advice.changed.connect(self.show_advice)
        self.show_advice()

    def showEvent(self, event: QShowEvent) -> None:
        """Advice is worth its work while somebody looks."""
        super().showEvent(event)
        self._advice.watch(True)

    @override
    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._advice.watch(False)

    def show_advice(self) -> None:
        """Show what there is: advice, the work on it, or how to ask."""
        state, advice = self._advice, self._advice.advice
        experiment = self._project.experiment
        chosen = (advice is not None and experiment is not None
                  and experiment.fusion.name == advice.fusion)
        self._text.setText(self._words(chosen))
        self._progress.set_text(state.progress)
        self._progress.setVisible(state.is_asking and bool(state.progress))
        self.ask.setVisible(advice is None and not state.is_asking)
        self.ask.setEnabled(state.can_ask)
        self.use.setVisible(advice is not None and not chosen)
        self.why.setVisible(advice is not None)
        if advice is not self._shown:
            self._shown = advice
            if advice is not None:
                self.why.replace(lambda: self._reasons(advice))
        self.reshaped.emit()

    def _words(self, chosen: bool) -> str:
        state = self._advice
        if state.advice is not None:
            text = (self.tr("Recommended, and chosen: {0}, because {1}") if chosen
                    else self.tr("Recommended: {0}, because {1}"))
            return text.format(state.advice.title, state.advice.reason)
        if state.is_asking:
            return self.tr("Looking which fusion suits the data …")
        if state.trouble:
            return self.tr("No advice could be given: {0}").format(state.trouble)
        if self._heavy.running is not None:
            return f"{self._heavy.running.now} " + self.tr("Advice can be had afterwards.")
        return self.tr("Not sure which to take?")

    def _take(self) -> None:
        advice = self._advice.advice
        if advice is not None:
            self._project.edit(("fusion", "name"), advice.fusion)

    def _reasons(self, advice: Advice) -> QWidget:
        holder = QWidget()
        box = QVBoxLayout(holder)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(style.SPACE)
        if advice.probe is not None:
            looked = self.tr("A quick look at {0:,} rows, for “{1}”. Only simple models were "
                             "asked: a trained one finds more.")
            text = looked.format(advice.probe.rows, advice.probe.target)
            box.addWidget(label(text, "small", wrap=True))
            experiment = self._project.experiment
            inputs = list(experiment.inputs if experiment is not None else advice.facts.inputs)
            box.addWidget(AdviceBars(advice.findings, inputs))
        elif advice.note:
            box.addWidget(label(f"{advice.note} " + self.tr("The advice rests on counts alone."),
                                "small", wrap=True))
        rests = self.tr("It rests on: {0}").format(advice.source)
        box.addWidget(label(rests, "small", wrap=True))
        return holder
