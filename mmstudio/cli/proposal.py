"""A proposal for new data, shown to people as a table in words."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from mmstudio.cli.terminal import Console
from mmstudio.data.new_project import Proposal
from mmstudio.data.propose import Column
from mmstudio.modalities import MODALITIES


def show_proposal(proposal: Proposal) -> None:
    """Each column: what it is used as, and why."""
    console = Console()
    table = Table(title=f"{len(proposal.table):,} rows", title_justify="left")
    for head in ("column", "used as", "because"):
        table.add_column(head)
    for column in proposal.columns:
        table.add_row(escape(column.name), escape(_used_as(column)), escape(column.reason))
    console.print(table)
    for note in proposal.table.notes:
        console.print(note, highlight=False, markup=False)


def _used_as(column: Column) -> str:
    if column.role == "input" and column.modality is not None:
        return f"input: {MODALITIES.get(column.modality).title.lower()}"
    if column.role == "target":
        separator = column.options.get("separator")
        between = f", split at '{separator}'" if separator else ""
        return f"to predict: {column.task}{between}"
    return {"split": "split", "group": "keep together"}.get(column.role, "not used")
