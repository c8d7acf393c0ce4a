"""Where things are kept on the user's machine."""

from __future__ import annotations

import os
from pathlib import Path


def resources_dir() -> Path:
    """The folder of icons, styles and the sample project: inside the wheel, or the checkout's."""
    package = Path(__file__).resolve().parent
    inside = package / "resources"
    return inside if inside.is_dir() else package.parent / "resources"


def _user_dir(variable: str, kind: str) -> Path:
    if override := os.environ.get(variable):
        return Path(override)
    import platformdirs

    return Path(getattr(platformdirs, f"user_{kind}_path")("mmstudio", appauthor=False))


def cache_dir() -> Path:
    """The folder of decoded data, safe to delete; ``MMSTUDIO_CACHE`` overrides it."""
    return _user_dir("MMSTUDIO_CACHE", "cache")


def config_dir() -> Path:
    """The folder of the user's settings and the log; ``MMSTUDIO_CONFIG`` overrides it."""
    return _user_dir("MMSTUDIO_CONFIG", "config")
