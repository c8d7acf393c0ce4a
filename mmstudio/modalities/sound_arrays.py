"""Sounds that are held in memory as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmstudio.errors import UserError

if TYPE_CHECKING:
    import numpy as np

MOST_CHANNELS = 64
"""Of an array; one with more has its axes the other way round."""
LOUDEST = 8.0
"""Of float samples; whoever gives larger ones has another scale in mind than -1 to 1."""


def held_sound(content: Any) -> tuple[np.ndarray, int]:
    """Samples that are held in memory, in mono, float32 from -1 to 1, and their rate in Hz."""
    import numpy as np

    hint = "Give (samples, rate_hz), with samples (L,) or (L, channels)."
    try:
        samples, rate = content
        array, rate_hz = np.asarray(samples), int(rate)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise UserError(f"A {type(content).__name__} can't be read as a sound.", hint) from None
    if array.ndim not in (1, 2) or array.dtype.kind not in "fiu" or not 0 < rate_hz < 1_000_000:
        raise UserError(f"Samples of shape {array.shape} at {rate} Hz can't be read as a sound.",
                        hint)
    if array.ndim == 2 and array.shape[1] > MOST_CHANNELS:
        raise UserError(f"The sound has {array.shape[1]} channels.", f"{hint} Transpose it.")
    if not array.size:
        raise UserError("The array holds no sound.", "Give samples, or leave the input out.")
    array = _scaled(array)
    return array if array.ndim == 1 else array.mean(axis=1, dtype=np.float32), rate_hz


def _scaled(array: np.ndarray) -> np.ndarray:
    """Samples, of any number, as float32 from -1 to 1."""
    import numpy as np

    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise UserError("The sound holds samples that are not numbers (NaN or Inf).",
                            "Leave them out.")
        peak = float(np.abs(array).max())
        if peak > LOUDEST:
            raise UserError(f"The sound's samples go up to {peak:,.6g}; floats are from -1 to 1.",
                            "Divide them by their full scale, or give them as 16-bit numbers.")
        return array.astype(np.float32)
    if array.dtype.itemsize == 8:  # what numpy makes of plain numbers, whatever they were
        limits = np.iinfo(np.int16)
        if array.min() < limits.min or array.max() > limits.max:
            raise UserError("The sound's 64-bit samples don't fit into 16 bits: their scale is "
                            "not known.", "Give floats from -1 to 1, or 16-bit or 32-bit numbers.")
        array = array.astype(np.int16)
    info = np.iinfo(array.dtype)
    half = (int(info.max) - int(info.min) + 1) / 2
    return ((array.astype(np.float64) - (half if info.min == 0 else 0)) / half).astype(np.float32)
