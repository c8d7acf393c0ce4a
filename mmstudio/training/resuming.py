"""A run's state on disk: written after each epoch, read where it goes on."""

from __future__ import annotations

import dataclasses

from mmstudio.reading import reading
from mmstudio.training.best import Best
from mmstudio.training.checkpoint import load_state, save_state
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.step import Run


def save_run(run: Run, files: RunFolder) -> None:
    """Write what a resume of the run needs."""
    save_state(files.state, run.model, run.optimiser, run.schedule, run.scaler, {
        "epoch": run.epoch, "step": run.step, "best": dataclasses.asdict(run.best),
        "rate": run.falling.state_dict()},
        None if run.watch is None else run.watch.state_dict(), run.average.state_dict())


def resume_run(run: Run, files: RunFolder) -> None:
    """Go on after the last whole epoch."""
    state = load_state(files.state, run.model, run.optimiser, run.schedule, run.scaler, run.device,
                       run.watch, run.average)
    run.epoch, run.step = state["epoch"], state["step"]
    with reading(files.state, "Train the run again, under another name."):
        # one of as many epochs goes on as it fell; a run from before could not be shortened
        if state.get("rate", {}).get("steps") == run.falling.steps:
            run.falling.load_state_dict(state["rate"])
        if "best" in state:
            best = {name: float(value) for name, value in state["best"].items()}
            counts = {name: int(best[name]) for name in ("epoch", "gained")}
            run.best = Best(**(best | counts))  # type: ignore[arg-type]
        else:  # a run from before the loss decided between figures that chance can't tell apart
            (figure, loss), epoch = state["best_score"], state["best_epoch"]
            run.best = Best(epoch, figure, -loss, figure, gained=epoch)
