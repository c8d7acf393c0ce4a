"""The note at the end of a training: how it ended, its best figures, and where to go now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

from mmstudio.gui.widgets.cards import button
from mmstudio.gui.widgets.note_line import NoteLine
from mmstudio.gui.widgets.progress_words import figures_of

if TYPE_CHECKING:
    from mmstudio.training.history import RunHistory


class FinishedNote(NoteLine):
    """Tells of a run's end. The buttons `try_it` and `show_run` are there where a model is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Training finished", parent)
        self.try_it = button(
            self.tr("Try it on the Test page"), mark="primary", name="Try it on the Test page")
        self.show_run = button(self.tr("Show run"), name="Show run")
        for each in (self.try_it, self.show_run):
            self.add_button(each)

    def show_end(self, reason: str, history: RunHistory | None, has_model: bool) -> None:
        """Tell how a run ended.

        Args:
            reason: `completed`, `early_stopped` or `stopped`.
            history: The run's.
            has_model: Whether its model is on disk.
        """
        if history is None or history.started is None or not history.best_epoch:
            self.show_note(self.tr("Training stopped before the first epoch was done."),
                           self.tr("There is no model yet."))
            self._offer_model(False)
            return
        parts = [self.tr("best at epoch {n}").format(n=history.best_epoch), *figures_of(history)]
        heads = {
            "completed": self.tr("Training finished: {figures}"),
            "early_stopped": self.tr("Training finished: {figures}"),
            "stopped": self.tr("Training stopped: {figures}"),
        }
        hints = {
            "completed": self.tr("All epochs are done; the best model is kept."),
            "early_stopped": self.tr("It got no better for a while; the best model is kept."),
            "stopped": self.tr("The best model so far is kept."),
        }
        self.show_note(
            heads.get(reason, heads["stopped"]).format(figures=", ".join(parts)),
            hints.get(reason, ""), "good" if reason != "stopped" else "info")
        self._offer_model(has_model)

    def _offer_model(self, there_is_one: bool) -> None:
        for each in (self.try_it, self.show_run):
            each.setVisible(there_is_one)
