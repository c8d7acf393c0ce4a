"""What the command line tells of an evaluation beside its figures: a few lines per target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from mmstudio.cli.terminal import Console

MOST_CLASSES = 5
MOST_SLICES = 3


def show_details(found: Any) -> None:
    """Tell intervals, the weakest classes, calibration and slices.

    Args:
        found: As ``evaluation.report.evaluated`` found them.
    """
    console = Console()
    for name, told in found.details.items():
        for line in _lines(name, found.evaluation.tasks[name], told):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
        if len(told.get("per_class", {})) > 2:
            console.print(_weakest(name, told["per_class"]))


def _lines(name: str, figures: Mapping[str, float], told: Mapping[str, Any]) -> Iterator[str]:
    shown = [f"{figure} {low:.3f} to {high:.3f}" for figure, (low, high)
             in told.get("interval", {}).items() if figure != "loss" and low == low
             and figure in figures]
    if shown:
        groups = told.get("interval_groups")
        of = "" if groups is None else f" (over {groups} {'group' if groups == 1 else 'groups'})"
        yield f"{name}, 95 % intervals{of}: {', '.join(shown)}"
    if errors := told.get("calibration", {}).get("expected_calibration_error"):
        yield (f"{name}: confidence is off by {100 * errors['before']:.1f} points, by "
               f"{100 * errors['after']:.1f} once calibrated; chance alone would leave "
               f"{100 * errors['by_chance']:.1f}")
    for one in told.get("slices", ())[:MOST_SLICES]:
        where = ", ".join(f"{trait}: {value}" for trait, value in one["conditions"].items())
        yield (f"{name} is worse where {where}: {one['errors']} of {one['rows']} wrong, "
               f"elsewhere {one['others']:.0%} (p = {one['p_value']:.2g})")


def _weakest(name: str, per_class: Mapping[str, Mapping[str, Any]]) -> Table:
    """The classes with the lowest F1, of those that a row has."""
    there = [item for item in per_class.items() if item[1]["support"]]
    there.sort(key=lambda item: (item[1]["f1"], item[0]))
    title = f"Labels of '{name}'" if len(there) <= MOST_CLASSES else (
        f"The {MOST_CLASSES} weakest of {len(there)} labels of '{name}'")
    table = Table(title=escape(title), title_justify="left")
    table.add_column("label")
    for column in ("precision", "recall", "f1", "samples"):
        table.add_column(column, justify="right")
    for label, figures in there[:MOST_CLASSES]:
        table.add_row(escape(label), *(f"{figures[f]:.3f}" for f in ("precision", "recall", "f1")),
                      str(figures["support"]))
    return table
