"""Recall: how often the right content of another input is among the nearest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

RANKS = (1, 5, 10)
"""Recall is told at these."""
MOST_NUMBERS = 2 ** 24
"""How many cosines are held at once."""
TIED = 1e-6
"""Cosines nearer than this are equal: which of them comes first is rounding."""


@dataclass(frozen=True)
class Retrieval:
    """How well one input finds another one.

    Every row that has both inputs asks with its content of ``source``. Candidates are the
    contents of ``target`` in these rows, each of them once however many rows hold it; right are
    all those that stand in a row beside the content that asks. Where cosines tie, the recall is
    what it would be on average over all orders: a model that gives the same to all gets chance.

    Attributes:
        source: The input that asks.
        target: The input that is searched.
        rows: How many rows ask.
        candidates: How many different contents are searched.
        recall: Per k of ``RANKS`` the share of the rows with a right one among the k nearest.
        chance: The same for an order that is drawn.
    """

    source: str
    target: str
    rows: int
    candidates: int
    recall: dict[int, float]
    chance: dict[int, float]

    def to_json(self) -> dict[str, Any]:
        """Plain data: ``from``, ``to``, ``rows``, ``candidates``, ``recall@1``, ``chance@1`` …."""
        return {
            "from": self.source, "to": self.target, "rows": self.rows,
            "candidates": self.candidates,
            **{f"recall@{k}": v for k, v in self.recall.items()},
            **{f"chance@{k}": v for k, v in self.chance.items()},
        }


def retrieval(
    names: Sequence[str], embeddings: np.ndarray, present: np.ndarray, contents: np.ndarray
) -> list[Retrieval]:
    """Recall of every ordered pair of inputs; a pair that no row has both of is left out.

    Args:
        names: The M inputs.
        embeddings: ``(N, M, W)`` float32 of length 1.
        present: ``(N, M)`` bool.
        contents: ``(N, M)`` numbers; equal ones stand for equal content of an input.
    """
    found = []
    for i, source in enumerate(names):
        for j, target in enumerate(names):
            rows = np.flatnonzero(present[:, i] & present[:, j])
            if i == j or not len(rows):
                continue
            asking, at, asked_by = np.unique(
                contents[rows, i], return_index=True, return_inverse=True)
            wanted, first, answer = np.unique(
                contents[rows, j], return_index=True, return_inverse=True)
            counts = np.bincount(asked_by)
            above, tied, right, all_right = _ranked(
                embeddings[rows[at], i], embeddings[rows[first], j], asked_by, answer)
            nothing = np.zeros(len(asking))
            found.append(Retrieval(
                source, target, len(rows), len(wanted),
                {k: _mean(_hits(k, above, tied, right), counts) for k in RANKS},
                {k: _mean(_hits(k, nothing, len(wanted) - all_right, all_right), counts)
                 for k in RANKS}))
    return found


def mean_recall(found: Sequence[Retrieval]) -> float:
    """The mean over all pairs and ranks; nan where there is no pair."""
    values = [v for one in found for v in one.recall.values()]
    return float(np.mean(values)) if values else float("nan")


def _ranked(
    queries: np.ndarray, candidates: np.ndarray, asked_by: np.ndarray, answer: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Where each query's nearest right candidate stands.

    Args:
        queries: ``(Q, W)``.
        candidates: ``(K, W)``.
        asked_by: ``(N,)`` each row's query.
        answer: ``(N,)`` each row's candidate: the right one, or one of them.

    Returns:
        ``(Q,)`` each: how many wrong ones are nearer; how many wrong and how many right ones tie
        with it, itself among them; how many right ones there are.
    """
    pairs = np.unique(np.stack([asked_by, answer], axis=1), axis=0)
    size = max(1, MOST_NUMBERS // len(candidates))
    parts = []
    for begin in range(0, len(queries), size):
        cosines = queries[begin:begin + size] @ candidates.T
        these = pairs[(pairs[:, 0] >= begin) & (pairs[:, 0] < begin + size)]
        # sorted by the query, and every query has a right one: its pairs begin at its first
        asking = these[:, 0] - begin
        starts = np.flatnonzero(np.diff(asking, prepend=-1))
        right = cosines[asking, these[:, 1]]
        best = np.maximum.reduceat(right, starts)
        above = (cosines > best[:, None] + TIED).sum(axis=1)
        tied = (cosines >= best[:, None] - TIED).sum(axis=1) - above
        tied_right = np.add.reduceat((right >= best[asking] - TIED).astype(np.int64), starts)
        parts.append(np.stack([above, tied - tied_right, tied_right, np.bincount(asking)]))
    above, tied_wrong, tied_right, all_right = np.concatenate(parts, axis=1)
    return above, tied_wrong, tied_right, all_right


def _hits(k: int, above: np.ndarray, tied: np.ndarray, right: np.ndarray) -> np.ndarray:
    """``(Q,)`` how probable a right one is among the first k, over all orders of those that tie.

    ``1 - C(tied, m) / C(tied + right, m)`` with ``m = k - above`` places left for them.
    """
    missed = np.ones(len(above))
    for place in range(k):
        left = above + place < k
        share = np.maximum(0, tied - place) / np.maximum(1, tied + right - place)
        missed = np.where(left, missed * share, missed)
    return np.where(above < k, 1 - missed, 0.0)


def _mean(values: np.ndarray, counts: np.ndarray) -> float:
    return float((values * counts).sum() / counts.sum())
