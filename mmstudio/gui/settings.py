"""What the window remembers between two starts: its place, the theme, recent projects."""

from __future__ import annotations

import contextlib
from pathlib import Path

from mmstudio.paths import config_dir
from mmstudio.settings_file import SettingsFile

MOST_RECENT = 8
NOTIFY, STAY_AWAKE = "notify", "stay_awake"
"""Switches."""
_OLD_LIMIT = "cache_limit_gb"


class Settings(SettingsFile):
    """The file ``window.toml`` in the settings folder."""

    def __init__(self, path: Path | None = None) -> None:
        super().__init__(path or config_dir() / "window.toml")
        if (limit := self.get(_OLD_LIMIT)) is not None:
            self._move_limit(limit)

    def recent(self) -> list[Path]:
        """Recent projects that are still there, the newest first."""
        paths = [Path(str(path)) for path in self.get("recent") or []]
        return [path for path in paths if (path / "experiment.toml").is_file()]

    def add_recent(self, project: Path) -> None:
        """Put a project first among the recent ones."""
        others = [str(path) for path in self.recent() if path != project]
        self.set("recent", [str(project), *others][:MOST_RECENT])

    def is_on(self, key: str) -> bool:
        """Whether a switch is on; all are until somebody switches them off."""
        return self.get(key) is not False

    def _move_limit(self, limit: object) -> None:
        """The limit of decoded data stood here once; the core has a file of its own now."""
        from mmstudio.data.store_space import set_limit_gb, stored_limit

        if stored_limit() is None:
            with contextlib.suppress(ValueError):  # then it was of no use before either
                set_limit_gb(float(str(limit)))
        self.forget(_OLD_LIMIT)
