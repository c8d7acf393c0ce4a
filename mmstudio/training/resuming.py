"""A run's state on disk: written after each epoch, read where it goes on."""

from __future__ import annotations

from mmstudio.reading import reading
from mmstudio.training.best import Best, Candidate
from mmstudio.training.checkpoint import load_state, load_tensors, save_state, save_tensors
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.step import Run


def save_run(run: Run, files: RunFolder) -> None:
    """Write what a resume of the run needs."""
    save_state(files.state, run.model, run.optimiser, run.schedule, run.scaler, {
        "epoch": run.epoch, "step": run.step, "best": run.best.to_dict(),
        "scored_on": run.scored_on, "rate": run.falling.state_dict()},
        None if run.watch is None else run.watch.state_dict(), run.average.state_dict(),
        run.kept.state_dict())


def resume_run(run: Run, files: RunFolder) -> None:
    """Go on after the last whole epoch.

    Raises:
        UserError: The state is damaged, or of another model.
        OSError: The best epoch's weights can't be written.
    """
    state = load_state(files.state, run.model, run.optimiser, run.schedule, run.scaler, run.device,
                       run.watch, run.average, run.kept)
    run.epoch, run.step = state["epoch"], state["step"]
    run.scored_on = state.get("scored_on", "")
    with reading(files.state, "Train the run again, under another name."):
        # one of as many epochs goes on as it fell; a run from before could not be shortened
        if state.get("rate", {}).get("steps") == run.falling.steps:
            run.falling.load_state_dict(state["rate"])
        if "best" in state:
            run.best = Best.of(state["best"])
        else:  # a run from before the loss decided between figures that chance can't tell apart
            (figure, loss), epoch = state["best_score"], state["best_epoch"]
            run.best = Best([Candidate(epoch, figure, -loss, 0.0)] if epoch else [], epoch)
        if run.best.epoch and not run.kept.has(run.best.epoch) and files.best.is_file():
            # of a run from before, which kept the best epoch's weights in their file alone
            run.kept.put(run.best.epoch, load_tensors(files.best),
                         None if run.watch is None else run.watch.best)
        run.best.candidates = [c for c in run.best.candidates if run.kept.has(c.epoch)]
        run.kept.check_of(run.model)
    if run.best.epoch:
        # a kill between the two writes leaves a later epoch's weights there, which the state does
        # not know of
        save_tensors(run.kept.model(run.best.epoch), files.best)
