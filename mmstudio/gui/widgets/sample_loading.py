"""Reads a sample's file for the screen; called in a job."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtGui import QImage

from mmstudio.gui.widgets.player import load_multimedia
from mmstudio.gui.widgets.sound_picture import sound_picture

_LARGEST_SHOWN_PIXELS = 1200


@dataclass(frozen=True)
class LoadedImage:
    """A picture, small enough for the screen, and the size it has on disk."""

    image: QImage
    width: int
    height: int


def load_for_show(modality: str, path: Path) -> Any:
    """Read a file for the screen; called in a job.

    Returns:
        LoadedImage, SoundPicture or str, by modality.

    Raises:
        UserError: The file cannot be read.
    """
    if modality == "image":
        from mmstudio.modalities.image import open_image, shown_size

        width, height = shown_size(path)
        picture = open_image(path, hint=(_LARGEST_SHOWN_PIXELS, _LARGEST_SHOWN_PIXELS))
        picture.thumbnail((_LARGEST_SHOWN_PIXELS, _LARGEST_SHOWN_PIXELS))
        content = picture.convert("RGBA").tobytes()
        shown = QImage(content, picture.width, picture.height, QImage.Format.Format_RGBA8888)
        # The copy owns its pixels; `content` goes away with this function.
        return LoadedImage(shown.convertToFormat(QImage.Format.Format_RGB32), width, height)
    if modality == "audio":
        from mmstudio.modalities.audio import read_sound

        sound = sound_picture(*read_sound(path))
        with contextlib.suppress(ImportError):
            load_multimedia()  # here, and not on the GUI thread when it is first needed
        return sound
    from mmstudio.modalities.text import read_text

    return read_text(path)
