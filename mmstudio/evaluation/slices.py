"""Groups of rows in which a model is worse than chance explains.

All groups are looked at together, so each is held against a level that is corrected for the many
(Holm 1979): of data in which no group is worse, one in twenty evaluations names any.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from mmstudio.data.table import Table
from mmstudio.evaluation.scores import CLASSIFICATION, MULTILABEL, REGRESSION, Scores, TaskScores
from mmstudio.numbers import read_numbers

LEVEL = 0.05
LEAST_ROWS = 10
"""Of a group."""
MOST_VALUES = 30
"""Of a column: with more, numbers are cut into thirds and words are left out."""
MOST_TRAITS = 40
"""By so many traits rows are grouped at most."""
MOST_SLICES = 10
LARGE_SHARE = 0.2
"""Where rows are not right or wrong, the worst fifth of the errors counts as wrong."""
LABEL = "label"
"""The trait of the rows' own label."""
_THIRDS = ("low", "middle", "high")


@dataclass(frozen=True)
class Slice:
    """A group of rows in which errors are frequent.

    Attributes:
        conditions: What its rows have in common: ``{"label": "7", "sound": "absent"}``.
        rows: How many they are.
        errors: How many of them are wrong; of a number, among the worst fifth of all.
        error_rate: The share.
        others: The share in all other rows.
        p_value: How probable so many are by chance, corrected for all groups looked at.
        places: ``(rows,)`` where they stand among the scores.
    """

    conditions: Mapping[str, str]
    rows: int
    errors: int
    error_rate: float
    others: float
    p_value: float
    places: np.ndarray

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it."""
        return {"conditions": dict(self.conditions), "rows": self.rows, "errors": self.errors,
                "error_rate": self.error_rate, "others": self.others, "p_value": self.p_value}


@dataclass(frozen=True)
class Trait:
    """What rows are grouped by.

    Attributes:
        name: Such as a column's.
        values: What there is of it.
        numbers: ``(N,)`` each row's place in ``values``, -1 where it has none.
        main: Rows are grouped by it and each other trait together, too. By any two of many, the
            groups would be too many to be told from chance.
    """

    name: str
    values: tuple[str, ...]
    numbers: np.ndarray
    main: bool = False

    def counts(self, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Per value how many rows have it, and how many of them are wrong."""
        return _counts(self.numbers, errors, len(self.values))


def worst_slices(
    errors: np.ndarray, traits: list[Trait], *, least: int = LEAST_ROWS, level: float = LEVEL
) -> list[Slice]:
    """The groups that are worse beyond chance, by one trait or two, the surest first.

    Each group's errors are held against those that as many rows drawn from all would have, by the
    hypergeometric distribution (Fisher's exact test, one-sided). One that is as bad as it is only
    by the rows that it shares with a surer one is not told.

    Args:
        errors: ``(N,)`` bool.
        traits: What to group by.
        least: The fewest rows of a group.
        level: How often any is to be told where there is none.
    """
    total = int(errors.sum())
    if not 0 < total < len(errors):
        return []
    traits = traits[:MOST_TRAITS]
    groups = list(_groups(errors, traits, least))
    if not groups:
        return []
    rows = np.array([g.rows for g in groups])
    wrong = np.array([g.errors for g in groups])
    chances = upper_tail(wrong, rows, total, len(errors))
    corrected = _holm(chances)
    sure = [at for at in np.argsort(chances, kind="stable") if corrected[at] <= level]
    told: list[Slice] = []
    for at in sure:
        group = groups[at]
        places = np.flatnonzero(_within(traits, group.conditions))
        if len(told) == MOST_SLICES:
            break
        if not _says_more(errors, places, told, level / len(sure), least):
            continue
        told.append(Slice(
            {traits[t].name: traits[t].values[v] for t, v in group.conditions}, group.rows,
            group.errors, group.errors / group.rows,
            (total - group.errors) / max(1, len(errors) - group.rows), float(corrected[at]),
            places))
    return told


def _says_more(
    errors: np.ndarray, places: np.ndarray, told: list[Slice], level: float, least: int
) -> bool:
    """Whether a group is worse than what is told already explains.

    By its rows that lie in no told group, held against all such rows; or, where it lies within a
    told one, by itself held against that.
    """
    if not told:
        return True
    rest = np.ones(len(errors), bool)
    for one in told:
        rest[one.places] = False
    own = places[rest[places]]
    if len(own) >= least:
        return _is_worse(errors, own, np.flatnonzero(rest), level)
    around = [one for one in told if np.isin(places, one.places, assume_unique=True).all()]
    return bool(around) and all(
        len(one.places) > len(places) and _is_worse(errors, places, one.places, level)
        for one in around)


def _is_worse(errors: np.ndarray, some: np.ndarray, every: np.ndarray, level: float) -> bool:
    chance = upper_tail(np.array([errors[some].sum()]), np.array([len(some)]),
                        int(errors[every].sum()), len(every))
    return bool(chance[0] <= level)


@dataclass(frozen=True)
class _Group:
    """Rows by the traits' and their values' places."""

    conditions: tuple[tuple[int, int], ...]
    rows: int
    errors: int


def _groups(errors: np.ndarray, traits: list[Trait], least: int) -> Iterator[_Group]:
    """All groups of enough rows, and not of all."""
    counts = [trait.counts(errors) for trait in traits]
    for t, (rows, wrong) in enumerate(counts):
        for v in np.flatnonzero((rows >= least) & (rows < len(errors))).tolist():
            yield _Group(((t, v),), int(rows[v]), int(wrong[v]))
    for (s, one), (t, other) in combinations(enumerate(traits), 2):
        if one.name == other.name or not (one.main or other.main):
            continue  # of one name are several labels of the same rows
        many = len(other.values)
        both = np.where((one.numbers >= 0) & (other.numbers >= 0),
                        one.numbers * many + other.numbers, -1)
        rows, wrong = _counts(both, errors, len(one.values) * many)
        for cell in np.flatnonzero(rows >= least).tolist():
            v, w = divmod(cell, many)
            if rows[cell] < min(counts[s][0][v], counts[t][0][w]):  # else it is one of these
                yield _Group(((s, v), (t, w)), int(rows[cell]), int(wrong[cell]))


def _counts(numbers: np.ndarray, errors: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    there = numbers >= 0
    return (np.bincount(numbers[there], minlength=most),
            np.bincount(numbers[there & errors], minlength=most))


def _within(traits: list[Trait], conditions: tuple[tuple[int, int], ...]) -> np.ndarray:
    return np.asarray(np.logical_and.reduce([traits[t].numbers == v for t, v in conditions]))


def upper_tail(wrong: np.ndarray, rows: np.ndarray, errors: int, total: int) -> np.ndarray:
    """``(G,)`` how probable it is that so many drawn rows hold as many errors, or more.

    Those that hold fewer than expected have 1.

    Args:
        wrong: ``(G,)`` errors among the rows.
        rows: ``(G,)`` how many rows are drawn.
        errors: Among all rows.
        total: All rows.
    """
    from scipy.special import gammaln

    logs = gammaln(np.arange(total + 2) + 1.0)  # of factorials

    def choose(n: np.ndarray | int, k: np.ndarray) -> np.ndarray:
        return np.asarray(logs[n] - logs[k] - logs[n - k])

    expected = rows * (errors / total)
    spread = np.sqrt(expected) + 1
    found = np.ones(len(rows))
    for at in np.flatnonzero(wrong > expected):
        count, drawn = int(wrong[at]), int(rows[at])
        # what comes later adds nothing: from here on the chances fall ever faster
        most = min(drawn, errors, count + int(12 * spread[at]) + 60)
        held = np.arange(max(count, drawn - (total - errors)), most + 1)
        chances = (choose(errors, held) + choose(total - errors, drawn - held)
                   - choose(total, np.array([drawn])))
        found[at] = min(1.0, float(np.exp(chances).sum()))
    return found


def _holm(p_values: np.ndarray) -> np.ndarray:
    """The p-values, corrected for as many as they are."""
    order = np.argsort(p_values, kind="stable")
    steps = p_values[order] * (len(p_values) - np.arange(len(p_values)))
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected


def errors_of(task: TaskScores, at: int) -> np.ndarray:
    """``(N,)`` bool, which rows are wrong; of unknown labels none is.

    Of label sets and numbers, the worst fifth: by the share of labels that are right, and by the
    distance.
    """
    if task.kind == CLASSIFICATION:
        return np.asarray((task.answers(at) != task.values) & task.known)
    if task.kind == MULTILABEL:
        sizes = (task.answers(at) != task.values.astype(bool)).mean(axis=1)
    else:
        sizes = np.abs(task.answers(at) - task.values)
    known = sizes[task.known]
    if not len(known):
        return np.zeros(len(sizes), bool)
    limit = np.quantile(known, 1 - LARGE_SHARE, method="higher")
    return np.asarray((sizes >= limit if limit > known.min() else sizes > limit) & task.known)


def slices_of(scores: Scores, name: str, table: Table, at: int = 0) -> list[Slice]:
    """The slices of a target's answers.

    Args:
        scores: The run's.
        name: The target.
        table: The table that ``scores.rows`` are of, for its columns.
        at: The subset of the inputs that answers.
    """
    task = scores.tasks[name]
    rows = np.flatnonzero(task.known)
    if task.kind not in (CLASSIFICATION, MULTILABEL, REGRESSION) or len(rows) < 2 * LEAST_ROWS:
        return []
    found = worst_slices(errors_of(task, at)[rows], list(traits_of(scores, name, table, rows)))
    return [Slice(s.conditions, s.rows, s.errors, s.error_rate, s.others, s.p_value,
                  rows[s.places]) for s in found]


def traits_of(scores: Scores, name: str, table: Table, rows: np.ndarray) -> Iterator[Trait]:
    """What some rows can be grouped by: label, absent inputs, columns, and traits of the content.

    Args:
        scores: The run's.
        name: The target.
        table: The table that ``scores.rows`` are of.
        rows: ``(n,)`` places among the scores.
    """
    task = scores.tasks[name]
    if task.kind == CLASSIFICATION:
        yield Trait(LABEL, task.labels, task.values[rows], True)
    elif task.kind == MULTILABEL:
        for c, label in enumerate(task.classes):
            yield Trait(LABEL, (label,), np.where(task.values[rows, c] > 0, 0, -1),
                        True)
    else:
        yield from _thirds(LABEL, task.values[rows])
    for i, one in enumerate(scores.inputs):
        there = scores.present[rows, i]
        if not there.all():
            yield Trait(one, ("absent", "present"), there.astype(np.int64), True)
    for trait, values in scores.traits.items():
        yield from _thirds(trait, values[rows].astype(np.float64))
    cells = table.frame[scores.rows[rows].tolist()]
    for column in cells.columns:
        if column not in (name, LABEL) and column not in scores.inputs:
            yield from _of_column(column, cells[column])


def _of_column(name: str, cells: pl.Series) -> Iterator[Trait]:
    values = cells.drop_nulls().unique().sort()
    if 1 < len(values) <= MOST_VALUES or (len(values) == 1 and cells.null_count()):
        numbers = dict(zip(values.to_list(), range(len(values)), strict=True))
        told = (*values.to_list(), "(empty)")
        yield Trait(name, told, np.array([numbers.get(c, len(values)) for c in cells.to_list()]))
    elif len(values) > MOST_VALUES:
        read = read_numbers(cells)
        if read.usual:
            yield from _thirds(name, np.asarray(read.values, np.float64))


def _thirds(name: str, values: np.ndarray) -> Iterator[Trait]:
    """Numbers in three parts of about as many rows each; nan has none."""
    there = np.isfinite(values)
    cuts = np.unique(np.quantile(values[there], [1 / 3, 2 / 3])) if there.any() else np.zeros(0)
    # where values repeat, a cut at the lowest would leave its part empty
    cuts = cuts[cuts < values[there].max(initial=-np.inf)]
    if not len(cuts):
        return
    words = _THIRDS if len(cuts) == 2 else (_THIRDS[0], _THIRDS[2])
    low = (f"up to {cuts[0]:.3g}", f"above {cuts[-1]:.3g}")
    told = {"low": low[0], "middle": f"{cuts[0]:.3g} to {cuts[-1]:.3g}", "high": low[1]}
    numbers = np.where(there, np.searchsorted(cuts, values), -1)
    yield Trait(name, tuple(told[w] for w in words), numbers)
