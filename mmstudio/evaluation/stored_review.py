"""A review beside the run that it is of: shown at once the next time, as long as it holds."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmstudio.data.table import Table
from mmstudio.errors import UserError
from mmstudio.evaluation.depends import depends_on
from mmstudio.evaluation.findings import KINDS, Finding, Said
from mmstudio.evaluation.row_contents import identity_columns
from mmstudio.experiment import Experiment
from mmstudio.reading import read_bytes, reading
from mmstudio.safe_files import write_whole
from mmstudio.training.answers_digest import FOLDER
from mmstudio.training.run_folder import RunFolder

FILE = "review.json"
FORMAT = 2
MOST_BYTES = 1 << 28


@dataclasses.dataclass(frozen=True)
class StoredReview:
    """What a review found, without the table.

    Attributes:
        findings: The most urgent first.
        words: What was not judged, as sentences.
        rows: Of the table.
        columns: Of the table.
        contents: Of its inputs' cells, as ``contents_of`` tells them.
    """

    findings: tuple[Finding, ...]
    words: str
    rows: int
    columns: tuple[str, ...]
    contents: str = ""


def contents_of(table: Table, experiment: Experiment) -> str:
    """A digest of what the inputs read, row by row: findings name rows by their numbers."""
    columns = list(identity_columns(table, experiment))
    rows = table.frame.select(columns).hash_rows(seed=0).to_numpy()
    digest = hashlib.blake2b(json.dumps(columns).encode(), digest_size=16)
    digest.update(rows.tobytes())
    return digest.hexdigest()


def review_key(run: Path) -> str | None:
    """What a review that begins now is of; None where that can't be told."""
    return depends_on(RunFolder(run), FILE, None)


def store_review(run: Path, review: StoredReview, key: str | None) -> None:
    """Write a review beside its run, unless the folder can't be written to.

    Args:
        run: The run.
        review: What was found.
        key: As it was before the review began: where another is due now, nothing is kept.
    """
    if key is None or key != review_key(run):
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
            if data["format"] != FORMAT or data["key"] != review_key(run):
                return None
            return StoredReview(
                tuple(_finding(one, int(data["rows"])) for one in data["findings"]),
                str(data["words"]), int(data["rows"]), tuple(map(str, data["columns"])),
                str(data["contents"]))
    except UserError:
        return None  # torn, or of somebody else: as good as none


def _finding(data: dict[str, Any], rows: int) -> Finding:
    """One finding; whoever wrote the file, its parts are of their kinds."""
    row, kind = int(data["row"]), str(data["kind"])
    if kind not in KINDS or not 0 <= row < rows:
        raise ValueError(f"'{kind}' of row {row} is not a finding")
    says = tuple(Said(str(one["input"]), str(one["label"]),
                      None if one["score"] is None else float(one["score"]))
                 for one in data["says"])
    return Finding(
        kind, row, str(data["split"]), float(data["score"]), str(data["certainty"]),
        str(data["target"]), str(data["given"]), str(data["suggested"]),
        tuple(map(str, data["inputs"])), tuple(map(int, data["others"])), says)
