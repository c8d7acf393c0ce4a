"""What a person notes about a run: a star, tags and a text, in a file of the run's folder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mmstudio.errors import UserError
from mmstudio.reading import read_json, reading
from mmstudio.safe_files import refuse_links, write_whole
from mmstudio.shapes import fitted_to

FILE = "notes.json"
MOST_BYTES = 1 << 20
MOST_CHARACTERS = 20_000
MOST_TAGS = 50
SHAPE = {"starred?": bool, "tags?": [str], "note?": str}


@dataclass(frozen=True)
class RunNotes:
    """What is noted about a run.

    Attributes:
        starred: Whether it stands out.
        tags: Short words, each once, in the order in which they were given.
        text: Whatever is worth remembering.
    """

    starred: bool = False
    tags: tuple[str, ...] = ()
    text: str = ""


def read_notes(run: Path) -> RunNotes:
    """A run's notes; empty ones where nothing was noted.

    Raises:
        UserError: The file is damaged, or a link.
    """
    path = run / FILE
    if not os.path.lexists(path):
        return RunNotes()
    refuse_links(run, [FILE])
    with reading(path, "Remove the file, or write the notes again: the run itself is whole."):
        found = fitted_to(read_json(path, MOST_BYTES), SHAPE, "the notes")
    return RunNotes(found.get("starred", False), tags_of(found.get("tags", [])),
                    found.get("note", ""))


def write_notes(run: Path, notes: RunNotes) -> None:
    """Write a run's notes beside and rename them; empty ones have no file.

    Raises:
        UserError: They are too long, the run is not there, or it can't be written to.
    """
    if len(notes.text) > MOST_CHARACTERS or len(notes.tags) > MOST_TAGS:
        raise UserError(
            f"The notes are too long: {len(notes.text):,} characters and {len(notes.tags)} tags.",
            f"At most {MOST_CHARACTERS:,} characters and {MOST_TAGS} tags are possible.")
    refuse_links(run, [FILE])
    try:
        if notes == RunNotes():
            (run / FILE).unlink(missing_ok=True)
        else:
            write_whole(run / FILE, json.dumps(
                {"starred": notes.starred, "tags": list(notes.tags), "note": notes.text},
                ensure_ascii=False, indent=1))
    except OSError as error:
        raise UserError(f"The notes of {run.name} can't be written: {error.strerror or error}.",
                        "Check the folder's permissions.") from None


def tags_of(words: Iterable[str]) -> tuple[str, ...]:
    """Tags without blanks around them, each once; empty ones are dropped."""
    return tuple(dict.fromkeys(word.strip() for word in words if word.strip()))
