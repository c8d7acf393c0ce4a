"""Published models: those of an experiment, those on this disk, removing one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mmstudio.errors import UserError

if TYPE_CHECKING:
    from mmstudio.experiment import Experiment, InputSettings
    from mmstudio.pretrained.catalogue import PublishedModel
    from mmstudio.pretrained.download import Plan

Trouble = tuple[str, str]
"""A message and a hint; two empty texts where a model simply is not here yet."""


@dataclass(frozen=True)
class Found:
    """What is on this disk.

    Attributes:
        on_disk: The ids of all models that are here.
        looked: Per (model, kind) asked for None where it can be used, else why not.
    """

    on_disk: frozenset[str]
    looked: dict[tuple[str, str], Trouble | None]


def encoder_name(kind: str) -> str:
    """The name of the encoder that holds published models of a kind of input."""
    return f"pretrained_{kind}"


def models_of(experiment: Experiment) -> list[tuple[str, str, str]]:
    """The inputs in use that have a published encoder: (input, model, kind)."""
    from mmstudio.pretrained.preprocessing import model_of

    found = [(name, model_of(settings), settings.modality)
             for name, settings in experiment.active_inputs.items()]
    return [(name, model, kind) for name, model, kind in found if model is not None]


def model_of(settings: InputSettings) -> str:
    """The published model that an input's encoder stands on; "" where none."""
    from mmstudio.pretrained import preprocessing

    return preprocessing.model_of(settings) or ""


def look(wanted: Collection[tuple[str, str]]) -> Found:
    """See what is on this disk, and whether each of `wanted` (model, kind) can be used."""
    from mmstudio.pretrained.source import find, on_disk

    here = frozenset(on_disk())
    looked: dict[tuple[str, str], Trouble | None] = {}
    for model, kind in wanted:
        try:
            find(model, kind)
        except UserError as error:
            # where it is merely absent, the button that fetches it says enough
            there = model in here or not is_downloaded(model)
            looked[model, kind] = (error.message, error.hint) if there else ("", "")
        else:
            looked[model, kind] = None
    return Found(here, looked)


def is_path(model: str) -> bool:
    """Whether a model is named by a folder or file of this disk rather than by an id."""
    from mmstudio.pretrained.source import is_local

    return is_local(model)


def is_downloaded(model: str) -> bool:
    """Whether a model comes by a download: neither a path of this disk nor by pip."""
    from mmstudio.pretrained.starter import is_starter

    return not (is_path(model) or is_starter(model))


def entry_of(model: str, kind: str) -> PublishedModel | None:
    """The listed model of that id, None for another."""
    from mmstudio.pretrained.catalogue import entry

    return entry(model, kind)


def title_of(model: str, kind: str) -> str:
    """A model's name for people: its title, the last part of an id, a folder's or file's name.

    Of a folder or file it names the folder around it too: many are called "model".
    """
    entry = entry_of(model, kind)
    if entry is not None:
        return entry.title
    parts = [part for part in model.replace("\\", "/").split("/") if part]
    return "/".join(parts[-2 if is_path(model) else -1:]) or model


def checked(
    model: str, kind: str, should_stop: Callable[[], bool] = lambda: False
) -> tuple[str, Plan | None]:
    """Whether a model fits: by its files where it is here, else by what the network says of it.

    Args:
        model: Its name.
        kind: What it has to read: image, text or audio.
        should_stop: Asked while the network is waited for.

    Returns:
        Its name without what a browser adds, and what a download would fetch; None where the
        model is on this computer.

    Raises:
        UserError: It is of another kind, is not there, or the network can't be reached.
    """
    from mmstudio.pretrained.download import planned
    from mmstudio.pretrained.source import clean, find, on_disk

    model = clean(model)
    if is_path(model) or model in on_disk():
        find(model, kind)
        return model, None
    return model, planned(model, kind, should_stop)


@dataclass(frozen=True)
class Kept:
    """A model that takes room on this disk.

    Attributes:
        model: Its id.
        bytes: What it takes.
        whole: Whether all of it is here; else its download was stopped.
    """

    model: str
    bytes: int
    whole: bool


def places() -> list[Path]:
    """The folders in which downloaded models are kept: the hub's, and ours for torchvision's."""
    from mmstudio.pretrained import hub_cache, torchvision_addresses

    own = torchvision_addresses.own_dir()
    return [hub_cache.hub_dir(), *([own] if own.is_dir() else [])]


def kept() -> list[Kept]:
    """All downloaded models, the largest first."""
    from mmstudio.pretrained import hub_cache, torchvision_addresses
    from mmstudio.pretrained.source import on_disk

    here = set(on_disk())
    names = [*hub_cache.models_there(),
             *(torchvision_addresses.PREFIX + name for name in torchvision_addresses.FILES)]
    found = [Kept(name, sum(map(_bytes_of, _files_of(name))), name in here) for name in names]
    return sorted((k for k in found if k.bytes), key=lambda k: -k.bytes)


def remove(model: str) -> None:
    """Delete a downloaded model from this disk.

    Raises:
        UserError: A file can't be deleted.
    """
    from mmstudio.pretrained import hub_cache, torchvision_addresses

    try:
        if torchvision_addresses.is_torchvision(model):
            for path in _files_of(model):
                path.unlink(missing_ok=True)
        else:
            shutil.rmtree(hub_cache.model_dir(model))
    except FileNotFoundError:
        return  # somebody else was quicker
    except OSError as error:
        raise UserError(f"'{model}' could not be removed: {error.strerror or error}.",
                        f"Delete it yourself: {error.filename}") from None


def _files_of(model: str) -> list[Path]:
    """The files that a downloaded model takes; torchvision's only where we have put them."""
    from mmstudio.pretrained import hub_cache, torchvision_addresses

    if torchvision_addresses.is_torchvision(model):
        name = torchvision_addresses.file_name(model)
        return sorted(torchvision_addresses.own_dir().glob(f"{name}*"))
    return [p for p in hub_cache.model_dir(model).rglob("*") if p.is_file()]


def _bytes_of(path: Path) -> int:
    """What a file takes; a link to another takes nothing, nor does what has gone meanwhile."""
    try:
        return 0 if path.is_symlink() else path.stat().st_size
    except FileNotFoundError:  # a download that ends gives its file another name
        return 0
