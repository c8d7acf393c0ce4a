"""Cells that a spreadsheet would compute are written as text and read back as they were."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mmstudio.data.formulas import guarded, is_of_answers
from mmstudio.data.table import Table, read_table
from mmstudio.inference.prediction import Prediction
from mmstudio.inference.table_answers import AnswerWriter
from mmstudio.tasks.base import Answer

FORMULAS = ["=1+1", "=cmd|' /C calc'!A0", "+49 170", "-x", "- a point", "@SUM(A1)", "-1+2", "＝1",  # noqa: RUF001
            "'=1+1", "''-x", "-", "=HYPERLINK(\"http://example.org\")"]
PLAIN = ["-3.5", "+2", "-1e-05", "-1,5", "-.5", "3", "a=b", "'quoted'", "it's", "", "cat", "1-2"]


@pytest.mark.parametrize("cell", FORMULAS)
def test_a_formula_gets_an_apostrophe(cell: str) -> None:
    assert guarded(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", PLAIN)
def test_numbers_and_words_stay_as_they_are(cell: str) -> None:
    assert guarded(cell) == cell


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_answers_are_read_back_with_the_same_labels(tmp_path: Path, suffix: str) -> None:
    labels = [cell for cell in FORMULAS + PLAIN if cell]
    table = Table(tmp_path / "t.csv", tmp_path, _frame(labels))
    predictor: Any = SimpleNamespace(separators={}, tasks={"=kind": "classification"},
                                     schema=SimpleNamespace(targets={}))
    path = tmp_path / f"out{suffix}"
    with AnswerWriter(path, table, predictor) as writer:
        for row, label in enumerate(labels):
            answer = Answer(label=label, scores={label: 0.5})
            writer.write(row, Prediction({"=kind": answer}, ("words",), 0.0))
    back = read_table(path)
    assert back.columns == ["=words", "note", "=kind answer", "=kind score", "error"]
    for column in ("=words", "=kind answer"):
        assert back.column(column).to_list() == labels
    if suffix in (".csv", ".tsv"):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, delimiter="\t" if suffix == ".tsv" else ","))
        cells = {cell for row in rows for cell in row}
        assert not [c for c in cells if c[:1] in tuple("=+-@") and c not in PLAIN]
        assert {"-3.5", "-1e-05"} <= cells


def test_an_apostrophe_in_other_tables_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("words,label\n'@you said,'-x\n'=a',b\n", encoding="utf-8")
    assert read_table(tmp_path / "t.csv").frame.rows() == [("'@you said", "'-x"), ("'=a'", "b")]
    assert not is_of_answers(["words", "error"]) and not is_of_answers(["kind answer", "words"])


def _frame(labels: list[str]) -> Any:
    import polars as pl

    return pl.DataFrame({"=words": labels, "note": ["n"] * len(labels)})
