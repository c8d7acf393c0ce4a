"""Which rows are for training, validation and test."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mmstudio.data.split import SPELLINGS, split_of, split_rows
from mmstudio.data.table import Table
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment, SplitShares


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


def labelled(rows: int) -> Table:
    return table_of(id=[f"sample {i}" for i in range(rows)],
                    text=[f"row {i}" for i in range(rows)],
                    label=["rare" if i % 10 == 0 else "usual" for i in range(rows)],
                    value=[str(i * 0.37) for i in range(rows)])


@pytest.mark.parametrize("rows", [100, 300, 1000])
def test_a_stratified_split_gives_each_class_its_shares(rows: int) -> None:
    table = labelled(rows)
    names = split_rows(table, SplitShares(0.6, 0.2, 0.2, stratify="label"))
    labels = table.column("label").to_numpy()
    for label in ("rare", "usual"):
        counts = Counter(names[labels == label].tolist())
        due = (labels == label).sum() * 0.2
        for part in ("validation", "test"):
            assert abs(counts[part] - due) <= max(1, 0.2 * due + 1)


def test_a_stratified_split_moves_hardly_a_row() -> None:
    shares = SplitShares(stratify="label", id="id")
    before = split_rows(labelled(20_000), shares)
    after = split_rows(labelled(30_000), shares)[:20_000]
    assert (before != after).sum() < 20  # those next to a cut, of the class of 2,000


def test_numbers_are_stratified_by_their_size() -> None:
    table = labelled(400)
    names = split_rows(table, SplitShares(0.6, 0.2, 0.2, stratify="value"))
    values = table.column("value").to_numpy().astype(float)
    means = [values[names == part].mean() / values.mean() for part in ("train", "test")]
    assert means == pytest.approx([1, 1], abs=0.05)


def test_tiny_classes_are_drawn_without_favour() -> None:
    table = table_of(text=[f"row {i}" for i in range(900)], label=[str(i // 3) for i in range(900)])
    counts = Counter(split_rows(table, SplitShares(stratify="label")).tolist())
    assert 60 < counts["validation"] < 120 and 60 < counts["test"] < 120


def test_strata_and_groups_go_together() -> None:
    table = table_of(text=[f"row {i}" for i in range(600)],
                     label=["a" if i % 60 < 20 else "b" for i in range(600)],
                     group=[f"g{i // 5}" for i in range(600)])
    names = split_rows(table, SplitShares(0.6, 0.2, 0.2, "group", "label"))
    assert all(len(set(names[i : i + 5])) == 1 for i in range(0, 600, 5))
    labels = table.column("label").to_numpy()
    for label in ("a", "b"):
        part = names[labels == label]
        assert (part == "test").mean() == pytest.approx(0.2, abs=0.06)


def test_an_id_keeps_its_split_whatever_else_changes() -> None:
    shares = SplitShares(0.5, 0.25, 0.25, id="id")
    before = split_rows(labelled(200), shares)
    other = table_of(id=[f"sample {i}" for i in range(260)], text=["new"] * 260)
    assert split_rows(other, shares)[:200].tolist() == before.tolist()


def test_no_part_is_empty_in_a_small_table() -> None:
    for rows in range(3, 12):
        assert set(split_rows(labelled(rows), SplitShares())) == {"train", "validation", "test"}


def test_few_groups_give_about_the_shares() -> None:
    table = table_of(text=[f"row {i}" for i in range(600)], group=[f"s{i % 6}" for i in range(600)])
    counts = Counter(split_rows(table, SplitShares(0.6, 0.2, 0.2, "group")).tolist())
    assert counts["train"] in (300, 400) and counts["validation"] and counts["test"]


def experiment_of(columns: list[str]) -> Experiment:
    return Experiment.from_dict({
        "data": {"table": "t.csv"}, "targets": {"label": {}},
        "inputs": {c: {"column": c, "modality": "text"} for c in columns}})


def test_a_further_column_moves_no_row_of_an_experiment() -> None:
    table = labelled(200)
    wider = Table(table.path, table.folder, table.frame.with_columns(note=pl.lit("x")))
    experiment = experiment_of(["text", "value"])
    before = split_of(experiment, table, Path("."))
    assert split_of(experiment, wider, Path(".")).tolist() == before.tolist()
    assert split_of(experiment_of(["value", "text"]), table, Path(".")).tolist() == before.tolist()


def passengers(rows: int) -> Table:
    """Few numbers and categories: nearly every row is equal to others."""
    chance = np.random.default_rng(0)
    return table_of(pclass=[str(n) for n in chance.integers(1, 4, rows)],
                    sex=[("male", "female")[n] for n in chance.integers(0, 2, rows)],
                    port=[f"port {n}" for n in chance.integers(0, 200, rows)],
                    survived=[str(n) for n in chance.integers(0, 2, rows)])


def of_columns(split: object = None, **more: object) -> Experiment:
    return Experiment.from_dict({
        "data": {"table": "t.csv"} | ({} if split is None else {"split": split}),
        "targets": {"survived": {}},
        "inputs": {"table": {"columns": ["pclass", "sex"], "modality": "tabular"}, **more}})


EIGHT_TENTHS = {"train": 0.8, "validation": 0.1, "test": 0.1}


@pytest.mark.parametrize("more", [{}, {"stratify": "survived"}])
def test_equal_rows_of_few_valued_columns_are_drawn_one_by_one(more: dict[str, str]) -> None:
    table = passengers(1000)
    names = split_of(of_columns(EIGHT_TENTHS | more), table, Path("."))
    counts = Counter(names.tolist())
    assert [counts[n] for n in ("train", "validation", "test")] == pytest.approx(
        [800, 100, 100], abs=30)
    men = names[(table.column("pclass") == "3").to_numpy()
                & (table.column("sex") == "male").to_numpy()]
    assert set(men) == {"train", "validation", "test"}


def test_equal_rows_of_columns_keep_their_split_where_rows_are_added_or_moved() -> None:
    experiment, table = of_columns(EIGHT_TENTHS), passengers(800)
    fewer = Table(table.path, table.folder, table.frame.head(500))
    names = split_of(experiment, table, Path("."))
    assert split_of(experiment, fewer, Path(".")).tolist() == names[:500].tolist()
    backwards = Table(table.path, table.folder, table.frame.reverse())
    other = split_of(experiment, backwards, Path("."))
    cells = table.frame.select("pclass", "sex")
    assert (Counter(zip(cells.rows(), names.tolist(), strict=True))
            == Counter(zip(cells.reverse().rows(), other.tolist(), strict=True)))
    unique = Table(table.path, table.folder, table.frame.unique("pclass", maintain_order=True))
    assert (split_of(experiment, unique, Path(".")).tolist()  # as it was for ever
            == split_rows(unique, experiment.data.split, keys=["pclass", "sex"]).tolist())


def test_groups_and_ids_of_columns_stay_together() -> None:
    table = passengers(600)
    for key in ("group", "id"):
        names = split_of(of_columns(EIGHT_TENTHS | {key: "port"}), table, Path("."))
        ports = table.column("port").to_numpy()
        assert all(len(set(names[ports == port])) == 1 for port in set(ports))


def test_copies_stay_together_where_a_text_stands_beside_columns() -> None:
    table = passengers(600)
    experiment = of_columns(EIGHT_TENTHS, words={"column": "port", "modality": "text"})
    names = split_of(experiment, table, Path("."))
    of_key: dict[object, set[str]] = {}
    for key, name in zip(table.frame.select("pclass", "sex", "port").rows(), names, strict=True):
        of_key.setdefault(key, set()).add(name)
    assert all(len(held) == 1 for held in of_key.values())
    # an input that is switched off moves no row
    off = experiment.replaced("inputs.words.use", False)
    assert split_of(off, table, Path(".")).tolist() == names.tolist()
