"""What would have to change for another answer: inputs, words or places that must be gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch

from mmstudio.explanation.asked import Asked
from mmstudio.tasks.base import Answer

MOST_GONE = 0.6
"""Of an input's pieces: what is left of one with more hidden is hardly that sample."""
MOST_INPUTS = 6
"""Inputs of which every subset is left out in turn; of more, single ones and pairs."""
MOST_PAIRED = 40
"""Inputs of which every pair is; of more, single ones only."""
MOST_PRUNED = 32
"""Of so many pieces it is tried which ones can stay."""


@dataclass(frozen=True)
class Turn:
    """What turns an answer when it is gone, found by asking the model.

    Attributes:
        inputs: The inputs that are left out whole; or the one whose ``pieces`` are hidden.
        pieces: Names of the hidden pieces; empty where whole inputs are.
        places: Their places among the flattened pieces.
        after: The answer then.
    """

    inputs: tuple[str, ...]
    pieces: tuple[str, ...]
    places: tuple[int, ...]
    after: Answer

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it."""
        data: dict[str, Any] = {"inputs": list(self.inputs), "answer": self.after.to_json()}
        return data | ({"pieces": list(self.pieces), "places": list(self.places)}
                       if self.pieces else {})


def is_turned(before: Answer, after: Answer) -> bool:
    """Whether an answer is another one; a number, where it moved by more than its usual error."""
    if before.value is not None and after.value is not None:
        return before.usual_error is not None and (
            abs(after.value - before.value) > before.usual_error)
    if before.labels is not None:
        return set(before.labels) != set(after.labels or ())
    return before.label != after.label


def turn_by_inputs(asked: Asked, task: str) -> Turn | None:
    """The fewest inputs without which the answer is another one; of as many, those it needs most.

    At least one input stays: an answer from nothing is none. Of more than ``MOST_INPUTS`` inputs
    one or two are left out, no more: the subsets would be too many.
    """
    names = list(asked.present)
    if len(names) < 2:
        return None
    before = asked.answers(task, asked.outputs[task])[0]
    at = [asked.model.names.index(name) for name in names]
    away = _left_out(len(names))
    present = asked.there.repeat(len(away), 1)
    for row, some in enumerate(away):
        present[row, [at[i] for i in some]] = False
    outputs = asked.of_subsets(task, present)
    found = [(len(some), row) for row, (some, after) in
             enumerate(zip(away, asked.answers(task, outputs, present), strict=True))
             if is_turned(before, after)]
    if not found:
        return None
    fewest = min(found)[0]
    sizes = _distance(asked, task, outputs)
    row = max((row for count, row in found if count == fewest), key=lambda r: sizes[r])
    return Turn(tuple(names[i] for i in away[row]), (), (),
                asked.answers(task, outputs[row : row + 1], present[row : row + 1])[0])


def _left_out(count: int) -> list[tuple[int, ...]]:
    """Which inputs are left out together, the fewest first."""
    most = count - 1 if count <= MOST_INPUTS else 2 if count <= MOST_PAIRED else 1
    return [some for size in range(1, most + 1) for some in combinations(range(count), size)]


def turn_by_pieces(asked: Asked, task: str, name: str, weights: np.ndarray) -> Turn | None:
    """The fewest pieces of one input that were found without which the answer is another one.

    Greedy: hidden one after the other, those that speak most for the answer first, until it
    turns; then each of them is shown again where that keeps it turned. There may be fewer.

    Args:
        asked: The sample.
        task: Whose answer.
        name: The input.
        weights: Per piece how much it speaks for the answer.
    """
    pieces = asked.pieces(name)
    flat = weights.ravel()
    if pieces is None or not len(flat):
        return None
    before = asked.answers(task, asked.outputs[task])[0]
    order = [int(i) for i in np.argsort(-flat, kind="stable") if flat[i] > 0]
    order = order[: max(1, int(MOST_GONE * len(flat)))]
    if not order:
        return None
    after = _answers(asked, task, name, [order[: n + 1] for n in range(len(order))])
    first = next((n for n, answer in enumerate(after) if is_turned(before, answer)), None)
    if first is None:
        return None
    gone, answer = order[: first + 1], after[first]
    if len(gone) <= MOST_PRUNED:
        gone, answer = _pruned(asked, task, name, gone, before, answer)
    names = pieces.names()
    places = tuple(sorted(gone))
    return Turn((name,), tuple(names[i] for i in places), places, answer)


def _pruned(
    asked: Asked, task: str, name: str, gone: list[int], before: Answer, answer: Answer
) -> tuple[list[int], Answer]:
    """Without those that need not be hidden, the ones that speak least for the answer first."""
    for place in reversed(gone[:-1]):
        fewer = [i for i in gone if i != place]
        found = _answers(asked, task, name, [fewer])[0]
        if is_turned(before, found):
            gone, answer = fewer, found
    return gone, answer


def _answers(
    asked: Asked, task: str, name: str, each: Sequence[Sequence[int]]
) -> list[Answer]:
    pieces = asked.pieces(name)
    shape = () if pieces is None else pieces.shape
    gone = np.zeros((len(each), int(np.prod(shape))), dtype=bool)
    for row, places in zip(gone, each, strict=True):
        row[list(places)] = True
    outputs = asked.without(name, gone.reshape(len(each), *shape))
    return asked.answers(task, outputs[task])


def _distance(asked: Asked, task: str, outputs: torch.Tensor) -> Mapping[int, float]:
    """How far each row's outputs are from the sample's."""
    apart = (outputs.float() - asked.outputs[task].float()).flatten(1).norm(dim=1)
    return dict(enumerate(apart.tolist()))
