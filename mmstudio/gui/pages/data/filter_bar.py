"""The line above the samples: search, split, and what else narrows the rows on show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QMenu, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.pages.data.samples_model import SamplesModel, split_title
from mmstudio.gui.parts.cards import button, label
from mmstudio.gui.parts.emptied import empty

if TYPE_CHECKING:
    from mmstudio.data.browse import Counts, Question

SEARCH_DELAY_MS = 150
MOST_IN_MENU = 60
MOST_CHIPS = 5
LONGEST_CHIP = 28
SPLITS = ("train", "validation", "test")


class FilterBar(QWidget):
    """Puts a question together and asks the samples' model; `changed` brings it."""

    changed = Signal(object)

    def __init__(self, model: SamplesModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._counts: Counts | None = None
        self._question: Question | None = None
        self._timer = QTimer(self, singleShot=True, interval=SEARCH_DELAY_MS)
        self._timer.timeout.connect(self._on_typed)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(style.SPACE)
        row = QHBoxLayout()
        row.setSpacing(style.SPACE)
        row.addWidget(self._make_search(), 2)
        row.addWidget(self._make_splits())
        self.filter = button(
            self.tr("Filter"), "mdi6.filter-variant", name="Filter samples",
            tip=self.tr("Show the samples of a class, with a missing input or with a problem"),
        )
        self._menu = QMenu(self.filter)
        self._menu.aboutToShow.connect(self._fill_menu)
        self.filter.setMenu(self._menu)
        row.addWidget(self.filter)
        row.addStretch(1)
        self._matched = label("", "small")
        row.addWidget(self._matched)
        box.addLayout(row)
        self._chips = QWidget()
        self._chip_row = QHBoxLayout(self._chips)
        self._chip_row.setContentsMargins(0, 0, 0, 0)
        self._chip_row.setSpacing(6)
        self._chips.hide()
        box.addWidget(self._chips)
        model.matched.connect(self._on_matched)

    def _make_search(self) -> QLineEdit:
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search all columns"))
        self.search.setAccessibleName("Search samples")
        self.search.setObjectName("Search samples")
        self.search.setToolTip(self.tr("Show the rows that hold this text (Ctrl+F)"))
        self.search.setClearButtonEnabled(True)
        self.search.setMaximumWidth(320)
        self.search.textChanged.connect(lambda _: self._timer.start())
        return self.search

    def _make_splits(self) -> QComboBox:
        self.split = QComboBox()
        self.split.setAccessibleName("Show split")
        self.split.setObjectName("Show split")
        self.split.setToolTip(self.tr("Show the samples of one split"))
        self.split.addItem(self.tr("All samples"), None)
        for name in (*SPLITS, ""):
            self.split.addItem(split_title(name), name)
        guard_wheel(self.split)
        self.split.currentIndexChanged.connect(self._on_split)
        return self.split

    @property
    def question(self) -> Question:
        """What is asked for."""
        if self._question is None:
            from mmstudio.data.browse import Question

            self._question = Question()
        return self._question

    def show_counts(self, counts: Counts) -> None:
        """Know what there is to choose from."""
        self._counts = counts

    def clear(self) -> None:
        """Ask for all rows."""
        from mmstudio.data.browse import Question

        self._ask(Question())

    # What can be asked ---------------------------------------------------------------------

    def toggle_split(self, split: str) -> None:
        """Ask for the rows of one split, or of all again."""
        chosen = frozenset() if self.question.splits == {split} else frozenset({split})
        self._ask(replace(self.question, splits=chosen))

    def toggle_label(self, column: str, text: str) -> None:
        """Ask for the rows with a label, or not any more."""
        self._ask(self.question.toggled_label(column, text))

    def toggle_missing(self, column: str) -> None:
        """Ask for the rows in which a column is empty, or not any more."""
        self._ask(replace(self.question, missing=self.question.missing ^ {column}))

    def toggle_problem(self, kind: str) -> None:
        """Ask for the rows with a problem of a kind, "" for any, or not any more."""
        chosen: frozenset[str] | None = frozenset({kind} if kind else ())
        if self.question.problems == chosen:
            chosen = None
        self._ask(replace(self.question, problems=chosen))

    def _on_typed(self) -> None:
        self._ask(replace(self.question, text=self.search.text().strip()))

    def _on_split(self) -> None:
        chosen = self.split.currentData()
        splits = frozenset() if chosen is None else frozenset({chosen})
        self._ask(replace(self.question, splits=splits))

    def _ask(self, question: Question) -> None:
        self._question = question
        self._timer.stop()
        self._show_question()
        self._model.ask(question)
        self.changed.emit(question)

    def _show_question(self) -> None:
        question = self.question
        for widget in (self.search, self.split):
            widget.blockSignals(True)
        if self.search.text().strip() != question.text:
            self.search.setText(question.text)
        self.split.setCurrentIndex(
            max(0, self.split.findData(next(iter(question.splits)))) if question.splits else 0
        )
        for widget in (self.search, self.split):
            widget.blockSignals(False)
        self._show_chips()

    def _show_chips(self) -> None:
        empty(self._chip_row, hide=False)
        question = self.question
        chips: list[tuple[str, Callable[[], None]]] = [
            (f"{column}: {text}", partial(self.toggle_label, column, text))
            for column, labels in question.labels.items()
            for text in sorted(labels)
        ]
        for column in sorted(question.missing):
            name = self.tr("no {0}").format(column)
            chips.append((name, partial(self.toggle_missing, column)))
        if question.problems is not None:
            for kind in sorted(question.problems) or [""]:
                chips.append((self._problem_title(kind), partial(self.toggle_problem, kind)))
        for text, remove in chips[:MOST_CHIPS]:
            self._chip_row.addWidget(self._chip(text, remove))
        if len(chips) > MOST_CHIPS:
            more = self.tr("and {0} more").format(len(chips) - MOST_CHIPS)
            self._chip_row.addWidget(label(more, "small"))
        if chips:
            everything = button(self.tr("Show all"), mark="link", name="Show all samples")
            everything.clicked.connect(lambda: QTimer.singleShot(0, self, self.clear))
            self._chip_row.addWidget(everything)
        self._chip_row.addStretch(1)
        self._chips.setVisible(bool(chips))

    def _chip(self, text: str, remove: Callable[[], None]) -> QWidget:
        shown = text if len(text) <= LONGEST_CHIP else f"{text[: LONGEST_CHIP - 1]}…"
        chip = button(
            shown.replace("&", "&&"), "mdi6.close", tip=self.tr("Remove this filter"),
            name=self.tr("Remove filter {0}").format(text),
        )
        # Not from inside its own click: the chip is deleted with the filter.
        chip.clicked.connect(lambda: QTimer.singleShot(0, self, remove))
        return chip

    def _problem_title(self, kind: str) -> str:
        if not kind:
            return self.tr("with a problem")
        return kind.replace("_", " ")

    # The menu ------------------------------------------------------------------------------

    def _fill_menu(self) -> None:
        self._menu.clear()
        counts, question = self._counts, self.question
        if counts is None:
            self._menu.addAction(self.tr("Counting …")).setEnabled(False)
            return
        for column, labels in counts.labels.items():
            menu = self._menu.addMenu(column)
            chosen = question.labels.get(column, frozenset())
            for text, count in labels[:MOST_IN_MENU]:
                self._add(menu, f"{text}\t{count:,}", text in chosen,
                          partial(self.toggle_label, column, text))
            if counts.distinct[column] > MOST_IN_MENU:
                more = self.tr("{0:,} more: use the search").format(
                    counts.distinct[column] - MOST_IN_MENU)
                menu.addAction(more).setEnabled(False)
        self._menu.addSection(self.tr("Missing"))
        for column, count in (*counts.missing.items(), *counts.unlabelled.items()):
            title = self.tr("no {0}").format(column)
            action = self._add(self._menu, f"{title}\t{count:,}", column in question.missing,
                               partial(self.toggle_missing, column))
            action.setEnabled(count > 0 or column in question.missing)
        self._menu.addSection(self.tr("Problems"))
        self._fill_problems()
        self._menu.addSeparator()
        everything = self._menu.addAction(self.tr("Show all samples"))
        everything.triggered.connect(lambda: self.clear())
        everything.setEnabled(not question.takes_all)

    def _fill_problems(self) -> None:
        kinds = self._model.problems
        chosen = self.question.problems
        if not kinds:
            self._menu.addAction(self.tr("None found so far")).setEnabled(False)
            return
        self._add(self._menu, self._problem_title(""), chosen == frozenset(),
                  lambda: self.toggle_problem(""))
        for kind, rows in sorted(kinds.items()):
            self._add(self._menu, f"{self._problem_title(kind)}\t{len(rows):,}",
                      chosen == frozenset({kind}), partial(self.toggle_problem, kind))

    def _add(self, menu: QMenu, text: str, on: bool, run: Callable[[], None]) -> QAction:
        action = menu.addAction(text.replace("&", "&&"))
        action.setCheckable(True)
        action.setChecked(on)
        action.triggered.connect(lambda _: run())
        return action

    def _on_matched(self, shown: int, total: int) -> None:
        if shown == total:
            self._matched.setText("")
            return
        self._matched.setText(self.tr("{0:,} of {1:,} samples").format(shown, total))
