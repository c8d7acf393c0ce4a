"""An experiment's plain data by key: ``training.epochs`` in place of tables within tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def by_path(data: Mapping[str, Any], above: tuple[str, ...] = ()
            ) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value with the names that lead to it; an empty table is a value.

    Args:
        data: Tables within tables, as ``Experiment.to_dict`` gives them.
        above: The names that lead to ``data``.
    """
    for name, value in data.items():
        path = (*above, str(name))
        if isinstance(value, Mapping) and value:
            yield from by_path(value, path)
        else:
            yield path, value


def by_key(data: Mapping[str, Any]) -> dict[str, Any]:
    """Every value by its key, ``training.epochs``; empty tables are left out."""
    return {".".join(path): value for path, value in by_path(data)
            if not isinstance(value, Mapping)}
