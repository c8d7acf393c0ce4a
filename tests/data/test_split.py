"""Which rows are for training, validation and test."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mmstudio.data.split import SPELLINGS, split_rows
from mmstudio.data.table import Table
from mmstudio.errors import UserError
from mmstudio.experiment import SplitShares


def table_of(**columns: list[str | None]) -> Table:
    return Table(Path("t.csv"), Path("."), pl.DataFrame(columns))


def many(rows: int) -> Table:
    return table_of(text=[f"row {i}" for i in range(rows)],
                    speaker=[f"speaker {i % 40}" for i in range(rows)])


def test_every_spelling_of_a_column_is_understood() -> None:
    words = list(SPELLINGS)
    table = table_of(split=[w.upper() if i % 2 else w.title() for i, w in enumerate(words)])
    assert split_rows(table, "split").tolist() == [SPELLINGS[w] for w in words]
    assert {"train", "training", "valid", "val", "dev", "validation", "test", "eval"} <= set(words)


def test_an_empty_cell_leaves_its_row_out() -> None:
    table = table_of(split=["train", None, "val", "test"])
    assert split_rows(table, "split").tolist() == ["train", "", "validation", "test"]


def test_a_word_that_names_no_split_is_refused_with_its_row() -> None:
    with pytest.raises(UserError, match="Row 3 of column 'split' says 'tset'") as caught:
        split_rows(table_of(split=["train", "val", "tset", "tset"]), "split")
    assert "train, validation or test" in caught.value.hint


def test_an_unknown_column_is_refused_with_the_nearest() -> None:
    with pytest.raises(UserError, match="Did you mean 'split'"):
        split_rows(table_of(split=["train"]), "spilt")


def test_without_validation_rows_a_tenth_of_training_serves() -> None:
    table = table_of(split=["train"] * 1000 + ["test"] * 100,
                     text=[f"row {i}" for i in range(1100)])
    counts = Counter(split_rows(table, "split").tolist())
    assert counts["test"] == 100
    assert 70 < counts["validation"] < 130
    assert counts["train"] == 1000 - counts["validation"]


def test_without_training_rows_it_is_refused() -> None:
    with pytest.raises(UserError, match="no row for train"):
        split_rows(table_of(split=["val", "test"]), "split")


@pytest.mark.parametrize("shares", [
    SplitShares(), SplitShares(0.5, 0.25, 0.25), SplitShares(0.9, 0.1, 0.0),
    SplitShares(0.34, 0.33, 0.33),
])
def test_shares_are_about_met(shares: SplitShares) -> None:
    counts = Counter(split_rows(many(4000), shares).tolist())
    for name in ("train", "validation", "test"):
        assert counts[name] / 4000 == pytest.approx(getattr(shares, name), abs=0.03)


def test_the_order_of_rows_does_not_matter() -> None:
    table, order = many(500), np.random.default_rng(0).permutation(500)
    shuffled = Table(table.path, table.folder, table.frame[order])
    for shares in (SplitShares(), SplitShares(group="speaker")):
        assert split_rows(table, shares)[order].tolist() == split_rows(shuffled, shares).tolist()


def test_new_rows_move_none_of_the_old() -> None:
    before = split_rows(many(300), SplitShares())
    assert split_rows(many(500), SplitShares())[:300].tolist() == before.tolist()


def test_a_split_is_the_same_for_ever() -> None:
    # a change here would leak test rows of old runs into the training of new ones
    found = split_rows(many(30), SplitShares(0.5, 0.25, 0.25)).tolist()
    # second letters: train, validation, test
    assert "".join(name[1] for name in found) == "raaaaaaaeerrrrarraararrrrrerrr"


def test_rows_of_a_group_stay_together() -> None:
    table = many(800)
    names = split_rows(table, SplitShares(0.6, 0.2, 0.2, "speaker"))
    speakers = table.column("speaker").to_numpy()
    assert set(names) == {"train", "validation", "test"}
    for speaker in set(speakers):
        assert len(set(names[speakers == speaker])) == 1


def test_rows_without_a_group_are_split_by_themselves() -> None:
    table = table_of(text=[f"row {i}" for i in range(400)], group=[None] * 390 + ["a"] * 10)
    names = split_rows(table, SplitShares(0.6, 0.2, 0.2, "group"))
    assert set(names[:390]) == {"train", "validation", "test"}
    assert len(set(names[390:])) == 1


def test_equal_rows_stay_together() -> None:
    table = table_of(text=[f"row {i % 100}" for i in range(400)])
    names = split_rows(table, SplitShares())
    assert (names.reshape(4, 100) == names[:100]).all()
