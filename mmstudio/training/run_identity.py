"""What tells a run from a later one of its name: a mark that is drawn when its folder is made."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from mmstudio.reading import read_bytes
from mmstudio.safe_files import write_whole

FILE = "identity.txt"
MOST_BYTES = 64
_MARK = re.compile(rb"[0-9a-f]{16}")


def identity_of(run: Path) -> str:
    """A run's mark, which it keeps when it is moved or renamed.

    "" where it has none: another version made it, or somebody has damaged the file.
    """
    try:
        mark = read_bytes(run / FILE, MOST_BYTES).strip()
    except OSError:
        return ""
    return mark.decode() if _MARK.fullmatch(mark) else ""


def draw_identity(run: Path) -> None:
    """Give a run a mark, unless it has one. Raises OSError."""
    if not identity_of(run):
        write_whole(run / FILE, secrets.token_hex(8) + "\n")
