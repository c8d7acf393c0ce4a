"""Drift: do new rows look like those that a run learned from, and which of them do not?

New rows are compared with the rows of validation and test, which come from where the training rows
come from and which the model has not learnt: its own training rows lie closer together than any
others. Each input is compared by itself, and all together as the model brings them together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mmstudio.data.prepare import Dataset, Progress, prepared
from mmstudio.data.table import Table, read_table
from mmstudio.errors import UserError
from mmstudio.evaluation.neighbours import nearest_neighbours
from mmstudio.evaluation.representation import Represented, represented
from mmstudio.evaluation.two_samples import FEWEST, two_sample_test
from mmstudio.inference.predictor import Predictor

LEVEL = 0.05
"""Of all tests together: so often rows that have not drifted are said to have."""
MOST_ROWS = 2000
"""Rows of either kind that are compared; of more, so many are drawn."""
ODD_LEVEL = 0.01
"""A row stands out where one of a hundred known rows, or fewer, lies as far off in any view."""
ODD_TIMES = 2.0
"""Or where it lies further off than all known rows, and this many times the usual distance."""
NEIGHBOURS = 5
ENOUGH = 50
"""Held-out rows from which on they are compared with; below, the training rows are."""


@dataclass(frozen=True)
class ViewDrift:
    """How one input's rows, or all inputs' together, have drifted.

    Attributes:
        input: Its name; empty for all together.
        auc: How well new rows are told from known ones: 0.5 not at all, 1 wholly.
        p_value: How often rows that have not drifted are told apart as well.
        drifted: Whether that is so beyond chance, however many inputs there are (Holm).
        known_rows: Known rows that have it; ``new_rows`` likewise.
        new_rows: See ``known_rows``.
        absent_known: The share of known rows that lack it; ``absent_new`` likewise.
        absent_new: See ``absent_known``.
    """

    input: str
    auc: float | None
    p_value: float | None
    drifted: bool
    known_rows: int
    new_rows: int
    absent_known: float
    absent_new: float


@dataclass(frozen=True)
class OddRow:
    """A new row that lies further from the known ones than these do from each other.

    Attributes:
        row: Its number in the new table, from 0.
        share: Of known rows that lie as far from the others, in the input that is oddest; a row
            like the known ones has any share with equal chance.
        times: How many times the usual distance it lies off, there.
        input: The input that is oddest; empty for all together.
        shares: Per input, all together under the empty name, the share.
        least: What the share can't be less than, as no more rows are known.
    """

    row: int
    share: float
    times: float
    input: str
    shares: dict[str, float] = field(default_factory=dict)
    least: float = 0.0

    @property
    def stands_out(self) -> bool:
        """Whether it is beyond what some row of a few hundred like the known ones would be.

        Among few known rows no share is small enough to say so; there it must lie much further
        off than they all do.
        """
        if self.share * len(self.shares) <= ODD_LEVEL:
            return True
        return self.share <= self.least and self.times >= ODD_TIMES

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it."""
        return {"row": self.row, "share": self.share, "times": self.times, "input": self.input,
                "shares": self.shares}


@dataclass(frozen=True)
class Drift:
    """What a run says of new rows.

    Attributes:
        compared: The splits whose rows they are compared with.
        views: All inputs together first, then each.
        rows: The new rows, the oddest first.
        warnings: What people should know of the figures, as sentences.
    """

    compared: tuple[str, ...]
    views: list[ViewDrift]
    rows: list[OddRow]
    warnings: tuple[str, ...] = ()

    @property
    def drifted(self) -> bool:
        """Whether anything has drifted beyond chance."""
        return any(view.drifted for view in self.views)

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it."""
        return {"drifted": self.drifted, "compared_with": list(self.compared),
                "views": [vars(view) for view in self.views],
                "rows": [row.to_json() for row in self.rows], "warnings": list(self.warnings)}


def drift(run: Path, table: Path | Table, device: str = "auto") -> Iterator[Progress | Drift]:
    """Compare a table's rows with those that a run learned from.

    Args:
        run: The run folder, in a project's ``runs``.
        table: The new rows, or where they lie; labels are not looked at. Of more than
            ``MOST_ROWS`` so many are drawn.
        device: As in ``training.device``.

    Yields:
        Progress, last what was found.

    Raises:
        UserError: No such run or table, or too few rows to compare.
    """
    predictor = Predictor(run, device)
    whole = table if isinstance(table, Table) else read_table(table)
    places = _drawn(np.arange(len(whole)))  # before any is decoded
    other = whole if len(places) == len(whole) else whole.with_frame(whole.frame[places])
    folder = predictor.run.path.resolve().parent.parent
    known = yield from prepared(predictor.experiment, folder, schema=predictor.schema)
    known = predictor.with_features(known)
    new = yield from prepared(predictor.experiment, folder, schema=predictor.schema,
                              table=other, splits=np.full(len(other), "test"))
    rows = np.flatnonzero(new.input_counts > 0)
    if len(rows) < FEWEST:
        raise UserError(f"{whole.path} has {len(rows)} rows with an input; {FEWEST} are needed to "
                        "say whether they look alike.", "Give a longer table.")
    splits = _compared(known)
    warnings = [] if "train" not in splits else [
        "There are too few validation and test rows: the new rows are compared with the training "
        "rows, which the model knows; a slight drift may be of that alone."]
    held = np.concatenate([known.labelled_rows(split) for split in splits])
    media = [n for n, m in predictor.model.modalities.items() if m.alike is not None]
    held = _without_copies(known, held, new, rows, media)
    if len(held) < FEWEST:
        raise UserError("The run's data has too few rows that are not in the new table.",
                        "Give rows that the project does not hold.")
    both: list[Represented] = []
    for dataset, some in ((known, _drawn(held)), (new, rows)):
        for step in represented(predictor, dataset, some):
            if isinstance(step, Represented):
                both.append(step)
            else:
                yield step
    yield Progress("Comparing", 0, 1)
    odd = [replace(one, row=int(places[one.row])) for one in _odd_rows(*both)]
    yield Drift(splits, _views(*both), odd, tuple(warnings))


def _compared(dataset: Dataset) -> tuple[str, ...]:
    """The splits that new rows are compared with."""
    held_out = tuple(s for s in ("validation", "test") if len(dataset.labelled_rows(s)))
    count = sum(len(dataset.labelled_rows(s)) for s in held_out)
    return held_out if count >= ENOUGH else ("train", *held_out)


def _without_copies(
    known: Dataset, held: np.ndarray, new: Dataset, rows: np.ndarray, media: list[str]
) -> np.ndarray:
    """The known rows that are not among the new ones: those would say that nothing has changed.

    A row is among them that has a picture or a sound of them, or all of its inputs.
    """
    asked = {mark for row in rows.tolist() for mark in _marks(new, row, media)}
    return np.array([r for r in held.tolist() if asked.isdisjoint(_marks(known, r, media))],
                    dtype=np.int64)


def _marks(dataset: Dataset, row: int, media: list[str]) -> Iterator[tuple[str, str]]:
    """What a row is known by: each of its media, and all of its contents."""
    whole = hashlib.blake2b(digest_size=16)
    for name, decoded in dataset.decoded.items():
        array = decoded.row(row)
        content = b"" if array is None else np.ascontiguousarray(array).tobytes()
        digest = hashlib.blake2b(content, digest_size=16).hexdigest()
        whole.update(digest.encode())
        if array is not None and name in media:
            yield name, digest
    yield "", whole.hexdigest()


def _drawn(rows: np.ndarray) -> np.ndarray:
    if len(rows) <= MOST_ROWS:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, MOST_ROWS, replace=False))


def _views(known: Represented, new: Represented) -> list[ViewDrift]:
    """Each view's test, and which of them hold when all are looked at together (Holm 1979)."""
    found = {}
    for name, (vectors, there) in new.views().items():
        before, known_there = known.views()[name]
        found[name] = (two_sample_test(before[known_there], vectors[there]), known_there, there)
    p_values = sorted(test.p_value for test, *_ in found.values() if test is not None)
    held = 0
    while held < len(p_values) and p_values[held] <= LEVEL / (len(p_values) - held):
        held += 1
    least = p_values[held - 1] if held else -1.0
    return [ViewDrift(
        name, None if test is None else test.auc, None if test is None else test.p_value,
        test is not None and test.p_value <= least, int(before.sum()), int(after.sum()),
        float(1 - before.mean()), float(1 - after.mean()))
        for name, (test, before, after) in found.items()]


def _odd_rows(known: Represented, new: Represented) -> list[OddRow]:
    """The new rows by how much further they lie from the known ones than these from each other."""
    shares: list[dict[str, float]] = [{} for _ in new.rows]
    times: list[dict[str, float]] = [{} for _ in new.rows]
    least: list[dict[str, float]] = [{} for _ in new.rows]
    for name, (vectors, there) in new.views().items():
        before, known_there = known.views()[name]
        at = np.flatnonzero(there)
        if not len(at) or known_there.sum() < FEWEST:
            continue
        usual, asked = _distances(before[known_there], vectors[at])
        middle = float(np.median(usual)) or 1.0
        further = len(usual) - np.searchsorted(np.sort(usual), asked, side="left")
        for i, count, distance in zip(at, further, asked, strict=True):
            shares[i][name] = float((1 + count) / (1 + len(usual)))
            times[i][name] = float(distance / middle)
            least[i][name] = 1 / (1 + len(usual))
    found = []
    for row, share, far, bound in zip(new.rows.tolist(), shares, times, least, strict=True):
        if share:
            oddest = min(share, key=lambda name: (share[name], -far[name]))
            found.append(OddRow(row, share[oddest], far[oddest], oddest, share,
                                bound[oddest]))
    return sorted(found, key=lambda odd: (odd.share, -odd.times, odd.row))


def _distances(known: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean distances to the nearest known rows: of these among themselves, and of new ones."""
    middle, deviation = known.mean(axis=0), known.std(axis=0)
    scale = np.where(deviation > 1e-6, deviation, np.inf)
    before, after = (known - middle) / scale, (new - middle) / scale
    _, among = nearest_neighbours(before, before, NEIGHBOURS, np.arange(len(before)))
    _, asked = nearest_neighbours(after, before, NEIGHBOURS)
    return among.mean(axis=1), asked.mean(axis=1)
