"""``mmstudio demo`` and ``mmstudio new``: make a project."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from mmstudio.cli.arguments import Json
from mmstudio.cli.output import print_json, tell


def demo(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.")], as_json: Json = False
) -> None:
    """Write the sample project: a digit seen, heard and read."""
    from mmstudio.data.demo import write_demo

    experiment = write_demo(folder)
    if as_json:
        print_json({"experiment": str(experiment)})
    else:
        tell(f"The sample project is in {folder}.\n"
             f"Open it:   mmstudio {shlex.quote(str(folder))}\n"
             f"Train it:  mmstudio train {shlex.quote(str(experiment))}")


def new(
    folder: Annotated[Path, typer.Argument(help="The project's folder; made where missing.")],
    data: Annotated[Path, typer.Option("--data", metavar="SOURCE", help="A table, or a folder "
                                       "of media.")],
    media_root: Annotated[Path | None, typer.Option(
        "--media-root", metavar="FOLDER", help="Where the files are that the table names, if not"
        " near it.")] = None,
    table: Annotated[str | None, typer.Option(
        "--table", metavar="NAME", help="Which of the tables in the folder to take, where it holds "
        "several.")] = None,
    multilabel: Annotated[bool, typer.Option(
        "--multilabel", help="Make one target of several labels of the columns that say yes or "
        "no.")] = False,
    as_json: Json = False,
) -> None:
    """Make a project from your own data: says what it is taken for and writes experiment.toml."""
    from mmstudio.project.places import check_free
    from mmstudio.project.proposal import propose, write_project

    check_free(folder)
    proposal = propose(data, media_root, table)
    if multilabel:
        proposal = proposal.with_joined()
    if not as_json:
        from mmstudio.cli.proposal import show_proposal

        show_proposal(proposal)
    experiment = write_project(folder, proposal)
    if as_json:
        print_json({"experiment": str(experiment)} | proposal.to_json())
        return
    tell(f"Change it:  {experiment}\n"
         f"Check it:   mmstudio check {shlex.quote(str(experiment))}\n"
         f"Train it:   mmstudio train {shlex.quote(str(experiment))}")
