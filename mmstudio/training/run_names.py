"""The names of runs: a free one for a new run, and another one for a run that is there."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path

from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.training.run_folder import RunFolder

MOST_NAME = 100


def renamed_path(run: Path, name: str) -> Path:
    """Where a run's folder will be under another name.

    Raises:
        UserError: It is no name, one that is taken, or the run is being trained.
    """
    name = name.strip()
    new = run.with_name(name) if _is_name(name) else None
    if new is None or len(name) > MOST_NAME:
        raise UserError(f"“{name[:MOST_NAME]}” can't be a run's name.",
                        f"Take 1 to {MOST_NAME} characters, no slashes, and no dot as the first.")
    RunFolder.existing(run).refuse_if_held()
    # a file system may take two names for one: the folder itself is not in its own way
    if os.path.lexists(new) and not os.path.samefile(run, new):
        raise UserError(f"There is a run {name} already.", "Take another name.")
    return new


def rename_run(run: Path, name: str) -> Path:
    """Give a run's folder another name; gives back where it is then.

    Raises:
        UserError: It is no name, one that is taken, or the run is being trained or can't be moved.
    """
    new = renamed_path(run, name)
    if new == run:
        return run
    try:
        run.rename(new)
    except OSError as error:
        raise UserError(f"The run {run.name} can't be renamed: {error.strerror or error}.",
                        "Close the programs that use it, or check the folder's permissions."
                        ) from None
    return new


def _is_name(name: str) -> bool:
    return bool(name) and not name.startswith(".") and not any(
        c in '/\\:*?"<>|' or not c.isprintable() for c in name)


def next_run_name(project: Path, experiment: Experiment, also: Collection[str] = ()) -> str:
    """A free name that says what is in it: ``concat-image-words-1``; none of ``also``."""
    words = [experiment.fusion.name, *experiment.active_inputs]
    stem = re.sub(r"[^\w-]+", "_", "-".join(words))[:60]
    taken = {*also, *(p.name for p in (Path(project) / "runs").glob("*"))}
    number = 1
    while f"{stem}-{number}" in taken:
        number += 1
    return f"{stem}-{number}"
