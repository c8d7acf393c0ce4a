"""Sounds in the window."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication

from mmstudio.gui.media.medium import Medium
from mmstudio.gui.media.views.heat import heat_image
from mmstudio.gui.media.views.player import load_multimedia
from mmstudio.gui.media.views.sound_picture import SoundPicture, sound_picture
from mmstudio.gui.media.views.thumbnails import WAVE_WIDTH, sound_thumbnail
from mmstudio.gui.media.views.wave_view import SoundHeat


def load(path: Path) -> SoundPicture:
    """Read a sound for the screen. Raises UserError."""
    from mmstudio.modalities.sound_files import read_sound

    sound = sound_picture(*read_sound(path))
    with contextlib.suppress(ImportError):
        load_multimedia()  # here, and not on the GUI thread when it is first needed
    return sound


def marks(shown: Any) -> SoundHeat:
    """What counted, as a picture, and which part of the sound it is of."""
    return SoundHeat(heat_image(shown.upright()), shown.seconds, shown.sample_rate_hz / 2)


MEDIUM = Medium(
    "mdi6.waveform", "sound", lambda: QCoreApplication.translate("media", "sounds"),
    sound_thumbnail, WAVE_WIDTH, height=130, load=load,
    published=lambda: QCoreApplication.translate(
        "media", "It must be a model that hears sounds, such as AST, Wav2Vec2, HuBERT, Whisper or "
        "CLAP."),
    example="microsoft/wavlm-base", marks=marks)
