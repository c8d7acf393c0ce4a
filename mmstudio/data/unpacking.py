"""What lies in other files, unpacked once into the cache: archives, pictures inside tables."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import uuid
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mmstudio.data.walking import is_passed_over
from mmstudio.errors import UserError
from mmstudio.paths import cache_dir

SPARE_BYTES = 1_000_000_000
"""Left free on the disk."""


def unpacked(path: Path, what: str, unpack: Callable[[Path], None]) -> Path:
    """The folder of what lies in a file, made where it is not there yet.

    It is made beside its place and renamed into it: one that is there is whole.

    Args:
        path: The file; a change of its size or time makes another folder.
        what: Which part of it.
        unpack: Fills an empty folder.

    Raises:
        UserError: The disk does not hold it.
    """
    status = path.stat()
    mark = f"{path.resolve()}\x1f{status.st_size}\x1f{status.st_mtime_ns}\x1f{what}"
    folder = cache_dir() / "unpacked" / hashlib.blake2b(mark.encode(), digest_size=16).hexdigest()
    if folder.is_dir():
        return folder
    beside = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        beside.mkdir(parents=True)
        unpack(beside)
        with suppress(OSError):  # another process was faster
            os.replace(beside, folder)
    except OSError as error:
        raise UserError(f"{path} can't be unpacked to {folder.parent}: {error}.",
                        "Free some space, or set MMSTUDIO_CACHE to another folder.") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def unpacked_archive(path: Path) -> Path:
    """The folder of a ZIP archive; the one folder in it, where there is nothing else.

    Raises:
        UserError: It is damaged, locked, or larger than the disk has room for.
    """
    folder = unpacked(path, "archive", lambda into: _extract(path, into))
    inside = [entry for entry in folder.iterdir() if not is_passed_over(entry.name)]
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


def _extract(path: Path, into: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if _is_wanted(m)]
            needed = sum(m.file_size for m in members)
            if needed > shutil.disk_usage(into).free - SPARE_BYTES:
                raise UserError(f"{path} holds {needed / 1e9:,.1f} GB, more than {into.parent} "
                                "has room for.", "Unpack it on another disk.")
            for member in members:
                archive.extract(member, into)  # takes ".." and roots out of the names
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, ValueError) as error:
        raise UserError(f"{path} can't be unpacked: {error}.", "Unpack it by hand.") from None


def _is_wanted(member: zipfile.ZipInfo) -> bool:
    """Neither a folder, a link nor what systems leave in archives."""
    return not member.is_dir() and not stat.S_ISLNK(member.external_attr >> 16) and not any(
        is_passed_over(part) for part in member.filename.split("/") if part)
