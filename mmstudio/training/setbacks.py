"""Trouble on the way: a training that diverges, a disk that is full, a device that is gone."""

from __future__ import annotations

import errno

import numpy as np
import torch

from mmstudio.errors import UserError
from mmstudio.training.device import is_lost, is_out_of_memory
from mmstudio.training.epoch import Diverged
from mmstudio.training.events import WentBack
from mmstudio.training.resuming import go_on_by_chance, resume_run
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.step import Run

LESS = 0.5
"""What the learning rate is multiplied with once the training has diverged."""
MOST_ROWS = 20
"""Of a batch that are named."""


class Setbacks:
    """Takes a training that diverged back to its last checkpoint, once.

    Args:
        run: What is trained.
        files: The run's, with a checkpoint.
        learning_rate: The highest, as the experiment has it.
    """

    def __init__(self, run: Run, files: RunFolder, learning_rate: float) -> None:
        self._run, self._files, self._learning_rate = run, files, learning_rate
        self._gone_back = False

    def go_back(self, error: Diverged, steps: int) -> WentBack:
        """Go on from the last checkpoint with half the rate.

        Args:
            error: What was no number.
            steps: Of an epoch.

        Raises:
            UserError: It is not the first time.
        """
        run = self._run
        if self._gone_back:
            raise UserError(
                f"Training diverged: {error.what}, also with half the learning rate. The batch "
                f"is of {rows_named(error.rows)}.",
                "Look at these rows for content or labels that are out of the ordinary; set "
                f"training.learning_rate to {self._learning_rate / 10:g}, or "
                "precision = \"float32\". A resume continues from before it diverged.")
        self._gone_back = True
        resume_run(run, self._files)
        go_on_by_chance(run)
        run.slow_down(LESS)
        return WentBack(run.epoch + 1, run.step + 1, run.rate,
                        [int(row) + 1 for row in error.rows], error.what)


def rows_named(rows: np.ndarray) -> str:
    """Rows as people count them, from 1: ``rows 3, 8 and 12``."""
    numbers = [f"{row + 1}" for row in sorted(rows.tolist())]
    if len(numbers) == 1:
        return f"row {numbers[0]}"
    if len(numbers) > MOST_ROWS:
        return f"rows {', '.join(numbers[:MOST_ROWS])} and {len(numbers) - MOST_ROWS} more"
    return f"rows {', '.join(numbers[:-1])} and {numbers[-1]}"


def failed(error: RuntimeError, files: RunFolder, device: torch.device) -> UserError | None:
    """What a user can do about a device that does not go on; None where that is not known."""
    if is_out_of_memory(error):
        return UserError(
            f"The memory of {device} does not hold this model in training, not even one sample at "
            "a time.", "Take smaller encoders, or set the tuning of published ones to frozen; "
            "close what else needs memory.")
    if is_lost(error, device):
        said = str(error).strip().splitlines()[0]
        kept = ("Its last checkpoint is whole: resume it" if files.state.is_file()
                else "Start it again")
        return UserError(f"{device} stopped working during the training: {said}",
                         f"{kept} once the device is back (restart the program first), or on the "
                         "CPU with training.device = \"cpu\".")
    return None


def not_written(error: OSError, files: RunFolder) -> UserError:
    """What a user can do about files that can't be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        kept = ("The run's last checkpoint is whole: free some space, then resume it."
                if files.state.is_file() else "Free some space, then start again.")
        return UserError(f"{files.path} can't be written: the disk is full.", kept)
    return UserError(f"{files.path} can't be written: {error}.",
                     "Free some space, or take a folder that you may write to.")
