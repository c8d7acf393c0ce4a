"""``mmstudio labels``: which rows of a run's data are worth a look, the most urgent first."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmstudio.cli.arguments import Device, Json, check_device
from mmstudio.cli.output import print_json, tell
from mmstudio.cli.own import Trust, own_components
from mmstudio.own_components import project_of_run

if TYPE_CHECKING:
    from mmstudio.evaluation.findings import Finding
    from mmstudio.evaluation.label_review import Review

SHOWN_ROWS = 5
"""Other rows of a copy that are shown."""


def labels(
    run: Annotated[Path, typer.Argument(
        metavar="RUN", help="A run folder, or the folder of a cross-validation.")],
    output: Annotated[Path | None, typer.Option(
        help="Where to write a copy of the table with the findings: .csv, .tsv, .jsonl or "
             ".parquet.")] = None,
    top: Annotated[int, typer.Option(min=1, help="How many findings are shown.")] = 20,
    choose: Annotated[int | None, typer.Option(
        "--choose", metavar="N", min=1,
        help="Instead, list the N unlabelled rows that are most worth a label.")] = None,
    device: Device = "auto",
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Find likely label errors, leaks between splits, near-duplicates and outliers.

    Training rows are judged by cross-validation of light heads, the others by the model; of a
    folder that 'train --folds' wrote, all by the models that had not seen them. What several
    inputs contradict by themselves stands first. --json prints all findings.
    """
    if choose is not None and output is not None:
        raise typer.BadParameter("--output is for the review; --choose prints its rows")
    from mmstudio.cli.progress import last_of
    from mmstudio.data.table import read_table
    from mmstudio.evaluation.cross_validation.folder import FoldsFolder
    from mmstudio.evaluation.label_review import review_labels
    from mmstudio.evaluation.reviewed_table import check_output, reviewed, write_reviewed
    from mmstudio.training.run_folder import RunFolder

    own_components(project_of_run(run), trust)
    check_device(device)
    if choose is not None:
        _choose(run, choose, device, as_json)
        return
    folder = FoldsFolder.existing(run) if FoldsFolder(run).exists else RunFolder.existing(run)
    path = folder.path.resolve().parent.parent / folder.experiment().data.table
    if output is not None:
        check_output(output, path)
    review = last_of(review_labels(run, device), quiet=as_json)
    if output is not None:
        write_reviewed(reviewed(review, read_table(path)), output)
    if as_json:
        print_json(review.to_json())
        return
    _show(review, top)
    if output is not None:
        tell(f"All {len(review.table):,} rows with the findings: {output}")


def _choose(run: Path, count: int, device: str, as_json: bool) -> None:
    """The rows without a label that are most worth one."""
    from rich.markup import escape
    from rich.table import Table

    from mmstudio.cli.progress import last_of
    from mmstudio.cli.terminal import Console
    from mmstudio.evaluation.choose_to_label import choose_to_label

    found = last_of(choose_to_label(run, count, device), quiet=as_json)
    if as_json:
        print_json({"to_label": [one.to_json() for one in found]})
        return
    table = Table(title="Worth a label, the most useful first", title_justify="left")
    table.add_column("row", justify="right")
    table.add_column("unsure", justify="right")
    table.add_column("the model would say")
    for one in found:
        said = ", ".join(f"{name}: {label}" for name, label in one.suggested.items())
        table.add_row(str(one.row + 1), f"{one.uncertainty:.2f}", escape(said))
    Console().print(table)


def _show(review: Review, top: int) -> None:
    """The first findings as a table, below it how many there are of each kind."""
    from rich.markup import escape
    from rich.table import Table

    from mmstudio.cli.terminal import Console
    from mmstudio.evaluation.findings import DOUBTED, KINDS, LABEL

    table = Table(title="Worth a look, the most urgent first", title_justify="left")
    for name, right in (("", True), ("row", True), ("split", False), ("what", False),
                        ("given", False), ("suggested", False), ("score", True),
                        ("by", False)):
        table.add_column(name, justify="right" if right else "left")
    for rank, finding in enumerate(review.findings[:top], start=1):
        table.add_row(str(rank), str(finding.row + 1), escape(finding.split),
                      escape(_what(finding)), escape(finding.given), escape(finding.suggested),
                      f"{finding.score:.3f}", escape(", ".join(finding.inputs)))
    if review.findings:
        Console().print(table)
    counts = Counter(f.kind for f in review.findings if f.certainty != DOUBTED)
    doubted = sum(f.certainty == DOUBTED for f in review.findings)
    tell(f"{review.looked_at:,} rows were looked at.")
    if review.not_judged:
        tell(f"Labels of {', '.join(review.not_judged)} were not judged: the task is not built in.")
    if review.passed_over:
        tell(f"{review.passed_over:,} labels of training rows were not judged: there are too many "
             "different ones.")
    for kind, words in KINDS.items():
        rest = f"; of {doubted:,} more it is in doubt" if kind == LABEL and doubted else ""
        tell(f"{counts[kind]:,} × {kind}: {words}{rest}.")


def _what(finding: Finding) -> str:
    if finding.target:
        return f"{finding.kind}, {finding.target}"
    if not finding.others:
        return finding.kind
    rows = ", ".join(str(row + 1) for row in finding.others[:SHOWN_ROWS])
    return f"{finding.kind} of row {rows}" + (" …" if len(finding.others) > SHOWN_ROWS else "")
