"""The room that decoded data takes: its limit, what is removed first, what is in use.

Whoever reads or writes a folder of the store holds a lock on its ``data.bin``; the system lets go
of it when the process ends, however it ends. So a folder that nobody holds can be removed, and a
``.part`` folder that nobody holds is what a killed process left.
"""

from __future__ import annotations

import os
import shutil
import time
import uuid
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmstudio.errors import UserError
from mmstudio.paths import cache_dir, config_dir
from mmstudio.settings_file import SettingsFile

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows, where a file that is open can't be renamed or removed anyway
    fcntl = None

DATA = "data.bin"
DEFAULT_LIMIT_GB = 20.0
LIMIT_KEY = "cache_limit_gb"
"""The key in ``settings.toml``, which the window's dialog and people write."""
GB = 10**9
JUST_MADE_S = 60.0
"""A folder without ``data.bin`` may be one that was made this very moment."""


class Hold:
    """A lock on a file, until it is released or nobody has the object any more."""

    def __init__(self, path: Path, *, alone: bool = False) -> None:
        """Hold a file together with others, or alone.

        Raises:
            OSError: The file is not there, or was removed meanwhile; alone: others hold it, or
                the disk knows no locks, and nobody can say who does.
        """
        handle = os.open(path, os.O_RDONLY)
        self.release = weakref.finalize(self, os.close, handle)
        """Let go; harmless the second time."""
        try:
            _lock(handle, alone)
            # it may have been removed while this waited for the lock
            if not os.path.samestat(os.fstat(handle), os.stat(path)):
                raise FileNotFoundError(path)
        except BaseException:
            self.release()
            raise


def _lock(handle: int, alone: bool) -> None:
    if fcntl is None:
        return
    if alone:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    else:
        with suppress(OSError):  # some network disks know no locks
            fcntl.flock(handle, fcntl.LOCK_SH)


def store_dir() -> Path:
    """The folder of all decoded data."""
    return cache_dir() / "store"


def fitted_dir() -> Path:
    """The folder of what was learnt from files before they were decoded, a few words each."""
    return cache_dir() / "fitted"


def store_bytes() -> int:
    """How many bytes of the disk decoded data takes."""
    return sum(_bytes_of(folder) for folder in _folders())


def limit_bytes() -> int:
    """The most that decoded data may take.

    ``MMSTUDIO_CACHE_LIMIT_GB``, else ``cache_limit_gb`` in ``settings.toml``, else 20 GB, or half
    of what is free where that is less.

    Raises:
        UserError: The limit is not a number from 0 up.
    """
    text: object = os.environ.get("MMSTUDIO_CACHE_LIMIT_GB")
    if text is None or text == "":
        text = stored_limit()
    if text is not None:
        try:
            limit = float(str(text))
            if not limit >= 0:
                raise ValueError
            return int(min(limit, 1e9) * GB)
        except ValueError:
            raise UserError(f"The limit of decoded data is '{text}', which is not a size in GB.",
                            "Set MMSTUDIO_CACHE_LIMIT_GB to a number from 0 up.") from None
    return int(min(DEFAULT_LIMIT_GB * GB, 0.5 * (_free_bytes() + store_bytes())))


def stored_limit() -> object:
    """What ``settings.toml`` has as the limit in GB; None where nothing is set."""
    return _settings().get(LIMIT_KEY)


def set_limit_gb(limit: float | None) -> None:
    """Remember a limit, or None for the automatic one."""
    if limit is None:
        _settings().forget(LIMIT_KEY)
    else:
        _settings().set(LIMIT_KEY, limit)


def _settings() -> SettingsFile:
    return SettingsFile(config_dir() / "settings.toml")


def _free_bytes() -> int:
    folder = store_dir()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def make_room() -> int:
    """Remove what killed processes left, then the least recently used until the limit is kept.

    Returns:
        The bytes that are free now and were not before.
    """
    freed = 0
    kept = []
    for folder in _folders():
        if folder.name.endswith(".part"):
            freed += _remove_if_dead(folder)
        else:
            kept.append((_last_used(folder), _bytes_of(folder), folder))
    surplus = sum(size for _, size, _ in kept) - limit_bytes()
    for _, size, folder in sorted(kept):
        if surplus <= 0:
            break
        if remove_if_unused(folder):
            surplus -= size
            freed += size
    return freed


def clear_store() -> int:
    """Remove all decoded data but what is in use; the bytes that became free."""
    freed = 0
    shutil.rmtree(fitted_dir(), ignore_errors=True)
    for folder in _folders():
        size = _bytes_of(folder)
        if folder.name.endswith(".part"):
            freed += _remove_if_dead(folder)
        elif remove_if_unused(folder):
            freed += size
    return freed


def remove(folder: Path) -> bool:
    """Remove a folder of the store; at no moment is a part of it left in its place."""
    gone = folder.with_name(f"{folder.name.split('.')[0]}.{uuid.uuid4().hex[:8]}.part")
    try:
        folder.replace(gone)
    except OSError:  # another process was quicker; on Windows, it is in use
        return False
    shutil.rmtree(gone, ignore_errors=True)
    return True


def _folders() -> list[Path]:
    try:
        return [path for path in store_dir().iterdir() if path.is_dir()]
    except OSError:
        return []


def _bytes_of(folder: Path) -> int:
    total = 0
    with suppress(OSError):
        for entry in os.scandir(folder):
            with suppress(OSError):
                total += entry.stat().st_size
    return total


def _last_used(folder: Path) -> float:
    try:
        return (folder / "index.json").stat().st_mtime
    except OSError:
        return 0.0  # torn: the first to go


def remove_if_unused(folder: Path) -> bool:
    """Remove a folder of the store that nobody holds; whether it is gone."""
    try:
        hold = Hold(folder / DATA, alone=True)
    except FileNotFoundError:
        return remove(folder)
    except OSError:
        return False
    if fcntl is None:
        hold.release()  # Windows would not rename its folder
    try:
        return remove(folder)
    finally:
        hold.release()


def _remove_if_dead(folder: Path) -> int:
    """Remove a begun folder that no process works on; the bytes that became free."""
    size = _bytes_of(folder)
    try:
        made = folder.stat().st_mtime
    except OSError:
        return 0
    if not (folder / DATA).exists() and time.time() - made < JUST_MADE_S:
        return 0
    return size if remove_if_unused(folder) else 0
