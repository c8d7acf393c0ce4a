"""Which fold each row is in, and the split of a fold."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mmstudio.data.split import split_rows
from mmstudio.data.table import Table
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment, Fold, SplitShares
from tests.small_project import TOML


def table_of(**columns: list[str]) -> Table:
    return Table(Path("t.csv"), Path("."), pl.DataFrame(columns))


def many(rows: int) -> Table:
    return table_of(text=[f"row {i}" for i in range(rows)],
                    speaker=[f"speaker {i % 23}" for i in range(rows)],
                    label=["rare" if i % 20 == 0 else "often" for i in range(rows)])


def folds_in(table: Table, split: str | SplitShares, folds: int) -> list[np.ndarray]:
    return [split_rows(table, split, fold=Fold(n, folds)) for n in range(1, folds + 1)]


def test_each_row_is_held_out_once_and_the_test_split_never_is_seen() -> None:
    table, split = many(200), SplitShares(0.7, 0.1, 0.2)
    usual = split_rows(table, split)
    each = folds_in(table, split, 5)
    held_out = np.sum([names == "test" for names in each], axis=0)
    assert (held_out == (usual != "test")).all()
    for names in each:
        assert (names[usual == "test"] == "").all()
        counts = Counter(names.tolist())
        rest = counts["train"] + counts["validation"]
        assert counts["test"] in (rest // 4, rest // 4 + 1)  # five folds of like size
        assert 0.04 * rest < counts["validation"] < 0.25 * rest  # an eighth, as in the split


def test_the_order_of_the_rows_does_not_matter() -> None:
    table, split = many(120), SplitShares(stratify="label", id="text")
    order = np.random.default_rng(0).permutation(120)
    mixed = Table(table.path, table.folder, table.frame[order.tolist()])
    for names, again in zip(folds_in(table, split, 3), folds_in(mixed, split, 3), strict=True):
        assert (names[order] == again).all()


def test_groups_stay_together() -> None:
    table = many(230)
    speakers = np.array(table.column("speaker").to_list())
    for names in folds_in(table, SplitShares(group="speaker"), 4):
        for one in ("train", "validation", "test"):
            others = set(speakers[(names != one) & (names != "")])
            assert not others & set(speakers[names == one])


def test_groups_of_a_split_column_stay_together() -> None:
    table = Table(Path("t.csv"), Path("."), many(90).frame.with_columns(
        split=pl.Series(["train"] * 60 + ["validation"] * 15 + ["test"] * 15)))
    held_out = [set(table.frame["speaker"].to_numpy()[
        split_rows(table, "split", group="speaker", fold=Fold(n, 3)) == "test"])
        for n in (1, 2, 3)]
    assert not held_out[0] & held_out[1] and not held_out[1] & held_out[2]


def test_strata_are_shared_out_alike() -> None:
    table = many(200)
    rare = np.array(table.column("label").to_list()) == "rare"
    split = SplitShares(1.0, 0.0, 0.0, stratify="label")
    pool = np.isin(split_rows(table, split), ("train", "validation"))
    assert int((pool & rare).sum()) == 10
    assert [int(((names == "test") & rare).sum()) for names in folds_in(table, split, 5)] == [2] * 5


def test_groups_of_unlike_size_make_folds_of_like_size() -> None:
    sizes = [40, 30, 20, 10, 10, 10]
    speakers = [f"speaker {i}" for i, size in enumerate(sizes) for _ in range(size)]
    table = table_of(text=[str(i) for i in range(120)], speaker=speakers,
                     split=["train"] * 120)
    held_out = [int((split_rows(table, "split", group="speaker", fold=Fold(n, 3))
                     == "test").sum()) for n in (1, 2, 3)]
    # a few rows of validation move none out of the folds
    assert sorted(held_out) == [40, 40, 40]


def test_too_few_groups_are_refused() -> None:
    table = table_of(text=[str(i) for i in range(30)], speaker=[str(i % 3) for i in range(30)],
                     split=["train"] * 30)
    with pytest.raises(UserError, match="3 groups of 'speaker' for training and validation can't "
                                        "make 5 folds") as caught:
        split_rows(table, "split", group="speaker", fold=Fold(1, 5))
    assert "fewer folds" in caught.value.hint
    with pytest.raises(UserError, match="2 different rows"):
        split_rows(table_of(text=["a", "b"], split=["train", "val"]), "split", fold=Fold(1, 2))


def test_a_fold_is_written_and_read() -> None:
    experiment = Experiment.parse(TOML.replace(
        'split = "split"', 'split = "split"\nfold = { number = 2, of = 5 }'))
    assert experiment.data.fold == Fold(2, 5)
    assert Experiment.parse(experiment.to_toml()) == experiment


@pytest.mark.parametrize(("text", "what"), [
    ("{ number = 6, of = 5 }", "data.fold.number = 6"), ("{ number = 0, of = 5 }", "number = 0"),
    ("{ number = 1, of = 1 }", "data.fold.of = 1"), ("{ of = 5 }", "data.fold.number is missing"),
    ("3", "data.fold = 3 is not a table"), ("{ number = 1, of = 2, x = 1 }", "data.fold.x")])
def test_a_fold_that_is_none_is_refused(text: str, what: str) -> None:
    with pytest.raises(UserError, match=what):
        Experiment.parse(TOML.replace('split = "split"', f'split = "split"\nfold = {text}'))
