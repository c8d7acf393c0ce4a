"""Which rows a question means, in which order, and how many there are."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from mmstudio.data.browse import SPLIT, Question, count_rows, problem_rows, rows_of
from mmstudio.data.table import Table

SPLITS = np.array(["train", "train", "test", "", "validation", "train"])
TABLE = Table(Path("t.csv"), Path(), pl.DataFrame({
    "picture": ["a.png", None, "c.png", "d.png", None, "f.png"],
    "text": ["Red Car", "a blue car", None, "50% (x)", "straße", "red.car"],
    "label": ["10", "9", "10", None, "2", "10"],
    "tags": ["x|y", "y", "|", None, "y | z", "xy"],
}))


def rows(**parts: object) -> list[int]:
    problems = {"unreadable": np.array([1, 4]), "silent": np.array([4, 5])}
    return rows_of(TABLE, Question(**parts), SPLITS, problems, {"tags": "|"}).tolist()  # type: ignore


@pytest.mark.parametrize(("text", "expected"), [
    ("car", [0, 1, 5]), ("RED", [0, 5]), ("50% (", [3]), ("red.car", [5]), ("STRASSE", []),
    ("straße", [4]), ("png", [0, 2, 3, 5]), ("|", [0, 2, 4]), ("", [0, 1, 2, 3, 4, 5]),
])
def test_text_is_looked_for_as_it_is_in_all_columns(text: str, expected: list[int]) -> None:
    assert rows(text=text) == expected


def test_splits_labels_missing_cells_and_problems() -> None:
    assert rows(splits=frozenset({"train"})) == [0, 1, 5]
    assert rows(splits=frozenset({"", "test"})) == [2, 3]
    assert rows(labels={"label": frozenset({"10", "2"})}) == [0, 2, 4, 5]
    assert rows(labels={"tags": frozenset({"y"})}) == [0, 1, 4]
    assert rows(labels={"tags": frozenset({"x", "z"})}) == [0, 4]
    assert rows(missing=frozenset({"picture"})) == [1, 4]
    assert rows(missing=frozenset({"picture", "text"})) == [1, 2, 4]
    assert rows(problems=frozenset()) == [1, 4, 5]
    assert rows(problems=frozenset({"silent"})) == [4, 5]


def test_the_parts_narrow_each_other_and_unknown_columns_are_passed_over() -> None:
    assert rows(text="car", splits=frozenset({"train"}), missing=frozenset({"picture"}),
                labels={"gone": frozenset({"a"})}) == [1]


def test_numbers_are_sorted_as_numbers_words_without_capitals_empty_cells_last() -> None:
    assert rows(sort="label")[:2] == [4, 1]
    assert rows(sort="label")[-1] == 3
    assert rows(sort="label", descending=True)[-3:] == [1, 4, 3]
    assert rows(sort="text") == [3, 1, 0, 5, 4, 2]
    assert rows(sort=SPLIT, splits=frozenset({"train", "test"})) == [2, 0, 1, 5]


def test_a_label_is_asked_for_and_taken_back() -> None:
    question = Question().toggled_label("label", "9").toggled_label("label", "2")
    assert question.labels == {"label": {"2", "9"}}
    question = question.toggled_label("label", "9").toggled_label("label", "2")
    assert question.takes_all and question == Question()
    assert Question(sort="label").takes_all
    assert not Question(problems=frozenset()).takes_all


def test_counts_per_split_label_range_and_missing_input() -> None:
    counts = count_rows(TABLE, SPLITS, ["picture"], ["label", "tags"], {"tags": "|"})
    assert counts.splits == (("train", 3), ("validation", 1), ("test", 1), ("", 1))
    assert counts.labels["label"] == (("2", 1), ("9", 1), ("10", 3))
    assert counts.labels["tags"] == (("y", 3), ("x", 1), ("xy", 1), ("z", 1))
    assert counts.distinct == {"label": 3, "tags": 4}
    assert counts.missing == {"picture": 2}
    assert counts.unlabelled == {"label": 1, "tags": 1}
    numbers = count_rows(TABLE, None, [], ["label"], numbers=frozenset({"label"}))
    assert numbers.splits == () and numbers.labels == {}
    assert [count for _, count in numbers.ranges["label"]] == [1, 0, 0, 0, 0, 0, 0, 4]
    assert numbers.ranges["label"][0][0] == "2 – 3"


def test_problems_by_row_and_kind() -> None:
    found = [SimpleNamespace(row=2, kind="silent", column="a"),
             SimpleNamespace(row=1, rows=(1, 2), kind="twins", column="b"),
             SimpleNamespace(row=-1, kind="table", column="")]
    of_row, kinds = problem_rows(found)
    assert of_row == {2: [0, 1], 1: [1]}
    assert {kind: part.tolist() for kind, part in kinds.items()} == {"silent": [2],
                                                                     "twins": [1, 2]}
