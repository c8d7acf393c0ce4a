"""What a run's answers to some rows depend on, as digests: kept ones hold as long as these do."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from mmstudio.data.table import read_table
from mmstudio.errors import UserError
from mmstudio.reading import opened
from mmstudio.training.answers_digest import answers_digest
from mmstudio.training.run_folder import RunFolder

MOST_READ_BYTES = 1 << 28
"""A larger table goes by its size and time of change."""
MOST_FILE_BYTES = 1 << 42
MOST_FILES = 20_000
"""Of the rows' files so many are looked at, evenly spread: whether one has changed since."""
AT_ONCE = 1 << 22


def depends_on(files: RunFolder, split: str, table: Path | None) -> str | None:
    """A digest of the weights, the settings, the split and the table; None where one is missing.

    Another table than the run's own counts by where it lies too: its cells name files beside it.

    Args:
        files: The run.
        split: Whose rows are answered.
        table: As in ``evaluate``.
    """
    project = files.path.resolve().parent.parent
    digest = hashlib.blake2b(split.encode(), digest_size=16)
    try:
        data = files.experiment().data
        digest.update(answers_digest(files).encode())
        for path in (files.path / "experiment.toml", files.path / "schema.json"):
            digest.update(_content(path))
        digest.update(table_digest(project / data.table if table is None else table))
        # the cells of one table beside other files are other samples
        digest.update(b"own" if table is None else os.fsencode(Path(table).resolve()))
        if data.leave_out is not None and table is None:
            digest.update(_content(project / data.leave_out))
    except (OSError, UserError):
        return None  # answering them anew tells what is wrong
    return digest.hexdigest()


def files_of(values: Iterable[Sequence[str | Path | None]], folder: Path) -> list[str]:
    """The files that rows are made of, as seen from ``folder``; at most ``MOST_FILES``."""
    found = sorted({str(v) for column in values for v in column if isinstance(v, Path)})
    if len(found) > MOST_FILES:
        found = [found[i] for i in np.linspace(0, len(found) - 1, MOST_FILES).astype(int)]
    return [os.path.relpath(path, folder).replace(os.sep, "/") for path in found]


def state_of(places: Sequence[str], folder: Path) -> str:
    """A digest of the files' sizes and times of change."""
    digest = hashlib.blake2b(digest_size=16)
    for place in places:
        try:
            state = os.stat(os.path.join(folder, place))
            digest.update(f"{state.st_size}.{state.st_mtime_ns}\n".encode())
        except (OSError, ValueError):
            digest.update(b"missing\n")
    return digest.hexdigest()


def table_digest(path: Path) -> bytes:
    """A digest of a table's file, or of the rows that a folder makes.

    Raises:
        OSError, UserError: It can't be read.
    """
    if path.is_file():
        return _content(path)
    marks = read_table(path).frame.hash_rows(0).to_numpy()
    return hashlib.blake2b(marks.tobytes(), digest_size=16).digest()


def _content(path: Path) -> bytes:
    """A digest of a file's content, of its size and time of change where it is large."""
    digest = hashlib.blake2b(digest_size=16)
    with opened(path, MOST_FILE_BYTES) as file:
        state = os.fstat(file.fileno())
        if state.st_size > MOST_READ_BYTES:
            digest.update(f"{state.st_size}.{state.st_mtime_ns}".encode())
            return digest.digest()
        while part := file.read(AT_ONCE):
            digest.update(part)
    return digest.digest()
