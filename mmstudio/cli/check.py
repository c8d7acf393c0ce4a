"""``mmstudio check``: what is wrong with the data, and mending it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mmstudio.cli.arguments import ExperimentFile, Json
from mmstudio.cli.output import print_json, tell
from mmstudio.cli.own import Trust, own_components
from mmstudio.errors import UserError, nearest

MOST_LISTED = 20
MENDS = {"leave_out": "Leave these rows out", "merge_labels": "Merge these labels",
         "split_by_group": "Split again by group"}


def check(
    experiment_file: ExperimentFile,
    mend: Annotated[str, typer.Option(
        "--fix", "--mend", metavar="KIND", help="Fix the problems of this kind: the experiment"
        " file is changed, and rows to leave out are listed beside it; the data stays.")] = "",
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Read and decode all data and report what is wrong with it.

    Exits with 0 whatever is reported of rows, and with 1 where nothing can be trained like this.
    """
    from mmstudio.cli.progress import last_of
    from mmstudio.data.checks import KINDS
    from mmstudio.data.checks import check as check_data
    from mmstudio.experiment import Experiment
    from mmstudio.training.model import completed

    if mend and mend not in KINDS:
        raise UserError(f"'{mend}' is not a kind of problem.", nearest(mend, KINDS))
    folder = experiment_file.resolve().parent
    own_components(folder, trust)
    loaded = Experiment.load(experiment_file)
    report = last_of(check_data(completed(loaded), folder), quiet=as_json)
    summary = _mend(loaded, experiment_file, report, mend) if mend else None
    if as_json:
        print_json(report.to_json() | ({"mended": summary} if summary is not None else {}))
    else:
        show_report(report)
        if summary is not None:
            tell(summary)
    if any(p.kind == "table" for p in report.problems):
        raise typer.Exit(1)


def _mend(experiment: Any, experiment_file: Path, report: Any, kind: str) -> str:
    """Fix the problems of one kind; what was done, as a sentence."""
    from mmstudio.data.mend import mended

    problems = [p for p in report.problems if p.kind == kind]
    if not problems:
        return f"There is no problem of the kind '{kind}' to fix."
    result = mended(experiment, experiment_file.resolve().parent, problems)
    result.write(experiment_file.resolve().parent)
    result.experiment.save(experiment_file)
    return result.summary


def show_report(report: Any) -> None:
    """The problems by kind: why each kind matters, its rows, and how to mend it."""
    from mmstudio.cli.terminal import Console
    from mmstudio.data.checks import KINDS, by_kind

    console = Console()

    def line(text: str, style: str = "") -> None:
        console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)

    for kind, problems in by_kind(report.problems).items():
        line(f"{KINDS[kind].title} ({len(problems):,})", "bold")
        line(f"  {KINDS[kind].why}")
        for problem in problems[:MOST_LISTED]:
            where = f"row {problem.row + 1}" if problem.row >= 0 else "table"
            column = f" · {problem.column}" if problem.column else ""
            remedy = problem.hint.removeprefix(KINDS[kind].why).strip()
            line(f"  {where}{column}: {problem.message} {remedy}")
        if len(problems) > MOST_LISTED:
            line(f"  and {len(problems) - MOST_LISTED:,} more; --json lists all")
        if KINDS[kind].mend:
            line(f"  {MENDS[KINDS[kind].mend]} with --fix {kind}")
    found = len(report.problems)
    line(f"{report.rows:,} rows read, {found:,} problem{'' if found == 1 else 's'}.")
