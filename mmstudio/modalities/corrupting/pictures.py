"""Pictures that get worse, at the size at which the model sees them.

The kinds are among those of Hendrycks and Dietterich 2019, "Benchmarking Neural Network Robustness
to Common Corruptions and Perturbations"; their strengths, made for photographs of 224 pixels, are
told here in shares of the picture.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFilter

from mmstudio.modalities.corruption import Content, Corruption

LEVELS = 255


def _shaped(content: Content) -> np.ndarray:
    """``(H, W, C)`` bytes."""
    return content.array.reshape(*content.spec["size"], content.spec["channels"])


def _bytes(picture: np.ndarray) -> np.ndarray:
    return np.asarray(np.round(picture).clip(0, LEVELS), dtype=np.uint8)


def _image(picture: np.ndarray) -> Image.Image:
    return Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)


def _of_image(image: Image.Image, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(image, dtype=np.uint8).reshape(shape)


def noise(content: Content, strength: float, chance: np.random.Generator) -> np.ndarray:
    """Normal noise of this deviation in every pixel and channel."""
    picture = _shaped(content).astype(np.float64)
    return _bytes(picture + chance.normal(0, strength * LEVELS, picture.shape))


def blur(content: Content, strength: float, chance: np.random.Generator) -> np.ndarray:
    """A Gaussian blur whose deviation is this share of the longest side."""
    picture = _shaped(content)
    radius = strength * max(picture.shape[:2])
    return _of_image(_image(picture).filter(ImageFilter.GaussianBlur(radius)), picture.shape)


def occlusion(content: Content, strength: float, chance: np.random.Generator) -> np.ndarray:
    """A rectangle of this share of the area, of the picture's mean colour, somewhere."""
    picture = _shaped(content).copy()
    high, wide = (max(1, round(side * strength**0.5)) for side in picture.shape[:2])
    top = int(chance.integers(0, picture.shape[0] - high + 1))
    left = int(chance.integers(0, picture.shape[1] - wide + 1))
    picture[top : top + high, left : left + wide] = _bytes(picture.mean(axis=(0, 1)))
    return picture


def contrast(content: Content, strength: float, chance: np.random.Generator) -> np.ndarray:
    """This share of the contrast is gone, around the mean of each channel."""
    picture = _shaped(content).astype(np.float64)
    mean = picture.mean(axis=(0, 1))
    return _bytes(mean + (1 - strength) * (picture - mean))


def jpeg(content: Content, strength: float, chance: np.random.Generator) -> np.ndarray:
    """Kept as JPEG, of a quality so far below 100."""
    picture = _shaped(content)
    file = io.BytesIO()
    _image(picture).save(file, "JPEG", quality=round(100 - strength))
    with Image.open(file, formats=("JPEG",)) as image:
        return _of_image(image, picture.shape)


CORRUPTIONS = (
    Corruption("noise", "of the range", (0.05, 0.1, 0.2, 0.4), noise),
    Corruption("blur", "of the side", (0.02, 0.04, 0.08, 0.16), blur),
    Corruption("occlusion", "of the area", (0.1, 0.25, 0.5, 0.75), occlusion),
    Corruption("contrast", "lost", (0.4, 0.7, 0.9, 0.97), contrast),
    Corruption("JPEG", "below quality 100", (50, 75, 90, 97), jpeg),
)
