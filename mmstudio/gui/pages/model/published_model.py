"""What stands below the encoder's box for a published model: about it, and how it is tuned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QVBoxLayout, QWidget

from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.media.medium import medium_of
from mmstudio.gui.parts.cards import label
from mmstudio.gui.parts.model_state import ModelStateView
from mmstudio.gui.plain_text import plain_tip
from mmstudio.gui.state.download_manager import DownloadManager
from mmstudio.pretrained import published
from mmstudio.registry import Option
from mmstudio.units import size_text

if TYPE_CHECKING:
    from mmstudio.experiment import InputSettings
    from mmstudio.pretrained.catalogue import PublishedModel

HIDDEN_OPTIONS = frozenset({"model", "tuning"})
"""The options that have a place of their own above."""

ONLY_FOR = {
    "blocks": ("last",),
    "rate": ("last", "full"),
    "layer_decay": ("full",),
    "rank": ("lora",),
}
"""The ways of tuning to which an option applies; the others apply to all."""

GIVEN_BY_MODEL = frozenset({"vocabulary", "sample_rate_hz"})
"""The input's own options that a published model decides."""

HELP_BESIDE_MODEL = {
    "size": "side, pixels; 0 takes the model's own",
    "max_tokens": "what is longer is cut; 0 takes the model's own",
}
"""What the input's own options mean beside a published model, where that is something else."""


def encoder_options(options: Mapping[str, Option], tuning: str) -> dict[str, Option]:
    """The options of a published encoder that change something when it is tuned so."""
    return {name: option for name, option in options.items()
            if name not in HIDDEN_OPTIONS and tuning in ONLY_FOR.get(name, (tuning,))}


def input_options(options: Mapping[str, Option]) -> dict[str, Option]:
    """The input's own options that still mean something beside a published model."""
    return {name: replace(option, help=HELP_BESIDE_MODEL.get(name, option.help))
            for name, option in options.items() if name not in GIVEN_BY_MODEL}


class PublishedModelView(QWidget):
    """Facts of the model, its state on this computer, and the box `How it is tuned`.

    `tuned` brings the way of tuning that was chosen.
    """

    tuned = Signal(str)

    def __init__(self, models: DownloadManager, name: str) -> None:
        super().__init__()
        self._models = models
        self._model = self._kind = ""
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(6)
        self.good_for = label("", "small", wrap=True)
        box.addWidget(self.good_for)
        self.facts = label("", "small", wrap=True)
        self.facts.setObjectName(f"{name} model facts")
        box.addWidget(self.facts)
        self.state = ModelStateView(self._models, name)
        box.addWidget(self.state)
        title = label(self.tr("How it is tuned"), "muted")
        box.addWidget(title)
        self.tuning = QComboBox()
        self.tuning.setAccessibleName(f"{name} how it is tuned")
        self.tuning.setObjectName(f"{name} how it is tuned")
        self.tuning.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.tuning.setMinimumContentsLength(8)
        guard_wheel(self.tuning)
        for value, (words, _) in self._ways().items():
            self.tuning.addItem(words, value)
        self.tuning.currentIndexChanged.connect(
            lambda _: self.tuned.emit(self.tuning.currentData()))
        title.setBuddy(self.tuning)
        box.addWidget(self.tuning)
        self.meaning = label("", "small", wrap=True)
        box.addWidget(self.meaning)
        self._models.changed.connect(self._show_facts)

    def _ways(self) -> dict[str, tuple[str, str]]:
        """Per way of tuning its name and one sentence."""
        return {
            "frozen": (
                self.tr("Frozen — fast, for small data"),
                self.tr("The model stays as it was published. Each sample goes through it once; "
                        "after that an epoch takes moments."),
            ),
            "last": (
                self.tr("Last blocks"),
                self.tr("Its last layers learn from your data, the others stay. For some "
                        "hundreds of samples per class."),
            ),
            "full": (
                self.tr("Whole model"),
                self.tr("All of it learns, the first layers the least. For much data; needs the "
                        "most time and memory."),
            ),
            "lora": (
                self.tr("LoRA adapters"),
                self.tr("Small added layers learn, the model itself stays. Nearly as good as the "
                        "whole model, with much less memory."),
            ),
        }

    def show_settings(self, settings: InputSettings, model: str) -> None:
        """Show the model that the input's encoder names."""
        self._model, self._kind = model, settings.modality
        tuning = settings.encoder.options.get("tuning", "frozen")
        self.tuning.blockSignals(True)
        self.tuning.setCurrentIndex(max(0, self.tuning.findData(tuning)))
        self.tuning.setToolTip(plain_tip(self.tuning.currentText()))
        self.tuning.blockSignals(False)
        self.meaning.setText(self._ways()[self.tuning.currentData()][1])
        self._show_facts()

    def _show_facts(self) -> None:
        if not self._model:
            return
        entry = published.entry_of(self._model, self._kind)
        self.good_for.setText(entry.good_for if entry is not None else self._model)
        self.facts.setText(self._of_list(entry) if entry is not None else self._planned())
        self.facts.setVisible(bool(self.facts.text()))
        plan = self._models.plan_of(self._model)
        size = entry.download_bytes if entry is not None else plan.bytes if plan is not None else 0
        self.state.show_model(self._model, self._kind, size)

    def _of_list(self, entry: PublishedModel) -> str:
        """Licence, size, languages and memory of a model of the list."""
        whole = self.tuning.currentData() == "full"
        memory = entry.training_memory_bytes if whole else entry.memory_bytes
        parts = [
            size_text(entry.download_bytes),
            self.tr("{0} in memory").format(size_text(memory)),
            self.tr("licence {0}").format(entry.licence),
        ]
        if medium_of(entry.kind).speaks:  # a picture shows what it shows in every language
            parts.insert(0, entry.languages)
        return _listed(parts)

    def _planned(self) -> str:
        """What the network told of another model."""
        plan = self._models.plan_of(self._model)
        if plan is None:
            return ""
        parts = [size_text(plan.bytes),
                 self.tr("licence {0}").format(plan.licence or self.tr("not named"))]
        if plan.gated:
            parts.append(self.tr("only for people whom its publisher has let in"))
        return _listed(parts)


def _listed(parts: Sequence[str]) -> str:
    """Facts side by side; a line is not broken within one."""
    return " · ".join(part.replace(" ", "\N{NO-BREAK SPACE}") for part in parts)
