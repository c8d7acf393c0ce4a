"""What several commands are given: an experiment, changes of it, a device, inputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from mmstudio.errors import UserError, nearest
from mmstudio.modalities import MODALITIES

ExperimentFile = Annotated[
    Path, typer.Argument(metavar="EXPERIMENT", help="An experiment.toml.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key; may be repeated.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


def check_device(device: str) -> None:
    """Refuse a ``--device`` that is not here; the message names the option, not a file's key.

    Raises:
        UserError: No such device.
    """
    from mmstudio.training.device import choose_device

    try:
        choose_device(device)
    except UserError as error:
        hint = error.hint if error.hint.startswith("Known") else "Give --device auto."
        raise UserError(error.message.replace("training.device =", "--device"), hint) from None


def input_pair(pair: str, inputs: Mapping[str, str]) -> tuple[str, str]:
    """The name and the value that ``--input NAME=VALUE`` gives.

    Args:
        pair: What was given.
        inputs: Per input of the run its modality.

    Raises:
        UserError: No ``=``, or no such input.
    """
    name, equals, value = pair.partition("=")
    if name not in inputs:
        raise UserError(f"--input {pair} names no input of this run.", nearest(name, inputs))
    if not equals:
        what = " or ".join(f"{name}={kind}" for kind in MODALITIES.get(inputs[name]).given_as)
        raise UserError(f"--input {pair} has no value.", f"Write it as {what}.")
    return name, value


def resolved_inputs(predictor: Any, inputs: list[str]) -> dict[str, str | Path | None]:
    """The values that ``--input`` gives, by their names, for a predictor.

    Raises:
        UserError: One names no input.
    """
    given: dict[str, str | Path | None] = {}
    for pair in inputs:
        name, value = input_pair(pair, predictor.inputs)
        modality = predictor.modalities[name]
        given[name] = modality.locate(value, Path.cwd()) if value else None
    return given
