"""Cross-validation as a generator of events: a training for each fold, then all answers as one.

Of the rows for training and validation a fold is held out, a model is trained on the others, and
answers it. Every row is answered once, by a model that has not seen it. The test split stays out.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

from mmstudio.data.merged_labels import merged
from mmstudio.data.split import split_of
from mmstudio.data.table import read_table
from mmstudio.errors import UserError
from mmstudio.evaluation.cross_validation.events import (
    CrossValidationFinished,
    CrossValidationStarted,
    FoldDone,
    FoldRunEvent,
    FoldsEvent,
    FoldStarted,
)
from mmstudio.evaluation.cross_validation.folder import FoldsFolder
from mmstudio.evaluation.cross_validation.out_of_fold import figures_of, joined, keep
from mmstudio.evaluation.plain_figures import from_plain
from mmstudio.evaluation.scores import Scores, scored
from mmstudio.experiment import Experiment, Fold
from mmstudio.experiment_reading import FEWEST_FOLDS, MOST_FOLDS
from mmstudio.generators import mapped
from mmstudio.training.epoch_loop import Wish
from mmstudio.training.events import Preparing
from mmstudio.training.loop import train
from mmstudio.training.model import completed
from mmstudio.training.run_folder import RunFolder


def cross_validate(
    experiment: Experiment, name: str, *, folder: Path, folds: int = 5, resume: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
    stop_after_epoch: Callable[[], bool] = lambda: False,
) -> Iterator[FoldsEvent]:
    """Train a model for each fold and tell the figures of all answers to held-out rows.

    Args:
        experiment: What to train; of one that goes on, only its device counts.
        name: The folder ``runs/NAME`` is written; the folds are the runs ``NAME.fold1`` and so on.
        folder: The project: what ``data.table`` is relative to, and where ``runs`` is.
        folds: How many; of one that goes on, as many as it has.
        resume: Go on: folds that are done are not trained again, and one that was broken off
            goes on where it was.
        should_stop: Asked at every step; True ends it, and it can be resumed.
        stop_after_epoch: Asked at the end of each epoch; likewise.

    Yields:
        Events, in order; the last is CrossValidationFinished.

    Raises:
        UserError: What the user can mend: too few rows or groups, a name that is taken; what ends
            a fold's training names the fold.
    """
    files = FoldsFolder(Path(folder) / "runs" / name)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError("Folds are trained one after another, by one process.",
                        "Start it without torchrun.")
    try:
        if resume:
            files = FoldsFolder.existing(files.path)
            device, folds = experiment.training.device, files.folds()
            experiment = files.experiment().replaced("training.device", device)
        else:
            # a run to start from may have learnt from the rows that a fold holds out
            experiment = _without_fold(experiment).replaced("training.start_from", "")
            _check(experiment, files, folder, folds)
        yield from _folds(experiment, files, folder, folds, resume,
                          Wish(should_stop, stop_after_epoch))
    except OSError as error:
        raise UserError(f"{files.path} can't be written: {error}.",
                        "Free some space, or take a folder that you may write to.") from None


def _without_fold(experiment: Experiment) -> Experiment:
    if experiment.data.fold is not None:
        raise UserError("data.fold is set: that is one fold of a cross-validation.",
                        "Take data.fold out of the experiment file.")
    return experiment


def _check(experiment: Experiment, files: FoldsFolder, folder: Path, folds: int) -> None:
    """Refuse what can't work before hours are spent. Raises UserError."""
    if not FEWEST_FOLDS <= folds <= MOST_FOLDS:
        raise UserError(f"{folds} folds are out of range.",
                        f"Give {FEWEST_FOLDS} to {MOST_FOLDS}.")
    completed(experiment)
    files.check_free(folds)


def _held_out(experiment: Experiment, number: int, folds: int) -> Experiment:
    """The experiment of one fold."""
    data = dataclasses.replace(experiment.data, fold=Fold(number, folds))
    return dataclasses.replace(experiment, data=data)


def _folds(
    experiment: Experiment, files: FoldsFolder, folder: Path, folds: int, resume: bool,
    wish: Wish,
) -> Iterator[FoldsEvent]:
    shown = f"{files.path.parent.name}/{files.name}"
    table = merged(read_table(folder / experiment.data.table), experiment)
    splits = split_of(_held_out(experiment, 1, folds), table, folder)
    if not resume:
        files.begin(experiment, folds)
    done = sum(_is_done(files.fold(n)) for n in range(1, folds + 1))
    yield CrossValidationStarted(shown, folds, int((splits != "").sum()), done)
    each: list[Scores] = []
    ended: list[FoldDone] = []
    for number in range(1, folds + 1):
        run = files.fold(number)
        yield FoldStarted(number, folds, f"runs/{run.name}")
        try:
            if not (yield from _trained(
                    _held_out(experiment, number, folds), run, number, folder, wish)):
                yield CrossValidationFinished("stopped", shown, folds)
                return
            scores = yield from _answered(run, number, experiment.training.device)
        except UserError as error:
            raise UserError(f"Fold {number} of {folds} (runs/{run.name}): {error.message}",
                            error.hint) from None
        each.append(scores)
        told = from_plain(scores.told)
        ended.append(FoldDone(number, f"runs/{run.name}", told.samples, told.tasks))
        yield ended[-1]
    together = joined(files, experiment, each)
    keep(files, experiment, together)
    finished = CrossValidationFinished(
        "completed", shown, folds, len(together), figures_of(together),
        [_plain(one) for one in ended])
    files.write_result(finished.to_json())
    yield finished


def _plain(done: FoldDone) -> dict[str, Any]:
    return {key: value for key, value in done.to_json().items() if key != "event"}


def _is_done(run: RunFolder) -> bool:
    """Whether a fold is trained to its end."""
    if not (run.path / "experiment.toml").is_file() or not run.has_model():
        return False
    finished = run.history(steps=False).finished
    return finished is not None and finished.reason != "stopped"


def _trained(
    experiment: Experiment, run: RunFolder, number: int, folder: Path, wish: Wish,
) -> Generator[FoldsEvent, None, bool]:
    """Train a fold, or what is left of it; False where it was stopped."""
    if _is_done(run):
        return True
    begun = (run.path / "experiment.toml").is_file()
    for event in train(experiment, run.path, folder=folder, resume=begun,
                       should_stop=wish.to_stop, stop_after_epoch=wish.to_stop_after_epoch):
        yield FoldRunEvent(number, event)
    return _is_done(run)


def _answered(
    run: RunFolder, number: int, device: str
) -> Generator[FoldsEvent, None, Scores]:
    """The answers to the rows that were held out, which are the test split of the fold's run."""
    return mapped(scored(run.path, "test", None, device), lambda step: FoldRunEvent(
        number, Preparing(step.message, step.done, step.total)))
