"""Where a published model lies on this disk. The network is never asked here."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from mmstudio.errors import UserError, nearest
from mmstudio.pretrained import hub_cache, starter, torchvision_addresses
from mmstudio.pretrained.catalogue import CATALOGUE
from mmstudio.pretrained.hashes import sha256_of
from mmstudio.pretrained.kinds import EFFICIENTNET_LITE, SOUNDNET, TORCHVISION, check_kind
from mmstudio.pretrained.kinds import kind_of as kind_of
from mmstudio.pretrained.weight_files import ARRAYS, CONFIG, STATE_DICTS, weight_names

MOST_LISTED = 8
SURE = 0.85
"""So near is a name that is mistyped, where it may as well be another model's."""


@dataclass(frozen=True)
class Source:
    """One published model, on this disk.

    Attributes:
        model: The name that the experiment gives it.
        folder: Holds ``config.json``, what prepares its inputs, and the weights.
        revision: The version in the hub's cache; None for a folder or file of the user's.
        weights: The file of its weights, or all parts of it; safetensors where there are some.
    """

    model: str
    folder: Path
    revision: str | None
    weights: tuple[Path, ...]

    @cached_property
    def config(self) -> dict[str, Any]:
        """What ``config.json`` holds.

        A file of weights without one has ``{"model_type": "torchvision", "architectures":
        [NAME]}``, where NAME is that of the file; those of the starter pack have a ``model_type``
        of their own.

        Raises:
            UserError: It can't be read.
        """
        if self.weights and self.weights[0].suffix in (".pth", ".pt", ARRAYS):
            return _state_dict_config(self.weights[0])
        path = self.folder / CONFIG
        if not path.exists() and len(self.weights) == 1:
            return _state_dict_config(self.weights[0])
        return _read_config(path)

    @cached_property
    def digest(self) -> str:
        """The hash of configuration and weights: two models of one digest answer alike.

        Raises:
            UserError: A file can't be read.
        """
        # what stands for the configuration of a file of weights is but the file's name
        said = {} if self.config["model_type"] == TORCHVISION else self.config
        digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
        for path in self.weights:
            try:
                digest.update(sha256_of(path).encode())
            except OSError as error:
                raise UserError(f"{path} can't be read: {error.strerror or error}.",
                                "Download the model again, or choose another.") from None
        return digest.hexdigest()


def find(model: str, kind: str | None = None) -> Source:
    """A model on this disk.

    Args:
        model: A Hugging Face id, ``torchvision/NAME``, ``starter/NAME``, a folder with
            ``config.json`` and weights, or a file of weights.
        kind: What it has to read: image, text or audio; None takes any.

    Raises:
        UserError: It is not here, not whole, no model, or of another kind; says the remedy.
    """
    model = clean(model)
    source = _found(model)
    if kind is not None:
        check_kind(model, source.config, kind)
    return source


def clean(model: str) -> str:
    """A model's name as it is looked for: without the address that a browser shows.

    Raises:
        UserError: It is empty, or no file that torchvision publishes.
    """
    model = model.strip()
    if not model:
        raise UserError("No published model is named.",
                        "Set model to one of 'mmstudio models', or to a folder.")
    if address := re.fullmatch(r"https?://[^/]+/([\w.-]+/[\w.-]+)(?:/(?:tree|blob)/.*)?/?", model):
        return address[1]
    offered = [f"{torchvision_addresses.PREFIX}{n}" for n in torchvision_addresses.FILES]
    if model.startswith(torchvision_addresses.PREFIX) and model not in offered:
        raise UserError(f"'{model}' is not one of the torchvision files on offer.",
                        nearest(model, offered))
    return model


def on_disk(kind: str | None = None) -> list[str]:
    """The names of the models that can be used without the network, of a kind or of all."""
    names = [f"{torchvision_addresses.PREFIX}{name}" for name in torchvision_addresses.FILES]
    found = []
    for name in [*hub_cache.models_there(), *names, *starter.names()]:
        try:
            source = _fetched(name)
            kinds = kind_of(source.config) if source is not None else set()
        except UserError:  # not whole, or its configuration is broken
            continue
        if kind in kinds if kind is not None else kinds:
            found.append(name)
    return found


def listed_on_disk(kind: str | None = None) -> str:
    """What is on the disk, as a sentence for a hint."""
    names = on_disk(kind)
    if not names:
        return "No published model is on this disk yet."
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return f"On this disk: {', '.join(names[:MOST_LISTED])}{more}."


def similar(model: str, cutoff: float = 0.6) -> str:
    """A question with the listed model whose name is nearest; empty where none is so near.

    ``cutoff`` is 1 for the same name and 0 for any.
    """
    ids = {entry.id for entry in CATALOGUE}
    if model in ids:
        return ""
    by_end = {name.rpartition("/")[2].lower(): name for name in ids}
    near = difflib.get_close_matches(model, ids, n=1, cutoff=cutoff) or [
        by_end[end] for end in difflib.get_close_matches(
            model.rpartition("/")[2].lower(), by_end, n=1, cutoff=cutoff)]
    return f"Did you mean '{near[0]}'?" if near else ""


def is_local(model: str) -> bool:
    """Whether a name means a folder or file of the user's, and not one that is downloaded."""
    if torchvision_addresses.is_torchvision(model) or starter.is_starter(model):
        return False
    path = Path(model).expanduser()
    looks = path.is_absolute() or model.startswith((".", "~")) or "\\" in model
    return looks or not hub_cache.is_hub_id(model) or path.suffix in (*STATE_DICTS, ARRAYS) or (
        path / CONFIG).is_file()


def _found(model: str) -> Source:
    source = _local(model) if is_local(model) else _fetched(model)
    if source is None:
        question = similar(model, SURE)
        raise UserError(f"The model '{model}' is not on this disk.",
                        f"{question} {_how(model)} {listed_on_disk()}".strip())
    return source


def _fetched(model: str) -> Source | None:
    """A model that was downloaded or came by pip, None where it didn't."""
    if starter.is_starter(model):
        there = starter.place(model)
        return None if there is None else replace(_local(str(there)), model=model)
    if torchvision_addresses.is_torchvision(model):
        path = torchvision_addresses.place(model)
        return Source(model, path.parent, None, (path,)) if path.is_file() else None
    folder = hub_cache.snapshot(model)
    if folder is None:
        return None
    weights = _weights(folder)
    if not (folder / CONFIG).is_file() or not weights:
        raise UserError(f"The model '{model}' is only partly on this disk.",
                        f"Resume its download: {_download(model)}")
    return Source(model, folder, folder.name, weights)


def _local(model: str) -> Source:
    path = Path(model).expanduser()
    if not path.exists():
        raise UserError(f"There is no folder or file '{model}'.",
                        "Give the whole path of a folder that holds a model's config.json and "
                        f"its weights, or the name of a model. {similar(model)}".strip())
    if path.is_file():
        if path.suffix not in (*STATE_DICTS, ARRAYS):
            raise UserError(f"'{model}' is not a file of weights.",
                            f"Known endings: {', '.join(STATE_DICTS)}. Or give a model's folder.")
        return _local_file(model, path)
    if not (path / CONFIG).is_file():
        inner = next(iter(sorted(path.glob(f"*/{CONFIG}"))), None)
        hint = f"Did you mean '{inner.parent}'? " if inner is not None else ""
        raise UserError(f"The folder '{model}' holds no {CONFIG}, so it is not a published model.",
                        f"{hint}Choose the folder into which the model was saved: it holds "
                        f"{CONFIG} and model.safetensors.")
    _read_config(path / CONFIG)
    weights = _weights(path)
    if not weights:
        raise UserError(
            f"The folder '{model}' holds no weights that can be read, or not all of them.",
            "It needs model.safetensors or pytorch_model.bin, or all the parts that its list of "
            "parts names.")
    return Source(model, path, None, weights)


def _local_file(model: str, path: Path) -> Source:
    """A file of weights: of torchvision's, or the one of the folder that it lies in."""
    if path.suffix == ".safetensors" and (path.parent / CONFIG).is_file():
        weights = _weights(path.parent)
        if path not in weights:  # the library would read those, and not this one
            raise UserError(f"'{model}' is not the file of weights that its folder's {CONFIG} "
                            "belongs to.", f"Give the folder '{path.parent}' instead, or put the "
                            "file into a folder of its own.")
        return Source(model, path.parent, None, weights)
    return Source(model, path.parent, None, (path,))


def _weights(folder: Path) -> tuple[Path, ...]:
    """The files of weights in a folder; empty where there is none, or not all parts."""
    try:
        there = {p.name for p in folder.iterdir() if p.exists()}
        names = weight_names(there, lambda name: (folder / name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return ()
    return tuple(folder / name for name in names) if there.issuperset(names) else ()


def _how(model: str) -> str:
    if starter.is_starter(model):
        return starter.how(model)
    return f"Download it: {_download(model)}"


def _download(model: str) -> str:
    return (f"'mmstudio download {model}', or press Download beside the model on the Model page "
            "of the app.")


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} can't be read: {error}.",
                        "Download the model again, or choose another.") from None
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise UserError(f"{path} names no model_type, so it is not a model of the transformers "
                        "library.", "Choose another model.")
    return config


def _state_dict_config(path: Path) -> dict[str, Any]:
    if path.suffix == ARRAYS:
        return {"model_type": SOUNDNET}
    if path.stem.startswith("efficientnet-lite0"):
        return {"model_type": EFFICIENTNET_LITE}
    return {"model_type": TORCHVISION, "architectures": [path.stem.partition("-")[0]]}
