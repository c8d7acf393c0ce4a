"""What the probe found, in sentences and figures for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from mmstudio.advice.probe import Figure, Probe
from mmstudio.advice.rules import listed


@dataclass(frozen=True)
class Finding:
    """One figure with its sentence.

    Attributes:
        kind: ``alone``, ``together``, ``unique``, ``shared`` or ``joint``.
        inputs: Whose it is.
        figure: In shares, with its interval.
        zero: Where the figure says "nothing": the score of guessing, or 0.
        text: The sentence.
    """

    kind: str
    inputs: tuple[str, ...]
    figure: Figure
    zero: float
    text: str

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"kind": self.kind, "inputs": list(self.inputs), **asdict(self.figure),
                "zero": self.zero, "text": self.text}


def findings_of(probe: Probe) -> tuple[Finding, ...]:
    """All figures in the order to read them: alone, together, the same, its own, combined."""
    return tuple(_found(probe))


def _found(probe: Probe) -> Iterator[Finding]:
    names = tuple(probe.alone)
    for name in names:
        yield Finding("alone", (name,), probe.alone[name], probe.chance, _alone(probe, name))
    yield Finding("together", names, probe.together, probe.chance,
                  f"All together: {_score(probe, probe.together)}.")
    for pair, figure in probe.shared.items():
        yield Finding("shared", pair, figure, 0.0, _shared(probe, pair, figure))
    for name in names:
        yield Finding("unique", (name,), probe.unique[name], 0.0, _unique(probe, name))
    yield Finding("joint", names, probe.joint, 0.0, _joint(probe))


def _hundredths(value: float) -> str:
    """Of a hundred; 100 only where it is all."""
    return "100" if value >= 1 else f"{min(99.0, max(0.0, 100 * value)):.0f}"


def _score(probe: Probe, figure: Figure) -> str:
    if probe.kind == "classes":
        return f"right in {_hundredths(figure.value)} of 100"
    return f"{_hundredths(figure.value)} % of the differences explained"


def _alone(probe: Probe, name: str) -> str:
    if not probe.knows(name):
        return f"{name} alone does no better than guessing."
    guess = f"; guessing: {_hundredths(probe.chance)}" if probe.chance else ""
    return f"{name} alone: {_score(probe, probe.alone[name])}{guess}."


def _shared(probe: Probe, pair: tuple[str, str], figure: Figure) -> str:
    both = listed(pair)
    if not figure.is_sure or not (probe.knows(pair[0]) and probe.knows(pair[1])):
        return f"{both} share no information beyond chance."
    if probe.kind == "classes":
        return f"{both} both know the answer, each alone, in {_hundredths(figure.value)} of 100."
    return f"{both} both explain the same {_hundredths(figure.value)} % of the differences."


def _unique(probe: Probe, name: str) -> str:
    figure = probe.unique[name]
    if not figure.is_sure or figure.value < 0.005:
        return f"{name} adds nothing to the others beyond chance."
    if probe.kind == "classes":
        return f"{name} adds {_hundredths(figure.value)} of 100 that the others don't know."
    return f"{name} adds {_hundredths(figure.value)} % that the others don't explain."


def _joint(probe: Probe) -> str:
    if not probe.has_joint:
        return "No sign that combinations of the inputs hold more than the inputs side by side."
    unit = "of 100 more are right" if probe.kind == "classes" else "% more is explained"
    pairs = listed([" with ".join(pair) for pair in probe.joint_pairs])
    return f"In combination {_hundredths(probe.joint.value)} {unit}: {pairs}."
