"""The Data page's right side: what each column is used as, the split, the classes."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QScrollArea, QVBoxLayout, QWidget

from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.session import Session
from mmstudio.gui.widgets.bars import CountBars, SplitBar
from mmstudio.gui.widgets.cards import Card
from mmstudio.gui.widgets.columns_panel import ColumnsPanel
from mmstudio.gui.widgets.samples_model import split_title
from mmstudio.gui.widgets.split_form import SplitForm

WIDTH = 368


class DataSide(QScrollArea):
    """Three cards about the session's table; the page says when to show them anew."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._count_number = 0
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
        self.columns.changed.connect(session.assign_columns)
        columns.body.addWidget(self.columns)
        box.addWidget(columns)
        self._split_card = Card(self.tr("Split"))
        self._split_bar = SplitBar()
        self._split_card.body.addWidget(self._split_bar)
        self._split_form = SplitForm(session)
        self._split_card.body.addWidget(self._split_form)
        box.addWidget(self._split_card)
        box.addWidget(self._make_classes())
        box.addStretch(1)
        self.setWidget(holder)
        session.small_things.done.connect(self._on_made)

    def _make_classes(self) -> QWidget:
        self._classes_card = Card(self.tr("Classes"))
        self._target = QComboBox()
        self._target.setAccessibleName("Show classes of")
        self._target.setObjectName("Show classes of")
        guard_wheel(self._target)
        self._target.currentIndexChanged.connect(lambda _: self._count())
        self._classes_card.heading.addWidget(self._target)
        self._counts = CountBars()
        self._classes_card.body.addWidget(self._counts)
        return self._classes_card

    def show_columns(self) -> None:
        """Show the columns' roles, and the classes of those to predict."""
        session = self._session
        self.columns.show_columns(session.columns)
        targets = [c.name for c in session.columns if c.role == "target"]
        if targets != [self._target.itemText(i) for i in range(self._target.count())]:
            self._target.blockSignals(True)
            self._target.clear()
            self._target.addItems(targets)
            self._target.blockSignals(False)
        self._target.setVisible(len(targets) > 1)
        self._classes_card.setVisible(bool(targets))
        of_one = self.tr("Classes of {0}")
        one = len(targets) == 1
        self._classes_card.title.setText(of_one.format(targets[0]) if one else self.tr("Classes"))
        self._split_form.show_experiment()
        self._count()

    def show_splits(self) -> None:
        """Show how many rows each split has."""
        splits = self._session.splits
        self._split_card.setVisible(splits is not None)
        if splits is None:
            return
        names = ("train", "validation", "test", "")
        self._split_bar.show_parts([(split_title(n), int((splits == n).sum())) for n in names])

    def _count(self) -> None:
        """Count the classes in the background."""
        session, name = self._session, self._target.currentText()
        table = session.table
        if table is None or not name:
            return

        def work() -> Any:
            counts = table.column(name).drop_nulls().value_counts(sort=True)
            return [(str(value), int(count)) for value, count in counts.rows()]

        self._count_number += 1
        session.small_things.ask(("classes", self._count_number), work)

    def _on_made(self, key: object, made: object) -> None:
        if key == ("classes", self._count_number) and isinstance(made, list):
            counts = made
            if all(name.lstrip("-").isdigit() for name, _ in counts):
                counts = sorted(counts, key=lambda c: int(c[0]))
            self._counts.show_counts(counts)
