"""``mmstudio explain``: what of one sample counted, and what would have to change."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmstudio.cli.arguments import Device, Json, check_device, resolved_inputs
from mmstudio.cli.output import print_json, tell
from mmstudio.cli.own import Trust, own_components
from mmstudio.errors import UserError
from mmstudio.own_components import project_of_run

if TYPE_CHECKING:
    from mmstudio.explanation.explain import Explanation, InputMap

MOST_TOLD = 5
"""Places of an input that are listed."""
FAINT, STRONG = 0.15, 0.6
"""Shares of the strongest word's weight from which on a word is coloured, and is bold."""


def explain(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    inputs: Annotated[list[str], typer.Option(
        "--input", metavar="NAME=VALUE", help="A file or text; may be repeated.")],
    task: Annotated[str | None, typer.Option(
        metavar="TARGET", help="The target to explain; all by default.")] = None,
    label: Annotated[str | None, typer.Option(
        help="The label to explain; the answered one by default.")] = None,
    output: Annotated[Path | None, typer.Option(
        metavar="FOLDER", help="Where pictures with the map drawn over them go.")] = None,
    device: Device = "auto",
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Say which places, words and moments of one sample counted for its answer.

    And what turns the answer when it is gone: whole inputs, or the fewest pieces of one.
    """
    from mmstudio.explanation.explain import explain as explained
    from mmstudio.inference.ensemble import open_model

    own_components(project_of_run(run), trust)
    check_device(device)
    predictor = open_model(run, device)
    if label is not None and task is None and len(predictor.tasks) > 1:
        raise UserError("--label needs --task: the model has several targets.",
                        f"Known: {', '.join(predictor.tasks)}.")
    given = resolved_inputs(predictor, inputs)
    found = [explained(predictor, given, one, label)
             for one in ([task] if task is not None else predictor.tasks)]
    written = [] if output is None else _write(output, found)
    if as_json:
        data: dict[str, Any] = {"tasks": {one.task: one.to_json() for one in found},
                                "present": [n for n in predictor.inputs if given.get(n)]}
        print_json(data | ({} if output is None else {"written": [str(p) for p in written]}))
        return
    for one in found:
        _show(one)
    for path in written:
        tell(f"written: {path}")


def _write(folder: Path, found: list[Explanation]) -> list[Path]:
    """A PNG per task and input that can be drawn."""
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for one in found:
            for name, shown in one.inputs.items():
                picture = shown.shown.picture()
                if picture is not None:
                    # names of inputs and targets are anybody's
                    safe = re.sub(r"[^\w-]+", "_", f"{one.task}-{name}")
                    path = folder / f"{safe}.png"
                    picture.save(path)
                    written.append(path)
    except OSError as error:
        raise UserError(f"{folder} can't be written: {error}.",
                        "Choose another --output.") from None
    return written


def _show(found: Explanation) -> None:
    """One task's answer, its inputs' maps, what turns it."""
    from mmstudio.cli.terminal import Console

    console = Console()
    of = "" if found.label in (None, found.answer.label) else f", why {found.label}"
    console.print(f"{found.task}: {found.answer.words()}{of}", style="bold",
                  highlight=False, markup=False)
    for name, one in found.inputs.items():
        _show_input(console, name, one)
    for turn in found.turns:
        gone = ", ".join(turn.pieces) or " and ".join(turn.inputs)
        of_input = f"{turn.inputs[0]} without: " if turn.pieces else "without "
        console.print(f"  {of_input}{gone} → {turn.after.words()}", highlight=False,
                      markup=False)
    if found.tried and not found.turns:
        console.print("  No part was found whose removal changes this answer.", highlight=False)


def _show_input(console: Any, name: str, one: InputMap) -> None:
    """The strongest places; a text's words in colours."""
    from rich.text import Text

    from mmstudio.explanation.explain import METHODS

    missed = f"; it does not see {one.unseen:.0%} of the answer" if one.unseen >= 0.005 else ""
    console.print(f"  {name} ({METHODS[one.method]}{missed})", highlight=False, markup=False)
    spots = one.shown.spots
    largest = max((abs(spot.weight) for spot in spots), default=0.0) or 1.0
    if one.shown.text:
        line = Text("    " + one.shown.text)
        for spot in spots:
            share = spot.weight / largest
            if abs(share) >= FAINT:
                style = ("green" if share > 0 else "red") + (
                    " bold" if abs(share) >= STRONG else "")
                line.stylize(style, 4 + spot.where["begin"], 4 + spot.where["end"])
        console.print(line)
    strongest = sorted(spots, key=lambda spot: -abs(spot.weight))[:MOST_TOLD]
    for spot in strongest:
        figure = f"{spot.weight:+.2f}" if one.unit else f"{spot.weight / largest:+.0%}"
        console.print(f"    {figure:>7} {spot.name}", highlight=False, markup=False)
