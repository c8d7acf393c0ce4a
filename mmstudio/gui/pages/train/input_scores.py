"""After training: what the model answers from each subset of its inputs, and what each adds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from mmstudio.gui.parts.bar_list import BarList, BarRow
from mmstudio.gui.parts.cards import Card, label
from mmstudio.gui.parts.signed_bars import SignedBars
from mmstudio.tasks.kinds import metric_named
from mmstudio.units import signed

if TYPE_CHECKING:
    from mmstudio.training.events import InputsScored
    from mmstudio.training.history import RunHistory


class InputScoresView(QWidget):
    """Two cards per task, below each other."""

    def __init__(self, parent: QWidget | None = None) -> None:
        """Make it empty."""
        super().__init__(parent)
        self._scored: InputsScored | None = None
        self.tasks: dict[str, TaskScores] = {}
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(12)
        self._rows.addStretch(1)

    def show_run(self, history: RunHistory | None) -> None:
        """Show what the run told at its end."""
        scored = None if history is None else history.inputs_scored
        if scored is self._scored:
            return
        self._scored = scored
        for row in self.tasks.values():
            self._rows.removeWidget(row)
            row.hide()
            row.deleteLater()
        self.tasks = {}
        if scored is None or history is None or history.started is None:
            return
        for task, metric in history.started.tasks.items():
            row = TaskScores(scored, task, metric, self)
            self.tasks[task] = row
            self._rows.insertWidget(self._rows.count() - 1, row)


class TaskScores(QWidget):
    """One task: figures of every subset at the left, what the inputs add at the right."""

    def __init__(
        self, scored: InputsScored, task: str, metric: str, parent: QWidget | None = None
    ) -> None:
        """Show a task's part of what a run told."""
        super().__init__(parent)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(12)
        layout.addWidget(self._figures(scored, task, metric), 3)
        layout.addWidget(self._contributions(scored, task, metric), 2)

    def text(self) -> str:
        """All figures in words, for tests."""
        return "; ".join(
            bars.text() for bars in (self.subsets, self.contributions, self.pairs) if bars.text()
        )

    def _figures(self, scored: InputsScored, task: str, metric: str) -> Card:
        card = Card(self.tr("{task}: with these inputs alone").format(task=task))
        about = self.tr(
            "{metric} on {n} samples of the {split} split; samples with none of the inputs left out"
        )
        title = metric_named(metric).title
        splits = {"test": self.tr("test"), "validation": self.tr("validation")}
        card.body.addWidget(label(about.format(
            metric=title[:1].upper() + title[1:], n=scored.samples,
            split=splits.get(scored.split, scored.split)), "small", wrap=True))
        self.subsets = BarList(
            f"Subsets: {task}", card, longest_name=0.55, first_stands_out=True)
        hint = self.tr("{n} of {all} samples have any of these inputs")
        found = []
        for subset in scored.subsets:
            value = subset["tasks"].get(task, {}).get(metric)
            if value is not None:
                found.append(BarRow(
                    " + ".join(subset["inputs"]), float(value),
                    metric_named(metric).text(float(value)),
                    hint.format(n=subset["samples"], all=scored.samples)))
        self.subsets.show_rows(sorted(found, key=lambda row: -row.value))
        card.body.addWidget(self.subsets)
        if not found:
            card.body.addWidget(label(self.tr("No sample of the split has a known label."), "muted",
                                      wrap=True))
        card.body.addStretch(1)
        return card

    def _contributions(self, scored: InputsScored, task: str, metric: str) -> Card:
        card = Card(self.tr("{task}: what each input adds").format(task=task))
        number = not metric_named(metric).share
        which = "mean_absolute" if number else "mean"
        means = {n: m[which] for n, m in scored.contributions.get(task, {}).items()
                 if m[which] is not None}
        self.contributions = SignedBars(f"Mean contributions: {task}", card)
        self.contributions.show_rows([
            BarRow(n, v, signed(v, _digits(v)))
            for n, v in sorted(means.items(), key=lambda pair: -pair[1])])
        self.pairs = SignedBars(f"Pairs of inputs: {task}", card, longest_name=0.6)
        together = [p for p in scored.interactions.get(task, []) if p["mean"] is not None]
        self.pairs.show_rows(self._pair_rows(together))
        about = self.tr("How much it speaks for the answer, on average: +0.7 doubles the odds")
        if number:
            about = self.tr("How far it moves the number, on average, in the number's own units")
        if not means:
            about = self.tr("This is worked out for up to six inputs.")
        card.body.addWidget(label(about, "small", wrap=True))
        card.body.addWidget(self.contributions)
        if together:
            words = self.tr("Two together: to the right they complete each other, to the left they "
                            "say the same")
            if number:
                words = self.tr("Two together: how far they move the number beyond what each does")
            card.body.addWidget(label(words, "small", wrap=True))
            card.body.addWidget(self.pairs)
        card.body.addStretch(1)
        return card

    def _pair_rows(self, together: list[dict[str, Any]]) -> list[BarRow]:
        ordered = sorted(together, key=lambda p: -p["mean"])
        return [BarRow(" + ".join(p["inputs"]), p["mean"], signed(p["mean"], _digits(p["mean"])))
                for p in ordered]


def _digits(value: float) -> int:
    """Decimal places that a value of this size is shown with."""
    return 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
