"""The command line, and the door to the app: one file per command, and what they share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mmstudio.cli.advise import advise
from mmstudio.cli.check import check
from mmstudio.cli.cluster import cluster
from mmstudio.cli.compare import compare
from mmstudio.cli.components import components
from mmstudio.cli.drift import drift
from mmstudio.cli.estimate import estimate
from mmstudio.cli.evaluate import evaluate
from mmstudio.cli.explain import explain
from mmstudio.cli.export import export
from mmstudio.cli.interrupt import ended_in_order
from mmstudio.cli.labels import labels
from mmstudio.cli.models import download, models
from mmstudio.cli.output import say, tell
from mmstudio.cli.predict import predict
from mmstudio.cli.projects import demo, new
from mmstudio.cli.queue import queue
from mmstudio.cli.report import report
from mmstudio.cli.robustness import robustness
from mmstudio.cli.runs import runs
from mmstudio.cli.search import search
from mmstudio.cli.serve import serve
from mmstudio.cli.share import pull, push
from mmstudio.cli.similar import similar
from mmstudio.cli.train import train
from mmstudio.errors import UserError, nearest
from mmstudio.quiet import keep_own_stderr
from mmstudio.version import __version__

app = typer.Typer(
    name="mmstudio", add_completion=False, no_args_is_help=False, rich_markup_mode=None,
    help="The desktop workbench for multimodal learning in PyTorch. "
         "'mmstudio [PROJECT]' opens the app.")


def main() -> None:
    """Run the command line. Exits with 0, 1 (the user can mend it), 2 (usage) or 130."""
    arguments = sys.argv[1:]
    # 'mmstudio [PROJECT]' opens the app: a first word that is not a command is a project
    if not arguments or (arguments[0] not in COMMANDS and not arguments[0].startswith("-")):
        arguments = ["app", *arguments]
    try:
        from mmstudio.training.device import prepare_process

        if arguments[0] == "app" and arguments[2:] and not arguments[1].startswith("-"):
            _check_project(Path(arguments[1]))  # before the words behind it are called too many
        prepare_process()
        keep_own_stderr()
        if arguments[0] == "app":  # Qt's loop would not let a handler of ours run
            app(arguments, standalone_mode=True)
        with ended_in_order():
            app(arguments, standalone_mode=True)
    except UserError as error:
        say(f"{error.message}\n{error.hint}".strip())
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        say("Interrupted.")
        raise SystemExit(130) from None
    except BrokenPipeError:
        # the reader of our output left; nothing more can be told
        sys.stdout = None
        raise SystemExit(0) from None


def _version(wanted: bool) -> None:
    if wanted:
        tell(f"mmstudio {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """The desktop workbench for multimodal learning in PyTorch."""


@app.command("app")
def open_app(
    project: Annotated[Path | None, typer.Argument(help="A project folder.")] = None,
) -> None:
    """Open the app, on a project where one is given."""
    if project is not None:
        _check_project(project)
    try:
        from mmstudio.gui.app import main as run_app

        code = run_app(project)
    except ImportError as error:
        raise UserError(
            f"The window can't be opened: {error}.",
            "On Debian or Ubuntu install: libegl1 libgl1 libxkbcommon-x11-0 libxcb-cursor0 "
            "libxcb-icccm4 libxcb-keysyms1 libxcb-shape0 libdbus-1-3. Or use the commands "
            "listed by 'mmstudio --help', which need no window.") from None
    raise typer.Exit(code)


def _check_project(project: Path) -> None:
    """A word that is not a folder is likely a command, mistyped."""
    if not project.exists():
        raise UserError(f"There is no folder {project}.",
                        f"Give a project folder. {nearest(str(project), SHOWN)}")


for command in (demo, new, train, compare, search, evaluate, report, predict, explain, export,
                serve, push, pull, check, advise, labels, drift, robustness, estimate, models,
                download, similar, components):
    app.command()(command)
app.command("fit", hidden=True)(estimate)  # its name until version 0.1: scripts hold it
app.add_typer(queue)
app.add_typer(cluster)
app.add_typer(runs)
COMMANDS = (*(c.name or c.callback.__name__ for c in app.registered_commands if c.callback),
            "queue", "cluster", "runs")
"""First words that do not name a project."""
SHOWN = tuple(name for name in COMMANDS if name != "fit")
"""Those that are told to people."""
