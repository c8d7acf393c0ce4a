"""A run's state on disk: written at each checkpoint, read where it goes on.

Written each time is what every step changes: the weights, the optimiser's means, the chance. What
changes with the epochs alone, the weights that are validated and those of the epochs that may be
the best, stands in files of its own, which the state names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from mmstudio.reading import reading
from mmstudio.safe_files import link_whole, synced_size
from mmstudio.training.best import Best, Candidate
from mmstudio.training.checkpoint import (
    load_state,
    load_tensors,
    restore_random,
    save_state,
    save_tensors,
)
from mmstudio.training.events import RunEvent
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.step import Run


def save_run(
    run: Run, files: RunFolder, within: Mapping[str, Any] | None = None,
    told: Sequence[RunEvent] = (),
) -> None:
    """Write what a resume of the run needs.

    Args:
        run: All of it that was told before this stands in the log.
        files: The run's.
        within: Of an epoch that is not over; None where the run is where it was resumed.
        told: What is told next, and belongs to what was done: a resume that misses it in the log
            puts it there.

    Raises:
        OSError: It can't be written; what was there stays.
    """
    if not files.writes:
        return
    kept = run.kept.state_dict()
    save_state(files.state, run.model, run.optimiser, run.schedule, run.scaler, {
        "epoch": run.epoch, "step": run.step, "best": run.best.to_dict(),
        "scored_on": run.scored_on, "rate": run.falling.state_dict(),
        "log_bytes": synced_size(files.log), "told": [json.dumps(e.to_json()) for e in told],
    }, {
        "watch": None if run.watch is None else run.watch.state_dict(),
        "average": {"epochs": run.average.epochs},
        "candidates": {"epochs": sorted(kept["models"]), "heads": kept["heads"]},
        "within": run.within if within is None else within})
    _forget_others(run, files)


def _forget_others(run: Run, files: RunFolder) -> None:
    """Remove the weights of epochs that the state no longer names."""
    named = {files.weights_of(epoch) for epoch in (run.epoch, *run.kept.epochs())}
    for path in files.epoch_files():
        if path not in named:
            with suppress(OSError):
                path.unlink()


def write_best(run: Run, files: RunFolder) -> None:
    """Have the best epoch's weights for the run's best; the watch gets the heads that go with them.

    Raises:
        OSError: They can't be written.
    """
    if files.writes:
        link_whole(files.weights_of(run.best.epoch), files.best)
    heads = run.kept.heads(run.best.epoch)
    if run.watch is not None and heads is not None:
        run.watch.best = heads


def resume_run(run: Run, files: RunFolder) -> None:
    """Go on after the last checkpoint.

    Raises:
        UserError: The state is damaged, or of another model.
        OSError: The best epoch's weights can't be written.
    """
    state = load_state(files.state, run.model, run.optimiser, run.schedule, run.scaler, run.device)
    counts = state["counts"]
    run.epoch, run.step = counts["epoch"], counts["step"]
    run.scored_on = counts.get("scored_on", "")
    with reading(files.state, "Train the run again, under another name."):
        if run.watch is not None and state.get("watch") is not None:
            run.watch.load_state_dict(state["watch"])
        rate = counts.get("rate", {})
        # one of as many epochs goes on as it fell; a run from before could not be shortened
        if rate.get("steps") == run.falling.steps:
            run.falling.load_state_dict(rate)
        run.falling.factor = float(rate.get("factor", 1.0))
        _load_best(run, files, counts)
    _load_epochs(run, files, state)
    with reading(files.state, "Train the run again, under another name."):
        if run.best.epoch and not run.kept.has(run.best.epoch) and files.best.is_file():
            # of a run from before, which kept the best epoch's weights in their file alone
            run.kept.put(run.best.epoch, load_tensors(files.best),
                         None if run.watch is None else run.watch.best)
            save_tensors(run.kept.model(run.best.epoch), files.weights_of(run.best.epoch))
        run.best.candidates = [c for c in run.best.candidates if run.kept.has(c.epoch)]
        run.kept.check_of(run.model)
    run.within = state.get("within")
    run.random = {name: state[name] for name in ("random", "random_cuda")}
    if "log_bytes" in counts:
        run.log_before = counts["log_bytes"], counts.get("told", [])
    if run.best.epoch:
        # a kill between the two writes leaves a later epoch's weights there, which the state does
        # not know of
        write_best(run, files)


def _load_best(run: Run, files: RunFolder, counts: Mapping[str, Any]) -> None:
    if "best" in counts:
        run.best = Best.of(counts["best"])
    else:  # a run from before the loss decided between figures that chance can't tell apart
        (figure, loss), epoch = counts["best_score"], counts["best_epoch"]
        run.best = Best([Candidate(epoch, figure, -loss, 0.0)] if epoch else [], epoch)


def _load_epochs(run: Run, files: RunFolder, state: Mapping[str, Any]) -> None:
    """The mean of the weights, and the weights of the epochs that may be the best."""
    average, kept = state.get("average") or {}, state.get("candidates") or {}
    if "mean" in average or "models" in kept:
        _take_over(run, files, average, kept)
        return
    models = {}
    for epoch in kept.get("epochs", []):
        with reading(files.weights_of(int(epoch)), "Train the run again, under another name."):
            models[int(epoch)] = load_tensors(files.weights_of(int(epoch)))
    run.kept.load_state_dict({"models": models, "heads": kept.get("heads", {})})
    if average.get("epochs"):
        latest = files.weights_of(run.epoch)
        with reading(latest, "Train the run again, under another name."):
            # tensors of its own: the mean goes on in place
            run.average.load_state_dict(
                {"epochs": average["epochs"], "mean": load_tensors(latest)})


def _take_over(
    run: Run, files: RunFolder, average: Mapping[str, Any], kept: Mapping[str, Any]
) -> None:
    """Of a run from before, whose state held all weights: give the epochs files of their own."""
    with reading(files.state, "Train the run again, under another name."):
        if average:
            run.average.load_state_dict(average)
        if kept:
            run.kept.load_state_dict(kept)
        run.kept.check_of(run.model)
    for epoch in run.kept.epochs():
        save_tensors(run.kept.model(epoch), files.weights_of(epoch))
    if average.get("mean"):
        save_tensors(average["mean"], files.weights_of(run.epoch))


def go_on_by_chance(run: Run) -> None:
    """Have the layers draw from where the run was; what was made ready since has drawn as well."""
    if run.random is not None:
        restore_random(run.random, run.device)
        run.random = None
