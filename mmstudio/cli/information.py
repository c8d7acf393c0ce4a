"""The kind of information that inputs hold, shown to people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from mmstudio.cli.output import tell
from mmstudio.cli.terminal import Console


def show_information(details: Mapping[str, Mapping[str, Any]]) -> None:
    """Per target and pair of inputs what both tell, each alone, and only both together, in bits.

    Args:
        details: Per target its figures; those without ``information`` are left out.
    """
    told = [(name, one) for name, task in details.items() for one in task.get("information", ())]
    if not told:
        return
    table = Table(title="What the answers from two inputs tell of a label, in bits",
                  title_justify="left")
    table.add_column("task")
    table.add_column("inputs")
    for column in ("either", "only the first", "only the second", "only both", "by chance"):
        table.add_column(column, justify="right")
    for name, one in told:
        first, second = one["inputs"]
        bits = (one["shared"], one["unique"][first], one["unique"][second], one["synergy"],
                one["by_chance"])
        table.add_row(escape(name), escape(f"{first} and {second}"),
                      *(f"{max(0.0, b):.2f}" for b in bits))
    Console().print(table)
    tell("By chance: what both would seem to tell of labels that are drawn, with so few rows.")
