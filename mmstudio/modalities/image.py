"""Pictures, in every format that Pillow reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from mmstudio.errors import UserError
from mmstudio.modalities.base import MODALITIES, Modality, Value, spread
from mmstudio.modalities.picture_arrays import picture_of_array
from mmstudio.modalities.picture_files import (
    as_seen,
    is_turned,
    open_image,
    opened_picture,
    picture_size,
    plain_jpeg,
)
from mmstudio.modalities.preview import Preview
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
PREVIEW = 144
"""The longer side of a preview, pixels."""
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
                with opened_picture(value) as picture:
                    sizes.append(picture.size if is_turned(picture) else picture.size[::-1])
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
        plain = plain_jpeg(value, width, height)
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

        picture = content if isinstance(content, Image.Image) else picture_of_array(content)
        if 0 in picture.size:
            raise UserError(f"The picture has {picture.width} × {picture.height} pixels.",
                            "Give one that shows something.")
        return self._fitted(as_seen(ImageOps.exif_transpose(picture)), spec)

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
        with opened_picture(content) as picture:
            return picture.size[::-1] if is_turned(picture) else picture.size
    if isinstance(content, Image.Image):
        return ImageOps.exif_transpose(content).size
    return picture_of_array(content).size
