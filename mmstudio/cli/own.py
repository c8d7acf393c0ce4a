"""Components of a project's own: asked about once on a terminal, or allowed with ``--trust``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mmstudio.cli.output import say
from mmstudio.own_components import WARNING, ComponentFile, load_components
from mmstudio.own_components import trust as remember
from mmstudio.training.distributed.started import among_several, is_quiet

Trust = Annotated[bool, typer.Option(
    "--trust", help="Run the program code in the project's folder components; remembered for these "
    "very files.")]


def own_components(project: Path | None, trust: bool = False) -> None:
    """Have a project's own components, where they may run.

    Args:
        project: Its folder; of None nothing is run.
        trust: Allow them without asking.

    Raises:
        UserError: One of them can't be used.
    """
    if project is None:
        return
    loaded = load_components(project)
    if loaded.untrusted and (trust or _allowed(loaded.untrusted)):
        remember(loaded.untrusted)
        loaded = load_components(project)
    for file in () if is_quiet() else loaded.untrusted:
        say(f"{file.path} was not run: it was not allowed to. Look at it, then give --trust.")
    if loaded.problems:
        raise loaded.problems[0]


def _allowed(files: tuple[ComponentFile, ...]) -> bool:
    """Ask, where somebody sits at a terminal."""
    if among_several() or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    for file in files:
        say(str(file.path))
    say(WARNING)
    return typer.confirm("Run it?", default=False, err=True)
