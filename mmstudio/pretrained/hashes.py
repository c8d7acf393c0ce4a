"""The hash of a large file, taken once and remembered by its place, size and time of change."""

from __future__ import annotations

import hashlib
import json
import os
import re
import uuid
from pathlib import Path

from mmstudio.paths import cache_dir

_SHA256 = re.compile(r"[0-9a-f]{64}")


def sha256_of(path: Path) -> str:
    """The sha256 of a file's content, as hex digits.

    In the hub's cache a file of weights is a link to one that is named by its hash: that name is
    taken.

    Raises:
        OSError: It can't be read.
    """
    real = path.resolve()
    if path.is_symlink() and _SHA256.fullmatch(real.name):
        return real.name
    stat = real.stat()
    mark = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
    known = _remembered()
    found = known.get(str(real))
    if isinstance(found, list) and found[:-1] == mark and isinstance(found[-1], str):
        return found[-1]
    with real.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    _remember({p: m for p, m in known.items() if os.path.exists(p)} | {str(real): [*mark, digest]})
    return digest


def _memory() -> Path:
    return cache_dir() / "models" / "hashes.json"


def _remembered() -> dict[str, list[int | str]]:
    try:
        known = json.loads(_memory().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _remember(known: dict[str, list[int | str]]) -> None:
    path = _memory()
    beside = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(known), encoding="utf-8")
        beside.replace(path)
    except OSError:  # a full or read-only disk only means that it is hashed again next time
        beside.unlink(missing_ok=True)
