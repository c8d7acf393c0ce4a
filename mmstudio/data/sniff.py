"""What a file holds, by its first bytes, where its name says nothing or the wrong thing."""

from __future__ import annotations

from pathlib import Path

from mmstudio.modalities import MODALITIES
from mmstudio.reading import opened

MOST_BYTES = 1 << 50


def modality_of_content(path: Path) -> str | None:
    """The modality that a file's first bytes tell; None for texts, and where it can't be read."""
    try:
        with opened(path, MOST_BYTES) as file:
            head = file.read(16)
    except (OSError, ValueError):
        return None
    classes = MODALITIES.classes()
    if any(head[:4] in cls.contained for cls in classes.values()):
        return next((name for name, cls in classes.items()
                     if head[8:12] in cls.contained.get(head[:4], ())), None)
    return next((name for name, cls in classes.items()
                 if cls.first_bytes and head.startswith(cls.first_bytes)), None)
