"""The kind of information: what two inputs both tell, what each tells alone, what only both tell.

Partial information (Williams and Beer 2010) in the measure of Bertschinger et al. 2014,
"Quantifying Unique Information", which Liang et al. 2023, "Quantifying & Modeling Multimodal
Interactions", take for multimodal data. What is synergy and what is unique depends on all joint
distributions that have the same pairs (X1, Y) and (X2, Y): of these the one is sought in which both
inputs together tell the least. It is found here by alternating projections, which come to the
minimum as both sets are convex (Csiszár and Tusnády 1984).

Liang et al. estimate it of features, by clustering them or by a network. Here X1 and X2 are what
the model answers from each input alone, so it is the information that this model makes use of: less
than there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from mmstudio.evaluation.scores import CLASSIFICATION, MULTILABEL, Scores

MOST_KINDS = 12
"""Labels that are told apart; of more, the rarest are taken together."""
NUMBER_BINS = 4
FEWEST = 50
"""Rows below which nothing is told."""
STEPS, SCALINGS = 3000, 30
ENOUGH = 1e-7
"""Bits by which a step must still change something."""
DRAWS = 20


@dataclass(frozen=True)
class Parts:
    """Information in bits; the four add up to what both inputs tell of the label.

    Attributes:
        shared: What either tells.
        first: What only the first tells.
        second: What only the second tells.
        together: What neither tells alone: synergy.
    """

    shared: float
    first: float
    second: float
    together: float

    @property
    def total(self) -> float:
        """What both tell."""
        return self.shared + self.first + self.second + self.together


def mutual_information(joint: np.ndarray) -> float:
    """In bits, of ``(a, b)`` probabilities."""
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    there = joint > 0
    return float((joint[there] * np.log2(joint[there] / apart[there])).sum())


def parts_of(joint: np.ndarray) -> Parts:
    """The parts of ``(X1, X2, Y)`` probabilities or counts ``(a, b, y)``."""
    p = joint.astype(np.float64)
    p = p[:, :, p.sum(axis=(0, 1)) > 0]
    p = p / p.sum()
    labels = p.shape[2]
    first = mutual_information(p.sum(axis=1))
    second = mutual_information(p.sum(axis=0))
    both = mutual_information(p.reshape(-1, labels))
    least = min(both, mutual_information(_least_telling(p).reshape(-1, labels)))
    # at least what the better input tells; the rest is rounding
    least = max(least, first, second)
    return Parts(first + second - least, least - second, least - first, both - least)


def _least_telling(p: np.ndarray) -> np.ndarray:
    """The joint distribution with the same pairs in which X1 and X2 tell the least of Y."""
    weights = p.sum(axis=(0, 1))  # (y,)
    one = p.sum(axis=1) / weights  # (a, y): X1 given Y
    other = p.sum(axis=0) / weights  # (b, y)
    centre = np.einsum("ay,by,y->ab", one, other, weights)
    before = np.inf
    found = p
    for _ in range(STEPS):
        given = _projected(centre, one, other)
        centre = (given * weights).sum(axis=2)
        found = given * weights
        told = mutual_information(found.reshape(-1, len(weights)))
        if before - told < ENOUGH:
            break
        before = told
    return found


def _projected(centre: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Per label the couplings ``(a, b, y)`` of both that lie nearest to ``centre (a, b)``."""
    found = np.repeat(centre[:, :, None], one.shape[1], axis=2)
    for _ in range(SCALINGS):
        rows = found.sum(axis=1)
        found *= np.divide(one, rows, out=np.zeros_like(one), where=rows > 0)[:, None]
        columns = found.sum(axis=0)
        found *= np.divide(other, columns, out=np.zeros_like(other), where=columns > 0)[None]
    return found


def information_dict(scores: Scores, name: str) -> list[dict[str, Any]]:
    """Per pair of inputs the parts of what the answers from each alone tell of a target.

    ``by_chance`` are the bits that both would seem to tell of labels that are drawn: what is not
    well above says nothing. ``right`` are the shares of rows that are answered rightly from either
    alone, from the first only, from the second only, and only from the two together.

    Args:
        scores: A run's answers.
        name: The target. Of label sets, or with few rows, nothing is told; nor of a pair whose
            inputs did not answer alone.
    """
    task = scores.tasks[name]
    found: list[dict[str, Any]] = []
    if task.kind == MULTILABEL:
        return []
    for pair in combinations(scores.inputs, 2):
        if not all(_answered(scores, [one]) for one in pair):
            continue  # of many rows not all subsets' answers can be held
        places = [scores.at([one]) for one in pair]
        rows = task.seen & scores.whole(places[0]) & scores.whole(places[1])
        if rows.sum() < FEWEST:
            continue
        values, *answers = (each[rows] for each in (task.values, *map(task.answers, places)))
        kinds = [_kinds(each, values, task.kind == CLASSIFICATION) for each in (*answers, values)]
        joint = _counts(*kinds)
        parts = parts_of(joint)
        told: dict[str, Any] = {
            "inputs": list(pair), "rows": int(rows.sum()), "shared": parts.shared,
            "unique": {pair[0]: parts.first, pair[1]: parts.second},
            "synergy": parts.together, "by_chance": _by_chance(*kinds)}
        if task.kind == CLASSIFICATION and _answered(scores, pair):
            told["right"] = _right(scores, name, pair, rows)
        found.append(told)
    return found


def _answered(scores: Scores, subset: Sequence[str]) -> bool:
    """Whether there are answers from just these inputs."""
    return bool((scores.subsets == np.isin(scores.inputs, subset)).all(axis=1).any())


def _kinds(values: np.ndarray, truth: np.ndarray, classes: bool) -> np.ndarray:
    """``(n,)`` what is told apart: frequent labels, or quarters of numbers."""
    if not classes:
        edges = np.quantile(values, np.arange(1, NUMBER_BINS) / NUMBER_BINS)
        return np.asarray(np.searchsorted(edges, values, side="right"))
    labels, counts = np.unique(truth, return_counts=True)
    common = labels[np.argsort(-counts, kind="stable")[:MOST_KINDS]]
    place = np.full(int(max(labels.max(), values.max())) + 1, len(common))
    place[common] = np.arange(len(common))
    return np.asarray(place[values])


def _counts(first: np.ndarray, second: np.ndarray, labels: np.ndarray) -> np.ndarray:
    counts = np.zeros((first.max() + 1, second.max() + 1, labels.max() + 1))
    np.add.at(counts, (first, second, labels), 1)
    return counts


def _by_chance(first: np.ndarray, second: np.ndarray, labels: np.ndarray) -> float:
    chance = np.random.default_rng(0)
    found = []
    for _ in range(DRAWS):
        joint = _counts(first, second, chance.permutation(labels))
        found.append(mutual_information(joint.reshape(-1, joint.shape[2]) / len(labels)))
    return float(np.mean(found))


def _right(
    scores: Scores, name: str, pair: tuple[str, ...], rows: np.ndarray
) -> dict[str, float]:
    """The shares of rows by which inputs give the right answer."""
    task = scores.tasks[name]
    one, other, both = ((task.answers(scores.at(subset)) == task.values)[rows]
                        for subset in ([pair[0]], [pair[1]], list(pair)))
    return {"either": float((one & other).mean()), f"only {pair[0]}": float((one & ~other).mean()),
            f"only {pair[1]}": float((~one & other).mean()),
            "only together": float((~one & ~other & both).mean())}
