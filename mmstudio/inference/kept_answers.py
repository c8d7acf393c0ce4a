"""Answers that are written down as they come, so that who was stopped can go on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmstudio.errors import UserError
from mmstudio.inference.table_answers import Cell
from mmstudio.safe_files import append_text

MOST_KEPT_BYTES = 1 << 31


class KeptAnswers:
    """The answers so far, one line each in a file beside the output.

    Args:
        path: ``OUTPUT.part``; nothing is written before the first answer.
        of: What they are answers of; kept ones of something else are begun anew. So are rows
            with an error: what could not be read may have been mended since.
        width: So many cells an answer has, the error last.

    Attributes:
        cells: Per key of a row, such as its number, what ``AnswerWriter.cells`` says of it.
    """

    def __init__(self, path: Path, of: Mapping[str, Any], width: int) -> None:
        self.path = path
        self.cells: dict[str, list[Cell]] = {}
        self._head = json.dumps(dict(of), sort_keys=True)
        self._begun = False
        lines = self._lines()
        if not lines or lines[0] != self._head:
            return
        self._begun = True
        for line in lines[1:]:
            try:
                key, *cells = json.loads(line)
            except (ValueError, TypeError):  # torn by a kill: asked once more
                continue
            if len(cells) == width and cells[-1] is None:
                self.cells[key] = cells
        if lines[-1]:
            self._append("\n")

    def add(self, keys: Sequence[str], cells: Sequence[list[Cell]]) -> None:
        """Keep some more.

        Raises:
            UserError: They can't be written.
        """
        self.cells.update(zip(keys, cells, strict=True))
        if not self._begun:
            with self._writing():
                self.path.unlink(missing_ok=True)
        lines = [json.dumps([key, *some]) for key, some in zip(keys, cells, strict=True)]
        self._append("\n".join([*lines, ""] if self._begun else [self._head, *lines, ""]))
        self._begun = True

    def done(self) -> None:
        """All are in the output: they are not needed any more."""
        with self._writing():
            self.path.unlink(missing_ok=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(f"{self.path} can't be written: {error}.",
                            "Make room, or choose another --output.") from None

    def _append(self, text: str) -> None:
        with self._writing():
            append_text(self.path, text)

    def _lines(self) -> list[str]:
        if not self.path.is_file() or self.path.stat().st_size > MOST_KEPT_BYTES:
            return []
        return self.path.read_text(encoding="utf-8", errors="replace").split("\n")


def is_fault(cells: Sequence[Cell]) -> bool:
    """Whether a row has no answer, but an error."""
    return cells[-1] is not None and all(cell is None for cell in cells[:-1])
