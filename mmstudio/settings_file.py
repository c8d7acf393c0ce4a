"""Small settings that are remembered between two starts: one TOML file each."""

from __future__ import annotations

import logging
import tomllib
from pathlib import Path
from typing import Any

from mmstudio.safe_files import write_whole

log = logging.getLogger("mmstudio")


class SettingsFile:
    """A flat TOML file; what can't be read or written is forgotten, and the log says so.

    Args:
        path: The file; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            self._values = {}
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            log.warning("the settings in %s can't be read: %s", path, error)
            self._values = {}

    def get(self, key: str) -> Any:
        """One remembered value; None where there is none."""
        return self._values.get(key)

    def text(self, key: str, default: str = "") -> str:
        """One remembered text."""
        return str(self._values.get(key, default))

    def set(self, key: str, value: Any) -> None:
        """Remember a value."""
        if self._values.get(key) != value:
            self._values[key] = value
            self._write()

    def forget(self, key: str) -> None:
        """Remember a value no more."""
        if self._values.pop(key, None) is not None:
            self._write()

    def _write(self) -> None:
        import tomlkit

        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, tomlkit.dumps(self._values))
        except OSError as error:
            log.warning("the settings in %s can't be written: %s", self._path, error)
