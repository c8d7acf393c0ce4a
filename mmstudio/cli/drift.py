"""``mmstudio drift``: do new rows look like those that a run learned from?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmstudio.cli.arguments import Device, Json, check_device
from mmstudio.cli.output import print_json, say, tell
from mmstudio.cli.own import Trust, own_components
from mmstudio.own_components import project_of_run

if TYPE_CHECKING:
    from mmstudio.evaluation.drift import Drift


def drift(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    table: Annotated[Path, typer.Option(help="The table of new rows; it needs no labels.")],
    top: Annotated[int, typer.Option(min=0, help="How many odd rows are shown.")] = 10,
    device: Device = "auto",
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Say whether a table's rows look like those that a run learned from, and which do not.

    Each input is compared, and all together; rows that have not drifted are said to have in one
    table of twenty.
    """
    from mmstudio.cli.progress import last_of
    from mmstudio.evaluation.drift import drift as compare

    own_components(project_of_run(run), trust)
    check_device(device)
    found = last_of(compare(run, table, device), quiet=as_json)
    for warning in found.warnings:
        say(f"Warning: {warning}")
    if as_json:
        print_json(found.to_json())
        return
    _show(found, top)


def _show(found: Drift, top: int) -> None:
    from rich.markup import escape
    from rich.table import Table

    from mmstudio.cli.terminal import Console

    console = Console()
    views = Table(title="How well new rows can be told from the run's own, by "
                        f"{' and '.join(found.compared)} (0.5 is chance)", title_justify="left")
    views.add_column("input")
    for name in ("told apart", "p", "rows", "absent before", "absent now"):
        views.add_column(name, justify="right")
    views.add_column("")
    for view in found.views:
        auc = "too few" if view.auc is None else f"{view.auc:.3f}"
        p_value = "" if view.p_value is None else f"{view.p_value:.3f}"
        views.add_row(escape(view.input or "all together"), auc, p_value, str(view.new_rows),
                      f"{view.absent_known:.0%}", f"{view.absent_new:.0%}",
                      "drifted" if view.drifted else "")
    console.print(views)
    rows = Table(title="The oddest of the new rows", title_justify="left")
    for name in ("row", "known rows as far off", "times the usual distance"):
        rows.add_column(name, justify="right")
    rows.add_column("by")
    for odd in found.rows[:top]:
        rows.add_row(str(odd.row + 1), f"{odd.share:.1%}", f"{odd.times:.2f}",
                     escape(odd.input or "all together"))
    if top and found.rows:
        console.print(rows)
    tell("The new rows do not look like those that the run learned from." if found.drifted
         else "The new rows look like those that the run learned from.")
