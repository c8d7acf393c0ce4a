"""The note on a run that can answer: how the training ended, its figures, where to go now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

from mmstudio.gui.parts.cards import button
from mmstudio.gui.parts.note_line import NoteLine
from mmstudio.gui.parts.progress_words import figures_of

if TYPE_CHECKING:
    from mmstudio.training.history import RunHistory


class FinishedNote(NoteLine):
    """Tells of a run's end, and before that of answers that are there already.

    The buttons `try_it` and `show_run` are there where a model is, `resume` where the run was
    stopped.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Training finished", parent)
        self.try_it = button(
            self.tr("Try it on the Test page"), mark="primary", name="Try it on the Test page")
        self.show_run = button(self.tr("Show run"), name="Show run")
        self._told: RunHistory | None = None
        self.resume = button(self.tr("Resume"), "mdi6.play", name="Resume this run",
                             tip=self.tr("Continue this run from where it was stopped"))
        for each in (self.resume, self.try_it, self.show_run):
            self.add_button(each)

    def show_end(self, reason: str, history: RunHistory | None, has_model: bool) -> None:
        """Tell how a run ended.

        Args:
            reason: `completed`, `early_stopped` or `stopped`.
            history: The run's.
            has_model: Whether its model is on disk.
        """
        self.resume.setVisible(reason == "stopped" and has_model)
        if history is None or history.started is None or not history.best_epoch:
            self._show_early_end(history, has_model)
            return
        best = self.tr("best at epoch {n}").format(n=history.best_epoch)
        combined = history.combined is not None
        parts = [*([] if combined else [best]), *figures_of(history)]
        heads = {
            "completed": self.tr("Training finished: {figures}"),
            "early_stopped": self.tr("Training finished: {figures}"),
            "stopped": self.tr("Training stopped: {figures}"),
        }
        hints = {
            "completed": self.tr("All epochs are done; the best model is kept."),
            "early_stopped": self.tr("No improvement for a while; the best model is kept."),
            "stopped": self.tr("The best model so far is kept."),
        }
        hint = hints.get(reason, "")
        if combined:
            whose = self.tr("Validation figures of all answers weighed together; the fusion "
                            "was best at epoch {n}.").format(n=history.best_epoch)
            hint = f"{whose} {hint}"
        self.show_note(
            heads.get(reason, heads["stopped"]).format(figures=", ".join(parts)),
            hint, "good" if reason != "stopped" else "info")
        self._offer_model(has_model)

    def show_answering(self, history: RunHistory | None, has_model: bool) -> None:
        """Tell that a run which still trains can answer already, and how well.

        It comes with the first answers; closed, it stays away until the end.

        Args:
            history: The run's.
            has_model: Whether its model is on disk.
        """
        combined = None if history is None else history.combined
        if history is None or combined is None or (self._told is history and self.isHidden()):
            return
        head = (self.tr("The model so far can answer: {figures}") if combined.trained
                else self.tr("Quick models can answer already: {figures}"))
        self._told = history
        self.resume.hide()
        self.show_note(
            head.format(figures=", ".join(figures_of(history))),
            self.tr("Validation figures. Training continues, and better answers follow."))
        self._offer_model(has_model, ended=False)

    def _show_early_end(self, history: RunHistory | None, has_model: bool) -> None:
        early = self.tr("Training stopped before the first epoch was done.")
        if has_model and history is not None and history.combined is not None:
            self.show_note(early, self.tr("Quick models answer: {figures}.").format(
                figures=", ".join(figures_of(history))))
        else:
            self.show_note(early, self.tr("There is no model yet."))
            has_model = False
        self._offer_model(has_model)

    def _offer_model(self, there_is_one: bool, ended: bool = True) -> None:
        self.try_it.setVisible(there_is_one)
        self.show_run.setVisible(there_is_one and ended)
