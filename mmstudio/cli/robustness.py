"""``mmstudio robustness``: how runs' figures fall as their inputs get worse, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmstudio.cli.arguments import Device, Json, check_device
from mmstudio.cli.output import print_json, tell
from mmstudio.cli.own import Trust, own_components
from mmstudio.errors import UserError
from mmstudio.own_components import project_of_run

if TYPE_CHECKING:
    from mmstudio.evaluation.robustness_curves import Point, Robustness


def robustness(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN …", help="Run folders, one or more.")],
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    rows: Annotated[int, typer.Option(
        min=1, help="How many rows to use at most; of more, a sample.")] = 500,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn.")] = 0,
    device: Device = "auto",
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Show how the figures fall as each input gets worse, or is absent from more rows.

    Beside each figure stands the share that the input which gets worse still has of the answers:
    where it falls and the figure holds, the other inputs have taken over.
    """
    from mmstudio.cli.progress import last_of
    from mmstudio.evaluation.robustness import robustness as look

    check_device(device)
    found = []
    for run in runs:
        # right before its look: another project's components may be called alike
        own_components(project_of_run(run), trust)
        found.append(last_of(look(run, split, rows, seed, device), quiet=as_json))
    if as_json:
        print_json({"split": split, "seed": seed, "runs": [one.to_json() for one in found]})
        return
    targets = [t for t in found[0].main_figures if all(t in one.main_figures for one in found)]
    if not targets:
        raise UserError("The runs have no target in common.", "Look at them one by one.")
    for target in targets:
        _show(found, target)


def _show(found: list[Robustness], target: str) -> None:
    """One target's figures, a line per input, corruption and strength, a column per run."""
    from rich.markup import escape
    from rich.table import Table

    from mmstudio.cli.terminal import Console
    from mmstudio.evaluation.robustness_curves import strength_text

    first = found[0]
    figure = first.main_figures[target].replace("_", " ")
    title = (f"{target}: {figure} on {first.rows} rows of the split '{first.split}' as inputs get "
             "worse (in brackets the input's share of the answers)")
    table = Table(title=escape(title), title_justify="left")
    table.add_column("input")
    table.add_column("gets worse by")
    for one in found:
        table.add_column(escape(Path(one.run).name), justify="right")
    table.add_row("", "nothing", *(f"{one.clean.figures[target]:.3f}" for one in found))
    curves = [{(c.input, c.corruption): c for c in one.curves} for one in found]
    for key in dict.fromkeys(key for some in curves for key in some):
        table.add_section()
        points = [{p.strength: p for p in some[key].points} if key in some else {}
                  for some in curves]
        unit = next(some[key].unit for some in curves if key in some)
        for strength in dict.fromkeys(s for some in points for s in some):
            cells = [_cell(some.get(strength), target, key[0]) for some in points]
            table.add_row(
                escape(key[0]), escape(f"{key[1]}: {strength_text(strength, unit)}"), *cells)
    Console().print(table)
    for one, some in zip(found, curves, strict=True):
        figures = [p.figures[target] for curve in some.values() for p in curve.points]
        tell(f"{Path(one.run).name}: {one.clean.figures[target]:.3f}, on average "
             f"{sum(figures) / len(figures):.3f} when one input is worse.")


def _cell(point: Point | None, target: str, name: str) -> str:
    if point is None:
        return ""
    share = point.shares.get(target, {}).get(name)
    return f"{point.figures[target]:.3f}" + ("" if share is None else f" ({share:.0%})")
