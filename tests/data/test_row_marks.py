"""Marks of rows: what has changed is counted, and no row is held."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mmstudio.data.row_marks import (
    TRAIN,
    RowMarks,
    changes,
    marks_of,
    marks_repeat,
    probe,
    together,
)
from mmstudio.data.table import Table
from mmstudio.experiment import Experiment

EXPERIMENT = Experiment.parse("""
[data]
table = "t.csv"
[inputs.words]
column = "text"
modality = "text"
[targets.label]
task = "classification"
[targets.size]
task = "regression"
""")

Row = tuple[str | None, str | None, str | None, str]


def marks(*rows: Row) -> RowMarks:
    """Of rows as text, label, size, split."""
    frame = pl.DataFrame(list(zip(*(r[:3] for r in rows), strict=True)),
                         schema={n: pl.String for n in ("text", "label", "size")})
    table = Table(Path("t.csv"), Path(), frame)
    return marks_of(EXPERIMENT, table, np.array([r[3] for r in rows]))


BEGAN: list[Row] = [("a", "x", "1", "train"), ("b", "y", "2", "train"), ("c", "x", "3", "train"),
                    ("d", "y", "4", "validation"), ("e", "x", "5", "test")]


def test_the_same_rows_in_another_order_are_no_change() -> None:
    found = changes(marks(*BEGAN), marks(*BEGAN[::-1]))
    assert found is not None
    assert (found.kept, found.rows, found.moved, found.relabelled) == (5, 5, 0, 0)
    assert not any([*found.added.values(), *found.gone.values(), *found.trained.values()])
    assert found.held == {"train": 3, "validation": 1, "test": 1}


def test_each_change_is_counted_for_what_it_is() -> None:
    now = marks(("a", "y", "1.0", "train"), ("b", "y", "2", "test"), ("d", "y", "4", "test"),
                ("e", "x", "5", "test"), ("f", "x", "6", "train"), ("g", "x", "6", "validation"))
    found = changes(marks(*BEGAN), now)
    assert found is not None
    assert found.trained == {"validation": 0, "test": 1}
    assert found.chosen == 1
    assert found.moved == 2
    assert found.relabelled == 1  # 1.0 is the number that 1 is
    assert found.added == {"train": 1, "validation": 1, "test": 0}
    assert found.gone == {"train": 1, "validation": 0, "test": 0}
    assert (found.kept, found.rows) == (4, 5)


def test_rows_that_are_not_used_have_no_mark() -> None:
    kept = marks(*BEGAN, (None, "x", "1", "train"), ("h", None, None, "train"), ("i", "x", "1", ""),
                 ("j", None, "7", "train"))
    assert len(kept.marks) == 6


def test_rows_that_were_equal_in_two_splits_before_are_no_leak() -> None:
    twice = [*BEGAN, ("a", "x", "1", "test")]
    found = changes(marks(*twice), marks(*twice))
    assert found is not None and found.trained == {"validation": 0, "test": 0}
    found = changes(marks(*BEGAN), marks(*twice))
    assert found is not None and found.trained == {"validation": 0, "test": 1}


def test_what_was_trained_on_once_is_never_forgotten() -> None:
    fewer = marks(*BEGAN[1:])
    both = together(marks(*BEGAN), fewer)
    assert int(both.gone.sum()) == 1 and int((both.splits == TRAIN).sum()) == 2
    assert changes(both, fewer) == changes(fewer, fewer)
    assert np.array_equal(together(both, fewer).marks, both.marks)
    found = changes(both, marks(*BEGAN[1:], ("a", "x", "1", "test")))
    assert found is not None and found.trained["test"] == 1
    back = together(both, marks(*BEGAN))
    assert np.array_equal(back.marks, marks(*BEGAN).marks)


def test_a_file_of_marks_reads_back_and_shows_no_cell() -> None:
    kept = marks(("a long secret text", "label one", "1", "train"), *BEGAN)
    content = kept.to_bytes()
    assert b"secret" not in content and b"label" not in content
    assert np.array_equal(RowMarks.from_bytes(content).marks, kept.marks)
    for damaged in (b"", b"{}\n", content[:-8], content[:-1] + b"\0", b"[" * 9000, b"\xff\n"):
        with pytest.raises(ValueError):
            RowMarks.from_bytes(damaged)


def test_marks_of_another_polars_are_not_compared() -> None:
    old = RowMarks(marks(*BEGAN).marks, "0" * 64)
    assert changes(old, marks(*BEGAN)) is None
    assert together(old, marks(*BEGAN)).probe == probe()


@pytest.mark.slow
def test_a_million_rows_take_eight_bytes_each_and_little_time() -> None:
    count = 1_000_000
    numbers = pl.Series(range(count)).cast(pl.String)
    frame = pl.DataFrame({"text": "a text of some words, number " + numbers,
                          "label": (pl.Series(range(count)) % 10).cast(pl.String), "size": numbers})
    table = Table(Path("t.csv"), Path(), frame)
    splits = np.array(["train", "train", "train", "test"])[np.arange(count) % 4]
    began = time.process_time()
    kept = marks_of(EXPERIMENT, table, splits)
    assert time.process_time() - began < 5  # under one second where nothing else is done
    assert len(kept.to_bytes()) < 8 * count + 500
    found = changes(kept, kept)
    assert found is not None and found.kept == count
    assert len(np.unique(kept.identities)) == count


OF_COLUMNS = Experiment.from_dict({
    "data": {"table": "t.csv"}, "targets": {"label": {}, "size": {"task": "regression"}},
    "inputs": {"table": {"columns": ["text"], "modality": "tabular"}}})
FEW = [("a", "x", "1", "train")] * 6 + [("b", "y", "2", "train"), ("a", "y", "3", "validation"),
                                        ("b", "x", "4", "test")]


def test_a_new_row_of_few_valued_columns_is_not_taken_for_one_of_the_training() -> None:
    assert marks_repeat(OF_COLUMNS) and not marks_repeat(EXPERIMENT)
    more = [*FEW, ("a", "x", "5", "test"), ("b", "y", "6", "validation")]
    found = changes(marks(*FEW), marks(*more), repeating=True)
    assert found is not None and found.trained == {"validation": 0, "test": 0}
    assert found.added == {"train": 0, "validation": 1, "test": 1}
    found = changes(marks(*FEW), marks(*more))  # of texts, they are copies
    assert found is not None and found.trained == {"validation": 1, "test": 1}


def test_of_equal_rows_as_many_were_trained_on_as_have_left_the_training() -> None:
    now = [*FEW[2:], ("a", "x", "1", "test"), ("a", "x", "1", "test"), ("a", "x", "9", "test")]
    found = changes(marks(*FEW), marks(*now), repeating=True)
    assert found is not None and found.trained == {"validation": 0, "test": 2}
    chosen = [*FEW[:7], ("a", "y", "3", "test"), ("b", "x", "4", "test"), ("a", "x", "1", "test")]
    found = changes(marks(*FEW), marks(*chosen), repeating=True)
    assert found is not None and found.chosen == 1 and found.trained["test"] == 0


def test_equal_rows_that_left_are_counted_and_not_forgotten() -> None:
    fewer = marks(*FEW[2:])
    both = together(marks(*FEW), fewer, repeating=True)
    assert int(both.gone.sum()) == 2
    assert np.array_equal(together(both, fewer, repeating=True).marks, both.marks)
    found = changes(both, marks(*FEW[2:], *[("a", "x", "1", "test")] * 3), repeating=True)
    assert found is not None and found.trained["test"] == 2
    back = together(both, marks(*FEW), repeating=True)
    assert np.array_equal(back.marks, marks(*FEW).marks)


def test_of_another_table_a_row_counts_where_the_run_has_its_like_once() -> None:
    began = marks(("a", "x", "1", "train"), ("a", "y", "1", "train"), ("b", "y", "2", "train"),
                  ("c", "y", "2", "validation"), ("d", "y", "2", "train"), ("d", "y", "2", "test"))
    other = marks(*[(text, "x", "1", "test") for text in "aaabbcde"])
    found = changes(began, other, repeating=True, own=False)
    assert found is not None and found.trained["test"] == 1  # one of b
