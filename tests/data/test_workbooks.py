"""Workbooks: read by polars' reader, and refused where a sheet would fill the memory."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from mmstudio.data import workbooks
from mmstudio.data.table import read_table
from mmstudio.errors import UserError

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def write_xlsx(path: Path, cells: str, member: str = "worksheets/sheet1.xml") -> Path:
    """A workbook with one sheet; ``cells`` are its rows as XML."""
    files = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="a" '
                       f'Type="{LINKS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{LINKS}"><sheets><sheet name="s" '
                           'sheetId="1" r:id="b"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels":
            f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="b" '
            f'Type="{LINKS}/worksheet" Target="{member}"/></Relationships>',
        f"xl/{member}": f'<worksheet xmlns="{MAIN}"><sheetData>{cells}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def row(number: int, *values: str) -> str:
    cells = "".join(f'<c r="{chr(65 + i)}{number}" t="inlineStr"><is><t>{v}</t></is></c>'
                    for i, v in enumerate(values))
    return f'<row r="{number}">{cells}</row>'


def write_ods(path: Path, rows: str) -> Path:
    """A workbook of the other kind, with one sheet."""
    names = "".join(f' xmlns:{n}="urn:oasis:names:tc:opendocument:xmlns:{n}:1.0"'
                    for n in ("office", "table", "text"))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        manifest = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
        archive.writestr("META-INF/manifest.xml", f'<m:manifest xmlns:m="{manifest}"/>')
        archive.writestr("content.xml", (
            f"<office:document-content{names}><office:body><office:spreadsheet>"
            f'<table:table table:name="s">{rows}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>"))
    return path


def ods_row(*values: str, times: int = 1, cell_times: int = 1) -> str:
    cells = "".join(
        f'<table:table-cell office:value-type="string" table:number-columns-repeated='
        f'"{cell_times}"><text:p>{v}</text:p></table:table-cell>' for v in values)
    return f'<table:table-row table:number-rows-repeated="{times}">{cells}</table:table-row>'


SMALL = [("text", "label"), ("one cat", "cat"), ("two dogs", "dog")]


@pytest.mark.parametrize("kind", ["xlsx", "ods"])
def test_the_first_sheet_is_the_table(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("fastexcel")
    if kind == "xlsx":
        path = write_xlsx(tmp_path / "t.xlsx",
                          "".join(row(n, *r) for n, r in enumerate(SMALL, start=1)))
    else:
        blank = '<table:table-row table:number-rows-repeated="1048573"><table:table-cell ' \
                'table:number-columns-repeated="16384"/></table:table-row>'
        path = write_ods(tmp_path / "t.ods", "".join(ods_row(*r) for r in SMALL) + blank)
    table = read_table(path)
    assert table.columns == ["text", "label"]
    assert table.column("label").to_list() == ["cat", "dog"]


FAR = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'


@pytest.mark.parametrize("name, cells", [
    ("worksheets/sheet1.xml", row(1, "a") + FAR),
    ("other.bin", row(1, "a") + FAR),
    ("worksheets/sheet1.xml", '<row><c><v>1</v></c></row><row r="40000000"><c><v>1</v></c></row>'),
    ("worksheets/sheet1.xml", '<row r="1"><c r="ZZZZZZ1"><v>1</v></c></row>'),
])
def test_a_cell_in_the_far_corner_is_refused_before_it_is_read(
    name: str, cells: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbooks.importlib.util, "find_spec", lambda name: True)
    path = write_xlsx(tmp_path / "t.xlsx", cells, name)
    with pytest.raises(UserError, match="more than 30,000,000 cells"):
        read_table(path)


def test_what_stands_often_in_the_other_kind_is_refused_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbooks.importlib.util, "find_spec", lambda name: True)
    path = write_ods(tmp_path / "t.ods", ods_row("x", times=1048576, cell_times=16384))
    with pytest.raises(UserError, match="1,048,576 rows and 16,384 columns"):
        read_table(path)


@pytest.mark.parametrize("content", [b"PK", b"no archive"])
def test_a_damaged_one_and_one_of_the_oldest_kind_are_told(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbooks.importlib.util, "find_spec", lambda name: True)
    for name, words in (("t.xlsx", "can't be read as a workbook"), ("t.xls", "the oldest kind")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=words):
            read_table(tmp_path / name)


def test_a_sheet_that_is_cut_is_not_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbooks.importlib.util, "find_spec", lambda name: True)
    path = write_xlsx(tmp_path / "t.xlsx", "<row><c></row>")
    with pytest.raises(UserError, match="can't be read as a workbook: mismatched tag"):
        read_table(path)
