"""What decoding a picture takes, known from its header: memory, and time where that is long.

Measured with Pillow 13, format by format, as the peak of a process that loads one picture.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mmstudio.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

MOST_DECODING_BYTES = 1_200_000_000
"""What decoding one picture may take; beside it the program itself has to fit into 1.5 GB."""
MOST_FILE_BYTES = 600_000_000
"""Some readers hold the file whole, twice."""
MOST_SLOW_PIXELS = 10_000_000
SLOW_FORMATS = ("BLP", "DDS", "FTEX", "QOI")
"""Decoded in Python: 100 million pixels take minutes."""
HOLD_OTHERS = ("ICO", "ICNS")
"""Hold a picture of another format, whose size only its own header tells; Pillow bounds it."""
_MODE_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
"""Per pixel in Pillow's memory; all others take 4."""
_EXTRA_BYTES = {"WEBP": 12, "AVIF": 12, "PNG": 0, "GIF": 0, "BMP": 0, "DIB": 0, "PPM": 0,
                "JPEG": 0, "MPO": 0}
"""Per pixel beside the picture itself; 4 where nothing was measured."""


def decoding_bytes(picture: Image.Image, width: int, height: int) -> int:
    """About what loading a picture takes at its peak, in bytes.

    Args:
        picture: Opened, not loaded; a JPEG may have been told to decode at a fraction.
        width: Of the file, in pixels, whatever fraction is decoded.
        height: Likewise.
    """
    bands = len(picture.getbands())
    if picture.format == "JPEG2000":
        extra = 5 * bands
    elif picture.format in ("JPEG", "MPO") and picture.info.get("progressive"):
        extra = 2 * bands  # its coefficients are held, at full size
    else:
        extra = _EXTRA_BYTES.get(picture.format or "", 4)
    mode = _MODE_BYTES.get(picture.mode, 4)
    return mode * picture.width * picture.height + extra * width * height


def seeing_bytes(picture: Image.Image) -> int:
    """About what bringing a loaded picture to 8 bits takes beside it: numbers go through floats."""
    per_pixel = 40 if picture.mode.startswith(("I", "F")) else 12
    return per_pixel * picture.width * picture.height


def check_cost(path: Path, picture: Image.Image, width: int, height: int) -> int:
    """What loading takes, in bytes.

    Raises:
        UserError: More than ``MOST_DECODING_BYTES``, or minutes.
    """
    needed, pixels = decoding_bytes(picture, width, height), width * height
    if needed > MOST_DECODING_BYTES:
        raise UserError(
            f"{path} has {pixels / 1e6:,.0f} million pixels; decoding them as {picture.format} "
            f"would take {needed / 1e9:,.1f} GB; {MOST_DECODING_BYTES / 1e9:,.1f} are the limit.",
            "Make it smaller, or save it as PNG.")
    if picture.format in SLOW_FORMATS and pixels > MOST_SLOW_PIXELS:
        raise UserError(
            f"{path} has {pixels / 1e6:,.0f} million pixels; of {picture.format} "
            f"{MOST_SLOW_PIXELS // 10**6} million are the limit: it takes minutes to decode.",
            "Save it as PNG.")
    return needed
