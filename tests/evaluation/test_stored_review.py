"""A review is found again beside its run, as long as the model and the table are the same."""

from __future__ import annotations

import json
from pathlib import Path

from mmstudio.evaluation.findings import COPY, LABEL, Finding, Said
from mmstudio.evaluation.stored_review import StoredReview, store_review, stored_review
from tests.small_project import read_rows, write_table

REVIEW = StoredReview((
    Finding(LABEL, 2, "train", 0.25, "contradicted", "shape", "dot", "bar", ("image",),
            says=(Said("image", "bar", 0.5), Said("words", "dot"))),
    Finding(COPY, 4, "test", 0.0, inputs=("image",), others=(7, 9))), "", 60, ("a", "b"))


def test_a_review_holds_until_the_table_changes(copied: Path) -> None:
    assert stored_review(copied) is None
    store_review(copied, REVIEW)
    assert stored_review(copied) == REVIEW
    table = copied.parent.parent / "metadata.csv"
    rows = read_rows(table.parent)
    write_table(table, [rows[0] | {"shape": "other"}, *rows[1:]])
    assert stored_review(copied) is None


def test_a_damaged_one_is_none(copied: Path) -> None:
    store_review(copied, REVIEW)
    path = next(copied.glob("*/review.json"))
    data = json.loads(path.read_text())
    for change in ({"findings": [{"row": 1}]}, {"rows": 3}, {"format": 0}):
        path.write_text(json.dumps(data | change))
        assert stored_review(copied) is None
    path.write_text("{")
    assert stored_review(copied) is None
