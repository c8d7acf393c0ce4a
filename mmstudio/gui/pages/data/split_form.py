"""How the samples are shared out, where no column of the table says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QComboBox, QGridLayout, QSpinBox, QVBoxLayout, QWidget

from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.parts.cards import Disclosure, label
from mmstudio.gui.plain_text import plain_tip
from mmstudio.gui.state.project_store import ProjectStore

if TYPE_CHECKING:
    from mmstudio.experiment import SplitShares


class SplitForm(QWidget):
    """A line that says where the split comes from; shares and more behind "More options"."""

    def __init__(self, project: ProjectStore, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._project = project
        self._boxes: dict[str, QSpinBox] = {}
        self._combos: dict[str, QComboBox] = {}
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(4)
        self._about = label("", "small", wrap=True)
        box.addWidget(self._about)
        self._more = Disclosure(self.tr("More options"), self._make, name="Split more options")
        box.addWidget(self._more)

    def show_experiment(self) -> None:
        """Show the experiment's split."""
        experiment = self._project.experiment
        if experiment is None:
            self.hide()
            return
        self.show()
        split = experiment.data.split
        by_column = isinstance(split, str)
        self._more.setVisible(not by_column)
        if isinstance(split, str):
            self._about.setText(self.tr("As the column “{0}” says.").format(split))
            return
        self._about.setText(self._words(split))
        for name, box in self._boxes.items():
            box.blockSignals(True)
            box.setValue(round(100 * getattr(split, name)))
            box.blockSignals(False)
        table = self._project.table
        columns = table.columns if table is not None else []
        for name, combo in self._combos.items():
            self._fill(combo, columns, getattr(split, name))

    def _words(self, split: SplitShares) -> str:
        text = self.tr("Drawn by chance, the same each time.")
        if split.stratify:
            text += " " + self.tr("Each “{0}” is shared out alike.").format(split.stratify)
        if split.group:
            text += " " + self.tr("Rows of one “{0}” stay together.").format(split.group)
        if split.id:
            text += " " + self.tr("“{0}” identifies the sample of a row.").format(split.id)
        return text

    def _fill(self, combo: QComboBox, columns: list[str], chosen: str | None) -> None:
        combo.blockSignals(True)
        combo.clear()
        combo.addItem(self.tr("—"), None)
        for column in columns:
            combo.addItem(column, column)
        combo.setCurrentIndex(max(0, combo.findData(chosen)) if chosen else 0)
        combo.blockSignals(False)

    def _make(self) -> QWidget:
        widget = QWidget()
        grid = QGridLayout(widget)
        grid.setContentsMargins(0, 0, 0, 0)
        names = {
            "validation": (self.tr("Validation"), self.tr("Samples that choose the best epoch")),
            "test": (self.tr("Test"), self.tr("Samples kept for the final figures")),
        }
        for row, (name, (title, tip)) in enumerate(names.items()):
            box = QSpinBox()
            box.setRange(1 if name == "validation" else 0, 45)
            box.setSuffix(" %")
            box.setKeyboardTracking(False)
            box.setAccessibleName(f"Split {name}")
            box.setToolTip(plain_tip(tip))
            guard_wheel(box)
            box.valueChanged.connect(self._on_changed)
            self._boxes[name] = box
            grid.addWidget(label(title, "muted"), row, 0)
            grid.addWidget(box, row, 1)
        for row, (name, (title, tip)) in enumerate(self._column_choices().items(), len(names)):
            combo = QComboBox()
            combo.setAccessibleName(f"Split {name}")
            combo.setObjectName(f"Split {name}")
            combo.setToolTip(plain_tip(tip))
            combo.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            guard_wheel(combo)
            combo.currentIndexChanged.connect(self._on_changed)
            self._combos[name] = combo
            grid.addWidget(label(title, "muted"), row, 0)
            grid.addWidget(combo, row, 1)
        grid.setColumnStretch(1, 1)
        self.show_experiment()
        return widget

    def _column_choices(self) -> dict[str, tuple[str, str]]:
        return {
            "stratify": (
                self.tr("Share out alike"),
                self.tr("Give each value of this column the same shares; for rare classes"),
            ),
            "group": (
                self.tr("Keep together"),
                self.tr("Rows that are equal in this column come into one split"),
            ),
            "id": (
                self.tr("Known by"),
                self.tr("The column that names a sample, so that its split stays whatever else"
                        " changes; without one, the cells of its inputs"),
            ),
        }

    def _on_changed(self) -> None:
        experiment = self._project.experiment
        if experiment is None or isinstance(experiment.data.split, str):
            return
        split: dict[str, object] = {n: box.value() / 100 for n, box in self._boxes.items()}
        split["train"] = round(1 - sum(box.value() for box in self._boxes.values()) / 100, 2)
        columns = {n: combo.currentData() for n, combo in self._combos.items()}
        split |= {name: column for name, column in columns.items() if column}
        self._project.edit("data.split", split)
