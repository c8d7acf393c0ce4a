"""``mmstudio report``: a run as one page to hand on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmstudio.cli.given import Device, Json, check_device
from mmstudio.cli.output import print_json, tell
from mmstudio.cli.own import Trust, own_components
from mmstudio.own_components import project_of_run


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    output: Annotated[Path | None, typer.Argument(
        metavar="FILE", help="The page to write; report.html in the run folder by default.")]
    = None,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    device: Device = "auto",
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Write a run up as one page: settings, curves, figures, mistakes; it needs nothing else."""
    from mmstudio.cli.progress import last_of
    from mmstudio.report.report import report_of, write_report

    own_components(project_of_run(run), trust)
    if device != "auto":
        check_device(device)
    found = last_of(report_of(run, split, device), quiet=as_json)
    page = write_report(output or run / "report.html", found)
    if as_json:
        print_json({"report": str(page)})
    else:
        tell(f"Report:  {page}")
