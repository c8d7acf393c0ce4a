"""The review of a run whose data holds planted faults."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from mmstudio.data.table import read_table
from mmstudio.errors import UserError
from mmstudio.evaluation import label_scores
from mmstudio.evaluation.choose_to_label import choose_to_label
from mmstudio.evaluation.findings import COPY, KINDS, LABEL, LEAK, OUTLIER, Finding
from mmstudio.evaluation.label_review import Review, review_labels, written
from mmstudio.evaluation.reviewed_table import check_output, reviewed, write_reviewed
from tests.evaluation.conftest import Planted
from tests.mixed_project import train_mixed, write_mixed_project
from tests.small_project import read_rows, write_table


@pytest.fixture(scope="module")
def review(planted: Planted) -> Review:
    *_, last = review_labels(planted.run, "cpu")
    assert isinstance(last, Review)
    return last


def test_flipped_labels_stand_first_with_who_contradicts_them(
    review: Review, planted: Planted
) -> None:
    first = [f for f in review.findings if f.kind == LABEL and f.target == "shape"]
    first = first[: len(planted.flipped)]
    found = {f.row for f in first} & set(planted.flipped)
    assert len(found) >= len(planted.flipped) - 1
    table = review.table
    right = {r: ("bar", "cross", "dot")[r % 3] for r in planted.flipped}
    assert all(f.suggested == right[f.row] for f in first if f.row in right)
    assert all(f.given == table.cell(f.row, "shape") for f in first)
    assert review.findings[0].certainty == "contradicted" and len(review.findings[0].inputs) > 1
    assert {"train", "test"} <= {f.split for f in first}


def test_a_picture_in_two_splits_is_a_leak_of_the_training_row(
    review: Review, planted: Planted
) -> None:
    learnt, asked = planted.leak
    leaks = {f.row: f for f in review.findings if f.kind == LEAK}
    assert asked in leaks[learnt].others and "image" in leaks[learnt].inputs
    assert leaks[learnt].score < 0.01


def test_a_picture_of_noise_is_an_outlier(review: Review, planted: Planted) -> None:
    found = [f for f in review.findings if f.kind == OUTLIER]
    assert len(found) < 12
    assert planted.outlier in [f.row for f in found]


def test_the_list_goes_by_urgency(review: Review) -> None:
    kinds = [(f.kind, f.certainty) for f in review.findings]
    places = [list(dict.fromkeys(kinds)).index(k) for k in kinds]
    assert places == sorted(places)
    data = review.to_json()
    assert data["rows"] == 240 and 200 < data["looked_at"] <= 240
    assert set(data["findings"][0]) == {"kind", "row", "split", "score", "certainty", "target",
                                        "given", "suggested", "contradicted_by"}
    assert all(0 <= f["score"] <= 1 and f["kind"] in KINDS for f in data["findings"])


def test_the_table_is_written_anew_beside_the_old_one(
    review: Review, planted: Planted, tmp_path: Path
) -> None:
    old = planted.project / "metadata.csv"
    before = old.read_bytes()
    frame = reviewed(review, read_table(old))
    write_reviewed(frame, tmp_path / "reviewed.csv")
    assert old.read_bytes() == before
    again = read_table(tmp_path / "reviewed.csv")
    table = read_table(old)
    assert again.frame.select(table.columns).equals(table.frame)
    first = review.findings[0]
    assert again.cell(first.row, "review rank") == "1"
    assert again.cell(first.row, f"{first.target} suggested") == first.suggested
    marked = again.column("review kind").is_not_null().sum()
    assert marked == len({f.row for f in review.findings})


def test_several_findings_of_a_row_stand_in_it(planted: Planted) -> None:
    table = read_table(planted.project / "metadata.csv")
    found = Review(table, 9, [
        Finding(LABEL, 4, "train", 0.1, target="shape", given="bar", suggested="dot",
                inputs=("image",)),
        Finding(COPY, 4, "train", 0.0, inputs=("image", "sound"), others=(7,)),
        Finding(COPY, 5, "train", 0.0, inputs=("sound",), others=(1, 2))])
    frame = reviewed(found, table)
    assert frame.row(4, named=True) | {} == {
        **dict(zip(table.columns, table.frame.row(4), strict=True)),
        "review rank": 1, "review kind": "label error; near-duplicate", "review score": 0.1,
        "shape suggested": "dot", "review inputs": "image; sound", "review other rows": "8"}
    assert frame.row(5, named=True)["review other rows"] == "2; 3"
    # a table that was reviewed before keeps the older columns under another name
    again = reviewed(found, table.with_frame(frame.cast(str)))
    assert "review rank in the table" in again.columns
    third = reviewed(found, table.with_frame(again.cast(str)))
    assert "review rank in the table in the table" in third.columns
    assert set(again.columns) < set(third.columns)


def test_the_reviewed_table_is_never_the_old_one(planted: Planted, tmp_path: Path) -> None:
    old = planted.project / "metadata.csv"
    with pytest.raises(UserError, match="not written over"):
        check_output(planted.project / "runs" / ".." / "metadata.csv", old)
    link = tmp_path / "linked.csv"
    link.symlink_to(old)
    with pytest.raises(UserError, match="not written over"):
        check_output(link, old)
    with pytest.raises(UserError, match="not a known kind of table"):
        check_output(tmp_path / "reviewed.docx", old)
    check_output(tmp_path / "reviewed.csv", old)


def test_labels_are_written_as_in_the_table() -> None:
    assert written({"classes": ["a", "b"]}, 1) == "b"
    sets = {"classes": ["a", "b", "c"], "separator": ";"}
    assert written(sets, [1, 0, 1]) == "a;c" and written(sets, [0, 0, 0]) == ";"
    assert written({"mean": 10.0, "deviation": 2.0}, 0.25) == "10.500"
    assert written({"mean": 1e6, "deviation": 2e5}, 0.5) == "1100000"


def test_kinds_count(review: Review) -> None:
    counts = Counter(f.kind for f in review.findings)
    assert counts[LEAK] >= 1 and counts[LABEL] >= 6


def test_label_sets_and_numbers_are_reviewed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_scores, "FEWEST", 20)
    project = write_mixed_project(tmp_path / "project")
    rows = read_rows(project)
    train = [i for i, row in enumerate(rows) if row["split"] == "train" and row["file_name"]]
    sets = next(i for i in train if rows[i]["tags"] == "line" and rows[i]["text"])
    number = next(i for i in train[5:] if rows[i]["area"] and rows[i]["text"] and i != sets)
    rows[sets]["tags"] = ","
    rows[number]["area"] = "5000"
    write_table(project / "metadata.csv", rows)
    train_mixed(project, {"training.epochs": 3})
    *_, found = review_labels(project / "runs" / "first", "cpu")
    assert isinstance(found, Review)
    errors = {(f.target, f.row): f for f in found.findings if f.kind == LABEL}
    assert errors["tags", sets].given == "," and errors["tags", sets].suggested == "line"
    assert errors["area", number].given == "5000"
    assert float(errors["area", number].suggested) < 2500
    frame = reviewed(found, read_table(project / "metadata.csv"))
    assert frame["tags suggested"][sets] == "line"
    *_, chosen = choose_to_label(project / "runs" / "first", 3, "cpu")
    assert isinstance(chosen, list) and set(chosen[0].suggested) == {"shape", "size", "tags",
                                                                     "area"}
