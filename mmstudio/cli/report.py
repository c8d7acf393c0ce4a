"""``mmstudio report``: a run as one page to hand on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmstudio.cli.arguments import Device, Json, check_device
from mmstudio.cli.output import print_json, tell
from mmstudio.cli.own import Trust, own_components
from mmstudio.errors import UserError
from mmstudio.own_components import project_of_run
from mmstudio.safe_files import refuse_unwritable

HINT = "Give another FILE after the run, in a folder that you can write to."


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    output: Annotated[Path | None, typer.Argument(
        metavar="FILE", help="The page to write; report.html in the run folder by default.")]
    = None,
    pdf: Annotated[bool, typer.Option(
        "--pdf", help="Print it to a PDF file beside the page too.")] = False,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    device: Device = "auto",
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Write a run up as one page: settings, curves, figures, mistakes; it needs nothing else."""
    from mmstudio.cli.progress import last_of
    from mmstudio.report.report import report_of, write_report

    place = output or run / "report.html"
    if output is not None or run.is_dir():  # that there is no run is told better below
        refuse_unwritable(place, HINT)
    own_components(project_of_run(run), trust)
    if device != "auto":
        check_device(device)
    found = last_of(report_of(run, split, device), quiet=as_json)
    try:
        page = write_report(place, found)
        printed = _printed(page) if pdf else None
    except OSError as error:
        raise UserError(f"{place} can't be written: {error}.", HINT) from None
    if as_json:
        print_json({"report": str(page)} | ({} if printed is None else {"pdf": str(printed)}))
        return
    tell(f"Report:  {page}")
    if printed is not None:
        tell(f"PDF:     {printed}")


def _printed(page: Path) -> Path:
    """The page as PDF beside it. Raises UserError, or OSError."""
    try:
        from mmstudio.gui.page_pdf import print_pdf
    except ImportError as error:
        raise UserError(f"A PDF file needs the window's library: {error}.",
                        f"The page is in {page}: print it from a browser.") from None
    pdf = page.with_suffix(".pdf")
    print_pdf(page, pdf)
    return pdf
