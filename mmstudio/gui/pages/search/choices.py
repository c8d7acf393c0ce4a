"""What to search: how long, what counts, and what may vary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QComboBox, QSpinBox, QWidget

from mmstudio.gui import style
from mmstudio.gui.parts.cards import label
from mmstudio.gui.parts.choices_panel import ChoicesPanel
from mmstudio.gui.state.search_store import SearchChoices

if TYPE_CHECKING:
    from mmstudio.experiment import Experiment
    from mmstudio.search.space import Dimension

DEFAULT_MINUTES = 30


class SearchChoicesPanel(ChoicesPanel):
    """Shows what can vary; `changed` says that something was chosen."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._space: list[Dimension] = []
        self.row.addWidget(self._space_card(), 1)
        self.row.addWidget(self._side_card(), 0)

    # Building ------------------------------------------------------------------------------

    def _space_card(self) -> QWidget:
        card, self._list = self.list_card(self.tr("What may vary"), "what may vary", [
            (self.tr("The usual"), lambda: self._tick(lambda dimension: dimension.usual)),
            (self.tr("All"), lambda: self._tick(lambda _: True)),
            (self.tr("None"), lambda: self._tick(lambda _: False))])
        self._list.setVerticalSpacing(style.SPACE)
        self._list.setColumnStretch(1, 1)
        self._waiting = label(self.tr("Looking at what can vary …"), "muted")
        card.body.insertWidget(card.body.count() - 1, self._waiting)
        return card

    def _side_card(self) -> QWidget:
        card = self.side_card()
        self.minutes = QSpinBox()
        self.minutes.setRange(2, 7 * 24 * 60)
        self.minutes.setValue(DEFAULT_MINUTES)
        self.minutes.setSuffix(self.tr(" min"))
        self.target = QComboBox()
        card.body.addLayout(self.fields([
            ("Time for the search", self.tr("Time"), self.minutes),
            ("What counts", self.tr("What counts"), self.target)]))
        for text in (
            self.tr("Half of the time tries settings; those that fall behind are given up early."),
            self.tr("The other half trains the best three again, three times each, and judges "
                    "them by the validation rows. Your own settings are always among those that "
                    "are tried."),
            self.tr("The test rows are looked at once, at the very end."),
        ):
            card.body.addWidget(label(text, "small", wrap=True))
        card.body.addSpacing(style.SPACE)
        card.body.addWidget(self.count)
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
        chosen = {key: box.isChecked() for key, box in self.boxes.items()}
        while (taken := self._list.takeAt(0)) is not None:
            widget = taken.widget()
            if widget is not None:
                widget.deleteLater()
        self._space, self.boxes = list(space), {}
        ordered = sorted(self._space, key=lambda d: not d.usual)
        for row, dimension in enumerate(ordered):
            box = self.check_box(dimension.key, dimension.title, key=dimension.key,
                                 on=chosen.get(dimension.key, dimension.usual))
            self._list.addWidget(box, row, 0)
            self._list.addWidget(label(self._range_of(dimension), "small", wrap=True), row, 1)
        self._list.setRowStretch(len(ordered), 1)
        self._waiting.setVisible(not self._space)
        self.tell()

    def _range_of(self, dimension: Dimension) -> str:
        from mmstudio.search.progress import value_text

        if dimension.choices:
            return ", ".join(value_text(choice) for choice in dimension.choices)
        return self.tr("{0} to {1}").format(f"{dimension.low:g}", f"{dimension.high:g}")

    def choices(self) -> SearchChoices:
        """What is chosen now."""
        return SearchChoices(float(self.minutes.value()), self.ticked(),
                             self.target.currentData() or "")

    def can_start(self) -> bool:
        """Whether anything varies."""
        return bool(self.ticked())

    def _tick(self, choose: Callable[[Dimension], bool]) -> None:
        for dimension in self._space:
            self.boxes[dimension.key].setChecked(choose(dimension))

    def tell(self, _: object = None) -> None:
        """Say how many settings vary."""
        varied = len(self.ticked())
        self.count.setText(
            self.tr("{0} of {1} settings vary").format(varied, len(self.boxes)) if varied
            else self.tr("Tick at least one setting."))
        super().tell()
