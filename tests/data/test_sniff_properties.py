"""A table of text comes back cell by cell, however it was written and encoded."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mmstudio.data.table import read_table
from mmstudio.data.text_file import layout_of, open_text
from tests.properties import steady

CELL = st.text(st.characters(codec="cp1252", categories=("Lu", "Ll", "Nd", "Pd", "Sc", "Zs"),
                             include_characters=",;|\t\"'"), max_size=12)
WORD = st.text("abcdefghijklmnopqrstuvwxyzäöü", min_size=2, max_size=8)
NAMES = st.lists(WORD, min_size=2, max_size=5, unique=True)
SEPARATORS = st.sampled_from([",", ";", "\t", "|"])
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
ENDS = st.sampled_from(["\n", "\r\n"])


def tables(cells: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[list[str], list[list[str]]]]:
    """Names of columns and rows of as many cells."""
    return NAMES.flatmap(lambda names: st.tuples(st.just(names), st.lists(
        st.lists(cells, min_size=len(names), max_size=len(names)), min_size=2, max_size=12)))


def written(names: list[str], rows: list[list[str]], separator: str, end: str, quote: int) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator, lineterminator=end, quoting=quote)
    writer.writerows([names, *rows])
    return text.getvalue()


@steady
@given(tables(CELL), SEPARATORS, ENCODINGS, ENDS)
def test_quoted_cells_come_back_from_every_separator_and_encoding(
    table, separator, encoding, end
) -> None:
    names, rows = table
    # blanks around a cell say nothing, and neither do rows of empty cells at the end
    read = [[cell.strip() for cell in row] for row in rows]
    while read and not any(read[-1]):
        read.pop()
    assume(read)
    text = written(names, rows, separator, end, csv.QUOTE_ALL)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_bytes(text.encode(encoding))
        assume(encoding != "cp1252" or not _is_utf8(path.read_bytes()))
        found = read_table(path)
    assert found.columns == names
    told = [[cell or "" for cell in row] for row in found.frame.rows()]
    assert told == read


@steady
@given(tables(WORD), SEPARATORS, ENCODINGS, ENDS)
def test_plain_words_give_separator_and_names(table, separator, encoding, end) -> None:
    names, rows = table
    text = written(names, rows, separator, end, csv.QUOTE_MINIMAL)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_bytes(text.encode(encoding))
        layout = layout_of(open_text(path).head, ".csv")
    assert (layout.separator, layout.skipped, layout.notes) == (separator, 1, ())
    if encoding != "cp1252":
        assert list(layout.names) == names


@steady
@given(st.text(max_size=300), st.sampled_from([".csv", ".tsv", ".txt"]))
def test_any_text_has_a_layout_or_says_that_it_is_blank(text, suffix) -> None:
    if not text.strip(" \t\r\n\ufeff"):
        with pytest.raises(ValueError, match="is empty"):
            layout_of(text, suffix)
        return
    try:
        layout = layout_of(text, suffix)
    except ValueError:
        assert not text.strip()
        return
    assert layout.names and len(set(layout.names)) == len(layout.names)
    assert all(name.strip() for name in layout.names)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not data.isascii()
