"""What to search: how long, what counts, and what may vary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QSpinBox,
    QWidget,
)

from mmstudio.gui import style
from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.parts.card_grid import scrolled
from mmstudio.gui.parts.cards import Card, button, label
from mmstudio.gui.state.search_store import SearchChoices

if TYPE_CHECKING:
    from mmstudio.experiment import Experiment
    from mmstudio.search.space import Dimension

SIDE_WIDTH = 300
DEFAULT_MINUTES = 30


class ChoicesPanel(QWidget):
    """Shows what can vary; `changed` says that something was chosen."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._space: list[Dimension] = []
        self._boxes: dict[str, QCheckBox] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addWidget(self._space_card(), 1)
        row.addWidget(self._side_card(), 0)

    def minimumSizeHint(self) -> QSize:
        """The check boxes scroll."""
        return QSize(600, 240)

    # Building ------------------------------------------------------------------------------

    def _space_card(self) -> QWidget:
        card = Card(self.tr("What may vary"))
        for text, choose in ((self.tr("The usual"), lambda d: d.usual),
                             (self.tr("All"), lambda d: True), (self.tr("None"), lambda d: False)):
            link = button(text, mark="link", name=f"{text}: what may vary")
            link.clicked.connect(lambda _=False, choose=choose: self._check(choose))
            card.heading.addWidget(link)
        inside = QWidget()
        self._list = QGridLayout(inside)
        self._list.setContentsMargins(0, 0, 8, 0)
        self._list.setHorizontalSpacing(24)
        self._list.setVerticalSpacing(style.SPACE)
        self._list.setColumnStretch(1, 1)
        self._waiting = label(self.tr("Looking at what can vary …"), "muted")
        card.body.addWidget(self._waiting)
        card.body.addWidget(scrolled(inside))
        return card

    def _side_card(self) -> QWidget:
        card = Card(self.tr("How"))
        card.setFixedWidth(SIDE_WIDTH)
        self.minutes = QSpinBox()
        self.minutes.setRange(2, 7 * 24 * 60)
        self.minutes.setValue(DEFAULT_MINUTES)
        self.minutes.setSuffix(self.tr(" min"))
        self.target = QComboBox()
        form = QGridLayout()
        form.setHorizontalSpacing(style.SPACE)
        form.setVerticalSpacing(style.SPACE)
        form.setColumnStretch(1, 1)
        names = (("Time for the search", self.tr("Time"), self.minutes),
                 ("What counts", self.tr("What counts"), self.target))
        for place, (name, text, field) in enumerate(names):
            field.setObjectName(name)
            field.setAccessibleName(name)
            guard_wheel(field)
            title = label(text, "muted")
            title.setBuddy(field)
            form.addWidget(title, place, 0)
            form.addWidget(field, place, 1)
        card.body.addLayout(form)
        for text in (
            self.tr("Half of the time tries settings; those that fall behind are given up early."),
            self.tr("The other half trains the best three again, three times each, and judges "
                    "them by the validation rows. Your own settings are always among those that "
                    "are tried."),
            self.tr("The test rows are looked at once, at the very end."),
        ):
            card.body.addWidget(label(text, "small", wrap=True))
        self._count = label("", "section", wrap=True)
        card.body.addSpacing(style.SPACE)
        card.body.addWidget(self._count)
        card.body.addStretch(1)
        return card

    # What is shown and chosen --------------------------------------------------------------

    def show_experiment(self, experiment: Experiment | None) -> None:
        """Offer the experiment's targets."""
        if experiment is None:
            return
        wanted = list(experiment.active_targets)
        if [self.target.itemData(i) for i in range(1, self.target.count())] == wanted:
            return
        self.target.clear()
        self.target.addItem(self.tr("All targets") if len(wanted) > 1 else wanted[0], "")
        if len(wanted) > 1:
            for name in wanted:
                self.target.addItem(name, name)

    def show_space(self, space: Sequence[Dimension]) -> None:
        """Show what can vary; what was chosen stays."""
        if list(space) == self._space:
            return
        chosen = {key: box.isChecked() for key, box in self._boxes.items()}
        while (taken := self._list.takeAt(0)) is not None:
            widget = taken.widget()
            if widget is not None:
                widget.deleteLater()
        self._space, self._boxes = list(space), {}
        ordered = sorted(self._space, key=lambda d: not d.usual)
        for row, dimension in enumerate(ordered):
            box = QCheckBox(dimension.title)
            box.setObjectName(dimension.key)
            box.setAccessibleName(dimension.title)
            box.setChecked(chosen.get(dimension.key, dimension.usual))
            box.toggled.connect(self._tell)
            self._list.addWidget(box, row, 0)
            self._list.addWidget(label(self._range_of(dimension), "small", wrap=True), row, 1)
            self._boxes[dimension.key] = box
        self._list.setRowStretch(len(ordered), 1)
        self._waiting.setVisible(not self._space)
        self._tell()

    def _range_of(self, dimension: Dimension) -> str:
        from mmstudio.search.progress import value_text

        if dimension.choices:
            return ", ".join(value_text(choice) for choice in dimension.choices)
        return self.tr("{0} to {1}").format(f"{dimension.low:g}", f"{dimension.high:g}")

    def choices(self) -> SearchChoices:
        """What is chosen now."""
        vary = tuple(key for key, box in self._boxes.items() if box.isChecked())
        return SearchChoices(float(self.minutes.value()), vary, self.target.currentData() or "")

    def can_start(self) -> bool:
        """Whether anything varies."""
        return any(box.isChecked() for box in self._boxes.values())

    def _check(self, choose: object) -> None:
        for dimension in self._space:
            self._boxes[dimension.key].setChecked(bool(choose(dimension)))  # type: ignore[operator]

    def _tell(self, _: object = None) -> None:
        varied = sum(box.isChecked() for box in self._boxes.values())
        self._count.setText(
            self.tr("{0} of {1} settings vary").format(varied, len(self._boxes)) if varied
            else self.tr("Tick at least one setting."))
        self.changed.emit()
