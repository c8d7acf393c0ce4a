"""The files below a folder, without what programs and systems leave in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from mmstudio.errors import UserError
from mmstudio.modalities import modality_of_file

PASSED_OVER = {
    "runs", "__macosx", "@eadir", "#recycle", "$recycle.bin", "system volume information",
    "lost+found", "__pycache__", "node_modules", "thumbs.db", "desktop.ini",
}
"""Ours, and those of macOS, Synology's and other network disks, Windows, Linux, Python, Node."""

Parts = tuple[str, ...]


def is_passed_over(name: str) -> bool:
    """Whether an entry of a folder is hidden, or nobody's data."""
    return name.startswith((".", "~$")) or name.lower() in PASSED_OVER


def folders_in(folder: Path) -> list[str]:
    """The names of its sub-folders. Raises UserError where it can't be read."""
    return _entries(folder, True)


def files_in(folder: Path) -> list[str]:
    """The names of the files in it. Raises UserError where it can't be read."""
    return _entries(folder, False)


def _entries(folder: Path, folders: bool) -> list[str]:
    try:
        with os.scandir(folder) as found:
            return sorted(e.name for e in found
                          if not is_passed_over(e.name) and e.is_dir() == folders)
    except OSError as error:
        raise UserError(f"The folder {folder} can't be read: {error.strerror}.",
                        "Check its rights.") from None


def media_below(folder: Path, most: int | None = None) -> list[str]:
    """The media below a folder, as paths inside it, sorted; links to folders are not followed.

    Args:
        folder: Where to look.
        most: After so many entries it is left off, as it may be somebody's whole disk.
    """
    return sorted("/".join(parts) for parts in _walked(folder, most))


def media_parts(folder: Path, most: int | None = None) -> list[Parts]:
    """As ``media_below``, each path as its parts."""
    return sorted(_walked(folder, most))


def _walked(folder: Path, most: int | None) -> Iterator[Parts]:
    seen = 0
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if not is_passed_over(f))
        inside = os.path.relpath(place, folder)
        prefix = () if inside == "." else tuple(inside.split(os.sep))
        for name in names:
            if not is_passed_over(name) and modality_of_file(name) is not None:
                yield (*prefix, name)
        seen += len(names) + len(folders)
        if most is not None and seen > most:
            return
