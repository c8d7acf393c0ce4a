"""A mark per row of what a run is trained on: tells later what has changed, and holds no row.

A mark is eight bytes: a hash of the row's input cells, one of its labels, and its split. Rows are
known by what stands in the table: a file by its name, a text by itself.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from mmstudio.data.input_cells import rows_repeat
from mmstudio.data.split import SPLITS
from mmstudio.data.table import Table
from mmstudio.experiment import Experiment
from mmstudio.shapes import fitted_to
from mmstudio.tasks.kinds import kind_of

FORMAT = 1
LABEL_BITS, SPLIT_BITS = 16, 2
LOW_BITS = LABEL_BITS + SPLIT_BITS + 1
"""What a mark holds below its 45 bits of identity: labels, split, and whether the row is gone. Of
a million rows and a million others, one pair in thirty such tables looks alike by chance."""
MOST_HEADER_BYTES = 4096
MOST_BYTES = 1 << 30
_HEADER = {"format": int, "probe": str, "digest": str}
_CODES = {"": 0, **{split: number for number, split in enumerate(SPLITS, start=1)}}
TRAIN, VALIDATION, TEST = 1, 2, 3


@dataclass(frozen=True)
class RowMarks:
    """The marks of the rows that are used: in a split, with an input and a label.

    Attributes:
        marks: ``(N,)`` uint64, sorted.
        probe: What this version of polars makes of a known text: marks of another can't be
            compared.
    """

    marks: np.ndarray
    probe: str

    @property
    def identities(self) -> np.ndarray:
        """``(N,)`` uint64, equal where the cells of the inputs are."""
        return self.marks >> np.uint64(LOW_BITS)

    @property
    def gone(self) -> np.ndarray:
        """``(N,)`` bool: was trained on once, and is in the training no more."""
        return np.asarray(self.marks >> np.uint64(LOW_BITS - 1) & np.uint64(1), dtype=bool)

    @property
    def splits(self) -> np.ndarray:
        """``(N,)`` 1 for train, 2 for validation, 3 for test."""
        return (self.marks >> np.uint64(LABEL_BITS) & np.uint64(3)).astype(np.int64)

    @property
    def labels(self) -> np.ndarray:
        """``(N,)`` equal where the cells of all targets are."""
        return self.marks & np.uint64((1 << LABEL_BITS) - 1)

    def to_bytes(self) -> bytes:
        """As a file: a line of JSON, then the marks."""
        body = self.marks.astype("<u8").tobytes()
        header = {"format": FORMAT, "probe": self.probe, "digest": _digest(body)}
        return json.dumps(header).encode() + b"\n" + body

    @classmethod
    def from_bytes(cls, content: bytes) -> RowMarks:
        """Read what ``to_bytes`` gave. Raises ValueError where it is something else."""
        end = content.find(b"\n", 0, MOST_HEADER_BYTES)
        if end < 0:
            raise ValueError("it has no header")
        header = fitted_to(json.loads(content[:end].decode("utf-8")), _HEADER, "header")
        body = content[end + 1 :]
        if header["format"] != FORMAT or header["digest"] != _digest(body):
            raise ValueError("it is damaged, or of another version")
        return cls(np.frombuffer(body, "<u8").astype(np.uint64), header["probe"])


def marks_of(experiment: Experiment, table: Table, splits: np.ndarray) -> RowMarks:
    """The marks of a table's used rows.

    Args:
        experiment: Names the columns of the inputs and the targets.
        table: The rows; merged labels and all. It has the inputs' columns.
        splits: ``(N,)`` the split of each row.

    Raises:
        UserError: It lacks an input's column.
    """
    inputs = [table.column(c).alias(str(i)) for i, c in enumerate(_input_columns(experiment))]
    labels = [_labels(table, target.column, target.task)
              for _, target in sorted(experiment.active_targets.items())]
    content = pl.DataFrame(inputs)
    told = pl.DataFrame([cells.alias(str(i)) for i, cells in enumerate(labels)])
    used = (splits != "") & _any_known(content)
    if not experiment.training.alignment > 0:  # alignment learns from rows without a label too
        used &= _any_known(told)
    codes = np.zeros(len(table), dtype=np.uint64)
    for split, code in _CODES.items():
        codes[splits == split] = code
    marks = content.hash_rows(0).to_numpy() >> np.uint64(LOW_BITS) << np.uint64(LOW_BITS)
    marks |= codes << np.uint64(LABEL_BITS)
    marks |= told.hash_rows(0).to_numpy() & np.uint64((1 << LABEL_BITS) - 1)
    return RowMarks(np.sort(marks[used]), probe())


def missing_columns(experiment: Experiment, table: Table) -> list[str]:
    """The columns that rows are known by, and the table lacks."""
    return [c for c in _input_columns(experiment) if c not in table.columns]


def marks_repeat(experiment: Experiment) -> bool:
    """Whether many rows have equal marks, and an equal one need not be the same."""
    return rows_repeat(experiment.active_inputs.values())


def together(before: RowMarks, now: RowMarks, repeating: bool = False) -> RowMarks:
    """What a run was trained on that goes on with other rows: these, and those that are gone.

    Where marks repeat, as many of them are gone as have left the training.
    """
    if before.probe != now.probe:
        return now
    learnt = before.identities[(before.splits == TRAIN) | before.gone]
    known, places = np.unique(
        np.concatenate([learnt, now.identities[now.splits == TRAIN]]), return_inverse=True)
    then, today = (np.bincount(at, minlength=len(known))
                   for at in (places[: len(learnt)], places[len(learnt) :]))
    left = np.maximum(then - today, 0) if repeating else (then > 0) & (today == 0)
    gone = np.repeat(known, left)
    marks = (gone << np.uint64(LOW_BITS)) | np.uint64(1 << (LOW_BITS - 1))
    return RowMarks(np.sort(np.concatenate([now.marks, marks])), now.probe)


@dataclass(frozen=True)
class Changes:
    """What is different between the rows of a run and others.

    Attributes:
        trained: Per split how many of its rows the run was trained on, and did not have there;
            where marks repeat, at most as many as have left the training.
        earlier: Per split how many of its rows were held there and trained on nonetheless, by the
            run that this one starts from; 0 where marks repeat, as nobody can tell.
        chosen: How many test rows were among the validation rows that the best epoch goes by.
        held: Per split how many rows it has now.
        kept: How many rows of the run are still there, of ``rows``.
        rows: How many the run had.
        added: Per split how many rows are new.
        gone: Per split how many rows are no more.
        moved: How many are in another split.
        relabelled: How many have another label.
    """

    trained: dict[str, int]
    earlier: dict[str, int]
    chosen: int
    held: dict[str, int]
    kept: int
    rows: int
    added: dict[str, int]
    gone: dict[str, int]
    moved: int
    relabelled: int


def changes(
    before: RowMarks, now: RowMarks, repeating: bool = False, own: bool = True
) -> Changes | None:
    """What has changed; None where the two can't be compared.

    Args:
        before: Of the run.
        now: Of the rows as they are.
        repeating: Whether equal marks are usual (``marks_repeat``): a row that equals one of the
            training counts as the same only where the training has one less.
        own: Whether these are the run's rows, of all splits. Of other rows that repeat, one counts
            as trained on where the run has its like once.
    """
    if before.probe != now.probe:
        return None
    known, places = np.unique(
        np.concatenate([before.identities, now.identities]), return_inverse=True)
    at_before, at_now = places[: len(before.marks)], places[len(before.marks) :]

    def counts(at: np.ndarray, splits: np.ndarray) -> np.ndarray:
        """``(U, 3)`` how often each row stands in each split."""
        return np.stack([np.bincount(at[splits == code], minlength=len(known))
                         for code in (TRAIN, VALIDATION, TEST)], axis=1)

    then, today = counts(at_before, np.where(before.gone, 0, before.splits)), counts(
        at_now, now.splits)
    gone = np.bincount(at_before[before.gone], minlength=len(known))
    learnt = then[:, 0] + gone
    more, less = np.maximum(today - then, 0), np.maximum(then - today, 0)
    moved = np.minimum(more.sum(axis=1), less.sum(axis=1))
    once = learnt + then[:, 1] + then[:, 2] == 1

    def came(code: int, had: np.ndarray, left: np.ndarray) -> int:
        """How many of a split's rows are of another, which ``had`` them, and where they left."""
        if not repeating:
            return int(today[(had > 0) & (then[:, code] == 0), code].sum())
        return int(np.minimum(more[:, code], left if own else had * once).sum())

    return Changes(
        trained={split: came(code, learnt, np.maximum(learnt - today[:, 0], 0))
                 for code, split in enumerate(SPLITS) if code},
        earlier={split: 0 if repeating else int(
            today[(gone > 0) & (then[:, code] > 0), code].sum())
                 for code, split in enumerate(SPLITS) if code},
        chosen=came(2, then[:, 1], less[:, 1]),
        held=dict(zip(SPLITS, today.sum(axis=0).tolist(), strict=True)),
        kept=int(then.sum() - less.sum() + moved.sum()), rows=int(then.sum()),
        added=dict(zip(SPLITS, more[moved == 0].sum(axis=0).tolist(), strict=True)),
        gone=dict(zip(SPLITS, less[moved == 0].sum(axis=0).tolist(), strict=True)),
        moved=int(moved.sum()),
        relabelled=_relabelled(before, now, at_before, at_now, len(known)))


def _relabelled(
    before: RowMarks, now: RowMarks, at_before: np.ndarray, at_now: np.ndarray, known: int
) -> int:
    """How many rows have another label; of rows that are there twice, nobody knows which is it."""
    there = ~before.gone
    at_before, labels = at_before[there], before.labels[there]
    once = (np.bincount(at_before, minlength=known) == 1) & (
        np.bincount(at_now, minlength=known) == 1)
    then, today = np.zeros(known, np.uint64), np.zeros(known, np.uint64)
    then[at_before], today[at_now] = labels, now.labels
    return int((once & (then != today)).sum())


def probe() -> str:
    """What polars makes of known texts: its versions and machines may differ in that."""
    texts = pl.DataFrame({"a": ["a", "a text of more than sixteen bytes", None, "é" * 300],
                          "b": ["", "b", "b" * 40, None]})
    return "".join(f"{number:016x}" for number in texts.hash_rows(0))


def _input_columns(experiment: Experiment) -> list[str]:
    return sorted({c for i in experiment.active_inputs.values() for c in i.read_columns})


def _labels(table: Table, column: str, task: str) -> pl.Series:
    """A target's cells; numbers by their value, and nothing in a table that lacks the column."""
    if column not in table.columns:
        return pl.Series([None], dtype=pl.String).new_from_index(0, len(table))
    return kind_of(task).by_value(table.column(column))


def _any_known(frame: pl.DataFrame) -> Any:
    """``(N,)`` bool: the rows that have a cell."""
    return frame.select(pl.any_horizontal(pl.all().is_not_null())).to_series().to_numpy()


def _digest(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=16).hexdigest()
