"""Reads a sample's file for the screen; called in a job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmstudio.gui.media.medium import medium_of
from mmstudio.modalities import MODALITIES


def load_for_show(modality: str, path: Path) -> Any:
    """Read a file for the screen; called in a job.

    Returns:
        LoadedImage, SoundPicture or str, by modality; of one that the window can't show, the name
        of the file.

    Raises:
        UserError: The file cannot be read.
    """
    load = medium_of(modality).load
    if load is not None:
        return load(path)
    if not MODALITIES.get(modality).in_cells:
        return path.name
    from mmstudio.modalities.text import read_text

    return read_text(path)
