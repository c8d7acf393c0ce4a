"""How far a search is, as plain sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from mmstudio.units import time_left_text

if TYPE_CHECKING:
    from mmstudio.gui.state.search_store import SearchController


def tr(text: str) -> str:
    """The text in the user's language."""
    return QCoreApplication.translate("SearchWords", text)


def search_sentence(searching: SearchController) -> str:
    """Such as "Trial 7, epoch 3 of 12 · about 20 min left in all"."""
    if not searching.running:
        return _at_rest(searching)
    progress = searching.progress
    if progress is None or progress.started is None:
        return tr("Stopping …") if searching.stopping else tr("Getting ready …")
    current, final = progress.current, progress.final
    if final is not None:
        text = tr("Training {n} of {all} of the best: trial {trial}, seed {seed}").format(
            n=final.number, all=final.total, trial=final.trial, seed=final.seed)
    elif current is not None and current.number == 0:
        text = tr("Your own settings")
    elif current is not None:
        text = tr("Trial {n}").format(n=current.number)
    else:
        text = tr("Getting ready …")
    history = progress.history
    if history.started is not None:
        epoch = history.last_step.epoch if history.last_step else history.started.first_epoch
        text += ", " + tr("epoch {n} of {all}").format(n=epoch, all=history.started.epochs)
    elif history.preparing is not None:
        text += f" · {history.preparing.message}"
    if searching.stopping:
        return f"{text} · {tr('stopping …')}"
    if searching.paused:
        return f"{text} · {tr('paused')}"
    left = progress.remaining_s()
    if left is not None:
        text += " · " + tr("about {time} left in all").format(time=time_left_text(left))
    return text


def _at_rest(searching: SearchController) -> str:
    view = searching.view
    if view is None:
        return tr("Reading …") if searching.shown and searching.failure is None else ""
    if view.result is not None:
        pruned = sum(t.state == "pruned" for t in view.trials)
        return tr("{n} trials, {pruned} of them given up early. The best ones are on the Runs "
                  "page too.").format(n=len(view.trials), pruned=pruned)
    return tr("{n} trials are done. “Continue” resumes the search.").format(
        n=len(view.trials))
