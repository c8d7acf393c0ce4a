"""What a list of samples says of each row: the answers, how sure, how wrong, how far apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations

import numpy as np

from mmstudio.evaluation.scores import CLASSIFICATION, MULTILABEL, REGRESSION, Scores, TaskScores

BLOCK = 1 << 22
"""Numbers that are worked on at once, so that a thousand labels of many rows fit the memory."""
MOST_MIXUPS = 30


@dataclass(frozen=True)
class Cell:
    """A cell of a confusion matrix.

    Attributes:
        at: The subset's place in ``Scores.subsets``.
        truth: The class that is true; None for any. Of a label set's label: 1 where it applies.
        answer: The class that was answered; None for any, likewise.
        label: The label that the cell is of, of label sets.
    """

    at: int = 0
    truth: int | None = None
    answer: int | None = None
    label: int = 0


@dataclass(frozen=True)
class RowFacts:
    """One target's rows, told one by one. What is asked for is worked out once.

    Attributes:
        scores: All answers.
        name: The target.
    """

    scores: Scores
    name: str
    _kept: dict[tuple[str, int, int], np.ndarray] = field(default_factory=dict, repr=False)

    @property
    def task(self) -> TaskScores:
        """The target's answers."""
        return self.scores.tasks[self.name]

    @cached_property
    def alone(self) -> dict[str, int]:
        """Per input the place of the subset that holds it alone, where that was answered."""
        single = self.scores.subsets.sum(axis=1) == 1
        return {self.scores.inputs[int(self.scores.subsets[at].argmax())]: int(at)
                for at in np.flatnonzero(single)}

    def answers(self, at: int) -> np.ndarray:
        """``(N,)`` class numbers or numbers, ``(N, C)`` bool label sets."""
        return self._once("answers", at, 0, lambda: self.task.answers(at))

    def confidence(self, at: int, label: int = 0) -> np.ndarray:
        """``(N,)`` float32: the answer's probability; that of the label itself, of label sets."""
        def work() -> np.ndarray:
            if self.task.kind == CLASSIFICATION:
                return self._blocks(at, lambda p, _: p.max(axis=1))
            if self.task.kind == MULTILABEL:
                return self._blocks(at, lambda p, _: p[:, label])
            return np.full(len(self.scores), np.nan, np.float32)
        return self._once("confidence", at, label, work)

    def probability(self, at: int, label: int) -> np.ndarray:
        """``(N,)`` float32: the probability of one class or label."""
        return self._blocks(at, lambda p, _: p[:, label])

    def wrongness(self, at: int, label: int = 0) -> np.ndarray:
        """``(N,)`` float32, how wrong the answer is; nan where the label is unknown.

        1 less the probability of what is true; of a number, how far it lies off.
        """
        task = self.task

        def work() -> np.ndarray:
            if task.kind == REGRESSION:
                found = np.abs(task.answers(at) - task.values).astype(np.float32)
            elif task.kind == MULTILABEL:
                found = np.abs(self.confidence(at, label) - task.values[:, label])
            else:
                # what training never saw has no probability at all
                found = self._blocks(at, lambda p, r: 1 - np.where(
                    task.values[r] < p.shape[1],
                    p[np.arange(len(p)), np.minimum(task.values[r], p.shape[1] - 1)], 0.0))
            return np.where(task.known, found, np.nan).astype(np.float32)
        return self._once("wrongness", at, label, work)

    def is_wrong(self, at: int) -> np.ndarray:
        """``(N,)`` bool: the label is known, and the answer is another; none of a number."""
        task = self.task
        if task.kind == REGRESSION:
            return np.zeros(len(self.scores), bool)
        wrong = self.answers(at) != task.values
        return np.asarray((wrong.any(axis=1) if wrong.ndim == 2 else wrong) & task.known)

    def apart(self, label: int = 0) -> np.ndarray:
        """``(N,)`` float32: how far the inputs' own answers lie apart, at most over all pairs.

        Half the sum of the probabilities' differences: 0 where they agree, 1 where no label is
        possible to both. Of a label, and of a number, the difference itself. nan where fewer than
        two inputs are there.
        """
        def work() -> np.ndarray:
            found = np.full(len(self.scores), np.nan, np.float32)
            for one, other in combinations(self.alone.values(), 2):
                both = self.scores.present & (self.scores.subsets[one] | self.scores.subsets[other])
                both = both.sum(axis=1) == 2
                found[both] = np.fmax(found[both], self._difference(one, other, label)[both])
            return found
        return self._once("apart", 0, label, work)

    def scores_of_row(self, at: int, place: int) -> np.ndarray:
        """``(C,)`` one row's probabilities."""
        share = _share if self.task.kind == CLASSIFICATION else _each
        return np.asarray(share(self.task.outputs[at][place : place + 1])[0])

    def confusion(self, at: int, label: int = 0) -> np.ndarray:
        """``(L, C)`` int64 counts: row is what is true, column what is answered.

        Only rows that have any of the subset's inputs. Of label sets ``(2, 2)`` of one label.
        """
        def work() -> np.ndarray:
            task = self.task
            rows = task.known & self.scores.counted(at)
            if task.kind == MULTILABEL:
                truth, answer = task.values[rows, label], self.answers(at)[rows, label]
                shape = (2, 2)
            else:
                truth, answer = task.values[rows], self.answers(at)[rows]
                shape = (len(task.labels), len(task.classes))
            counts = np.bincount(truth.astype(np.int64) * shape[1] + answer,
                                 minlength=shape[0] * shape[1])
            return counts.reshape(shape)
        return self._once("confusion", at, label, work)

    def mixups(self) -> np.ndarray:
        """``(n, 3)`` int64: what is true, what is answered, how often; of one label, all inputs.

        The largest `MOST_MIXUPS`, most frequent first. Found without the matrix, which may be
        larger than the rows.
        """
        def work() -> np.ndarray:
            task = self.task
            rows = np.flatnonzero(task.known & self.scores.counted(0) & self.is_wrong(0))
            truth, answer = task.values[rows].astype(np.int64), self.answers(0)[rows]
            cells, counts = np.unique(truth * len(task.classes) + answer, return_counts=True)
            order = np.argsort(-counts, kind="stable")[:MOST_MIXUPS]
            return np.stack([*np.divmod(cells[order], len(task.classes)), counts[order]], axis=1)
        return self._once("mixups", 0, 0, work)

    def rows_of(self, cell: Cell) -> np.ndarray:
        """``(n,)`` places in ``scores.rows`` of the rows that a cell counts."""
        task = self.task
        kept = self.scores.counted(cell.at)
        if task.kind == REGRESSION:
            return np.flatnonzero(kept)
        truth, answer = task.values, self.answers(cell.at)
        if task.kind == MULTILABEL:
            truth, answer = truth[:, cell.label], answer[:, cell.label]
        if cell.truth is not None:
            kept = kept & task.known & (truth == cell.truth)
        if cell.answer is not None:
            kept = kept & task.known & (answer == cell.answer)
        return np.flatnonzero(kept)

    def _difference(self, one: int, other: int, label: int) -> np.ndarray:
        task = self.task
        if task.kind == REGRESSION:
            return np.asarray(
                np.abs(task.answers(one) - task.answers(other)), np.float32)
        if task.kind == MULTILABEL:
            return np.asarray(
                np.abs(self.confidence(one, label) - self.confidence(other, label)))
        found = np.zeros(len(self.scores), np.float32)
        for part in self._parts():
            found[part] = np.abs(_share(task.outputs[one][part])
                                 - _share(task.outputs[other][part])).sum(axis=1) / 2
        return found

    def _parts(self) -> list[slice]:
        step = max(1, BLOCK // max(1, self.task.outputs.shape[-1]))
        return [slice(begin, begin + step) for begin in range(0, len(self.scores), step)]

    def _blocks(
        self, at: int, take: Callable[[np.ndarray, slice], np.ndarray]
    ) -> np.ndarray:
        """``(N,)`` float32 of each block's probabilities."""
        found = np.zeros(len(self.scores), np.float32)
        share = _share if self.task.kind == CLASSIFICATION else _each
        for part in self._parts():
            found[part] = take(share(self.task.outputs[at][part]), part)
        return found

    def _once(
        self, what: str, at: int, label: int, work: Callable[[], np.ndarray]
    ) -> np.ndarray:
        key = (what, at, label)
        if key not in self._kept:
            self._kept[key] = work()
        return self._kept[key]


def _share(logits: np.ndarray) -> np.ndarray:
    """``(B, C)`` logits to probabilities that sum to 1."""
    found = logits.astype(np.float64)
    found -= found.max(axis=1, keepdims=True)
    np.exp(found, out=found)
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def _each(logits: np.ndarray) -> np.ndarray:
    """``(B, C)`` logits to a probability each."""
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-logits.astype(np.float64))))
