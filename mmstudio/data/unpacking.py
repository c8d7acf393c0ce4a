"""What lies in other files, unpacked once into the cache: archives, pictures inside tables."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import uuid
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mmstudio.data.walking import is_passed_over
from mmstudio.errors import UserError
from mmstudio.paths import cache_dir

SPARE_BYTES = 1_000_000_000
"""Left free on the disk."""
MOST_MEMBERS = 5_000_000
SMALL_BYTES = 1_000_000_000
MOST_TIMES = 200
"""What becomes more than ``SMALL_BYTES`` and so many times the archive's size is not data."""
LEFT_OUT = ".left_out"
"""Says how many entries of an archive were left out."""


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


def check_room(folder: Path, needed: int, what: str) -> None:
    """Refuse to fill the disk of a folder.

    Raises:
        UserError: What is ``needed`` would leave less than ``SPARE_BYTES``.
    """
    if needed > shutil.disk_usage(folder).free - SPARE_BYTES:
        raise UserError(f"{what} holds {needed / 1e9:,.1f} GB, more than {folder} has room for.",
                        "Unpack it on another disk, or set MMSTUDIO_CACHE to a folder there.")


def unpacked_archive(path: Path) -> tuple[Path, int]:
    """The folder of a ZIP archive, and how many of its entries were left out.

    Of an archive that holds one folder and nothing else, this is that folder. Links in it are left
    out, and so is what is called so that it would lie elsewhere.

    Raises:
        UserError: It is damaged, locked, or larger than is possible or the disk has room for.
    """
    folder = unpacked(path, "archive", lambda into: _extract(path, into))
    count = folder / LEFT_OUT
    left_out = int(count.read_text()) if count.is_file() else 0
    inside = [entry for entry in folder.iterdir() if not is_passed_over(entry.name)]
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder, left_out


def check_archive(path: Path, archive: zipfile.ZipFile) -> int:
    """The bytes that all of an archive has, as it says itself; no reader gives more of a member.

    Raises:
        UserError: So many files, or so much from so little, that it was made to do harm.
    """
    members = archive.infolist()
    needed = sum(m.file_size for m in members)
    size = path.stat().st_size
    if len(members) > MOST_MEMBERS:
        raise UserError(f"{path} holds {len(members):,} files; {MOST_MEMBERS:,} are the limit.",
                        "Unpack it by hand.")
    if needed > max(SMALL_BYTES, MOST_TIMES * size):
        raise UserError(f"{path} would become {needed / 1e9:,.1f} GB, {needed // max(1, size):,} "
                        "times its size.", "Unpack it by hand, if you know what it is.")
    return needed


def _extract(path: Path, into: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            check_room(into, check_archive(path, archive), str(path))
            wanted = [m for m in archive.infolist() if not _is_nobodys(m)]
            members = [m for m in wanted if not _leads_out(m)]
            for member in members:
                archive.extract(member, into)
            (into / LEFT_OUT).write_text(str(len(wanted) - len(members)))
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, ValueError,
            zlib.error) as error:
        raise UserError(f"{path} can't be unpacked: {error}.", "Unpack it by hand.") from None


def _is_nobodys(member: zipfile.ZipInfo) -> bool:
    """A folder, or what systems leave in archives."""
    parts = [part for part in re.split(r"[/\\]", member.filename) if part not in ("", ".", "..")]
    return member.is_dir() or any(is_passed_over(part) for part in parts)


def _leads_out(member: zipfile.ZipInfo) -> bool:
    """A link or whatever is not a file, or a name from a root, a drive or a folder above."""
    kind, name = stat.S_IFMT(member.external_attr >> 16), member.filename
    return (kind not in (0, stat.S_IFREG) or ".." in re.split(r"[/\\]", name)
            or re.match(r"[/\\]|[A-Za-z]:", name) is not None)
