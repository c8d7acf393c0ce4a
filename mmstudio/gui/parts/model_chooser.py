"""The choice of the run whose model answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.parts.cards import label
from mmstudio.gui.plain_text import plain_tip
from mmstudio.gui.state import loading
from mmstudio.tasks.kinds import metric_named

if TYPE_CHECKING:
    from mmstudio.gui.state.predictor_store import PredictorStore
    from mmstudio.gui.state.runs_store import RunsStore
    from mmstudio.training.run_summary import RunSummary


class ModelChooser(QWidget):
    """A combo box of the runs that have a model; `chosen` brings another run's path."""

    chosen = Signal(object)

    def __init__(
        self, runs: RunsStore, testing: PredictorStore, parent: QWidget | None = None
    ) -> None:
        """Make it empty; `refresh` fills it."""
        super().__init__(parent)
        self._runs, self._testing = runs, testing
        self._shown: Path | None = None
        self.box = QComboBox(self)
        self.box.setObjectName("Model")
        self.box.setAccessibleName("Model")
        self.box.setToolTip(self.tr("The run whose model answers"))
        self.box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.box.setMinimumWidth(220)
        self.box.setMaximumWidth(380)
        guard_wheel(self.box)
        self.box.activated.connect(self._choose)
        title = label(self.tr("Model"), "muted")
        title.setBuddy(self.box)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(style.SPACE)
        row.addWidget(title)
        row.addWidget(self.box)

    def runs(self) -> list[RunSummary]:
        """The runs that have a model, newest first."""
        return [run for run in self._runs.listed if loading.has_model(run.path)]

    def refresh(self) -> None:
        """List the runs again, and show the one in use."""
        self.box.blockSignals(True)
        self.box.clear()
        used = self._shown or self._testing.run
        paths = []
        for run in self.runs():
            self.box.addItem(run.name, run.path)
            figures = ", ".join(
                f"{name} {metric_named(name.rpartition(' ')[2]).text(v)}"
                for name, v in run.metrics.items()
            )
            self.box.setItemData(
                self.box.count() - 1, plain_tip(figures), Qt.ItemDataRole.ToolTipRole)
            paths.append(run.path)
        if used is not None and used not in paths:
            self.box.insertItem(0, used.name, used)
            paths.insert(0, used)
        self.box.setCurrentIndex(-1 if used is None else paths.index(used))
        self.setVisible(bool(paths))
        self.box.blockSignals(False)

    def show_run(self, run: Path | None) -> None:
        """Show a run that is not the one in use; None for that one again."""
        self._shown = run
        self.refresh()

    def _choose(self, index: int) -> None:
        run = self.box.itemData(index)
        if run is not None and run != (self._shown or self._testing.run):
            self.chosen.emit(run)
