"""The files below a folder, without what programs and systems leave in it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from mmstudio.errors import UserError
from mmstudio.modalities import modality_of_file

PASSED_OVER = {
    "runs", "__macosx", "@eadir", "#recycle", "$recycle.bin", "system volume information",
    "lost+found", "__pycache__", "node_modules", "thumbs.db", "desktop.ini",
}
"""Ours, and those of macOS, Synology's and other network disks, Windows, Linux, Python, Node."""
IN_PROJECTS = {"queue", "comparisons", "searches"}
"""Ours beside an experiment; elsewhere such a folder may well be somebody's data."""
EXPERIMENT = "experiment.toml"

Parts = tuple[str, ...]


def is_passed_over(name: str) -> bool:
    """Whether an entry of a folder is hidden, or nobody's data."""
    return name.startswith((".", "~$")) or name.lower() in PASSED_OVER


def _of_somebody(found: Iterable[os.DirEntry[str]]) -> list[os.DirEntry[str]]:
    """The entries of a folder without what is passed over."""
    entries = [e for e in found if not is_passed_over(e.name)]
    if any(e.name == EXPERIMENT for e in entries):
        return [e for e in entries if e.name not in IN_PROJECTS]
    return entries


def folders_in(folder: Path) -> list[str]:
    """The names of its sub-folders. Raises UserError where it can't be read."""
    return _entries(folder, True)


def files_in(folder: Path) -> list[str]:
    """The names of all else in it, files as a rule. Raises UserError where it can't be read."""
    return _entries(folder, False)


def _entries(folder: Path, folders: bool) -> list[str]:
    try:
        with os.scandir(folder) as found:
            return sorted(e.name for e in _of_somebody(found) if _is_folder(e) == folders)
    except OSError as error:
        raise UserError(f"The folder {folder} can't be read: {error.strerror}.",
                        "Check its permissions.") from None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is one, or a link to one; a link in a circle is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _may_be_file(entry: os.DirEntry[str]) -> bool:
    """Whether it is a file or a link, which may lead nowhere: that is reported where it is read."""
    try:
        return entry.is_file() or entry.is_symlink()
    except OSError:
        return True


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
    """No pipes and no devices: whoever opened one would wait for ever."""
    seen = 0
    waiting: list[Parts] = [()]
    while waiting:
        prefix = waiting.pop()
        try:
            with os.scandir(os.path.join(folder, *prefix)) as found:
                entries = _of_somebody(found)
        except OSError:
            continue  # a folder that may not be read is as good as empty
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append((*prefix, entry.name))
            elif modality_of_file(entry.name) is not None and _may_be_file(entry):
                yield (*prefix, entry.name)
        seen += len(entries)
        if most is not None and seen > most:
            return

