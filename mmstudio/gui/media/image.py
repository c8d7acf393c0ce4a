"""Pictures in the window."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QImage

from mmstudio.gui.media.medium import Medium
from mmstudio.gui.media.views.heat import heat_image
from mmstudio.gui.media.views.thumbnails import SIDE, picture_thumbnail

_LARGEST_SHOWN_PIXELS = 1200


@dataclass(frozen=True)
class LoadedImage:
    """A picture, small enough for the screen, and the size it has on disk."""

    image: QImage
    width: int
    height: int


def load(path: Path) -> LoadedImage:
    """Read a picture for the screen. Raises UserError."""
    from mmstudio.modalities.picture_files import open_image, shown_size

    width, height = shown_size(path)
    picture = open_image(path, hint=(_LARGEST_SHOWN_PIXELS, _LARGEST_SHOWN_PIXELS))
    picture.thumbnail((_LARGEST_SHOWN_PIXELS, _LARGEST_SHOWN_PIXELS))
    content = picture.convert("RGBA").tobytes()
    shown = QImage(content, picture.width, picture.height, QImage.Format.Format_RGBA8888)
    # The copy owns its pixels; `content` goes away with this function.
    return LoadedImage(shown.convertToFormat(QImage.Format.Format_RGB32), width, height)


MEDIUM = Medium(
    "mdi6.image-outline", "picture", lambda: QCoreApplication.translate("media", "pictures"),
    lambda path, color: picture_thumbnail(path), SIDE, height=210, load=load,
    published=lambda: QCoreApplication.translate(
        "media", "It must be a model that reads pictures, such as ResNet, ViT, DINOv2, ConvNeXt, "
        "CLIP or SigLIP."),
    example="microsoft/resnet-34", single_files=True, speaks=False,
    marks=lambda shown: heat_image(shown.weights))
