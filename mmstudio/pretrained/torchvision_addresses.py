"""Where torchvision publishes its files of weights, and where they are kept here.

The name of such a file ends with the first digits of its sha256.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from mmstudio.paths import cache_dir

PREFIX = "torchvision/"
FILES: dict[str, str] = {
    "resnet18": "resnet18-f37072fd.pth", "resnet50": "resnet50-0676ba61.pth",
    "vgg11": "vgg11-8a719046.pth", "vgg16": "vgg16-397923af.pth",
}
"""Per name the published file, trained on ImageNet."""

LICENCE = "BSD-3-Clause"
_DIGEST = re.compile(r"-([0-9a-f]{8,64})\.pth$")


def is_torchvision(model: str) -> bool:
    """Whether a name is one of torchvision's files here."""
    return model.removeprefix(PREFIX) in FILES and model.startswith(PREFIX)


def server() -> str:
    """The address before the file's name; ``MMSTUDIO_TORCHVISION`` names a mirror."""
    mirror = os.environ.get("MMSTUDIO_TORCHVISION", "").rstrip("/")
    return mirror or "https://download.pytorch.org/models"


def file_name(model: str) -> str:
    """The published file of ``torchvision/NAME``."""
    return FILES[model.removeprefix(PREFIX)]


def digest_start(name: str) -> str:
    """The first digits of the sha256 that a published file's name tells; empty where none."""
    found = _DIGEST.search(name)
    return found[1] if found else ""


def own_dir() -> Path:
    """Where the files are downloaded to."""
    return cache_dir() / "models"


def place(model: str) -> Path:
    """Where the file is, or would be downloaded to.

    One that torchvision itself has downloaded is used where it is.
    """
    name = file_name(model)
    own = own_dir() / name
    if own.is_file():
        return own
    home = os.environ.get("TORCH_HOME") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or "~/.cache", "torch")
    theirs = Path(home).expanduser() / "hub" / "checkpoints" / name
    return theirs if theirs.is_file() else own
