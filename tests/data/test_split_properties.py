"""What holds of every split, whatever the table is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from mmstudio.data.split import SPLITS, split_rows
from mmstudio.data.table import Table
from mmstudio.experiment import SplitShares
from tests.properties import steady

SHARES = st.sampled_from([(0.8, 0.1, 0.1), (0.6, 0.2, 0.2), (0.5, 0.5, 0.0), (0.9, 0.05, 0.05)])
WORD = st.text("abcdefgh", min_size=1, max_size=4)
LABEL = st.sampled_from(["cat", "dog", "owl"])
ROWS = st.lists(st.tuples(WORD, st.integers(0, 14), LABEL), min_size=12, max_size=80)


def table_of(rows: list[tuple[str, int, str]]) -> Table:
    """With a text, which repeats, a speaker and a label; some rows are equal."""
    texts, speakers, labels = zip(*rows, strict=True)
    return Table(Path("t.csv"), Path("."), pl.DataFrame({
        "text": texts, "speaker": [f"s{i}" for i in speakers], "label": labels,
        "id": [f"row {i}" for i in range(len(rows))]}))


def drawn(table: Table, shares: tuple[float, float, float], **columns: str) -> np.ndarray:
    return split_rows(table, SplitShares(*shares, **columns), keys=("text",))


def enough(rows: list[tuple[str, int, str]], column: int, least: int = 4) -> bool:
    return len({row[column] for row in rows}) >= least


@steady
@given(ROWS, SHARES, st.randoms(use_true_random=False), st.sampled_from([{}, {"group": "speaker"}]))
def test_the_order_of_the_rows_does_not_matter(rows, shares, chance, columns) -> None:
    if not (enough(rows, 0) and enough(rows, 1)):
        return
    table = table_of(rows)
    order = list(range(len(rows)))
    chance.shuffle(order)
    mixed = Table(table.path, table.folder, table.frame[order])
    assert drawn(mixed, shares, **columns).tolist() == drawn(table, shares, **columns)[order
                                                                                       ].tolist()


@steady
@given(ROWS, SHARES)
def test_rows_of_one_group_and_copies_of_one_text_stay_together(rows, shares) -> None:
    if not (enough(rows, 0) and enough(rows, 1)):
        return
    table = table_of(rows)
    for column, columns in (("text", {}), ("speaker", {"group": "speaker"})):
        names = drawn(table, shares, **columns)
        frame = pl.DataFrame({"key": table.column(column), "split": names.tolist()})
        assert frame.group_by("key").agg(pl.col("split").n_unique())["split"].max() == 1


@steady
@given(st.integers(20, 400), SHARES)
def test_every_row_is_in_a_split_and_the_shares_are_about_kept(count, shares) -> None:
    rows = [(f"text {i}", i % 15, "owl") for i in range(count)]
    names = drawn(table_of(rows), shares)
    assert set(names.tolist()) <= set(SPLITS)
    for name, share in zip(SPLITS, shares, strict=True):
        # of a draw by hash: five standard deviations, and the one row that fills an empty part
        room = 5 * (count * share * (1 - share)) ** 0.5 + 1
        assert abs((names == name).sum() - share * count) <= room
        assert (name in names) == (share > 0)


@steady
@given(st.integers(20, 200), SHARES)
def test_a_new_row_moves_no_other(count, shares) -> None:
    rows = [(f"text {i}", i % 15, "owl") for i in range(count + 1)]
    before, after = drawn(table_of(rows[:-1]), shares), drawn(table_of(rows), shares)
    counts = [(before == name).sum() for name in SPLITS]
    if all(n > 1 for n, share in zip(counts, shares, strict=True) if share):
        assert before.tolist() == after[:-1].tolist()


@steady
@given(st.lists(st.tuples(WORD, LABEL), min_size=60, max_size=160), SHARES)
def test_a_stratified_split_keeps_the_shares_within_each_class(rows, shares) -> None:
    table = table_of([(f"{word} {i}", i, label) for i, (word, label) in enumerate(rows)])
    names = drawn(table, shares, stratify="label")
    for label in ("cat", "dog", "owl"):
        own = names[(table.column("label") == label).to_numpy()]
        for name, share in zip(SPLITS, shares, strict=True):
            if len(own) >= 12:
                assert abs((own == name).sum() - share * len(own)) <= 0.1 * share * len(own) + 2
