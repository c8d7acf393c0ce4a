"""A review is found again beside its run, as long as the model and the table are the same."""

from __future__ import annotations

import json
from pathlib import Path

from mmstudio.data.table import read_table
from mmstudio.evaluation.findings import COPY, LABEL, Finding, Said
from mmstudio.evaluation.stored_review import (
    StoredReview,
    contents_of,
    review_key,
    store_review,
    stored_review,
)
from tests.small_project import read_rows, small_experiment, write_table

REVIEW = StoredReview((
    Finding(LABEL, 2, "train", 0.25, "contradicted", "shape", "dot", "bar", ("image",),
            says=(Said("image", "bar", 0.5), Said("words", "dot"))),
    Finding(COPY, 4, "test", 0.0, inputs=("image",), others=(7, 9))), "", 60, ("a", "b"))


def test_a_review_holds_until_the_table_changes(copied: Path) -> None:
    assert stored_review(copied) is None
    key = review_key(copied)
    store_review(copied, REVIEW, key)
    assert stored_review(copied) == REVIEW
    table = copied.parent.parent / "metadata.csv"
    rows = read_rows(table.parent)
    write_table(table, [rows[0] | {"shape": "other"}, *rows[1:]])
    assert stored_review(copied) is None
    store_review(copied, REVIEW, key)  # it began with the old table
    assert stored_review(copied) is None


def test_rows_in_another_order_are_other_contents(copied: Path) -> None:
    place = copied.parent.parent / "metadata.csv"
    before = contents_of(read_table(place), small_experiment())
    rows = read_rows(place.parent)
    write_table(place, [rows[0] | {"shape": "other"}, *rows[1:]])
    assert contents_of(read_table(place), small_experiment()) == before  # labels are decided on
    write_table(place, [*rows[1:], rows[0]])
    assert contents_of(read_table(place), small_experiment()) != before


def test_a_damaged_one_is_none(copied: Path) -> None:
    store_review(copied, REVIEW, review_key(copied))
    path = next(copied.glob("*/review.json"))
    data = json.loads(path.read_text())
    for change in ({"findings": [{"row": 1}]}, {"rows": 3}, {"format": 0}):
        path.write_text(json.dumps(data | change))
        assert stored_review(copied) is None
    path.write_text("{")
    assert stored_review(copied) is None
