"""A run's figures in large: what it answers with per task, the loss, the epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFrame, QLabel, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.plain_text import PlainLabel
from mmstudio.tasks.kinds import metric_named

if TYPE_CHECKING:
    from mmstudio.training.history import RunHistory

WIDTH = 196
"""What else would not fit into the card."""


class RunFigures(QFrame):
    """A card with a column of figures, each with a caption above and a remark below."""

    def __init__(self, parent: QWidget | None = None) -> None:
        """Make it empty."""
        super().__init__(parent)
        self.setObjectName("Figures")
        self.setAccessibleName("Figures")
        style.mark(self, "card")
        self._figures: dict[str, tuple[QLabel, QLabel, QLabel]] = {}
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(16, 14, 12, 14)
        self._rows.setSpacing(2)
        self._rows.addStretch(1)

    def show_run(self, history: RunHistory | None, expected: Sequence[str] = ()) -> None:
        """Show the figures of a run as far as it is; `expected` are its tasks before it starts."""
        rows = self._rows_of(history, expected)
        if [key for key, *_ in rows] != list(self._figures):
            self._clear()
        for key, caption, value, remark in rows:
            self._show(key, caption, value, remark)
        self.setAccessibleDescription(self.text())

    def _rows_of(
        self, history: RunHistory | None, expected: Sequence[str]
    ) -> list[tuple[str, str, str, str]]:
        """Key, caption, value and remark of each figure."""
        loss_title = self.tr("Validation loss")
        if history is None or history.started is None:
            caption = self.tr("{task} · validation")
            rows = [(f"task {t}", caption.format(task=t), "–", "") for t in expected]
            return [*rows, ("loss", loss_title, "–", "")]
        rows = []
        for task, metric in history.started.tasks.items():
            value = answered_value(history, task, metric)
            text = "–" if value is None else metric_named(metric).text(value)
            caption = f"{task} · {metric_named(metric).short}"
            rows.append((f"task {task}", caption, text, self._remark(history, task, metric)))
        loss = _at_best(history, history.validation_loss)
        of = self.tr("of the fusion") if history.combined is not None else ""
        rows.append(("loss", loss_title, "–" if loss is None else f"{loss:.3f}", of))
        epoch = history.epochs[-1] if history.epochs else 0
        done = f"{epoch} / {history.started.epochs}"
        return [*rows, ("epochs", self.tr("Epochs done"), done, "")]

    def text(self) -> str:
        """All figures as one line."""
        return ", ".join(f"{c.text()} {v.text()}" for c, v, _ in self._figures.values())

    def _remark(self, history: RunHistory, task: str, metric: str) -> str:
        """Whose figure it is; where all answers are weighed, that of the fusion too."""
        best = history.best_epoch
        if history.combined is None:
            return (self.tr("validation, epoch {epoch}").format(epoch=best) if best
                    else self.tr("validation"))
        whose = (self.tr("validation, all together") if history.combined.trained
                 else self.tr("validation, quick models"))
        value = best_value(history, task, metric)
        if value is None or not best:
            return whose
        fusion = self.tr("fusion {figure}, epoch {epoch}").format(
            figure=metric_named(metric).text(value), epoch=best)
        return f"{whose}\n{fusion}"

    def _show(self, key: str, caption: str, value: str, remark: str) -> None:
        labels = self._figures.get(key)
        if labels is None:
            labels = (
                style.mark(PlainLabel(self), "small"),
                style.mark(PlainLabel(self), "figure"),
                style.mark(PlainLabel(self), "small"),
            )
            for label in labels:
                self._rows.insertWidget(self._rows.count() - 1, label)
            labels[2].setContentsMargins(0, 0, 0, 14)
            self._figures[key] = labels
        for shown, text in zip(labels, (caption, value, remark), strict=True):
            if shown.text() != text:
                shown.setText(text)
        labels[1].setAccessibleName(caption)

    def _clear(self) -> None:
        for labels in self._figures.values():
            for label in labels:
                self._rows.removeWidget(label)
                label.hide()
                label.deleteLater()
        self._figures = {}


def answered_value(history: RunHistory, task: str, metric: str) -> float | None:
    """A task's validation metric of what the run answers with; `best_value` without such."""
    if history.combined is None:
        return best_value(history, task, metric)
    value = history.answered().get(task, {}).get(metric)
    return None if value is None or not math.isfinite(value) else value


def best_value(history: RunHistory, task: str, metric: str) -> float | None:
    """A task's validation metric at the best epoch, or at the last one while there is none."""
    values = history.metrics.get(task, {}).get(metric, {}).get("validation", [])
    return _at_best(history, values)


def _at_best(history: RunHistory, values: list[float]) -> float | None:
    if not values:
        return None
    index = len(values) - 1
    if history.best_epoch is not None and history.best_epoch in history.epochs:
        index = min(index, history.epochs.index(history.best_epoch))
    value = values[index]
    return None if value is None or not math.isfinite(value) else float(value)
