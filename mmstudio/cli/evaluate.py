"""``mmstudio evaluate``: the figures of a run's best model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmstudio.cli.arguments import Device, Json, check_device
from mmstudio.cli.output import print_json, say
from mmstudio.cli.own import Trust, own_components
from mmstudio.cli.similar import show_retrieval
from mmstudio.own_components import project_of_run


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    table: Annotated[Path | None, typer.Option(help="Another table, all rows of which count.")]
    = None,
    device: Device = "auto",
    inputs: Annotated[bool, typer.Option(
        "--inputs", help="What each input is worth too: figures of every subset,"
        " contributions, interactions.")] = False,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Print the figures of a run's best model."""
    from mmstudio.cli.figures import show_details
    from mmstudio.cli.progress import last_of, show_evaluation
    from mmstudio.evaluation.report import evaluated

    own_components(project_of_run(run), trust)
    if device != "auto":  # to look for devices takes longer than to read what was kept
        check_device(device)
    found = last_of(evaluated(run, split, table, device, inputs), quiet=as_json)
    for warning in found.warnings():
        say(f"Warning: {warning}")
    if as_json:
        print_json(found.to_json())
        return
    result = found.evaluation
    show_evaluation(result)
    show_details(found)
    if result.retrieval:
        show_retrieval(result.retrieval, result.source)
    if result.inputs is not None:
        from mmstudio.cli.information import show_information
        from mmstudio.cli.inputs import show_input_scores

        show_input_scores(result.inputs, result.main_figures)
        show_information(found.details)
