"""Answers for a table, written as CSV, whole or not at all."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mmstudio.data.table import Table, read_table
from mmstudio.errors import UserError
from mmstudio.inference.prediction import Prediction
from mmstudio.inference.predictor import Predictor
from mmstudio.inference.table_answers import (
    AnswerWriter,
    _decimal_places,
    _text,
    table_answers,
)
from mmstudio.tasks.base import Answer


@pytest.fixture
def table(tmp_path: Path) -> Table:
    (tmp_path / "t.csv").write_text('text,note\nround,"a, ""b"""\nline,\n')
    return read_table(tmp_path / "t.csv")


def test_own_columns_come_first_then_answers_and_scores(
    trained: Path, table: Table, tmp_path: Path
) -> None:
    predictor = Predictor(trained)
    answers = [next(predictor.predict_table(table)), UserError("Row 2: broken.", "Mend it.")]
    with AnswerWriter(tmp_path / "out.csv", table, predictor) as writer:
        for row, answer in enumerate(answers):
            writer.write(row, answer)
        assert not (tmp_path / "out.csv").exists()
    with (tmp_path / "out.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert list(first) == ["text", "note", "shape answer", "shape score", "size answer",
                           "size score", "error"]
    assert (first["text"], first["note"], first["error"]) == ("round", 'a, "b"', "")
    expected = answers[0].tasks["shape"]
    assert first["shape answer"] == expected.label
    assert float(first["shape score"]) == pytest.approx(
        expected.scores[expected.label], abs=1e-5)
    assert second["shape answer"] == ""
    assert second["error"] == "Row 2: broken. Mend it."


def test_a_fault_midway_leaves_nothing(trained: Path, table: Table, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), AnswerWriter(
        tmp_path / "out.csv", table, Predictor(trained)
    ):
        raise ZeroDivisionError
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]


def test_a_place_that_cannot_be_written_is_refused_at_once(
    trained: Path, table: Table, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "none" / "out.csv", tmp_path / "folder"):
        with pytest.raises(UserError, match="can't be written"), AnswerWriter(
            path, table, Predictor(trained)
        ):
            pytest.fail("it must be refused before the first row")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "t.csv"]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet", ".PARQUET"])
def test_the_suffix_says_what_is_written(
    trained: Path, table: Table, tmp_path: Path, suffix: str
) -> None:
    predictor, path = Predictor(trained), tmp_path / f"out{suffix}"
    answers = [next(predictor.predict_table(table)), UserError("Row 2: broken.", "Mend it.")]
    with AnswerWriter(path, table, predictor) as writer:
        for row, answer in enumerate(answers):
            writer.write(row, answer)
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name, "t.csv"]
    first = path.read_bytes()
    if suffix == ".PARQUET":
        assert first.startswith(b"PAR1")
        return
    if suffix == ".tsv":
        assert first.splitlines()[0].count(b"\t") == 6
    back = read_table(path)
    assert back.columns == ["text", "note", "shape answer", "shape score", "size answer",
                            "size score", "error"]
    found = answers[0].tasks["shape"]
    assert back.cell(0, "shape answer") == found.label
    assert float(back.cell(0, "shape score") or "nan") == pytest.approx(
        found.scores[found.label], abs=1e-5)
    assert back.cell(0, "note") == 'a, "b"' and back.cell(0, "error") is None
    assert back.cell(1, "shape answer") is None and back.cell(1, "text") == "line"
    assert back.cell(1, "error") == "Row 2: broken. Mend it."


@pytest.mark.parametrize("name", ["out.xlsx", "out", "out.txt"])
def test_another_suffix_is_refused_and_the_known_ones_are_named(
    trained: Path, table: Table, tmp_path: Path, name: str
) -> None:
    with pytest.raises(UserError, match="can't be written") as caught:
        AnswerWriter(tmp_path / name, table, Predictor(trained))
    assert ".csv, .tsv, .jsonl or .parquet" in caught.value.hint


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_column_called_like_an_answer_is_kept_under_another_name(
    trained: Path, tmp_path: Path, suffix: str
) -> None:
    (tmp_path / "t.csv").write_text("text,error,shape answer\nround,e,a\n")
    table, predictor = read_table(tmp_path / "t.csv"), Predictor(trained)
    with AnswerWriter(tmp_path / f"out{suffix}", table, predictor) as writer:
        writer.write(0, next(predictor.predict_table(table)))
    back = read_table(tmp_path / f"out{suffix}")
    assert back.columns[:3] == ["text", "error in the table", "shape answer in the table"]
    assert back.cell(0, "error in the table") == "e"


@pytest.mark.parametrize(("number", "deviation", "text"), [
    (1_700_000_001.6412, 20.0, "1700000001.6412"),
    (123_456_789.25, 300.0, "123456789.25"),
    (0.000_012_345_678, 1e-5, "0.000012345678"),
    (5.0, 2.0, "5"),
    (-1e12, 1e9, "-1000000000000"),
    (12.345678912, 1.0, "12.3456789"),
    (1e300, 1.0, "1e+300"),
])
def test_numbers_keep_the_digits_that_the_model_knows(
    number: float, deviation: float, text: str
) -> None:
    assert _text(number, _decimal_places(deviation)) == text
    assert _text(0.25) == "0.250000"  # a score


def test_an_empty_row_gets_no_answer_and_the_last_row_is_not_lost(
    trained: Path, tmp_path: Path
) -> None:
    (tmp_path / "one.csv").write_text('text\nround\n""\nround\n""\n')
    table = read_table(tmp_path / "one.csv")
    assert table.column("text").to_list() == ["round", None, "round", None]
    first, empty, again, last = table_answers(Predictor(trained), table)
    assert isinstance(first, Prediction) and isinstance(again, Prediction)
    assert isinstance(empty, UserError) and isinstance(last, UserError)
    assert empty.message == "Row 2: all of its inputs are empty."
    assert last.message == "Row 4: all of its inputs are empty."


def test_an_exported_model_has_no_tasks_of_its_own(table: Table, tmp_path: Path) -> None:
    predictor: Any = SimpleNamespace(
        tasks={"shape": "classification", "size": "regression"}, separators={},
        schema=SimpleNamespace(targets={"shape": {}, "size": {"deviation": 2.0}}))
    answers = {"shape": Answer(label="dot", scores={"dot": 0.75}), "size": Answer(value=1.5)}
    with AnswerWriter(tmp_path / "out.csv", table, predictor) as writer:
        writer.write(0, Prediction(answers, ("words",), 0.0))
    with (tmp_path / "out.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    assert (row["shape answer"], row["shape score"], row["size answer"]) == (
        "dot", "0.750000", "1.5")
    assert "size score" not in row
