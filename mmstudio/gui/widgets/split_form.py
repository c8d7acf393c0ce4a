"""How the samples are shared out, where no column of the table says it."""

from __future__ import annotations

from PySide6.QtWidgets import QGridLayout, QSpinBox, QVBoxLayout, QWidget

from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.session import Session
from mmstudio.gui.widgets.cards import Disclosure, label


class SplitForm(QWidget):
    """A line that says where the split comes from, and the shares behind "More options"."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._boxes: dict[str, QSpinBox] = {}
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(4)
        self._about = label("", "small", wrap=True)
        box.addWidget(self._about)
        self._more = Disclosure(self.tr("More options"), self._make, name="Split more options")
        box.addWidget(self._more)

    def show_experiment(self) -> None:
        """Show the experiment's split."""
        experiment = self._session.experiment
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
        text = self.tr("Drawn by chance, the same each time.")
        if split.group:
            text += " " + self.tr("Rows of one “{0}” stay together.").format(split.group)
        self._about.setText(text)
        for name, box in self._boxes.items():
            box.blockSignals(True)
            box.setValue(round(100 * getattr(split, name)))
            box.blockSignals(False)

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
            box.setToolTip(tip)
            guard_wheel(box)
            box.valueChanged.connect(self._on_changed)
            self._boxes[name] = box
            grid.addWidget(label(title, "muted"), row, 0)
            grid.addWidget(box, row, 1)
        grid.setColumnStretch(1, 1)
        self.show_experiment()
        return widget

    def _on_changed(self) -> None:
        experiment = self._session.experiment
        if experiment is None or isinstance(experiment.data.split, str):
            return
        shares = {name: box.value() / 100 for name, box in self._boxes.items()}
        shares["train"] = round(1 - sum(shares.values()), 2)
        group = experiment.data.split.group
        self._session.edit("data.split", shares | ({"group": group} if group else {}))
