"""What a run's answers rest on, in words: the shares of its contestants, summed by inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmstudio.training.events import Combined

LEAST_TOLD = 0.03
"""Of the answers; what counts less is left out."""
ALIKE = 0.15
"""Targets whose shares differ by no more are told of in one."""
MOST_TARGETS = 2
"""Told of one by one where they differ."""
KINDS = {"fusion": "the fusion", "head": "the inputs' own heads", "machine": "quick models"}


def rests_on(combined: Combined, inputs: Sequence[str]) -> str:
    """What the answers rest on: ``… on sound alone 58 %, words and sound together 35 %``.

    Of a single input there is nothing to tell but which kind of model answers.

    Args:
        combined: The latest of a run.
        inputs: All of the run.

    Returns:
        The sentence; "" where nothing is weighed.
    """
    groups = {target: _grouped(told, len(inputs) == 1) for target, told in
              combined.shares.items() if told}
    if not groups:
        return ""
    if _alike(list(groups.values())):
        return f"Answers rest on {_listed(_mean(list(groups.values())), inputs)}."
    named = [f"{target} on {_listed(shares, inputs)}"
             for target, shares in list(groups.items())[:MOST_TARGETS]]
    more = len(groups) - len(named)
    left = f"; {more} target{'s' if more > 1 else ''} more" if more else ""
    return f"Answers rest for {'; for '.join(named)}{left}."


def rests_on_kinds(combined: Combined) -> list[str]:
    """A line per target: ``digit: quick models 58 %, the fusion 42 %``."""
    return [f"{target}: {_listed(_grouped(told, True), ('one',))}"
            for target, told in combined.shares.items() if told]


Group = tuple[str, ...]


def _grouped(told: Sequence[Mapping[str, Any]], by_kind: bool) -> dict[Group, float]:
    found: dict[Group, float] = {}
    for one in told:
        group = (KINDS[one["kind"]],) if by_kind else tuple(one["inputs"])
        found[group] = found.get(group, 0.0) + one["share"]
    return found


def _alike(groups: Sequence[Mapping[Group, float]]) -> bool:
    names = {name for group in groups for name in group}
    return all(max(g.get(n, 0.0) for g in groups) - min(g.get(n, 0.0) for g in groups) <= ALIKE
               for n in names)


def _mean(groups: Sequence[Mapping[Group, float]]) -> dict[Group, float]:
    names = dict.fromkeys(name for group in groups for name in group)
    return {n: sum(g.get(n, 0.0) for g in groups) / len(groups) for n in names}


def _listed(shares: Mapping[Group, float], inputs: Sequence[str]) -> str:
    """The largest first; what is too small to matter is left out."""
    most = sorted(shares.items(), key=lambda item: -item[1])
    told = [item for item in most if item[1] >= LEAST_TOLD] or most[:1]
    return ", ".join(f"{_named(group, inputs)} {100 * share:.0f} %" for group, share in told)


def _named(group: Group, inputs: Sequence[str]) -> str:
    if len(inputs) == 1:
        return group[0]
    if len(group) == 1:
        return f"{group[0]} alone"
    if len(group) == len(inputs) > 2:
        return "all inputs together"
    return f"{', '.join(group[:-1])} and {group[-1]} together"
