"""A folder of files as a table of samples; what was answered is kept, so that it can go on."""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from mmstudio.data.table import Table
from mmstudio.data.walking import media_below
from mmstudio.errors import UserError
from mmstudio.experiment import InputSettings
from mmstudio.inference.predictor import Prediction
from mmstudio.modalities import modality_of_file
from mmstudio.safe_files import append_text
from mmstudio.tasks.base import Answer

SAMPLE = "sample"
"""The column that says which files a row is of: their common path without a suffix."""
MOST_KEPT_BYTES = 1 << 31


def folder_table(folder: Path, inputs: Mapping[str, InputSettings]) -> Table:
    """The files of a folder, one sample per row.

    A file belongs to the input whose name is that of a folder on its way, else to the only input
    of its kind. Files of different inputs whose names match apart from that are one sample.

    Args:
        folder: Where to look, all folders below included.
        inputs: The model's inputs that are files.

    Raises:
        UserError: Nothing is there that the model reads, or it is not clear to which input it goes.
    """
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}.", "Give a folder of files.")
    by_kind = defaultdict(list)
    for name, settings in inputs.items():
        if not settings.columns:
            by_kind[settings.modality].append(name)
    rows: dict[str, dict[str, str]] = defaultdict(dict)
    for path in media_below(folder):
        names = by_kind.get(modality_of_file(path) or "", [])
        parts = path.split("/")
        named = [n for n in names if n in parts[:-1]]
        if not names:
            continue
        if len(names) > 1 and len(named) != 1:
            raise UserError(
                f"{folder / path} may be {' or '.join(names)}.",
                f"Put the files into folders of these names, as {folder.name}/{names[0]}.")
        name = (named or names)[0]
        if named:
            parts.remove(name)
        stem = "/".join(parts).rpartition(".")[0] or "/".join(parts)
        if name in rows[stem]:  # cat.png beside cat.jpg
            stem = "/".join(parts)
        rows[stem][name] = path
    if not rows:
        kinds = ", ".join(sorted(by_kind)) or "no files"
        raise UserError(f"{folder} holds nothing that the model reads: it reads {kinds}.",
                        "Choose another folder.")
    stems = sorted(rows)
    columns = {SAMPLE: stems} | {
        inputs[n].column: [rows[s].get(n) for s in stems]
        for names in by_kind.values() for n in names}
    return Table(folder, folder, pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String)))


class KeptAnswers:
    """The answers so far, one line each in a file beside the output.

    Args:
        path: ``OUTPUT.part``.
        of: What they are answers of; kept ones of something else are begun anew. So are faults:
            what could not be read may have been mended since.

    Raises:
        UserError: They can't be kept there.
    """

    def __init__(self, path: Path, of: Mapping[str, Any]) -> None:
        self.path = path
        self.found: dict[str, Prediction | UserError] = {}
        head = json.dumps(dict(of), sort_keys=True)
        lines = self._lines()
        if not lines or lines[0] != head:
            with self._writing():
                path.unlink(missing_ok=True)
            self._append(head + "\n")
            return
        for line in lines[1:]:
            try:
                data = json.loads(line)
                if "fault" not in data:
                    self.found[data[SAMPLE]] = _answer(data)
            except (ValueError, KeyError, TypeError):  # torn by a kill: asked once more
                continue
        if lines[-1]:
            self._append("\n")

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

    def add(self, sample: str, answer: Prediction | UserError) -> None:
        """Keep one more.

        Raises:
            UserError: It can't be written.
        """
        self.found[sample] = answer
        if isinstance(answer, UserError):
            data: dict[str, Any] = {"fault": [answer.message, answer.hint]}
        else:
            data = {"tasks": {n: dataclasses.asdict(a) for n, a in answer.tasks.items()},
                    "present": list(answer.present), "error": answer.error}
        self._append(json.dumps({SAMPLE: sample} | data) + "\n")

    def done(self) -> None:
        """All are in the output: they are not needed any more."""
        with self._writing():
            self.path.unlink(missing_ok=True)


def _answer(data: Mapping[str, Any]) -> Prediction:
    tasks = {}
    for name, answer in data["tasks"].items():
        labels = answer.pop("labels")
        tasks[name] = Answer(labels=None if labels is None else tuple(labels), **answer)
    return Prediction(tasks, tuple(data["present"]), 0.0, error=data["error"])


def rest_of(table: Table, kept: KeptAnswers) -> Iterator[tuple[int, str]]:
    """The rows that are not answered yet: number and sample."""
    for row, sample in enumerate(table.column(SAMPLE).to_list()):
        if sample not in kept.found:
            yield row, sample
