"""What a run answers with, in one digest: what was worked out from its answers goes by it."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress

from mmstudio.reading import opened, read_json
from mmstudio.safe_files import write_whole
from mmstudio.shapes import fitted_to
from mmstudio.training.run_folder import RunFolder

FOLDER, NOTE = "evaluation", "weights.json"
MOST_WEIGHT_BYTES = 1 << 40
MOST_NOTE_BYTES = 10_000
AT_ONCE = 1 << 22
_SHAPE = {"digest": str, "stamp": str}


def answers_digest(files: RunFolder) -> str:
    """A digest of the best weights, and of what weighs their answers where a run has that.

    Weights may be large: the digest is noted with their sizes and times of change, and is worked
    out anew where these are others.

    Raises:
        OSError: They can't be read.
    """
    stamp = _stamp(files)
    note = files.path / FOLDER / NOTE
    with suppress(OSError, ValueError, RecursionError):
        known = fitted_to(read_json(note, MOST_NOTE_BYTES), _SHAPE)
        if known["stamp"] == stamp:
            return str(known["digest"])
    digest = _digest(files)
    with suppress(OSError):  # somebody else's run, say: it is worked out each time
        note.parent.mkdir(exist_ok=True)
        write_whole(note, json.dumps({"digest": digest, "stamp": stamp}))
    return digest


def _stamp(files: RunFolder) -> str:
    parts = []
    for path in (files.best, files.answers):
        if path.is_file():
            state = path.stat()
            parts.append(f"{state.st_size}.{state.st_mtime_ns}")
        else:
            parts.append("none")
    return " ".join(parts)


def _digest(files: RunFolder) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for path in (files.best, files.answers):
        digest.update(b"\x1e")
        if not path.is_file():
            continue
        with opened(path, MOST_WEIGHT_BYTES) as file:
            while part := file.read(AT_ONCE):
                digest.update(part)
    return digest.hexdigest()
