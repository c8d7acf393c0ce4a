"""The Model page's card of the fusion: the choice, what to know of it, and the advice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from mmstudio.errors import UserError
from mmstudio.gui import style
from mmstudio.gui.forms import OptionsForm
from mmstudio.gui.pages.model.advice_line import AdviceLine
from mmstudio.gui.pages.model.component_cards import LABEL_WIDTH, ComponentCard
from mmstudio.gui.pages.model.fusion_choices import equation_of, show_fusions, use_wide_list
from mmstudio.gui.parts.cards import Disclosure, IconLabel, IconNote, label
from mmstudio.gui.state.advice import AdviceStore
from mmstudio.gui.state.heavy_work import HeavyWork
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.registry import checked_options, options_of

if TYPE_CHECKING:
    from mmstudio.experiment import Experiment


class FusionCard(ComponentCard):
    """How the inputs are brought together."""

    def __init__(self, project: ProjectStore, advice: AdviceStore, heavy: HeavyWork) -> None:
        super().__init__(project)
        self._shown = ""
        head = QHBoxLayout()
        head.addWidget(IconLabel("mdi6.call-merge", 20, "accent"))
        head.addWidget(label(self.tr("Fusion"), "section"), 1)
        self.body.addLayout(head)
        self.fusion = self._combo("Fusion", ("fusion", "name"))
        self.fusion.setToolTip(self.tr("How the inputs are brought together"))
        use_wide_list(self.fusion)
        self.body.addWidget(self.fusion)
        self._summary = label("", wrap=True)
        self.body.addWidget(self._summary)
        self._caution = IconNote("mdi6.alert-outline", "warn", "warn")
        self.body.addWidget(self._caution)
        self.advice = AdviceLine(project, advice, heavy)
        self.advice.reshaped.connect(self.reshaped)
        self.body.addWidget(self.advice)
        self.about = Disclosure(
            self.tr("About this fusion"), QWidget, name="About this fusion")
        self.about.line.toggled.connect(lambda _: self.reshaped.emit())
        self.body.addWidget(self.about)
        self.more = self._more("Fusion more options")
        self.body.addWidget(self.more)

    def show_settings(self, experiment: Experiment, fusions: dict[str, type]) -> None:
        """Show the fusion as the experiment has it."""
        name = experiment.fusion.name
        show_fusions(self.fusion, fusions, name)
        self.advice.show_advice()
        chosen = fusions.get(name)
        for widget in (self._summary, self.about, self.more):
            widget.setVisible(chosen is not None)
        self._caution.show_text(self._caution_of(experiment, chosen))
        if chosen is None:
            return
        self._summary.setText(chosen.summary)  # type: ignore[attr-defined]
        if self._shown != name:
            self._shown = name
            self.about.replace(lambda: self._about(chosen))
            self.more.replace(lambda: self._form(chosen))
        for form in self.findChildren(OptionsForm):
            form.set_values(experiment.fusion.options)

    def _caution_of(self, experiment: Experiment, chosen: type | None) -> str:
        """What to know before training with so many inputs; "" where there is nothing."""
        if chosen is None:
            return ""
        options: dict[str, Any] = dict(experiment.fusion.options)
        try:
            options = checked_options(options_of(chosen), options, "fusion")
        except UserError as error:
            return error.message
        return chosen.caution(len(experiment.active_inputs), options) or ""  # type: ignore[attr-defined]

    def _about(self, chosen: type) -> QWidget:
        holder = QWidget()
        box = QVBoxLayout(holder)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(style.SPACE)
        box.addWidget(label(equation_of(chosen), "code", wrap=True))
        source = chosen.source  # type: ignore[attr-defined]
        if source:
            box.addWidget(label(self.tr("After {0}").format(source), "small", wrap=True))
        return holder

    def _form(self, chosen: type) -> QWidget:
        experiment = self._project.experiment
        options = experiment.fusion.options if experiment is not None else {}
        form = OptionsForm(options_of(chosen), options, prefix="Fusion", label_width=LABEL_WIDTH)
        form.changed.connect(lambda option, value: self._project.edit(("fusion", option), value))
        return form
