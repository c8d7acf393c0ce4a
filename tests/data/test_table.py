"""Tables of every kind, read to the same cells."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image

from mmstudio.data.input_cells import input_cells
from mmstudio.data.merged_labels import merged
from mmstudio.data.table import read_table
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment

ROWS: list[dict[str, Any]] = [
    {"file_name": "a.png", "text": 'says "hi", twice', "digit": "3"},
    {"file_name": None, "text": "über\nzwei lines", "digit": None},
    {"file_name": "c d.png", "text": None, "digit": "7"},
]


def cells(path: Path) -> list[dict[str, str | None]]:
    table = read_table(path)
    return [{c: table.cell(r, c) for c in table.columns} for r in range(len(table))]


@pytest.mark.parametrize(("suffix", "separator"), [
    ("csv", ","), ("csv", ";"), ("csv", "\t"), ("csv", "|"), ("tsv", "\t"), ("txt", "\t"),
    ("CSV", ","),
])
def test_separated_text(suffix: str, separator: str, tmp_path: Path) -> None:
    path = tmp_path / f"t.{suffix}"
    pl.DataFrame(ROWS).write_csv(path, separator=separator)
    assert cells(path) == ROWS


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    sparse = [{k: v for k, v in row.items() if v is not None} for row in ROWS]
    path.write_text("\n".join(json.dumps(r) for r in sparse) + "\n\n", encoding="utf-8")
    assert cells(path) == ROWS
    path.write_text("\n".join(json.dumps(r) for r in ROWS), encoding="utf-8")
    assert cells(path) == ROWS


def test_parquet(tmp_path: Path) -> None:
    pl.DataFrame(ROWS).write_parquet(tmp_path / "t.parquet")
    assert cells(tmp_path / "t.parquet") == ROWS


def test_json_numbers_and_words_in_one_column_are_both_kept(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"x": "a", "digit": 3}\n{"x": "b", "digit": "three"}\n')
    try:
        found = [row["digit"] for row in cells(path)]
    except UserError:
        return  # refused is fine, lost without a word is not
    assert found == ["3", "three"]


def test_typed_columns_become_text(tmp_path: Path) -> None:
    pl.DataFrame({
        "whole": [1.0, None, 3.0], "part": [0.5, float("nan"), None], "int": [1, 2, None],
        "flag": [True, False, None], "day": [date(2024, 1, 2), None, None],
        "picture": [{"bytes": None, "path": "a.png"}, None, {"bytes": None, "path": None}],
        "tags": [["a", "b"], [], None], "none": [None, None, None],
    }).write_parquet(tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    assert {c: table.column(c).to_list() for c in table.columns} == {
        "whole": ["1", None, "3"], "part": ["0.5", None, None], "int": ["1", "2", None],
        "flag": ["true", "false", None], "day": ["2024-01-02", None, None],
        "picture": ["a.png", None, None], "tags": ["a|b", None, None],
        "none": [None, None, None],
    }


def test_a_column_of_bytes_is_refused_or_left_out_and_never_crashes(tmp_path: Path) -> None:
    pl.DataFrame({"x": ["a"], "picture": [b"\x89PNG\xff\xfe"]}).write_parquet(
        tmp_path / "t.parquet")
    try:
        assert "x" in read_table(tmp_path / "t.parquet").columns
    except UserError as error:
        assert "t.parquet" in error.message


def test_blank_cells_are_empty_and_blanks_around_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('a,b,c\n  x ,"",   \n,"  ",y\n')
    assert cells(path) == [{"a": "x", "b": None, "c": None}, {"a": None, "b": None, "c": "y"}]


def test_a_byte_order_mark_and_windows_line_ends_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("\ufefffile_name,digit\r\na.png,3\r\n".encode())
    assert cells(path) == [{"file_name": "a.png", "digit": "3"}]


def test_blanks_around_a_columns_name_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("file_name, digit\na.png, 3\n")
    assert cells(tmp_path / "t.csv") == [{"file_name": "a.png", "digit": "3"}]


def test_words_that_look_like_nothing_are_words(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\nNA,null\nNone,nan\n007,1e3\n")
    assert cells(tmp_path / "t.csv") == [
        {"a": "NA", "b": "null"}, {"a": "None", "b": "nan"}, {"a": "007", "b": "1e3"}]


def test_a_folder_of_class_folders(tmp_path: Path) -> None:
    for name in ("dog/b.png", "dog/a.jpg", "cat/deep/c.png", "cat/notes.csv", ".hidden/d.png",
                 "runs/e.png", "loose.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (2, 2)).save(tmp_path / name, format="PNG")
    assert cells(tmp_path) == [
        {"file_name": "cat/deep/c.png", "label": "cat"},
        {"file_name": "dog/a.jpg", "label": "dog"}, {"file_name": "dog/b.png", "label": "dog"}]
    assert read_table(tmp_path).path_of(0, "file_name") == tmp_path / "cat/deep/c.png"


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl", "metadata.parquet"])
def test_a_folder_with_metadata_like_hugging_faces(name: str, tmp_path: Path) -> None:
    frame = pl.DataFrame(ROWS)
    {"csv": frame.write_csv, "jsonl": frame.write_ndjson, "parquet": frame.write_parquet}[
        name.partition(".")[2]](tmp_path / name)
    assert cells(tmp_path) == ROWS
    assert read_table(tmp_path).folder == tmp_path


def test_paths_are_relative_to_the_table(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    pl.DataFrame(ROWS).write_csv(tmp_path / "sub" / "t.csv")
    table = read_table(tmp_path / "sub" / "t.csv")
    assert table.path_of(0, "file_name") == tmp_path / "sub" / "a.png"
    assert table.path_of(1, "file_name") is None


BAD = {
    "empty.csv": b"", "header.csv": b"a,b\n", "blank.csv": b"\n\n",
    "ragged.csv": b"a,b\n1,2,3,4\n", "t.xlsx": b"x", "noise.parquet": b"noise" * 20,
    "noise.jsonl": b"{not json}\n", "list.jsonl": b"[1, 2]\n", "empty.jsonl": b"",
    "empty.parquet": b"", "nul.csv": b"\0\0\0",
}


@pytest.mark.parametrize("name", BAD)
def test_a_table_that_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(BAD[name])
    with pytest.raises(UserError) as caught:
        read_table(tmp_path / name)
    assert name in caught.value.message
    assert caught.value.hint


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.csv"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(UserError, match="sub-folders"):
        read_table(tmp_path)
    pl.DataFrame(ROWS).write_csv(tmp_path / "t.csv")
    with pytest.raises(UserError, match=r"no column 'digits'.*Did you mean 'digit'"):
        read_table(tmp_path / "t.csv").column("digits")


@pytest.mark.parametrize(("encoding", "named"), [
    ("utf-8", ()), ("utf-8-sig", ()), ("cp1252", ("Read as Windows-1252 text.",)),
    ("utf-16", ("Read as UTF-16 text.",)), ("utf-16-le", ("Read as UTF-16 text.",)),
    ("utf-16-be", ("Read as UTF-16 text.",)),
])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_the_encoding_is_found_and_told(
    encoding: str, named: tuple[str, ...], line_end: str, tmp_path: Path
) -> None:
    lines = ["file_name;text", "a.png;Größe – “fünf”", "b.png;naïve café"]
    (tmp_path / "t.csv").write_bytes(line_end.join([*lines, ""]).encode(encoding))
    table = read_table(tmp_path / "t.csv")
    assert table.columns == ["file_name", "text"]
    assert table.column("text").to_list() == ["Größe – “fünf”", "naïve café"]
    assert table.notes == named


def test_bytes_that_no_code_page_knows_never_stop_it(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a,b\n\xff\xfe\x81\x8d,1\n")
    assert len(read_table(tmp_path / "t.csv")) == 1
    assert "Latin-1" in read_table(tmp_path / "t.csv").notes[0]


def test_odd_headers_get_names(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("sep=;\n\ufeff;label; label ;\n1;x;y;\n2;z;;\n")
    assert cells(path) == [{"column 1": "1", "label": "x", "label 2": "y"},
                           {"column 1": "2", "label": "z", "label 2": None}]
    path.write_text("\n\nimages/0.png,3\nimages/1.png,4\n")
    assert cells(path)[0] == {"column 1": "images/0.png", "column 2": "3"}
    assert "no line that names" in read_table(path).notes[0]
    path.write_text("file,label\n1,a.png,x\n2,b.png,y\n")
    assert cells(path)[1] == {"row": "2", "file": "b.png", "label": "y"}


def test_the_separator_is_the_one_that_makes_equal_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('name;"price, in euro"\n"a;b";1.234,5\n\nc, d, e;0,25\n')
    table = read_table(path)
    assert cells(path) == [{"name": "a;b", "price, in euro": "1234.5"},
                           {"name": "c, d, e", "price, in euro": "0.25"}]
    assert "1 blank lines" in table.notes[0] and "Decimal commas" in table.notes[1]


def test_a_comma_between_commas_stays(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('a,b\n"1,234",x\n"5",y\n')
    assert cells(tmp_path / "t.csv")[0]["a"] == "1,234"


def test_the_row_with_too_many_cells_is_named(tmp_path: Path) -> None:
    rows = [f'a{i}.png,"no, {i}"' for i in range(300)]
    rows[217] = "a.png,no, never"
    (tmp_path / "t.csv").write_text("\n".join(["file_name,text", *rows]))
    with pytest.raises(UserError, match=r"Row 218 of .*t\.csv has 3 cells.*2 columns"):
        read_table(tmp_path / "t.csv")


def test_rows_with_too_few_cells_are_told(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('a,b,c\n1,2,3\n4,5\n"x, y",6,\n7\n8,9,\n')
    assert cells(path)[1] == {"a": "4", "b": "5", "c": None}
    assert "Row 2 and 1 others have fewer cells" in read_table(path).notes[0]
    path.write_text('a,b\n1,\n"2",\n')
    assert read_table(path).notes == ()


def test_the_line_that_is_no_object_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"a": 1}\n\n{"a": 2\n{"a": 3}\n')
    with pytest.raises(UserError, match=r"Line 3 of .*t\.jsonl"):
        read_table(tmp_path / "t.jsonl")


def test_json_lists_become_labels_with_a_separator(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"tags": ["a", "b"], "n": [1, 2]}\n{"tags": [], "n": [3]}\n')
    assert cells(tmp_path / "t.jsonl") == [{"tags": "a|b", "n": "1|2"}, {"tags": None, "n": "3"}]


def test_the_path_is_shown_without_detours(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    pl.DataFrame(ROWS).write_csv(tmp_path / "t.csv")
    assert read_table(tmp_path / "sub" / ".." / "t.csv").path == tmp_path / "t.csv"


def test_a_column_called_like_a_picture_file_is_a_name_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("model.fit,label\n0.5,a\n0.7,b\n")
    table = read_table(tmp_path / "t.csv")
    assert (table.columns, table.notes) == (["model.fit", "label"], ())


def test_columns_named_like_patterns_are_columns_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("^price$,*,price\n 1,yes,2\n0,no,\n")
    table = read_table(file)
    assert table.columns == ["(^price$)", "(*)", "price"]
    assert table.column("(^price$)").to_list() == ["1", "0"]
    table_input = {"columns": table.columns, "modality": "tabular"}
    target = {"task": "multilabel", "columns": ["(^price$)", "(*)"]}
    experiment = Experiment.from_dict({
        "data": {"table": "t.csv", "split": {"train": 0.8, "validation": 0.1, "test": 0.1}},
        "inputs": {"x": table_input}, "targets": {"label": target}})
    assert [c and json.loads(c) for c in input_cells(table, experiment.inputs["x"])] == [
        {"(^price$)": "1", "(*)": "yes", "price": "2"},
        {"(^price$)": "0", "(*)": "no", "price": None}]
    assert merged(table, experiment).column("label").to_list() == ["(^price$);(*)", ";"]


TEXTS = "Only in the great world of crazy points, they say, until the week ends"


@pytest.mark.parametrize(("head", "columns", "told"), [
    (f"ham\t{TEXTS}", ["column 1", "column 2"], "no line that names"),
    ("5\t0\t0\t12", ["column 1", "column 2", "column 3", "column 4"], "no line that names"),
    ("spam\tmessage", ["spam", "message"], "'spam' is also a value of that column"),
    ("kind\tmessage", ["kind", "message"], ""),
    ("2019\t2020\t2021\t2022", ["2019", "2020", "2021", "2022"], "")])
def test_a_row_is_not_taken_for_the_names_of_columns(
    head: str, columns: list[str], told: str, tmp_path: Path
) -> None:
    rest = ([f"{'ham' if i % 2 else 'spam'}\tmessage number {i}" for i in range(8)]
            if len(columns) == 2 else [f"{i}\t0\t{i * 3}\t7" for i in range(8)])
    (tmp_path / "t.tsv").write_text("\n".join([head, *rest]))
    table = read_table(tmp_path / "t.tsv")
    assert table.columns == columns
    assert len(table) == 8 + ("no line" in told)
    assert told in " ".join(table.notes) and bool(told) == bool(table.notes)


def test_a_label_per_column_by_its_own_name_is_no_row(tmp_path: Path) -> None:
    lines = ["text,cat,dog", *(f"words {i},{'cat' if i % 2 else ''},{'dog' if i % 3 else ''}"
                               for i in range(9))]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    table = read_table(tmp_path / "t.csv")
    assert table.columns == ["text", "cat", "dog"] and table.notes == ()


def test_a_line_of_names_in_the_middle_tells_nothing(tmp_path: Path) -> None:
    part = ["text,label", *(f"words {i},{'ab'[i % 2]}" for i in range(4))]
    (tmp_path / "t.csv").write_text("\n".join(part * 3))
    assert read_table(tmp_path / "t.csv").notes == ()
