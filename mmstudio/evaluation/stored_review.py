"""A review beside the run that it is of: shown at once the next time, as long as it holds."""

from __future__ import annotations

import dataclasses
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmstudio.errors import UserError
from mmstudio.evaluation.depends import depends_on
from mmstudio.evaluation.findings import KINDS, Finding, Said
from mmstudio.reading import read_bytes, reading
from mmstudio.safe_files import write_whole
from mmstudio.training.answers_digest import FOLDER
from mmstudio.training.run_folder import RunFolder

FILE = "review.json"
FORMAT = 1
MOST_BYTES = 1 << 28


@dataclasses.dataclass(frozen=True)
class StoredReview:
    """What a review found, without the table.

    Attributes:
        findings: The most urgent first.
        words: What was not judged, as sentences.
        rows: Of the table.
        columns: Of the table.
    """

    findings: tuple[Finding, ...]
    words: str
    rows: int
    columns: tuple[str, ...]


def store_review(run: Path, review: StoredReview) -> None:
    """Write a review beside its run, unless the folder can't be written to."""
    key = depends_on(RunFolder(run), FILE, None)
    if key is None:
        return
    data = {"format": FORMAT, "key": key, **dataclasses.asdict(review)}
    with suppress(OSError):  # it is worked out anew then
        path = run / FOLDER / FILE
        path.parent.mkdir(exist_ok=True)
        write_whole(path, json.dumps(data))


def stored_review(run: Path) -> StoredReview | None:
    """The review of a run, None where there is none, or its model or table is another now."""
    path = run / FOLDER / FILE
    if not path.is_file():
        return None
    try:
        with reading(path, ""):
            data = json.loads(read_bytes(path, MOST_BYTES))
            if data["format"] != FORMAT or data["key"] != depends_on(RunFolder(run), FILE, None):
                return None
            return StoredReview(
                tuple(_finding(one, int(data["rows"])) for one in data["findings"]),
                str(data["words"]), int(data["rows"]), tuple(map(str, data["columns"])))
    except UserError:
        return None  # torn, or of somebody else: as good as none


def _finding(data: dict[str, Any], rows: int) -> Finding:
    """One finding; whoever wrote the file, its parts are of their kinds."""
    row, kind = int(data["row"]), str(data["kind"])
    if kind not in KINDS or not 0 <= row < rows:
        raise ValueError(f"'{kind}' of row {row} is no finding")
    says = tuple(Said(str(one["input"]), str(one["label"]),
                      None if one["score"] is None else float(one["score"]))
                 for one in data["says"])
    return Finding(
        kind, row, str(data["split"]), float(data["score"]), str(data["certainty"]),
        str(data["target"]), str(data["given"]), str(data["suggested"]),
        tuple(map(str, data["inputs"])), tuple(map(int, data["others"])), says)
