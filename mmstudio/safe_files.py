"""Files that are written whole or not at all, and never through somebody's link.

A project, a run or a comparison may come from anybody: a link in it must not lead a writer to
another file of the user. So a file is written under a new name of its own beside, synced and
renamed into place; what is appended to must be a file and no link.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mmstudio.errors import UserError

LEFT_S = 3600.0
"""What a writer left for so long, it will not finish."""
_NO_LINK: int = getattr(os, "O_NOFOLLOW", 0)
_BEGUN = re.compile(r".*\.new$")
_OWN = r"\.[0-9a-f]{8}\.new$"


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A new, empty file beside, for the block to write by its path; it then takes the place.

    It is synced before the rename, and the folder after it: a power cut leaves the old file or
    the new one. What a killed writer of the same file left an hour ago or earlier is removed.

    Raises:
        OSError: It can't be written; nothing has changed then.
    """
    path = Path(path)
    _remove_stale(path)
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    handle = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_LINK, 0o666)
    mode = stat.S_IMODE(os.fstat(handle).st_mode)
    os.close(handle)
    try:
        yield beside
        _sync(beside, mode)
        os.replace(beside, path)
    except BaseException:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file; text as UTF-8, its line ends as they are. Raises OSError."""
    with written_whole(path) as beside:
        beside.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))


def link_whole(source: Path, path: Path) -> None:
    """Have a file under a second name too; a copy where the disk knows no such links.

    Only for files that are replaced and never written into: what is written into one is in the
    other.

    Raises:
        OSError: It can't be written; nothing has changed then.
    """
    if path.exists() and os.path.samefile(source, path):
        return
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    try:
        os.link(source, beside)
    except OSError:  # FAT, some network drives, or too many links
        with written_whole(path) as copied:
            shutil.copyfile(source, copied)
        return
    try:
        os.replace(beside, path)
    except BaseException:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def cut_text(path: Path, length: int) -> bool:
    """Drop what stands behind the first so many bytes, where these end with a line.

    Returns:
        Whether they do; else the file stays as it is.

    Raises:
        OSError: It can't be written, or is a link or no file.
    """
    flags = os.O_RDWR | _NO_LINK | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "r+b") as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise OSError(f"{path} is not a file")
        if state.st_size < length:
            return False
        if length:
            file.seek(length - 1)
            if file.read(1) != b"\n":
                return False
        file.truncate(length)
        os.fsync(file.fileno())
    return True


def synced_size(path: Path) -> int:
    """Bring a file to the disk; its size, 0 where there is none. Raises OSError."""
    if not path.exists():
        return 0
    handle = os.open(path, os.O_RDWR | _NO_LINK)
    try:
        os.fsync(handle)
        return os.fstat(handle).st_size
    finally:
        os.close(handle)


def append_text(path: Path, text: str) -> None:
    """Write at the end of a file, which is made where it isn't there.

    Raises:
        OSError: It can't be written, or is a link or no file.
    """
    if not _NO_LINK and path.is_symlink():
        raise OSError(f"{path} is a link")
    # a pipe without a reader would hold up the writer for ever
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | _NO_LINK | getattr(os, "O_NONBLOCK", 0)
    with os.fdopen(os.open(path, flags, 0o666), "ab") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(f"{path} is not a file")
        file.write(text.encode("utf-8"))


def remove_begun(folder: Path) -> None:
    """Remove what killed writers left in a folder that nobody else writes to now."""
    for entry in _entries(folder):
        if _BEGUN.fullmatch(entry.name) and not entry.is_dir(follow_symlinks=False):
            with suppress(OSError):
                os.unlink(entry.path)


def refuse_unwritable(path: Path, hint: str) -> None:
    """Refuse a place for a file before hours are spent on what it shall hold.

    Args:
        path: The file's; it may stand there already.
        hint: What to do.

    Raises:
        UserError: Its folder is missing, no folder, or can't be written to.
    """
    folder = path.parent
    if not folder.is_dir():
        raise UserError(f"{path} can't be written: there is no folder {folder}.",
                        f"Make the folder first. {hint}")
    if not os.access(folder, os.W_OK):
        raise UserError(f"{path} can't be written: {folder} is read-only.", hint)


def refuse_links(folder: Path, names: Iterable[str]) -> None:
    """Refuse a folder of ours whose own files are links: they lead to files of somebody else.

    Raises:
        UserError: Names the link.
    """
    for name in names:
        # a list of hundreds of runs looks at ten thousand names: paths as objects take longer
        if os.path.islink(os.path.join(folder, name)):
            raise UserError(f"{folder / name} is a link.",
                            "Put the file itself there: links in such a folder are not followed.")


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []


def _remove_stale(path: Path) -> None:
    """Remove what writers of this file left long ago."""
    own = re.compile(re.escape(path.name) + _OWN)
    for entry in _entries(path.parent):
        if own.fullmatch(entry.name):
            with suppress(OSError):
                if time.time() - entry.stat(follow_symlinks=False).st_mtime > LEFT_S:
                    os.unlink(entry.path)


def _sync(path: Path, mode: int) -> None:
    """Bring a file to the disk, with the rights that it was made with: libraries set their own."""
    handle = os.open(path, os.O_RDWR | _NO_LINK)
    try:
        if hasattr(os, "fchmod"):
            os.fchmod(handle, mode)
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_folder(folder: Path) -> None:
    """Bring a rename to the disk, where the system has folders that can be synced."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
