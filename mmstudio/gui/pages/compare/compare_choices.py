"""What to compare: the fusions as check boxes, and how often each is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QCheckBox, QComboBox, QSpinBox, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.parts.cards import label
from mmstudio.gui.parts.choices_panel import SIDE_WIDTH, ChoicesPanel
from mmstudio.gui.plain_text import PlainLabel
from mmstudio.gui.state.comparison import Choices

if TYPE_CHECKING:
    from mmstudio.experiment import Experiment

LEAST_COLUMN = 300
DEFAULT_SEEDS = 3


class CompareChoices(ChoicesPanel):
    """Shows the fusions that there are; `changed` says that something was chosen."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cells: list[QWidget] = []
        self._columns = 0
        self._inputs = 0
        self.row.addWidget(self._fusions_card(), 1)
        self.row.addWidget(self._side_card(), 0)

    def _fusions_card(self) -> QWidget:
        card, self._grid = self.list_card(self.tr("Ways to fuse"), "ways to fuse", [
            (self.tr("All"), lambda: self._tick_all(True)),
            (self.tr("None"), lambda: self._tick_all(False))])
        self._grid.setVerticalSpacing(14)
        return card

    def _side_card(self) -> QWidget:
        card = self.side_card()
        card.body.setSpacing(style.SPACE)
        self.single = self.check_box(
            "Each input alone", self.tr("Each input alone"), on=True)
        card.body.addWidget(self.single)
        card.body.addWidget(label(
            self.tr("Shows whether fusing helps at all."), "small", wrap=True))
        self.combination = self.check_box(
            "All together, weighed", self.tr("All together, weighed"), on=True)
        card.body.addWidget(self.combination)
        card.body.addWidget(label(
            self.tr("The fusion of the Model page, each input's own answer and quick models. The "
                    "others answer by themselves."), "small", wrap=True))
        self.seeds = QSpinBox()
        self.seeds.setRange(1, 20)
        self.seeds.setValue(DEFAULT_SEEDS)
        self.seeds.valueChanged.connect(self.tell)
        self.target = QComboBox()
        self.target.currentIndexChanged.connect(self.tell)
        card.body.addSpacing(style.SPACE)
        card.body.addLayout(self.fields([
            ("Trainings of each", self.tr("Trainings of each"), self.seeds),
            ("Rank by", self.tr("Rank by"), self.target)]))
        card.body.addWidget(label(
            self.tr("Each training starts from another seed. More of them separate luck "
                    "from merit."), "small", wrap=True))
        card.body.addSpacing(style.SPACE)
        card.body.addWidget(self.count)
        self._settings = label("", "small", wrap=True)
        card.body.addWidget(self._settings)
        card.body.addStretch(1)
        return card

    def show_experiment(self, experiment: Experiment | None, fusions: dict[str, type[Any]]) -> None:
        """Show the fusions for this experiment; what was chosen stays.

        Args:
            experiment: None where there is no project.
            fusions: By name; none before torch is loaded.
        """
        if experiment is None:
            return
        self._inputs = len(experiment.active_inputs)
        if list(fusions) != list(self.boxes):
            self._make_boxes(experiment, fusions)
        for name, box in self.boxes.items():
            self._show_caution(box, fusions[name], experiment)
        targets = list(experiment.active_targets)
        if targets != [self.target.itemText(i) for i in range(self.target.count())]:
            before = self.target.currentText()
            self.target.blockSignals(True)
            self.target.clear()
            self.target.addItems(targets)
            self.target.setCurrentIndex(max(0, self.target.findText(before)))
            self.target.blockSignals(False)
        epochs = experiment.training.epochs
        self._settings.setText(
            self.tr("At most {0} epochs each, on the same split, with the settings of the Train "
                    "page.").format(epochs) if epochs else
            self.tr("Each on the same split, with the settings of the Train page."))
        self.tell()

    def choices(self) -> Choices:
        """What is chosen now."""
        return Choices(self.ticked(), self.single.isChecked(), self.seeds.value(),
                       self.target.currentText(), self.combination.isChecked())

    def contestants(self) -> int:
        """How many are chosen, the inputs alone and all together among them."""
        chosen = self.choices()
        return (len(chosen.fusions) + (self._inputs if chosen.single else 0)
                + int(chosen.combination))

    def _make_boxes(self, experiment: Experiment, fusions: dict[str, type[Any]]) -> None:
        from mmstudio.comparison.plan import usual_fusions

        for cell in self._cells:
            self._grid.removeWidget(cell)
            cell.hide()
            cell.deleteLater()
        self.boxes, self._cells, self._columns = {}, [], 0
        self.combination.setChecked(experiment.training.combine)
        usual = usual_fusions(experiment)
        for name, cls in fusions.items():
            box = self.check_box(f"fusion {name}", cls.title, on=name in usual, key=name)
            text = label(cls.summary, "small", wrap=True)
            text.setContentsMargins(26, 0, 0, 0)
            caution = PlainLabel()
            caution.setWordWrap(True)
            caution.setContentsMargins(26, 0, 0, 0)
            style.mark(caution, "warn")
            box.setProperty("caution", caution)
            cell = QWidget()
            column = QVBoxLayout(cell)
            column.setContentsMargins(0, 0, 0, 0)
            column.setSpacing(1)
            for widget in (box, text, caution):
                column.addWidget(widget)
            column.addStretch(1)
            self._cells.append(cell)
        self._arrange()

    def _show_caution(self, box: QCheckBox, cls: type[Any], experiment: Experiment) -> None:
        from mmstudio.comparison.plan import fusion_for

        label_of = box.property("caution")
        options = fusion_for(cls.name, experiment).options
        text = cls.caution(self._inputs, options)
        label_of.setText(text or "")
        label_of.setVisible(bool(text))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """As many columns as fit."""
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        room = self.width() - SIDE_WIDTH - 60
        columns = max(1, room // LEAST_COLUMN)
        if columns == self._columns or not self._cells:
            return
        self._columns = columns
        for place, cell in enumerate(self._cells):
            self._grid.addWidget(cell, place // columns, place % columns)
        for column in range(self._grid.columnCount()):
            self._grid.setColumnStretch(column, 1 if column < columns else 0)
        last = -(-len(self._cells) // columns)
        for row in range(self._grid.rowCount() + 1):
            self._grid.setRowStretch(row, 1 if row == last else 0)

    def _tick_all(self, on: bool) -> None:
        for box in self.boxes.values():
            box.setChecked(on)

    def tell(self, _: object = None) -> None:
        """Say how many trainings that makes."""
        many, seeds = self.contestants(), self.seeds.value()
        if many < 2:
            text = self.tr("Choose at least two methods.")
        elif seeds == 1:
            text = self.tr("{0} trainings: {0} methods, once each").format(many)
        else:
            text = self.tr("{0} trainings: {1} methods, {2} times each").format(
                many * seeds, many, seeds)
        self.count.setText(text)
        super().tell()
