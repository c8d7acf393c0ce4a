"""Pictures: bytes of one size, scaled within the graph."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmstudio.export.carried.base import ROWS, Carried, free_path
from mmstudio.export.shipped import predict
from mmstudio.export.shipped.predict import PredictError
from mmstudio.export.shipped.serve import MOST_PIXELS
from mmstudio.modalities.base import Modality

SCALES = (1.0, 1.0, 0.5, 2.3, 1.0, 5.1, 1.0, 1.7)
GREY = 4
"""Which of the made-up pictures has no colours."""


class Pictures(Carried):
    """``(B, C, H, W)`` uint8."""

    packages = ("pillow>=10.3",)
    given = "photo.png"

    def settings(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """The size and the channels."""
        return {"size": list(spec["size"]), "channels": int(spec["channels"])}

    def example(
        self, spec: Mapping[str, Any], chance: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Noise."""
        shape = (ROWS, spec["channels"], *spec["size"])
        return torch.randint(0, 256, shape, generator=chance, dtype=torch.uint8), None

    def prepared(
        self, modality: Modality, values: torch.Tensor, more: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """As the modality scales them."""
        return modality.prepare(values), None

    def held(self, content: bytes, spec: Mapping[str, Any]) -> Any:
        """The picture in a file's bytes."""
        import io

        from PIL import Image

        try:
            with Image.open(io.BytesIO(content), formats=predict.known_formats()) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    raise PredictError(
                        f"It has more than {MOST_PIXELS / 1e6:.0f} million pixels.")
                picture.load()
                return picture.copy()
        except PredictError:
            raise
        except Exception as error:  # Pillow's readers raise whatever their parsing ran into
            raise PredictError(f"The picture can't be read: {error}") from None

    def made_up(
        self, spec: Mapping[str, Any], folder: Path, at: int, chance: np.random.Generator
    ) -> Any:
        """Coarse noise, larger and smaller than the model's size."""
        from PIL import Image

        high, wide = (max(4, round(side * SCALES[at])) for side in spec["size"])
        coarse = chance.integers(0, 256, (6, 6 + at, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((wide, high + 3 * at), Image.Resampling.BICUBIC)
        path = free_path(folder, ".png")
        (picture.convert("L") if at == GREY else picture).save(path)
        return path

    def described(self, spec: Mapping[str, Any], tensors: Mapping[str, str]) -> tuple[str, str]:
        """Its one tensor."""
        high, wide = spec["size"]
        return (f"`{tensors['values']}` uint8 (B, {spec['channels']}, {high}, {wide})",
                "a picture; scaling and normalising are inside")


CARRIED = Pictures()
