"""Answers of regressions to rows that they were not fitted on: by these the best is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmstudio.combining.material import Known
from mmstudio.combining.ridge import STRENGTHS, Array, Ridge, Turned, folds_of

MOST_FOLDED = 3000
"""Training rows that are also answered out of fold, where there are no more."""
FOLDS = 5
LEAST_EVIDENCE = 8
"""Validation rows; with fewer the answers out of fold count too, whatever they are like."""


class Turns:
    """Coordinates, turned once for all targets that are known of the same rows."""

    def __init__(self, rows: Array) -> None:
        self._rows = rows
        self._found: dict[bytes, Turned] = {}

    def of(self, some: np.ndarray) -> Turned:
        """Those of ``(n,)`` bool rows."""
        key = some.tobytes()
        if key not in self._found:
            self._found[key] = Turned(self._rows[some])
        return self._found[key]


@dataclass(frozen=True)
class Evidence:
    """What regressions of all strengths answer to rows that they were not fitted on.

    ``errors (strengths,)`` are mean squares as shares of the values' own variance; ``rows`` and
    ``answers`` per strength are those that count as evidence.
    """

    errors: np.ndarray
    rows: np.ndarray
    answers: list[Array]
    ridge: Ridge


def evidence_of(
    known: Known, trained: np.ndarray, others: np.ndarray, inside: Turns, outside: Array,
    origins: np.ndarray | None = None,
) -> Evidence:
    """Of one target: answers to the validation rows, and those out of fold where both agree.

    They don't agree where training rows resemble each other more than those of the validation,
    such as recordings of one speaker.
    """
    learnt, asked = known.known[trained], known.known[others]
    rows_in, rows_out = trained[learnt], others[asked]
    ridge = Ridge(inside.of(learnt), known.values[rows_in])
    usual = max(float(known.values[rows_in].var(axis=0).sum()), 1e-9)
    answers = [outside[asked] @ ridge.weights(s) + ridge.mean for s in STRENGTHS]
    rows, errors = rows_out, _errors(answers, known.values[rows_out], usual)
    if 3 < len(rows_in) <= MOST_FOLDED:
        folds = folds_of(len(rows_in), FOLDS, None if origins is None else origins[rows_in])
        own = np.ones(len(rows_in), bool) if origins is None else origins[rows_in] == rows_in
        inner = [ridge.out_of_fold(s, folds)[own] for s in STRENGTHS]
        rows_in = rows_in[own]
        inner_errors = _errors(inner, known.values[rows_in], usual)
        few = len(rows_out) < LEAST_EVIDENCE
        best = int(np.argmin((inner_errors if few else errors).mean(axis=1)))
        if few or _agree(inner_errors[best], errors[best]):
            rows = np.concatenate([rows_in, rows_out])
            errors = np.concatenate([inner_errors, errors], axis=1)
            answers = [np.concatenate(both) for both in zip(inner, answers, strict=True)]
    if not len(rows):
        return Evidence(np.ones(len(STRENGTHS)), rows, answers, ridge)
    return Evidence(errors.mean(axis=1), rows, answers, ridge)


def _errors(answers: Sequence[Array], truth: np.ndarray, usual: float) -> np.ndarray:
    """``(strengths, n)`` squared errors."""
    return np.stack([np.square(a - truth).sum(axis=1) / usual for a in answers])


def _agree(some: np.ndarray, others: np.ndarray) -> bool:
    """Whether two means differ by no more than chance."""
    deviation = np.sqrt(some.var() / len(some) + others.var() / len(others))
    return bool(abs(some.mean() - others.mean()) <= 2 * deviation)
