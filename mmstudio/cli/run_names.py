"""How a training is told which run it writes or goes on with, by its name."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from mmstudio.cli.output import say
from mmstudio.errors import UserError


def check_name(run: str) -> None:
    """Refuse a name of a run that would be another folder. Raises UserError."""
    if Path(run).name != run or run in (".", ".."):
        raise UserError(f"--run {run} is not a name.", "Give a name without slashes.")


def say_how_to_go_on(experiment_file: Path, run: str) -> None:
    """Say the command that resumes a run."""
    say(f"Resume it:  mmstudio train {shlex.quote(str(experiment_file))} "
        f"--run {shlex.quote(run)} --resume")


def resumed(folder: Path, run: str) -> tuple[Any, str]:
    """The experiment and the name of the run to go on with, the latest one where none is named."""
    from mmstudio.training.run_folder import RunFolder
    from mmstudio.training.run_list import list_runs

    if not run:
        runs = [r for r in list_runs(folder) if r.status != "unreadable"]
        if not runs:
            raise UserError(f"{folder / 'runs'} holds no run to resume.",
                            "Train without --resume first.")
        run = runs[0].name
    return RunFolder.existing(folder / "runs" / run).experiment(), run


def can_go_on(run: Path) -> bool:
    """Whether a run was stopped before its last epoch."""
    from mmstudio.training.run_folder import RunFolder

    finished = RunFolder(run).history(steps=False).finished
    return finished is not None and finished.reason == "stopped"
