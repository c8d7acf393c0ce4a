"""Pictures that are held in memory as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmstudio.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

OVERSHOT = 0.05
"""So far beyond 0 and 1 the floats of a picture may lie, as they do where it was made larger."""


def picture_of_array(content: Any) -> Image.Image:
    """A picture of what numpy takes for an array, tensors included."""
    import numpy as np
    from PIL import Image

    try:
        array = np.asarray(content)
    except (TypeError, ValueError, RuntimeError):
        array = np.zeros(0, dtype=object)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    fits = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (2, 3, 4))
    if not fits or array.dtype.kind not in "bufi":
        raise UserError(
            f"A {type(content).__name__} of shape {array.shape} can't be read as a picture.",
            "Give a path, a PIL image, or an array (height, width, 3) of bytes, or of floats from "
            "0 to 1.")
    if not array.size:
        raise UserError(f"The picture has {array.shape[1]} × {array.shape[0]} pixels.",
                        "Give one that shows something.")
    if array.dtype.kind in "bf":
        scaled = np.nan_to_num(array.astype(np.float64))
        low, high = float(scaled.min()), float(scaled.max())
        if low < -OVERSHOT or high > 1 + OVERSHOT:
            raise UserError(f"The picture's numbers go from {low:.3g} to {high:.3g}; floats are "
                            "from 0 to 1.", "Scale them, or give bytes.")
        array = np.round(scaled * 255).clip(0, 255).astype(np.uint8)
    elif array.dtype != np.uint8:
        if not (0 <= array.min() and array.max() <= 255):
            raise UserError("The picture's numbers go beyond 0 to 255.",
                            "Give bytes, or floats from 0 to 1.")
        array = array.astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(array))
