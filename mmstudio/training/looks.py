"""How often the test rows were looked at: what is chosen after a look is no longer tested by them.

A run and a comparison keep a line per look in ``looks.jsonl``.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from mmstudio.reading import opened, reading
from mmstudio.safe_files import append_text

FILE = "looks.jsonl"
MOST_BYTES = 1 << 24


def note_look(folder: Path, what: str) -> None:
    """Keep that figures of the test rows were shown.

    Args:
        folder: The run, or the comparison.
        what: Which ones.

    Raises:
        OSError: It can't be written.
    """
    line = {"at": datetime.now().isoformat(timespec="seconds"), "what": what}
    append_text(folder / FILE, json.dumps(line, ensure_ascii=False) + "\n")


def count_looks(folder: Path) -> int:
    """How often ``note_look`` was called for this folder.

    Raises:
        UserError: The file can't be read.
    """
    path = folder / FILE
    if not path.is_file():
        return 0
    with reading(path, "Check its permissions."), opened(path, MOST_BYTES) as file:
        return sum(1 for line in file if line.strip())


def looks_sentence(looks: int) -> str:
    """For people; "" where nothing was looked at."""
    if looks < 2:
        return "The test rows were looked at once." if looks else ""
    return (f"The test rows were looked at {looks} times: figures of what was changed or chosen "
            "after the first are somewhat too good.")
