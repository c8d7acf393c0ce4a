"""``mmstudio advise``: what the inputs know, and which fusion suits that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmstudio.cli.arguments import ExperimentFile, Json
from mmstudio.cli.output import print_json
from mmstudio.cli.own import Trust, own_components

if TYPE_CHECKING:
    from mmstudio.advice import Advice

BAR = 20
"""Characters of a bar that is full."""


def advise(
    experiment_file: ExperimentFile, trust: Trust = False, as_json: Json = False
) -> None:
    """Look at the data before training and recommend one fusion with its reason."""
    from mmstudio.advice import advise as advise_on
    from mmstudio.cli.progress import last_of
    from mmstudio.experiment import Experiment

    own_components(experiment_file.resolve().parent, trust)
    experiment = Experiment.load(experiment_file)
    advice = last_of(advise_on(experiment, experiment_file.resolve().parent), quiet=as_json)
    if as_json:
        print_json(advice.to_json())
    else:
        show_advice(advice)


def show_advice(advice: Advice) -> None:
    """The figures as a table, then the advice as a sentence."""
    from rich.markup import escape
    from rich.table import Table

    from mmstudio.cli.terminal import Console

    console = Console()
    if advice.probe is not None:
        looked = f"A quick look at {advice.probe.rows:,} rows for '{advice.probe.target}'"
        table = Table(title=looked, title_justify="left")
        table.add_column("what")
        table.add_column("share")
        table.add_column("95 % interval", justify="right")
        for found in advice.findings:
            figure = found.figure
            bar = "█" * round(BAR * min(1.0, max(0.0, figure.value)))
            between = f"{max(0, 100 * figure.low):.0f} to {min(100, max(0, 100 * figure.high)):.0f}"
            table.add_row(escape(found.text), f"{bar:{BAR}}", between)
        console.print(table)
    elif advice.note:
        console.print(f"{advice.note} The advice rests on counts.", highlight=False, markup=False)
    console.print(
        f"Recommended: {advice.title}, because {advice.reason}\n"
        f"It rests on: {advice.source}.\n"
        f"Take it:  --set fusion.name={advice.fusion}", highlight=False, markup=False,
        soft_wrap=True)
