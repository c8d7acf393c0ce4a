"""Files of pictures, opened as people see them, within the memory that there is."""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import os
import threading
import warnings
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

from mmstudio.errors import UserError
from mmstudio.modalities.base import Value, readable_file
from mmstudio.modalities.picture_cost import HOLD_OTHERS, MOST_FILE_BYTES, check_cost, seeing_bytes
from mmstudio.quiet import quiet

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

LARGEST_PIXELS = 150_000_000
LARGE_PIXELS = 16_000_000
"""Pictures above this are reduced as soon as they are decoded: it bounds the memory."""
LARGE_BYTES = 4 * LARGE_PIXELS
"""Pictures whose decoding takes more are decoded one at a time."""
USUAL_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "DIB", "PPM")
"""Those whose readers Pillow loads at once."""
OTHER_FORMATS = (
    "AVIF", "BLP", "CUR", "DCX", "DDS", "FITS", "FLI", "FTEX", "GBR", "ICNS", "ICO", "IM",
    "JPEG2000", "MSP", "PCD", "PCX", "PIXAR", "PSD", "QOI", "SGI", "SUN", "TGA", "TIFF", "WEBP",
    "XBM", "XPM",
)
"""What else the suffixes stand for. Never EPS, PS or WMF, whose readers start other programs on
what the file holds, nor IPTC, which holds a picture of any kind."""
HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
"""What stands in the first bytes of a HEIC file."""
_ONE_LARGE = threading.Lock()
_JPEG_SUFFIXES = (".jpg", ".jpeg", ".jfif")
_UNUSUAL = (b"Exif\0", b"/xap/1.0/", b"MPF\0")
"""What stands in a JPEG that may have to be turned, or that holds several pictures."""


@functools.cache
def _pillow() -> None:
    """Set once for all threads what Pillow warns of: ``catch_warnings`` works in one only."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = LARGEST_PIXELS
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    warnings.filterwarnings("ignore", module=r"PIL\.")
    # what it logs of damaged files would be printed where nobody has set up a log
    logging.getLogger("PIL").addHandler(logging.NullHandler())


@functools.cache
def _other_formats() -> tuple[str, ...]:
    """Those of ``OTHER_FORMATS`` that this Pillow was built with, in its own order."""
    from PIL import Image

    Image.init()
    return tuple(name for name in Image.OPEN if name in OTHER_FORMATS)


def _kind_by_plugin(path: Path) -> str | None:
    """The format of a picture whose reader is a plugin, which is made known to Pillow.

    Raises:
        UserError: The plugin is not installed; says which.
    """
    from PIL import Image

    with path.open("rb") as file:
        start = file.read(12)
    brand = start[8:12] if start[4:8] == b"ftyp" else b""
    if brand in HEIC_BRANDS:
        try:
            import pillow_heif
        except ImportError:
            raise UserError(f"{path} is a HEIC picture, for which a reader is missing.",
                            "Install the package pillow-heif, or save it again as JPEG.") from None
        pillow_heif.register_heif_opener()
        return "HEIF"
    if brand in (b"avif", b"avis") and "AVIF" not in _other_formats():
        try:
            import pillow_avif  # noqa: F401  it makes itself known
        except ImportError:
            raise UserError(f"{path} is an AVIF picture, which this Pillow does not read.",
                            "Install Pillow 11.3 or newer, or save it again as JPEG.") from None
        return "AVIF" if "AVIF" in Image.OPEN else None
    return None


def plain_jpeg(path: Value, width: int, height: int) -> np.ndarray | None:
    """``(H, W, 1 or 3)`` of a small JPEG of the usual kind; None for all that needs a closer look.

    Pillow decodes with the same library, to the same bytes, but reads a JPEG's segments in Python:
    for small pictures that takes longer than decoding them, and only one thread can do it at a
    time. What is four times as wide and high as wanted, Pillow decodes at a fraction.
    """
    import simplejpeg

    name = str(path)
    if not name.lower().endswith(_JPEG_SUFFIXES):
        return None
    try:
        status = os.stat(name)
        # a file larger than the pixels that could be plain is a large picture: not read in vain
        if not S_ISREG(status.st_mode) or not 0 < status.st_size <= 16 * width * height * 3:
            return None
        with open(name, "rb") as file:
            data = file.read()
        if any(mark in data for mark in _UNUSUAL):
            return None
        rows, columns, colours, _ = simplejpeg.decode_jpeg_header(data)
        if (rows * columns > LARGE_PIXELS or min(rows / height, columns / width) >= 4
                or colours not in ("YCbCr", "RGB", "Gray")):
            return None
        pixels: np.ndarray = simplejpeg.decode_jpeg(data, "GRAY" if colours == "Gray" else "RGB")
        return pixels
    except (OSError, ValueError, MemoryError):
        return None  # the careful way says what is wrong


def opened_picture(path: Value) -> Image.Image:
    """A picture with its header read and nothing decoded, to be closed.

    Raises:
        UserError: The file is missing, no picture that can be read, or too large.
    """
    from PIL import Image, UnidentifiedImageError

    _pillow()
    path = readable_file(path)
    size = os.stat(path).st_size
    if size > MOST_FILE_BYTES:
        raise UserError(f"{path} has {size / 1e6:,.0f} MB; a picture may have "
                        f"{MOST_FILE_BYTES / 1e6:,.0f}.", "Make it smaller.")
    try:
        try:
            picture = Image.open(path, formats=USUAL_FORMATS)
        except UnidentifiedImageError:
            kind = _kind_by_plugin(path)
            picture = Image.open(path, formats=(kind,) if kind else _other_formats())
    except UserError:
        raise
    except UnidentifiedImageError:
        raise UserError(f"{path} is not a picture that can be read.",
                        "Save it again as PNG or JPEG.") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(path) from None
    except Exception as error:  # Pillow's readers raise whatever their parsing ran into
        raise UserError(f"{path} can't be read: {_reason(error)}.",
                        "Save it again as PNG.") from None
    if picture.width * picture.height > LARGEST_PIXELS:
        picture.close()
        raise _too_large(path)
    return picture


def picture_size(path: Value) -> tuple[int, int]:
    """Width and height of a picture, from its header.

    Raises:
        UserError: The file is missing or no picture that can be read.
    """
    with opened_picture(path) as picture:
        return picture.width, picture.height


def _reason(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__


def is_turned(picture: Image.Image) -> bool:
    """Whether the EXIF says that width and height are to be exchanged."""
    # a PNG without EXIF in its head would be decoded whole in search of it
    if picture.format == "PNG" and "exif" not in picture.info:
        return False
    try:
        return int(picture.getexif().get(0x0112, 1)) >= 5
    except (OSError, ValueError, SyntaxError, TypeError, EOFError):
        return False


def _too_large(path: Path) -> UserError:
    return UserError(f"{path} has more than {LARGEST_PIXELS // 10**6} million pixels.",
                     "Make it smaller.")


def shown_size(path: Value) -> tuple[int, int]:
    """Width and height of a picture as people see it, from its header.

    Raises:
        UserError: The file is missing or no picture that can be read.
    """
    with opened_picture(path) as picture:
        width, height = picture.size
        return (height, width) if is_turned(picture) else (width, height)


def open_image(path: Value, *, hint: tuple[int, int] | None = None) -> Image.Image:
    """A picture as people see it, mode ``L`` or ``RGB``.

    First frame, turned as its EXIF says, transparent parts over white, 16 bits scaled to 8. One of
    more than ``LARGE_PIXELS`` comes at a whole fraction of its size.

    Args:
        path: The file.
        hint: ``(width, height)`` into which it will be fitted; lets JPEG decode at a fraction.

    Raises:
        UserError: The file is missing, no picture that can be read, or decoding it takes too much.
    """
    from PIL import Image, ImageOps

    with opened_picture(path) as picture:
        width, height = picture.size
        try:
            if hint is not None:
                picture.draft(None, (2 * hint[0], 2 * hint[1]))
            elif width * height > LARGE_PIXELS:
                picture.draft(None, (math.isqrt(LARGE_PIXELS),) * 2)
            needed = check_cost(Path(path), picture, width, height)
            large = (max(needed, seeing_bytes(picture)) > LARGE_BYTES
                     or picture.format in HOLD_OTHERS)
            with _ONE_LARGE if large else contextlib.nullcontext():
                with contextlib.nullcontext() if picture.format in USUAL_FORMATS else quiet():
                    picture.load()
                return as_seen(ImageOps.exif_transpose(_reduced(picture, hint)))
        except UserError:
            raise
        except Image.DecompressionBombError:
            raise _too_large(Path(path)) from None
        except Exception as error:  # as in opened_picture
            raise UserError(f"{path} is damaged: {_reason(error)}.",
                            "Save it again as PNG.") from None


def _reduced(picture: Image.Image, enough: tuple[int, int] | None) -> Image.Image:
    """A large picture at a whole fraction of its size, still four times what is enough.

    It is fitted into what is enough, so its longer side decides, however narrow the other is.
    """
    from PIL import Image

    pixels = picture.width * picture.height
    if pixels <= LARGE_PIXELS:
        return picture
    factor = math.ceil(math.sqrt(pixels / LARGE_PIXELS))
    if enough is not None:
        factor = max(factor, picture.width // (4 * enough[0]), picture.height // (4 * enough[1]))
    if picture.mode in ("L", "RGB", "CMYK", "YCbCr", "I", "F"):
        small = picture.reduce(factor)
    else:  # palettes, bits and 16 bits know no mean; for one of alpha all would be copied
        size = (-(-picture.width // factor), -(-picture.height // factor))
        small = picture.resize(size, Image.Resampling.NEAREST)
    small.info = picture.info
    small.getexif().update(picture.getexif())
    return small


def as_seen(picture: Image.Image) -> Image.Image:
    """A copy in mode ``L`` or ``RGB``: transparent parts over white, levels scaled to 8 bits."""
    import numpy as np
    from PIL import Image

    if picture.mode in ("RGB", "L") and "transparency" not in picture.info:
        return picture.copy()
    if picture.mode.startswith(("I", "F")):
        levels = np.nan_to_num(np.asarray(picture, dtype=np.float64), posinf=0.0, neginf=0.0)
        low, high = min(0.0, float(levels.min())), float(levels.max())
        # 8-bit and 16-bit content keeps its scale; anything else is stretched to what is there
        top = 255.0 if high <= 255 and picture.mode != "F" else 65535.0 if high <= 65535 else high
        if picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PNG"):
            # dark as all its levels may be, the file says 16 bits; cameras of microscopes give 12
            top = 4095.0 if 255 < high <= 4095 else 65535.0
        if picture.mode == "F" or low < 0:
            top = high
        scaled = (levels - low) / max(top - low, 1e-12) * 255
        return Image.fromarray(scaled.clip(0, 255).astype(np.uint8))
    if "A" in picture.mode or "a" in picture.mode or "transparency" in picture.info:
        over = picture.convert("RGBA")
        white = Image.new("RGBA", over.size, "white")
        white.alpha_composite(over)
        return white.convert("L" if picture.mode in ("L", "LA", "La", "1") else "RGB")
    return picture.convert("L" if picture.mode == "1" else "RGB")
