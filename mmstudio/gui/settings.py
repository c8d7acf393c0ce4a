"""What the window remembers between two starts: its place, the theme, recent projects."""

from __future__ import annotations

import logging
import tomllib
from pathlib import Path
from typing import Any

from mmstudio.paths import config_dir
from mmstudio.safe_files import write_whole

log = logging.getLogger("mmstudio.gui")

MOST_RECENT = 8


class Settings:
    """A small TOML file in the settings folder; what can't be read or written is forgotten."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or config_dir() / "window.toml"
        try:
            self._values: dict[str, Any] = tomllib.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            self._values = {}
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            log.warning("the window's settings can't be read: %s", error)
            self._values = {}

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

    def recent(self) -> list[Path]:
        """Recent projects that are still there, the newest first."""
        paths = [Path(str(path)) for path in self._values.get("recent", [])]
        return [path for path in paths if (path / "experiment.toml").is_file()]

    def add_recent(self, project: Path) -> None:
        """Put a project first among the recent ones."""
        others = [str(path) for path in self.recent() if path != project]
        self.set("recent", [str(project), *others][:MOST_RECENT])

    def _write(self) -> None:
        import tomlkit

        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, tomlkit.dumps(self._values))
        except OSError as error:
            log.warning("the window's settings can't be written: %s", error)
