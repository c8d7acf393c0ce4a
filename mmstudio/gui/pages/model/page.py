"""The Model page: which inputs, how they are encoded and fused, what is predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from mmstudio.gui.pages.model.component_cards import TargetCard
from mmstudio.gui.pages.model.flow import Flow
from mmstudio.gui.pages.model.fusion_card import FusionCard
from mmstudio.gui.pages.model.input_card import InputCard
from mmstudio.gui.parts.cards import EmptyState, button, page_head
from mmstudio.gui.state import loading
from mmstudio.gui.state.advice import AdviceStore
from mmstudio.gui.state.data_check import DataCheck
from mmstudio.gui.state.download_manager import DownloadManager
from mmstudio.gui.state.heavy_work import HeavyWork
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.libraries import Libraries
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.gui.state.runs_store import RunsStore

if TYPE_CHECKING:
    from mmstudio.experiment import Experiment


class ModelPage(QWidget):
    """Shows the project's experiment as a flow; `page_asked` asks the window for a page."""

    page_asked = Signal(str)

    def __init__(
        self, jobs: JobRunner, libraries: Libraries, heavy: HeavyWork, project: ProjectStore,
        check: DataCheck, runs: RunsStore, models: DownloadManager, advice: AdviceStore,
        parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._jobs, self._libraries, self._heavy = jobs, libraries, heavy
        self._project, self._check, self._runs = project, check, runs
        self._models, self._advice = models, advice
        self._inputs: dict[str, InputCard] = {}
        self._targets: dict[str, TargetCard] = {}
        box = QVBoxLayout(self)
        box.setContentsMargins(24, 16, 24, 16)
        box.setSpacing(12)
        head, self._about = page_head(self.tr("Model"))
        self.columns_button = button(
            self.tr("Choose columns"),
            "mdi6.table-cog",
            tip=self.tr("Which columns are inputs and targets: on the Data page"),
            name="Choose columns",
        )
        self.columns_button.clicked.connect(lambda: self.page_asked.emit("Data"))
        head.addWidget(self.columns_button)
        self.next_button = button(
            self.tr("Go to training"),
            "mdi6.arrow-right",
            mark="primary",
            tip=self.tr("The Train page (Ctrl+3)"),
            name="Go to training",
        )
        self.next_button.clicked.connect(lambda: self.page_asked.emit("Train"))
        head.addWidget(self.next_button)
        box.addLayout(head)
        self._stack = QStackedWidget()
        box.addWidget(self._stack, 1)
        action = button(self.tr("Go to the data"), "mdi6.database-outline", mark="primary")
        action.clicked.connect(lambda: self.page_asked.emit("Data"))
        self._stack.addWidget(
            EmptyState(
                "mdi6.graph-outline",
                self.tr("No model yet"),
                self.tr(
                    "Add data first and say which columns are inputs and what to predict. "
                    "The model is then set up for you."
                ),
                action,
            )
        )
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.flow = Flow()
        self.flow.setAccessibleName(self.tr("What goes where in the model"))
        scroll.setWidget(self.flow)
        self._stack.addWidget(scroll)
        self._fusion = FusionCard(self._project, self._advice, self._heavy)
        self._fusion.reshaped.connect(self.flow.follow)
        # All pages follow another project, and together that takes long: one card per turn.
        self._spare: dict[tuple[str, str], InputCard | TargetCard] = {}
        self._later = QTimer(self, singleShot=True, interval=0)
        self._later.timeout.connect(self._prepare)
        self._project.changed.connect(self._later.start)
        self._project.experiment_changed.connect(self._show)
        self._libraries.components_ready.connect(self._show)
        self._show()

    def showEvent(self, event: QShowEvent) -> None:
        """What is still missing is needed now."""
        super().showEvent(event)
        if self._later.isActive():
            self._later.stop()
            self._show()

    def _prepare(self) -> None:
        """Make one card that will be needed; show all when none is missing."""
        experiment = self._project.experiment
        if experiment is not None and not self._has_cards_of(experiment):
            wanted = [("input", name) for name in experiment.inputs]
            wanted += [("target", name) for name in experiment.targets]
            missing = [key for key in wanted if key not in self._spare]
            if missing:
                self._make_card(*missing[0])
                self._later.start()
                return
        self._show()

    def _make_card(self, kind: str, name: str) -> None:
        made: InputCard | TargetCard
        if kind == "input":
            made = InputCard(self._jobs, self._project, self._check, self._runs, self._models,
                             name)
        else:
            made = TargetCard(self._project, name)
        made.setParent(self)  # until it has its place
        made.hide()
        self._spare[kind, name] = made

    def _take_card(self, kind: str, name: str) -> Any:
        if (kind, name) not in self._spare:
            self._make_card(kind, name)
        return self._spare.pop((kind, name))

    def _has_cards_of(self, experiment: Experiment) -> bool:
        return list(experiment.inputs) == list(self._inputs) and list(
            experiment.targets
        ) == list(self._targets)

    def _show(self) -> None:
        experiment = self._project.experiment
        self._stack.setCurrentIndex(0 if experiment is None else 1)
        self.next_button.setEnabled(experiment is not None)
        self.columns_button.setEnabled(self._project.folder is not None)
        if experiment is None:
            self._about.set_text("")
            return
        known = loading.Components({}, {}, {})
        if self._libraries.ready:
            known = loading.components()
        self._make_cards()
        for name, card in self._inputs.items():
            modality = experiment.inputs[name].modality
            fitting = {
                n: c for n, c in known.encoders.items() if getattr(c, "modality", "") == modality
            }
            card.show_settings(experiment.inputs[name], fitting)
        self._fusion.show_settings(experiment, known.fusions)
        for name, target in self._targets.items():
            target.show_settings(experiment.targets[name], known.tasks)
        self._show_links()
        inputs, targets = len(experiment.active_inputs), len(experiment.active_targets)
        self._about.set_text(
            self.tr("{0} of {1} inputs, {2} of {3} targets in use").format(
                inputs, len(experiment.inputs), targets, len(experiment.targets)
            )
        )

    def _make_cards(self) -> None:
        experiment = self._project.experiment
        if experiment is None:
            return
        if self._has_cards_of(experiment):
            return
        self._inputs = {name: self._take_card("input", name) for name in experiment.inputs}
        self._targets = {name: self._take_card("target", name) for name in experiment.targets}
        for spare in self._spare.values():
            spare.deleteLater()
        self._spare = {}
        for series, card in enumerate(self._inputs.values()):
            card.series = series
        cards: list[InputCard | TargetCard] = [*self._inputs.values(), *self._targets.values()]
        for made in cards:
            made.reshaped.connect(self.flow.follow)
        self.flow.show_cards(
            [list(self._inputs.values()), [self._fusion], list(self._targets.values())]
        )
        for made in cards:
            made.show()

    def _show_links(self) -> None:
        experiment = self._project.experiment
        if experiment is None:
            return
        links: list[tuple[QWidget, QWidget, int, bool]] = [
            (card, self._fusion, card.series, experiment.inputs[name].use)
            for name, card in self._inputs.items()
        ]
        links += [
            (self._fusion, card, 0, experiment.targets[name].use)
            for name, card in self._targets.items()
        ]
        self.flow.show_links(links)
        self.flow.setAccessibleDescription(self.tr(
            "{inputs} go into the fusion {fusion}, which tells {targets}.").format(
            inputs=", ".join(experiment.active_inputs), fusion=experiment.fusion.name,
            targets=", ".join(experiment.active_targets)))
