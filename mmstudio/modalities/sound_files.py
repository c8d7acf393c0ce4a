"""Files of sounds, as libsndfile reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmstudio.errors import UserError
from mmstudio.modalities.base import Value, readable_file
from mmstudio.quiet import quiet

if TYPE_CHECKING:
    import numpy as np

NEED_A_PROGRAM = (".m4a", ".aac", ".m4b", ".wma", ".amr", ".webm", ".mka", ".ac3", ".3gp")
"""Sounds all the same, which libsndfile does not read: reported, not skipped."""


def opened_sound(path: Value) -> Any:
    """A ``soundfile.SoundFile`` at its first sample, to be closed.

    Raises:
        UserError: The file is missing or no sound that can be read.
    """
    import soundfile

    path = readable_file(path)
    try:
        with quiet():
            sound = soundfile.SoundFile(path)
    except Exception as error:  # of whatever kind the library's reader ran into
        reason = getattr(error, "error_string", error)
        if path.suffix.lower() in NEED_A_PROGRAM:
            raise UserError(
                f"{path} is of a kind that this program does not read.",
                f"Make a WAV of it, as ffmpeg does: ffmpeg -i {path.name} {path.stem}.wav"
            ) from None
        raise UserError(f"{path} is not a sound that can be read: {reason}",
                        "Save it again as WAV or FLAC.") from None
    if sound.samplerate <= 0:
        sound.close()
        raise UserError(f"{path} says that its rate is {sound.samplerate} Hz.", "Save it again.")
    return sound


def sound_seconds(path: Value) -> float:
    """How long a sound is, from its header.

    Raises:
        UserError: The file is missing or no sound that can be read.
    """
    with opened_sound(path) as sound:
        return float(sound.frames / sound.samplerate)


def read_sound(path: Value, *, max_seconds: float | None = None) -> tuple[np.ndarray, int]:
    """A sound in mono.

    Args:
        path: The file.
        max_seconds: Where given, no more than this is read.

    Returns:
        Samples ``(L,)``, float32 from -1 to 1, and the rate in Hz.

    Raises:
        UserError: The file is missing, no sound that can be read, or holds NaN or Inf.
    """
    import numpy as np

    with opened_sound(path) as sound:
        rate_hz = int(sound.samplerate)
        frames = -1 if max_seconds is None else int(np.ceil(max_seconds * rate_hz)) + 1
        try:
            with quiet():
                samples = sound.read(frames, dtype="float32", always_2d=True)
        except Exception as error:
            reason = getattr(error, "error_string", error)
            raise UserError(f"{path} is damaged: {reason}",
                            "Save it again as WAV or FLAC.") from None
    if not np.isfinite(samples).all():
        raise UserError(f"{path} holds samples that are not numbers (NaN or Inf).",
                        "Save it again.")
    return samples.mean(axis=1, dtype=np.float32), rate_hz
