"""``mmstudio runs``: what can be done with runs that are there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmstudio.cli.arguments import Json
from mmstudio.cli.output import print_json, tell
from mmstudio.errors import UserError, nearest

runs = typer.Typer(
    name="runs", no_args_is_help=True, add_completion=False, rich_markup_mode=None,
    help="Hand runs on to other programs.")
HINT = "Give another --output, in a folder that you can write to."


@runs.callback()
def _together() -> None:
    """Hand runs on to other programs."""


@runs.command("export")
def export_runs(
    folders: Annotated[list[Path], typer.Argument(
        metavar="RUN…", help="Run folders, or a project: all of its runs.")],
    to: Annotated[str, typer.Option("--to", help="csv, mlflow or wandb.")] = "csv",
    output: Annotated[Path, typer.Option(
        help="The CSV file.")] = Path("runs.csv"),
    as_json: Json = False,
) -> None:
    """Hand settings and figures of every epoch to a CSV table, MLflow or Weights & Biases.

    The latter two are your own installed packages, and send to where they are set up to.
    """
    from mmstudio.report import trackers
    from mmstudio.safe_files import refuse_unwritable

    known = (trackers.CSV, trackers.MLFLOW, trackers.WANDB)
    if to not in known:
        raise UserError(f"--to {to} is not known.", nearest(to, known))
    if to == trackers.CSV:
        refuse_unwritable(output, HINT)
    found = [trackers.tracked(run) for folder in folders for run in _runs_of(folder)]
    if to == trackers.CSV:
        try:
            trackers.to_csv(found, output)
        except OSError as error:
            raise UserError(f"{output} can't be written: {error}.", HINT) from None
        place = str(output)
    else:
        place = (trackers.to_mlflow if to == trackers.MLFLOW else trackers.to_wandb)(found)
    if as_json:
        print_json({"to": to, "place": place, "runs": [run.name for run in found]})
    else:
        tell(f"{len(found)} run{'' if len(found) == 1 else 's'} handed to {to}: {place}")


def _runs_of(folder: Path) -> list[Path]:
    """The folder itself where it is a run; those of a project that have an epoch."""
    from mmstudio.training.run_folder import RunFolder
    from mmstudio.training.run_list import list_runs

    if (folder / "events.jsonl").is_file() or not (folder / "runs").is_dir():
        return [folder]
    found = [run.path for run in list_runs(folder)
             if run.status != "unreadable" and RunFolder(run.path).history(steps=False).epochs]
    if not found:
        raise UserError(f"{folder} has no run that got through an epoch.", "Train one first.")
    return found
