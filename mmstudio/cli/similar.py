"""``mmstudio similar``: what in a run's data lies nearest; recall, shown to people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmstudio.cli.arguments import Device, Json, check_device, input_pair
from mmstudio.cli.output import print_json
from mmstudio.cli.own import Trust, own_components
from mmstudio.errors import UserError
from mmstudio.own_components import project_of_run

if TYPE_CHECKING:
    from mmstudio.inference.predictor import Predictor
    from mmstudio.inference.similar import Similar
    from mmstudio.training.retrieval import Retrieval

LONGEST = 60
"""Characters of a text that are shown."""


def similar(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run that was trained with "
                                        "alignment.")],
    given: Annotated[str, typer.Option(
        "--input", metavar="NAME=VALUE", help="A file or a text of one input.")],
    count: Annotated[int, typer.Option(min=1, help="How many of each input.")] = 5,
    device: Device = "auto",
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Find the pictures, texts and sounds of the data that lie nearest to one."""
    from mmstudio.cli.progress import last_of
    from mmstudio.inference.predictor import Predictor
    from mmstudio.inference.similar import find_similar, similar_index

    own_components(project_of_run(run), trust)
    check_device(device)
    predictor = Predictor(run, device)
    predictor.check_alignment()
    name, value = _given(predictor, given)
    # read before the data is: what can't be read should not have to wait for it
    predictor.decode(name, value)
    index = last_of(similar_index(predictor), quiet=as_json)
    found = find_similar(predictor, index, name, value, count)
    if as_json:
        data = {"input": name, "similar": {n: [s.to_json() for s in some]
                                           for n, some in found.items()}}
        print_json(data)
    else:
        _show(name, found)


def _given(predictor: Predictor, pair: str) -> tuple[str, str | Path]:
    name, value = input_pair(pair, predictor.inputs)
    if not value.strip():
        raise UserError(f"--input {pair} has no value.", "Give a file or a text after the '='.")
    return name, predictor.model.modalities[name].locate(value, Path.cwd())


def _show(asked: str, found: dict[str, list[Similar]]) -> None:
    """A table per input."""
    from rich.markup import escape
    from rich.table import Table

    from mmstudio.cli.terminal import Console

    console = Console()
    for name, some in found.items():
        again = " (itself among them, where the data holds it)" if name == asked else ""
        table = Table(title=f"Nearest of '{name}'{again}", title_justify="left")
        table.add_column("cosine", justify="right")
        table.add_column("row", justify="right")
        table.add_column(escape(name))
        table.add_column("split")
        table.add_column("labels")
        for one in some:
            text = str(one.value)
            shown = text if len(text) <= LONGEST else f"{text[:LONGEST - 1]}…"
            more = f"  (in {one.copies} rows)" if one.copies > 1 else ""
            table.add_row(f"{one.cosine:.3f}", str(one.row + 1), escape(shown + more),
                          escape(one.split), escape(", ".join(one.targets.values())))
        console.print(table)


def show_retrieval(found: list[Retrieval], looked_at: str) -> None:
    """How often the right content is among the nearest of the rows looked at, beside chance."""
    from rich.markup import escape
    from rich.table import Table

    from mmstudio.cli.terminal import Console

    table = Table(title=f"How often the right one is among the nearest, in {looked_at} "
                        "(chance in brackets)", title_justify="left")
    table.add_column("from")
    table.add_column("to")
    for k in (1, 5, 10):
        table.add_column(f"recall@{k}", justify="right")
    table.add_column("rows", justify="right")
    table.add_column("to choose from", justify="right")
    for one in found:
        recalls = [f"{one.recall[k]:.3f} ({one.chance[k]:.3f})" for k in (1, 5, 10)]
        table.add_row(escape(one.source), escape(one.target), *recalls, str(one.rows),
                      str(one.candidates))
    Console().print(table)
