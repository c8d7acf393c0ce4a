"""The Data page's right side: what each column is used as, the split, the classes, what is missing.

The counts are pictures: a click on one of their lines shows those samples only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QScrollArea, QVBoxLayout, QWidget

from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.pages.data.filter_bar import FilterBar
from mmstudio.gui.pages.data.samples_model import split_title
from mmstudio.gui.pages.data.shown_rows import separators_of
from mmstudio.gui.pages.data.split_bar import SplitBar
from mmstudio.gui.pages.data.split_form import SplitForm
from mmstudio.gui.parts.bar_list import BarList, BarRow
from mmstudio.gui.parts.cards import Card, label
from mmstudio.gui.parts.columns_panel import ColumnsPanel
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.tasks.kinds import find_kind

if TYPE_CHECKING:
    from mmstudio.data.browse import Counts

WIDTH = 388
MOST_CLASSES = 10
"""Of one target, the most frequent ones."""


class DataSide(QScrollArea):
    """Cards about the project's table; the page says when to show them again."""

    counted = Signal()

    def __init__(
        self, jobs: JobRunner, project: ProjectStore, filters: FilterBar,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._jobs, self._project = jobs, project
        self._filters = filters
        self._counting = JobSlot(jobs, project.scope)
        self._counts: Counts | None = None
        self._shown_splits: list[str] = []
        self.setWidgetResizable(True)
        self.setFixedWidth(WIDTH)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        holder = QWidget()
        box = QVBoxLayout(holder)
        box.setContentsMargins(0, 0, 6, 0)
        box.setSpacing(12)
        columns = Card(self.tr("Columns"))
        self.columns = ColumnsPanel()
        self.columns.changed.connect(self._project.assign_columns)
        columns.body.addWidget(self.columns)
        box.addWidget(columns)
        box.addWidget(self._make_splits())
        box.addWidget(self._make_classes())
        box.addWidget(self._make_missing())
        box.addStretch(1)
        self.setWidget(holder)
        filters.changed.connect(lambda _: self._mark())

    def _make_splits(self) -> QWidget:
        self._split_card = Card(self.tr("Split"))
        self._split_bar = SplitBar()
        self._split_bar.setToolTip(self.tr("Click a line to see those samples only"))
        self._split_bar.chosen.connect(
            lambda line: self._filters.toggle_split(self._shown_splits[line])
        )
        self._split_card.body.addWidget(self._split_bar)
        self._split_form = SplitForm(self._project)
        self._split_card.body.addWidget(self._split_form)
        return self._split_card

    def _make_classes(self) -> QWidget:
        self._classes_card = Card(self.tr("Classes"))
        self._target = QComboBox()
        self._target.setAccessibleName("Show classes of")
        self._target.setObjectName("Show classes of")
        guard_wheel(self._target)
        self._target.currentIndexChanged.connect(lambda _: self._show_classes())
        self._classes_card.heading.addWidget(self._target)
        self._classes = BarList("Classes")
        self._classes.setToolTip(self.tr("Click a line to see those samples only"))
        self._classes.chosen.connect(self._on_class)
        self._classes_card.body.addWidget(self._classes)
        return self._classes_card

    def _make_missing(self) -> QWidget:
        self._missing_card = Card(self.tr("Missing"))
        self._missing = BarList("Missing")
        self._missing.can_choose = True
        self._missing.setToolTip(self.tr("Click a line to see those samples only"))
        self._missing.chosen.connect(
            lambda line: self._filters.toggle_missing(self._missing_names()[line])
        )
        self._missing_card.body.addWidget(self._missing)
        self._nothing_missing = label("", "small", wrap=True)
        self._missing_card.body.addWidget(self._nothing_missing)
        return self._missing_card

    def show_columns(self) -> None:
        """Show the columns' roles, and the classes of those to predict."""
        self.columns.show_columns(self._project.columns)
        targets = [c.name for c in self._project.columns if c.role == "target"]
        if targets != [self._target.itemText(i) for i in range(self._target.count())]:
            self._target.blockSignals(True)
            self._target.clear()
            self._target.addItems(targets)
            self._target.blockSignals(False)
        self._target.setVisible(len(targets) > 1)
        self._classes_card.setVisible(bool(targets))
        self._split_form.show_experiment()
        self.count()

    def show_splits(self) -> None:
        """Show how many rows each split has."""
        self._split_card.setVisible(self._project.splits is not None)
        self.count()

    # Counts --------------------------------------------------------------------------------

    def count(self) -> None:
        """Count in the background; the cards show it when it is done."""
        table, splits, columns = self._project.table, self._project.splits, self._project.columns
        self._counting.cancel()
        if table is None:
            return
        inputs = [c.name for c in columns if c.role == "input"]
        targets = [c for c in columns if c.role == "target"]
        numbers = frozenset(
            c.name for c in targets if (kind := find_kind(c.task)) is not None and kind.numeric)
        separators = separators_of(self._project.experiment)

        def work() -> Any:
            from mmstudio.data.browse import count_rows

            names = [c.name for c in targets]
            return count_rows(table, splits, inputs, names, separators, numbers)

        self._counting.run(work, self._on_counted)

    def _on_counted(self, counts: Counts) -> None:
        self._counts = counts
        self._filters.show_counts(counts)
        self._shown_splits = [name for name, count in counts.splits if count]
        self._split_bar.show_parts([(split_title(n), count) for n, count in counts.splits])
        self._show_classes()
        missing = [(name, dict(self._all_missing())[name]) for name in self._missing_names()]
        self._missing.show_rows(_count_rows(missing))
        self._missing.setVisible(bool(missing))
        self._nothing_missing.setVisible(not missing)
        self._nothing_missing.setText(self.tr("Every row has all inputs and labels."))
        self._mark()
        self.counted.emit()

    def _all_missing(self) -> list[tuple[str, int]]:
        counts = self._counts
        return [] if counts is None else [*counts.missing.items(), *counts.unlabelled.items()]

    def _missing_names(self) -> list[str]:
        return [name for name, count in self._all_missing() if count]

    def _show_classes(self) -> None:
        counts, name = self._counts, self._target.currentText()
        if counts is None:
            return
        one = self._target.count() == 1
        of_one = self.tr("Values of {0}") if name in counts.ranges else self.tr("Classes of {0}")
        self._classes_card.title.setText(of_one.format(name) if one else self.tr("Classes"))
        self._classes.can_choose = name not in counts.ranges
        if name in counts.ranges:
            listed, distinct = counts.ranges[name], 0
        else:
            listed, distinct = counts.labels.get(name, ()), counts.distinct.get(name, 0)
        more = max(len(listed), distinct) - MOST_CLASSES
        note = self.tr("and {0:,} more").format(more) if more > 0 else ""
        self._classes.show_rows(_count_rows(listed[:MOST_CLASSES]), note)
        self._mark()

    def _on_class(self, line: int) -> None:
        name = self._target.currentText()
        if self._counts is not None and line < len(self._counts.labels.get(name, ())):
            self._filters.toggle_label(name, self._counts.labels[name][line][0])

    def _mark(self) -> None:
        """Mark the lines that the samples on show were chosen by."""
        question, counts = self._filters.question, self._counts
        if counts is None:
            return
        self._split_bar.mark_lines(
            i for i, name in enumerate(self._shown_splits) if name in question.splits
        )
        name = self._target.currentText()
        chosen = question.labels.get(name, frozenset())
        labels = counts.labels.get(name, ())
        self._classes.mark_lines(i for i, (text, _) in enumerate(labels) if text in chosen)
        names = self._missing_names()
        self._missing.mark_lines(i for i, name in enumerate(names) if name in question.missing)


def _count_rows(counts: Sequence[tuple[str, int]]) -> list[BarRow]:
    return [BarRow(name, count, f"{count:,}") for name, count in counts]
