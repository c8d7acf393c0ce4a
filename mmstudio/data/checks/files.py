"""Files that can't be read, end early, are huge, or are not what their name says."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mmstudio.data.checks.headers import Header, header_of
from mmstudio.data.checks.problem import Problem, problem
from mmstudio.data.store import AT_ONCE, WORKERS
from mmstudio.errors import UserError
from mmstudio.experiment import InputSettings
from mmstudio.modalities import MODALITIES
from mmstudio.modalities.base import Value

HUGE_BYTES = 50_000_000
HUGE_PIXELS = 50_000_000
MOST_CHANNELS = 8
SMALLEST_LARGE_PICTURE_BYTES = 5_000
"""No format packs ``HUGE_PIXELS`` into less."""


def file_problems(
    settings: InputSettings, spec: Mapping[str, Any] | None, values: Sequence[Value | None],
    errors: Mapping[int, str],
) -> Iterator[int | Problem]:
    """Problems of one input's files; numbers say how many rows are done.

    Args:
        settings: The input.
        spec: What its modality learnt; None where it could not.
        values: Every row's path or text.
        errors: Per row that could not be read, why.
    """
    column = settings.column

    def one(row: int) -> list[Problem]:
        value = values[row]
        if row in errors:
            message, hint = _parts(errors[row], settings, spec, value)
            return [problem(row, column, "unreadable", message, hint)]
        return _of_readable(row, settings, value) if isinstance(value, Path) else []

    with ThreadPoolExecutor(WORKERS, thread_name_prefix="check") as pool:
        for start in range(0, len(values), AT_ONCE):
            end = min(start + AT_ONCE, len(values))
            for found in pool.map(one, range(start, end)):
                yield from found
            yield end


def read_alone(modality: str, values: Sequence[Value | None]) -> dict[int, str]:
    """Per row that can't be read, why; for inputs of which training could learn nothing."""
    reader = MODALITIES.get(modality)()
    errors = {}
    for row, value in enumerate(values):
        try:
            if value is not None:
                reader.try_read(value)
        except UserError as error:
            errors[row] = str(error)
    return errors


def _parts(
    error: str, settings: InputSettings, spec: Mapping[str, Any] | None, value: Value | None
) -> tuple[str, str]:
    """An error's message and hint. The store keeps both in one: the file is asked once more."""
    from mmstudio.data.schema import modality_of

    if spec is not None and value is not None:
        try:
            modality_of(settings).decode(value, spec)
        except UserError as again:
            return again.message, again.hint
    return error, ""


def _of_readable(row: int, settings: InputSettings, path: Path) -> list[Problem]:
    column, problems = settings.column, []
    try:
        size = os.stat(path).st_size
        header = header_of(path, size)
    except OSError:
        return []  # gone since it was read
    if header.ends_early:
        problems.append(problem(row, column, "truncated", f"{path} {header.ends_early}.",
                                "Copy it again, or leave the row out."))
    if size > HUGE_BYTES:
        problems.append(problem(row, column, "huge", f"{path} has {size / 1e6:,.0f} MB.",
                                "Cut or reduce it."))
    elif (pixels := _pixels(settings.modality, path, size)) > HUGE_PIXELS:
        problems.append(problem(row, column, "huge",
                                f"{path} has {pixels / 1e6:,.0f} million pixels.", "Reduce it."))
    if _misnamed(path, header):
        problems.append(problem(
            row, column, "wrong_suffix",
            f"{path} is named {path.suffix or 'without a suffix'} and holds {header.format}.",
            "Rename it."))
    if header.channels > MOST_CHANNELS:
        problems.append(problem(row, column, "many_channels",
                                f"{path} has {header.channels} channels.",
                                "Keep the one that matters, if one does."))
    return problems


def _misnamed(path: Path, header: Header) -> bool:
    return bool(header.suffixes) and path.suffix.lower() not in header.suffixes


def _pixels(modality: str, path: Path, size: int) -> int:
    if size < SMALLEST_LARGE_PICTURE_BYTES:
        return 0
    try:
        return MODALITIES.get(modality)().extent(path)
    except UserError:  # it was read a moment ago; its size is all that is asked here
        return 0
