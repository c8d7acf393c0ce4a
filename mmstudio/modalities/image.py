"""Pictures, in every format that Pillow reads."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from mmstudio.errors import UserError
from mmstudio.modalities.base import MODALITIES, Modality, Value, readable_file, spread
from mmstudio.registry import Range

if TYPE_CHECKING:
    import numpy as np
    import torch
    from PIL import Image

LARGEST_AUTO_SIDE = 96
"""A CNN trained from scratch gains little above this, and its time grows with the square."""
LARGEST_PIXELS = 150_000_000
SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jfif", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm",
    ".pbm", ".pnm", ".ico", ".tga", ".jp2", ".avif", ".dds", ".pcx", ".sgi", ".qoi",
)
_GREY = {"1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"}


@MODALITIES.register("image", title="Picture", summary="Photographs, drawings, scans.")
class ImageModality(Modality):
    """Pictures as ``(H, W, C)`` bytes; all of one size, learnt from the data.

    Args:
        size: Longest side in pixels; 0 takes the data's own size, at most 96.
    """

    suffixes = SUFFIXES
    default_encoder = "cnn"
    dtype = "uint8"

    def __init__(
        self,
        *,
        size: Annotated[
            int, Range(0, 1024, "longest side, pixels; 0 takes the data's own, at most 96")
        ] = 0,
    ) -> None:
        self.size = size

    def fit(self, values: Sequence[Value]) -> dict[str, Any]:
        """Median size and number of channels, from file headers: ``{size: [H, W], channels}``."""
        import numpy as np

        sizes, grey = [], True
        for value in spread(values, 400):
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
        return {"size": size, "channels": 1 if grey else 3}

    def decode(self, value: Value, spec: Mapping[str, Any]) -> np.ndarray:
        """The picture fitted into the size and padded with the colour of its border."""
        import numpy as np
        from PIL import Image, ImageOps

        height, width = spec["size"]
        mode = "L" if spec["channels"] == 1 else "RGB"
        picture = open_image(value, hint=(width, height)).convert(mode)
        if picture.size != (width, height):
            edge = np.asarray(picture)
            rim = np.concatenate([edge[0], edge[-1], edge[:, 0], edge[:, -1]])
            colour = tuple(int(c) for c in np.atleast_1d(np.median(rim, axis=0)))
            picture = ImageOps.pad(
                picture, (width, height), Image.Resampling.BICUBIC,
                color=colour if len(colour) > 1 else colour[0],
            )
        return np.asarray(picture, dtype=np.uint8).reshape(height, width, -1)

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
        theta = torch.stack([
            torch.stack([zoom * angle.cos(), -zoom * angle.sin(), draw(-0.1, 0.1)], dim=1),
            torch.stack([zoom * angle.sin(), zoom * angle.cos(), draw(-0.1, 0.1)], dim=1),
        ], dim=1)  # (B, 2, 3)
        grid = functional.affine_grid(theta, list(values.shape), align_corners=False)
        moved = functional.grid_sample(values, grid, padding_mode="border", align_corners=False)
        moved = moved * draw(0.8, 1.2, 1, 1, 1) + draw(-0.15, 0.15, 1, 1, 1)
        return moved.contiguous(memory_format=torch.channels_last), mask


def _opened(path: Value) -> Image.Image:
    from PIL import Image, UnidentifiedImageError

    path = readable_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(path)
    except UnidentifiedImageError:
        raise UserError(f"{path} is no picture that can be read.",
                        "Save it anew as PNG or JPEG.") from None
    except Image.DecompressionBombError:
        raise _too_large(path) from None
    except (OSError, ValueError, SyntaxError) as error:
        raise UserError(f"{path} can't be read: {error}.", "Save it anew as PNG.") from None
    if picture.width * picture.height > LARGEST_PIXELS:
        picture.close()
        raise _too_large(path)
    return picture


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


def open_image(path: Value, *, hint: tuple[int, int] | None = None) -> Image.Image:
    """A picture as people see it, mode ``L`` or ``RGB``.

    First frame, turned as its EXIF says, transparent parts over white, 16 bits scaled to 8.

    Args:
        path: The file.
        hint: ``(width, height)`` that will be enough; lets JPEG decode at a fraction.

    Raises:
        UserError: The file is missing or no picture that can be read.
    """
    from PIL import Image, ImageOps

    with _opened(path) as picture:
        try:
            if hint is not None:
                picture.draft(None, (2 * hint[0], 2 * hint[1]))
            picture.load()
            return _as_seen(ImageOps.exif_transpose(picture))
        except (OSError, ValueError, SyntaxError, EOFError, MemoryError,
                Image.DecompressionBombError) as error:
            raise UserError(f"{path} is damaged: {error}.", "Save it anew as PNG.") from None


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
