"""Pictures, in every format that Pillow reads."""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import os
import threading
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from mmstudio.errors import UserError
from mmstudio.modalities.base import MODALITIES, Modality, Value, readable_file, spread
from mmstudio.modalities.picture_cost import HOLD_OTHERS, MOST_FILE_BYTES, check_cost, seeing_bytes
from mmstudio.modalities.preview import Preview
from mmstudio.quiet import quiet
from mmstudio.registry import Range

if TYPE_CHECKING:
    import numpy as np
    import torch
    from PIL import Image

    from mmstudio.modalities.content_limit import ContentLimit
    from mmstudio.modalities.corruption import Corruption
    from mmstudio.modalities.pieces import Pieces

LARGEST_AUTO_SIDE = 96
"""A CNN trained from scratch gains little above this, and its time grows with the square."""
LARGEST_PIXELS = 150_000_000
LARGE_PIXELS = 16_000_000
"""Pictures above this are reduced as soon as they are decoded: it bounds the memory."""
LARGE_BYTES = 4 * LARGE_PIXELS
"""Pictures whose decoding takes more are decoded one at a time."""
SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jfif", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm",
    ".pbm", ".pnm", ".ico", ".tga", ".jp2", ".avif", ".dds", ".pcx", ".sgi", ".qoi",
    ".apng", ".avifs", ".blp", ".bw", ".cur", ".dcx", ".dib", ".fit", ".fits", ".flc", ".fli",
    ".ftc", ".ftu", ".gbr", ".icb", ".icns", ".im", ".j2c", ".j2k", ".jpc", ".jpe", ".jpf",
    ".jpx", ".mpo", ".msp", ".pcd", ".pfm", ".psd", ".pxr", ".ras", ".rgb", ".rgba", ".vda", ".vst",
    ".xbm", ".xpm", ".heic", ".heics", ".heif", ".heifs", ".hif",
)
"""All that Pillow reads by itself or, from ``.heic`` on, by a plugin, the usual ones first; a test
compares them with its own list."""
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
PREVIEW = 144
"""The longer side of a preview, pixels."""
OVERSHOT = 0.05
"""So far beyond 0 and 1 the floats of a picture may lie, as they do where it was made larger."""
_ONE_LARGE = threading.Lock()
_JPEG_SUFFIXES = (".jpg", ".jpeg", ".jfif")
_UNUSUAL = (b"Exif\0", b"/xap/1.0/", b"MPF\0")
"""What stands in a JPEG that may have to be turned, or that holds several pictures."""
_GREY = {"1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"}


@MODALITIES.register("image", title="Picture", summary="Photographs, drawings, scans.")
class ImageModality(Modality):
    """Pictures as ``(H, W, C)`` bytes; all of one size, learnt from the data.

    Args:
        size: Longest side in pixels; 0 takes the data's own size, at most 96.
    """

    plural = "pictures"
    needs = ("size", "channels")
    alike = 0.985
    first_bytes = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM", b"II*\0",
                   b"MM\0*")
    contained: ClassVar = {b"RIFF": (b"WEBP",)}
    own_suffix = ".png"
    empty = ("blank", "is of one colour")
    suffixes = SUFFIXES
    default_encoder = "cnn"
    dtype = "uint8"
    looks_at = 400

    def __init__(
        self,
        *,
        size: Annotated[
            int, Range(0, 1024, "longest side, pixels; 0 takes the data's own, at most 96")
        ] = 0,
    ) -> None:
        self.size = size

    def fit(self, values: Sequence[Value], wanted: Mapping[str, Any] = {}) -> dict[str, Any]:
        """Median size and number of channels, from file headers: ``{size: [H, W], channels}``."""
        import numpy as np

        sizes, grey = [], True
        for value in spread(values, self.looks_at):
            try:
                with _opened(value) as picture:
                    sizes.append(picture.size if _turned(picture) else picture.size[::-1])
                    grey = grey and picture.mode in _GREY
            except UserError:
                continue
        if not sizes:
            raise UserError("Not one picture of the training rows can be read.",
                            "Check the column and the folder that its paths start from.")
        height, width = (float(np.median(side)) for side in zip(*sizes, strict=True))
        longest = self.size or min(LARGEST_AUTO_SIDE, round(max(height, width)))
        scale = longest / max(height, width)
        # a multiple of 4 lets the encoder halve twice without losing a border
        size = [max(8, 4 * round(side * scale / 4)) for side in (height, width)]
        return {"size": size, "channels": 1 if grey else 3, **wanted}

    def decode(self, value: Value, spec: Mapping[str, Any]) -> np.ndarray:
        """The picture fitted into the size and padded with the colour of its border."""
        from PIL import Image

        height, width = spec["size"]
        plain = _plain_jpeg(value, width, height)
        if plain is not None and plain.shape == (height, width, spec["channels"]):
            return plain
        picture = (open_image(value, hint=(width, height)) if plain is None
                   else Image.fromarray(plain.squeeze(2) if plain.shape[2] == 1 else plain))
        return self._fitted(picture, spec)

    def decode_held(self, content: Any, spec: Mapping[str, Any]) -> np.ndarray:
        """A ``PIL.Image.Image``, or an array ``(H, W)`` or ``(H, W, 1 to 4)``.

        Arrays hold bytes, floats from 0 to 1, or bools.
        """
        from PIL import Image, ImageOps

        picture = content if isinstance(content, Image.Image) else _of_array(content)
        if 0 in picture.size:
            raise UserError(f"The picture has {picture.width} × {picture.height} pixels.",
                            "Give one that shows something.")
        return self._fitted(_as_seen(ImageOps.exif_transpose(picture)), spec)

    def _fitted(self, picture: Image.Image, spec: Mapping[str, Any]) -> np.ndarray:
        import numpy as np
        from PIL import Image, ImageOps

        height, width = spec["size"]
        mode = "L" if spec["channels"] == 1 else "RGB"
        if picture.mode != mode:
            picture = picture.convert(mode)
        if picture.size != (width, height):
            edge = np.asarray(picture)
            rim = np.concatenate([edge[0], edge[-1], edge[:, 0], edge[:, -1]])
            colour = tuple(int(c) for c in np.atleast_1d(np.median(rim, axis=0)))
            picture = ImageOps.pad(
                picture, (width, height), Image.Resampling.BICUBIC,
                color=colour if len(colour) > 1 else colour[0],
            )
        return np.frombuffer(picture.tobytes(), dtype=np.uint8).reshape(height, width, -1)

    @classmethod
    def is_whole(cls, spec: Mapping[str, Any]) -> bool:
        """Whether the size has two sides too."""
        return super().is_whole(spec) and len(spec["size"]) == 2

    def try_read(self, value: Value) -> None:
        """Read the picture, small."""
        open_image(value, hint=(64, 64))

    def collate(
        self, arrays: Sequence[np.ndarray | None], spec: Mapping[str, Any]
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """``(B, C, H, W)`` bytes, channels last in memory; no mask."""
        import numpy as np
        import torch

        batch = np.zeros((len(arrays), *spec["size"], spec["channels"]), dtype=np.uint8)
        for row, array in enumerate(arrays):
            if array is not None:
                batch[row] = array.reshape(batch.shape[1:])
        return torch.from_numpy(batch).permute(0, 3, 1, 2), None

    def prepare(self, values: torch.Tensor) -> torch.Tensor:
        """Bytes to floats from -1 to 1."""
        return values.float().mul_(2 / 255).sub_(1)

    def traits(
        self, arrays: Sequence[np.ndarray], spec: Mapping[str, Any]
    ) -> dict[str, np.ndarray]:
        """The mean and the standard deviation of all levels, as shares of white."""
        import numpy as np

        return {"brightness": np.array([a.mean() for a in arrays]) / 255,
                "contrast": np.array([a.std() for a in arrays]) / 255}

    def preview(self, value: Value) -> Preview:
        """A small picture of it."""
        import io

        from PIL import Image

        picture = open_image(value, hint=(PREVIEW, PREVIEW)).convert("RGB")
        picture.thumbnail((PREVIEW, PREVIEW), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=80)
        return Preview(picture=file.getvalue())

    def extent(self, path: Path) -> int:
        """Width times height."""
        width, height = picture_size(path)
        return width * height

    def fingerprints(
        self, arrays: Sequence[np.ndarray], spec: Mapping[str, Any]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Grey levels on a grid; a picture of one colour holds nothing."""
        from mmstudio.modalities.glance import pictures

        return pictures.fingerprints(arrays, spec)

    def same(self, one: np.ndarray, other: np.ndarray, spec: Mapping[str, Any]) -> bool:
        """Whether their grids agree in colour."""
        from mmstudio.modalities.glance import pictures

        return pictures.same(one, other, spec)

    def content_limit(self) -> ContentLimit:
        """See ``Modality.content_limit``."""
        from mmstudio.modalities.glance.pictures import PictureLimit

        return PictureLimit()

    def corruptions(self) -> Sequence[Corruption]:
        """See ``Modality.corruptions``."""
        from mmstudio.modalities.corrupting.pictures import CORRUPTIONS

        return CORRUPTIONS

    def pieces(self, content: Any, array: np.ndarray, spec: Mapping[str, Any]) -> Pieces:
        """Patches."""
        from mmstudio.modalities.pointing.pictures import PicturePieces

        return PicturePieces(array, _size_of(content))

    def cheap_features(
        self, arrays: Sequence[np.ndarray], values: Sequence[Value], spec: Mapping[str, Any]
    ) -> np.ndarray:
        """A small picture, edges and colours."""
        from mmstudio.modalities.glance import pictures

        return pictures.features(arrays)

    def augment(
        self, values: torch.Tensor, mask: torch.Tensor | None, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Turn by up to 10°, scale and move by up to 10 %, change brightness and contrast."""
        import torch
        from torch.nn import functional

        count = len(values)

        def draw(low: float, high: float, *shape: int) -> torch.Tensor:
            u = torch.rand(count, *shape, generator=generator, device=values.device)
            return low + (high - low) * u

        angle, zoom = draw(-0.17, 0.17), draw(0.9, 1.1)
        # both sides go from -1 to 1 here: turned in these units, a wide picture would be sheared
        high = values.shape[2] / values.shape[3]
        across, down = -zoom * angle.sin() * high, zoom * angle.sin() / high
        theta = torch.stack([
            torch.stack([zoom * angle.cos(), across, draw(-0.1, 0.1)], dim=1),
            torch.stack([down, zoom * angle.cos(), draw(-0.1, 0.1)], dim=1),
        ], dim=1)  # (B, 2, 3)
        grid = functional.affine_grid(theta, list(values.shape), align_corners=False)
        moved = functional.grid_sample(values, grid, padding_mode="border", align_corners=False)
        moved = moved * draw(0.8, 1.2, 1, 1, 1) + draw(-0.15, 0.15, 1, 1, 1)
        return moved.contiguous(memory_format=torch.channels_last), mask


def _size_of(content: Any) -> tuple[int, int]:
    """Width and height of a file's or a held picture, as it is seen."""
    from PIL import Image, ImageOps

    if isinstance(content, str | Path):
        with _opened(content) as picture:
            return picture.size[::-1] if _turned(picture) else picture.size
    if isinstance(content, Image.Image):
        return ImageOps.exif_transpose(content).size
    return _of_array(content).size


def _of_array(content: Any) -> Image.Image:
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


def _plain_jpeg(path: Value, width: int, height: int) -> np.ndarray | None:
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


def _opened(path: Value) -> Image.Image:
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
    with _opened(path) as picture:
        return picture.width, picture.height


def _reason(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__


def _turned(picture: Image.Image) -> bool:
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
    with _opened(path) as picture:
        width, height = picture.size
        return (height, width) if _turned(picture) else (width, height)


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

    with _opened(path) as picture:
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
                return _as_seen(ImageOps.exif_transpose(_reduced(picture, hint)))
        except UserError:
            raise
        except Image.DecompressionBombError:
            raise _too_large(Path(path)) from None
        except Exception as error:  # as in _opened
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


def _as_seen(picture: Image.Image) -> Image.Image:
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
