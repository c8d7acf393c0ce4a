"""The training's settings: the few that matter in a row, the rest behind "More options"."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from mmstudio.experiment import training_options
from mmstudio.gui import style
from mmstudio.gui.forms import OptionsForm, guard_wheel
from mmstudio.gui.parts.cards import ElidedLabel

if TYPE_CHECKING:
    from mmstudio.experiment import Experiment

_SHOWN = ("epochs", "minutes", "batch_size", "learning_rate")
_DEVICES = ("auto", "cpu", "cuda", "mps")


class TrainingOptions(QWidget):
    """Shows `[training]` of the experiment; `changed` tells key and value of an edit."""

    changed = Signal(str, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        """Build the row and the folded rest."""
        super().__init__(parent)
        options = training_options()
        few = {name: options[name] for name in _SHOWN}
        rest = {
            name: option
            for name, option in options.items()
            if name not in _SHOWN and name not in ("device", "start_from")
        }
        self._locked = False
        self._few = OptionsForm(few, {}, self, columns=len(few))
        self._few.changed.connect(self._edited)
        self._rest = OptionsForm(rest, {}, self, columns=3)
        self._rest.changed.connect(self._edited)
        self._rest.pointed.connect(self._explain)
        self._help = ElidedLabel("", "small")
        self._help.setObjectName("Option help")
        self._folded = QWidget(self)
        self._folded.hide()
        self.device_box = QComboBox(self)
        self.device_box.setObjectName("Device")
        self.device_box.setAccessibleName("Device")
        self.device_box.setToolTip(self.tr("Where the model trains; automatic picks the fastest"))
        self.device_box.activated.connect(self._device_chosen)
        guard_wheel(self.device_box)
        self.more_button = QToolButton(self)
        self.more_button.setObjectName("More options")
        self.more_button.setAccessibleName("More options")
        self.more_button.setText(self.tr("More options"))
        self.more_button.setCheckable(True)
        self.more_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.more_button.toggled.connect(self._unfold)
        style.mark(self.more_button, "disclose")
        self._start = ElidedLabel("", "muted")
        self._start.setObjectName("Starts from")
        self.start_anew = QToolButton(self)
        self.start_anew.setText(self.tr("Start anew"))
        self.start_anew.setObjectName("Start anew")
        self.start_anew.setAccessibleName("Start anew")
        self.start_anew.setToolTip(self.tr("Begin the next training with fresh weights"))
        self.start_anew.clicked.connect(lambda: self.changed.emit("training.start_from", ""))
        style.mark(self.start_anew, "toggle")
        self._origin = QWidget(self)
        self._origin.hide()
        self._build()
        style.changed.connect(self._restyle)
        self._restyle()
        self._fill_devices("auto")

    def _build(self) -> None:
        self._rest.add_field(self.tr("Device"), self.device_box)
        row = QHBoxLayout()
        row.setSpacing(style.SPACE)
        row.addWidget(self._few)
        row.addStretch(1)
        row.addWidget(self.more_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        layout.addLayout(row)
        origin = QHBoxLayout(self._origin)
        origin.setContentsMargins(0, 0, 0, 0)
        origin.setSpacing(style.SPACE)
        origin.addWidget(self._start, 1)
        origin.addWidget(self.start_anew)
        layout.addWidget(self._origin)
        folded = QVBoxLayout(self._folded)
        folded.setContentsMargins(0, 0, 0, 0)
        folded.setSpacing(8)
        folded.addWidget(self._rest)
        folded.addWidget(self._help)
        layout.addWidget(self._folded)
        self._explain("")

    def show_experiment(self, experiment: Experiment | None, rows: int = 0) -> None:
        """Show what the experiment says.

        Args:
            experiment: None leaves all as it is.
            rows: For training; how long they may take is said where that is automatic.
        """
        if experiment is None:
            return
        self._few.say_automatic("minutes", self._automatic_minutes(experiment, rows))
        values: dict[str, Any] = dataclasses.asdict(experiment.training)
        self._few.set_values(values)
        self._rest.set_values(values)
        self._fill_devices(str(values["device"]))
        start = experiment.training.start_from
        self._origin.setVisible(bool(start))
        self._start.set_text(
            self.tr("The next training starts with the weights of {0}.").format(start))

    def _automatic_minutes(self, experiment: Experiment, rows: int) -> str:
        seconds = dataclasses.replace(experiment.training, minutes=0.0).seconds_for(rows)
        if seconds is None:
            return self.tr("No limit")
        if not rows:
            return self.tr("Automatic")
        return self.tr("Automatic (about {0})").format(f"{seconds / 60:.0f}")

    def set_locked(self, locked: bool) -> None:
        """While a run is trained its settings stay, and leave the room to its curves."""
        if locked and not self._locked:
            self.more_button.setChecked(False)
        self._locked = locked
        for widget in (self._few, self._rest, self.start_anew):
            widget.setEnabled(not locked)

    def _fill_devices(self, chosen: str) -> None:
        devices = [name for name in _DEVICES if name == chosen or _is_here(name)]
        if chosen not in devices:
            devices.append(chosen)
        titles = {"auto": self.tr("Automatic"), "cpu": "CPU", "cuda": "GPU", "mps": "Apple GPU"}
        self.device_box.blockSignals(True)
        self.device_box.clear()
        for name in devices:
            self.device_box.addItem(titles.get(name, name), name)
        self.device_box.setCurrentIndex(devices.index(chosen))
        self.device_box.blockSignals(False)

    def _device_chosen(self, index: int) -> None:
        self.changed.emit("training.device", self.device_box.itemData(index))

    def _edited(self, name: str, value: object) -> None:
        self.changed.emit(f"training.{name}", value)

    def _unfold(self, on: bool) -> None:
        self._folded.setVisible(on)
        self._restyle()

    def _explain(self, text: str) -> None:
        """One line under the options, so that what they do is read without waiting for a tip."""
        self._help.set_text(text or self.tr("Point at an option to read what it does."))

    def _restyle(self) -> None:
        unfolded = self.more_button.isChecked()
        name = "mdi6.chevron-down" if unfolded else "mdi6.chevron-right"
        self.more_button.setIcon(style.icon(name, "muted"))


def _is_here(device: str) -> bool:
    if device in ("auto", "cpu"):
        return True
    # Never the reason why torch is loaded: before it is, only the two that are always there.
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "backends"):
        return False
    if device == "cuda":
        return bool(torch.cuda.is_available())
    return bool(torch.backends.mps.is_available())
