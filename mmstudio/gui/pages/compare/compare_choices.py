"""What to compare: the fusions as check boxes, and how often each is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from mmstudio.gui import style
from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.parts.card_grid import scrolled
from mmstudio.gui.parts.cards import Card, button, label
from mmstudio.gui.plain_text import PlainLabel
from mmstudio.gui.state.comparison import Choices

if TYPE_CHECKING:
    from mmstudio.experiment import Experiment

LEAST_COLUMN = 300
SIDE_WIDTH = 300
DEFAULT_SEEDS = 3


class CompareChoices(QWidget):
    """Shows the fusions that there are; `changed` says that something was chosen."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._boxes: dict[str, QCheckBox] = {}
        self._cells: list[QWidget] = []
        self._columns = 0
        self._inputs = 0
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addWidget(self._fusions_card(), 1)
        row.addWidget(self._side_card(), 0)

    def _fusions_card(self) -> QWidget:
        card = Card(self.tr("Ways to fuse"))
        for text, on in ((self.tr("All"), True), (self.tr("None"), False)):
            link = button(text, mark="link", name=f"{text}: ways to fuse")
            link.clicked.connect(lambda _=False, value=on: self._check_all(value))
            card.heading.addWidget(link)
        inside = QWidget()
        self._grid = QGridLayout(inside)
        self._grid.setContentsMargins(0, 0, 8, 0)
        self._grid.setHorizontalSpacing(24)
        self._grid.setVerticalSpacing(14)
        self._area = scrolled(inside)
        card.body.addWidget(self._area)
        return card

    def _side_card(self) -> QWidget:
        card = Card(self.tr("How"))
        card.setFixedWidth(SIDE_WIDTH)
        card.body.setSpacing(style.SPACE)
        self.single = self._check("Each input alone", self.tr("Each input alone"))
        card.body.addWidget(self.single)
        card.body.addWidget(label(
            self.tr("Shows whether fusing helps at all."), "small", wrap=True))
        self.combination = self._check("All together, weighed", self.tr("All together, weighed"))
        card.body.addWidget(self.combination)
        card.body.addWidget(label(
            self.tr("The fusion of the Model page, each input's own answer and quick models. The "
                    "others answer by themselves."), "small", wrap=True))
        form = QGridLayout()
        form.setHorizontalSpacing(style.SPACE)
        form.setVerticalSpacing(style.SPACE)
        form.setColumnStretch(1, 1)
        self.seeds = QSpinBox()
        self.seeds.setRange(1, 20)
        self.seeds.setValue(DEFAULT_SEEDS)
        self.seeds.valueChanged.connect(self._tell)
        self.target = QComboBox()
        self.target.currentIndexChanged.connect(self._tell)
        names = (("Trainings of each", self.tr("Trainings of each"), self.seeds),
                 ("Rank by", self.tr("Rank by"), self.target))
        for place, (name, text, field) in enumerate(names):
            field.setObjectName(name)
            field.setAccessibleName(name)
            guard_wheel(field)
            title = label(text, "muted")
            title.setBuddy(field)
            form.addWidget(title, place, 0)
            form.addWidget(field, place, 1)
        card.body.addSpacing(style.SPACE)
        card.body.addLayout(form)
        card.body.addWidget(label(
            self.tr("Each training starts from another seed. More of them separate luck "
                    "from merit."), "small", wrap=True))
        card.body.addSpacing(style.SPACE)
        self._count = label("", "section", wrap=True)
        card.body.addWidget(self._count)
        self._settings = label("", "small", wrap=True)
        card.body.addWidget(self._settings)
        card.body.addStretch(1)
        return card

    def _check(self, name: str, text: str) -> QCheckBox:
        box = QCheckBox(text)
        box.setObjectName(name)
        box.setAccessibleName(name)
        box.setChecked(True)
        box.toggled.connect(self._tell)
        return box

    def show_experiment(self, experiment: Experiment | None, fusions: dict[str, type[Any]]) -> None:
        """Show the fusions for this experiment; what was chosen stays.

        Args:
            experiment: None where there is no project.
            fusions: By name; none before torch is loaded.
        """
        if experiment is None:
            return
        self._inputs = len(experiment.active_inputs)
        if list(fusions) != list(self._boxes):
            self._make_boxes(experiment, fusions)
        for name, box in self._boxes.items():
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
        self._tell()

    def choices(self) -> Choices:
        """What is chosen now."""
        fusions = tuple(name for name, box in self._boxes.items() if box.isChecked())
        return Choices(fusions, self.single.isChecked(), self.seeds.value(),
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
        self._boxes, self._cells, self._columns = {}, [], 0
        self.combination.setChecked(experiment.training.combine)
        usual = usual_fusions(experiment)
        for name, cls in fusions.items():
            box = QCheckBox(cls.title)
            box.setObjectName(f"fusion {name}")
            box.setAccessibleName(cls.title)
            box.setChecked(name in usual)
            box.toggled.connect(self._tell)
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
            self._boxes[name] = box
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

    def _check_all(self, on: bool) -> None:
        for box in self._boxes.values():
            box.setChecked(on)

    def _tell(self, _: object = None) -> None:
        many, seeds = self.contestants(), self.seeds.value()
        if many < 2:
            text = self.tr("Choose at least two methods.")
        elif seeds == 1:
            text = self.tr("{0} trainings: {0} methods, once each").format(many)
        else:
            text = self.tr("{0} trainings: {1} methods, {2} times each").format(
                many * seeds, many, seeds)
        self._count.setText(text)
        self.changed.emit()

    def minimumSizeHint(self) -> QSize:
        """The check boxes scroll."""
        return QSize(600, 240)
