"""A proposal for new data, shown to people as a table in words."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from mmstudio.cli.terminal import Console
from mmstudio.data.propose import Column
from mmstudio.modalities import MODALITIES
from mmstudio.project.proposal import Proposal

LONGEST_EXAMPLE = 24
WIDEST_COLUMN = 32


def show_proposal(proposal: Proposal) -> None:
    """Each column: what it is used as, why, and what it looks like; then all there is to know."""
    console = Console()
    table = Table(title=f"{len(proposal.table):,} rows", title_justify="left")
    table.add_column("column", max_width=WIDEST_COLUMN)
    table.add_column("used as", no_wrap=True)
    table.add_column("because")
    for column in proposal.columns:
        table.add_row(f"{escape(column.name)}\n[dim]{escape(_about(column))}[/dim]",
                      escape(_used_as(column)), escape(column.reason))
    console.print(table)
    for line in proposal.said():
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _about(column: Column) -> str:
    """How many values there are, and the first, as the window says it."""
    empty = f", {column.missing:,} empty" if column.missing else ""
    shown = ", ".join(e[:LONGEST_EXAMPLE].replace("\n", " ") for e in column.examples)
    return f"{column.distinct:,}{empty}" + (f": {shown}" if shown else "")


def _used_as(column: Column) -> str:
    if column.role == "input" and column.modality is not None:
        return f"input: {MODALITIES.get(column.modality).title.lower()}"
    if column.role == "target":
        if "into" in column.options:
            return f"to predict: label of {column.options['into']}"
        separator = column.options.get("separator")
        between = f", split at '{separator}'" if separator else ""
        return f"to predict: {column.task}{between}"
    return {"split": "split", "group": "keep together"}.get(column.role, "not used")
