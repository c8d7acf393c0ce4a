"""JSON files that hold a list of records, those of labelling programs among them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from mmstudio.data.coco import are_records, coco_records
from mmstudio.data.lists_in_cells import joined
from mmstudio.errors import UserError
from mmstudio.reading import read_bytes

LARGEST_BYTES = 1_000_000_000
ANNOTATIONS = ("annotations", "completions")
"""Where Label Studio keeps what was said about a record."""


def read_records(path: Path, most_values: int) -> pl.DataFrame:
    """One row per record, one column per value; a record within is spread as ``outer.inner``.

    A list of records, an object of such a list, or an object of records by their ids. Of Label
    Studio's records the data are read without ``data.``, and each kind of answer as a column.

    Args:
        path: The file.
        most_values: Of all rows and columns: records that have no key in common would become more.

    Raises:
        UserError: It holds something else, or more than ``most_values``.
        OSError, ValueError, RecursionError: It can't be read.
    """
    if path.stat().st_size > LARGEST_BYTES:
        raise ValueError("a JSON file of more than 1 GB; save it as JSONL")
    held = json.loads(read_bytes(path, LARGEST_BYTES).decode("utf-8-sig"))
    records = _records(held)
    if records is None:
        raise UserError(f"{path} holds no list of records.",
                        'It must look like [{"file_name": "a.png", "label": "cat"}, …].')
    rows = [_spread(record) for record in records]
    names = list(dict.fromkeys(name for row in rows for name in row))
    if len(rows) * len(names) > most_values:
        raise UserError(f"{path} has {len(rows):,} records of {len(names):,} different keys.",
                        f"Take a part of it: {most_values:,} values are the limit.")
    return pl.DataFrame({
        name: pl.Series(name, [row.get(name) for row in rows], dtype=pl.String) for name in names})


def _records(held: Any) -> Sequence[Mapping[str, Any]] | None:
    if are_records(held):
        return held
    if not isinstance(held, dict) or not held:
        return None
    if (pictures := coco_records(held)) is not None:
        return pictures
    lists = [v for v in held.values() if are_records(v)]
    if len(lists) == 1:
        return lists[0]
    if all(isinstance(r, dict) for r in held.values()):
        return [{"id": key} | record for key, record in held.items()]
    return None


def _spread(record: Mapping[str, Any]) -> dict[str, str]:
    """A record's values as cells."""
    cells: dict[str, str] = {}
    answered = next((record[k] for k in ANNOTATIONS if isinstance(record.get(k), list)
                     and isinstance(record.get("data"), dict)), None)
    if answered is not None:
        _add(cells, "", record["data"])
        cells |= {k: v for k, v in _answers(answered).items() if k not in cells}
        return cells
    _add(cells, "", record)
    return cells


def _add(cells: dict[str, str], prefix: str, record: Mapping[str, Any]) -> None:
    for key, value in record.items():
        name = f"{prefix}{key}".strip()
        if isinstance(value, dict):
            _add(cells, f"{name}.", value)
            continue
        cell = _cell(value)
        if cell:
            cells[name] = cell


def _cell(value: Any) -> str | None:
    if isinstance(value, list):
        items = [_cell(v) for v in value if not isinstance(v, dict | list)]
        return joined([i for i in items if i]) if items else json.dumps(value) if value else None
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() or None


def _answers(annotations: list[Any]) -> dict[str, str]:
    """Per question the latest answer that was not cancelled."""
    for annotation in reversed(annotations):
        results = annotation.get("result") if isinstance(annotation, dict) else None
        if not results or annotation.get("was_cancelled"):
            continue
        found: dict[str, list[str]] = {}
        for result in results:
            value = result.get("value", {})
            said = value.get(str(result.get("type")))
            said = next(iter(value.values()), None) if said is None and len(value) == 1 else said
            items = said if isinstance(said, list) else [said]
            if result.get("from_name") and not any(isinstance(i, dict | list) for i in items):
                found.setdefault(str(result["from_name"]), []).extend(
                    i for i in map(_cell, items) if i)
        return {name: cell for name, items in found.items()
                if (cell := joined(list(dict.fromkeys(items))))}
    return {}
