"""How far a comparison is, and what it compares, as plain sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from mmstudio.units import time_left_text

if TYPE_CHECKING:
    from mmstudio.gui.state.comparison import ComparisonController
    from mmstudio.training.events import Preparing


def tr(text: str) -> str:
    """The text in the user's language."""
    return QCoreApplication.translate("ComparisonWords", text)


def shown_line(comparing: ComparisonController) -> str:
    """What the comparison on show compares: "digit: accuracy on 300 test rows, 3 seeds each"."""
    if not comparing.shown:
        return tr("Train several ways to fuse, and each input alone, and see which is best")
    ranking, plan = comparing.ranking, comparing.plan
    if ranking is not None and ranking.standings:
        from mmstudio.comparison.report import about

        return about(ranking)
    if plan is None:
        return ""
    text = (tr("{target}: {figure}, {n} methods, one training of each") if plan.seeds == 1 else
            tr("{target}: {figure}, {n} methods, {seeds} trainings of each"))
    return text.format(target=plan.target, figure=plan.figure.title.lower(),
                       n=len(plan.contestants), seeds=plan.seeds)


def comparison_sentence(comparing: ComparisonController) -> str:
    """Such as "Training 5 of 15: Gated, epoch 7 of 20 · about 12 min left in all"."""
    if not comparing.running:
        return _at_rest(comparing)
    progress = comparing.progress
    if progress is None or not progress.total:
        preparing = progress.history.preparing if progress is not None else None
        text = tr("Getting ready …") if preparing is None else _reading(preparing)
        return tr("Stopping …") if comparing.stopping else text
    text = tr("Training {n} of {all}: {what}").format(
        n=progress.number, all=progress.total, what=progress.title)
    history = progress.history
    if history.started is None and history.preparing is not None:
        text += " · " + _reading(history.preparing)
    elif history.started is not None:
        epoch = history.last_step.epoch if history.last_step else history.started.first_epoch
        text += ", " + tr("epoch {n} of {all}").format(n=epoch, all=history.started.epochs)
    if comparing.stopping:
        return f"{text} · {tr('stopping …')}"
    if comparing.paused:
        return f"{text} · {tr('paused')}"
    left = progress.remaining_s()
    if left is not None:
        text += " · " + tr("about {time} left in all").format(time=time_left_text(left))
    return text


def _at_rest(comparing: ComparisonController) -> str:
    ranking, plan = comparing.ranking, comparing.plan
    if plan is None:
        return ""
    if ranking is None or not ranking.standings:
        return tr("No training is done yet. “Continue” begins with the first.")
    if not ranking.is_complete:
        return tr("{done} of {all} trainings are done. “Continue” trains the rest, with the "
                  "settings that the comparison began with.").format(
            done=ranking.done, all=ranking.total)
    if ranking.failures:
        return tr("{done} of {all} trainings are done, {n} failed. “Continue” tries those again."
                  ).format(done=ranking.done, all=ranking.total, n=len(ranking.failures))
    return tr("All {all} trainings are done. They are on the Runs page too.").format(
        all=ranking.total)


def _reading(preparing: Preparing) -> str:
    if preparing.total <= 1:
        return preparing.message
    return tr("{what} {done} of {all}").format(
        what=preparing.message, done=preparing.done, all=preparing.total)
