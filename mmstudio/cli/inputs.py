"""What the command line tells people of the inputs: subsets, contributions, interactions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from mmstudio.cli.terminal import Console


def show_input_scores(scores: Any, tasks: Mapping[str, str]) -> None:
    """Tables of what each input is worth.

    Args:
        scores: As ``evaluate`` found them.
        tasks: Per target the figure by which subsets are ordered.
    """
    console = Console()
    console.print(_subsets(scores.subsets, tasks))
    for task, inputs in scores.contributions.items():
        told = Table(title=f"What each input adds to the answer of '{task}' (mean Shapley value, "
                           "log-odds or the number's unit)", title_justify="left")
        told.add_column("input")
        for column in ("mean", "mean size", "samples"):
            told.add_column(column, justify="right")
        for name, means in inputs.items():
            told.add_row(escape(name), f"{means['mean']:+.3f}", f"{means['mean_absolute']:.3f}",
                         str(means["samples"]))
        for pair in scores.interactions[task]:
            told.add_row(escape(" with ".join(pair["inputs"])), f"{pair['mean']:+.3f}",
                         f"{pair['mean_absolute']:.3f}", str(pair["samples"]))
        console.print(told)
    if scores.contributions:
        console.print("A pair above 0 completes each other; below 0 both say the same.",
                      highlight=False)


def _subsets(subsets: list[dict[str, Any]], tasks: Mapping[str, str]) -> Table:
    """The subsets, the best one of the first target first."""
    first = next(iter(tasks))
    figures = [(task, figure) for task, figure in tasks.items()]
    table = Table(title="What the model answers from each subset of its inputs; samples with none "
                        "of them are left out", title_justify="left")
    table.add_column("inputs")
    for task, figure in figures:
        table.add_column(escape(f"{task} {figure}"), justify="right")
    table.add_column("samples", justify="right")
    for one in sorted(subsets, key=lambda s: -_order(s["tasks"][first][tasks[first]])):
        table.add_row(escape(" + ".join(one["inputs"])),
                      *(f"{one['tasks'][task][figure]:.4f}" for task, figure in figures),
                      str(one["samples"]))
    return table


def _order(figure: float) -> float:
    """A figure that is not a number goes last."""
    return figure if figure == figure else float("-inf")


def contributions_line(contributions: Any) -> str:
    """One answer's contributions: "image +2.10, sound +0.40"."""
    unit = f" {contributions.unit}" if contributions.unit else ""
    parts = [f"{name} {value:+.2f}" for name, value in
             sorted(contributions.inputs.items(), key=lambda pair: -abs(pair[1]))]
    return ", ".join(parts) + unit
