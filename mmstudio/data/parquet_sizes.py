"""What a Parquet file becomes when it is unpacked, from its own description, before it is read.

polars tells no sizes, so the few numbers are taken from the file: its footer names the column
chunks, and each page of a chunk says before its content how large it becomes. Both are structures
of Thrift's compact protocol, laid out in parquet.thrift.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOST_FOOTER_BYTES = 16_000_000
MOST_PAGES = 500_000
_DEEPEST = 16
_BOOLS, _NUMBERS, _DOUBLE, _BINARY, _LISTS, _STRUCT = (1, 2), (4, 5, 6), 7, 8, (9, 10), 12
_BYTE = 3
# field numbers of parquet.thrift
_GROUPS, _COLUMNS, _META = 4, 1, 3
_PATH, _VALUES, _PACKED, _DATA_AT, _DICTIONARY_AT = 3, 5, 7, 9, 11
_PAGE_UNPACKED, _PAGE_PACKED, _PAGE_DATA, _PAGE_DICTIONARY, _PAGE_DATA_V2 = 2, 3, 5, 7, 8


@dataclass
class ColumnSize:
    """One column of a file, all groups of rows together.

    Attributes:
        unpacked_bytes: All its pages; values of a dictionary count once per group of rows.
        group_bytes: The largest group's.
        values: How many, those of lists one by one.
        longest_bytes: What all values take at most, if each were the whole dictionary.
    """

    unpacked_bytes: int = 0
    group_bytes: int = 0
    values: int = 0
    longest_bytes: int = 0


def column_sizes(path: Path) -> dict[str, ColumnSize]:
    """The size of each column, by its name, as the file says itself.

    Raises:
        ValueError: It is not a Parquet file, or larger in its description than any real one.
        OSError: It can't be opened.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if len(data) < 12 or data[:4] != b"PAR1" or data[-4:] != b"PAR1":
            raise ValueError("it is not a Parquet file, or its end is missing")
        length = int.from_bytes(data[-8:-4], "little")
        if length > min(MOST_FOOTER_BYTES, len(data) - 12):
            raise ValueError(f"its description has {length:,} bytes")
        footer = _Thrift(data, len(data) - 8 - length).struct()
        sizes: dict[str, ColumnSize] = {}
        pages = 0
        for group in footer.get(_GROUPS, []):
            of_group: dict[str, int] = {}
            for chunk in group.get(_COLUMNS, []):
                meta = chunk.get(_META)
                if meta is None:
                    raise ValueError("a column lies in another file")
                name = meta[_PATH][0].decode("utf-8")
                column = sizes.setdefault(name, ColumnSize())
                before = column.unpacked_bytes
                pages += _add(data, meta, column, MOST_PAGES - pages)
                of_group[name] = of_group.get(name, 0) + column.unpacked_bytes - before
            for name, size in of_group.items():
                sizes[name].group_bytes = max(sizes[name].group_bytes, size)
        return sizes


def _add(data: mmap.mmap, meta: dict[int, Any], column: ColumnSize, most_pages: int) -> int:
    """Add a chunk's pages to its column; their number."""
    at = meta[_DATA_AT]
    if meta.get(_DICTIONARY_AT):
        at = min(at, meta[_DICTIONARY_AT])
    end, pages, values, dictionary, unpacked = at + meta[_PACKED], 0, 0, 0, 0
    while at < end:
        if pages >= most_pages:
            raise ValueError(f"it has more than {MOST_PAGES:,} pages")
        reader = _Thrift(data, at)
        page = reader.struct()
        size, packed = page[_PAGE_UNPACKED], page[_PAGE_PACKED]
        if size < 0 or packed < 0:
            raise ValueError("a page has a negative size")
        if _PAGE_DICTIONARY in page:
            dictionary = size
        else:
            values += page.get(_PAGE_DATA, page.get(_PAGE_DATA_V2, {})).get(1, 0)
        unpacked += size
        pages += 1
        at = reader.at + packed
    column.unpacked_bytes += unpacked
    column.values += max(values, meta[_VALUES])
    column.longest_bytes += unpacked + dictionary * max(values, meta[_VALUES])
    return pages


class _Thrift:
    """Reads Thrift's compact protocol: structs as ``{field number: value}``.

    Args:
        data: The whole file.
        at: Where the struct begins; afterwards where it ended.
    """

    def __init__(self, data: mmap.mmap, at: int) -> None:
        if not 0 <= at < len(data):
            raise ValueError("it points beyond its end")
        self._data = data
        self.at = at

    def struct(self, depth: int = 0) -> dict[int, Any]:
        if depth > _DEEPEST:
            raise ValueError("it is nested too deeply")
        fields: dict[int, Any] = {}
        number = 0
        while kind := self._byte():
            number = number + (kind >> 4) if kind >> 4 else self._zigzag()
            fields[number] = self._value(kind & 15, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in _BOOLS:
            return kind == 1
        if kind in _NUMBERS:
            return self._zigzag()
        if kind == _BYTE:
            return self._byte()
        if kind == _DOUBLE:
            return self._bytes(8)
        if kind == _BINARY:
            return self._bytes(self._number())
        if kind in _LISTS:
            head = self._byte()
            count = head >> 4 if head >> 4 < 15 else self._number()
            if count > len(self._data):
                raise ValueError("a list is longer than the file")
            inner = head & 15
            return [self._byte() == 1 if inner in _BOOLS else self._value(inner, depth + 1)
                    for _ in range(count)]
        if kind == _STRUCT:
            return self.struct(depth + 1)
        raise ValueError(f"its description holds a value of kind {kind}")

    def _byte(self) -> int:
        self.at += 1
        if self.at > len(self._data):
            raise ValueError("its description ends early")
        return self._data[self.at - 1]

    def _bytes(self, length: int) -> bytes:
        self.at += length
        if self.at > len(self._data):
            raise ValueError("its description ends early")
        return self._data[self.at - length : self.at]

    def _number(self) -> int:
        value = shift = 0
        while shift < 70:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
        raise ValueError("a number has no end")

    def _zigzag(self) -> int:
        value = self._number()
        return (value >> 1) ^ -(value & 1)
