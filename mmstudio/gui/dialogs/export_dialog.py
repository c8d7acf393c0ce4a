"""How a model is exported: for whom, and whether samples of the data go along."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QDialog,
    QHBoxLayout,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from mmstudio.gui import style
from mmstudio.gui.parts.cards import button, label


@dataclass(frozen=True)
class ExportChoices:
    """How to export; as the arguments of `mmstudio.export.exporting.export`."""

    kind: str = "onnx"
    quantized: bool = False
    include_samples: bool = False


class ExportDialog(QDialog):
    """The dialog `Export the model`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Export the model"))
        self.setMinimumWidth(480)
        box = QVBoxLayout(self)
        box.setContentsMargins(24, 20, 24, 20)
        box.setSpacing(style.SPACE)
        self._group = QButtonGroup(self)
        self._choices: list[ExportChoices] = []
        self._add(box, ExportChoices(), self.tr("ONNX"), self.tr(
            "Answers without PyTorch and without this app, with a program and a server beside it"))
        self._add(box, ExportChoices(quantized=True), self.tr("ONNX with weights of 8 bits"),
                  self.tr("Smaller; what it costs is measured on your test rows, and more than 5 "
                          "points are refused"))
        self._add(box, ExportChoices(kind="torch"), self.tr("PyTorch"), self.tr(
            "Weights as safetensors and readable code, to train on without this app"))
        self._group.button(0).setChecked(True)
        box.addSpacing(style.SPACE)
        self.samples = QCheckBox(self.tr("Take eight samples of my data along"))
        self.samples.setAccessibleName("Take samples along")
        self.samples.setObjectName("Take samples along")
        box.addWidget(self.samples)
        box.addWidget(label(self.tr(
            "They test it, and leave this computer with the folder. Else made-up samples test it."),
            "small", wrap=True))
        box.addSpacing(style.SPACE)
        box.addLayout(self._make_buttons())

    def choices(self) -> ExportChoices:
        """What is chosen."""
        chosen = self._choices[self._group.checkedId()]
        return ExportChoices(chosen.kind, chosen.quantized, self.samples.isChecked())

    def _add(self, box: QVBoxLayout, choices: ExportChoices, text: str, about: str) -> None:
        radio = QRadioButton(text)
        radio.setAccessibleName(text)
        radio.setObjectName(text)
        radio.setAccessibleDescription(about)
        self._group.addButton(radio, len(self._choices))
        self._choices.append(choices)
        box.addWidget(radio)
        hint = label(about, "small", wrap=True)
        hint.setContentsMargins(26, 0, 0, 4)
        box.addWidget(hint)

    def _make_buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addStretch(1)
        cancel = button(self.tr("Cancel"), name="Cancel")
        cancel.clicked.connect(self.reject)
        row.addWidget(cancel)
        go_on = button(self.tr("Choose a place …"), "mdi6.folder-outline", "primary",
                       name="Choose a place")
        go_on.setDefault(True)
        go_on.clicked.connect(self.accept)
        row.addWidget(go_on)
        return row
