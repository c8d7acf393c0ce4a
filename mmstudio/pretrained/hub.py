"""What the Hugging Face hub, or a mirror of it, says of a model.

Asked without ``HfApi.model_info``: that can't be stopped while it waits for an answer, and takes
1.2 s to import.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote

from mmstudio.errors import UserError
from mmstudio.pretrained import failures
from mmstudio.pretrained.transfer import Broken, ShouldStop, Wanted, read_text, request_for
from mmstudio.pretrained.weight_files import CONFIG, index_name, names_beside, weight_names


@dataclass(frozen=True)
class Listing:
    """The current version of a model.

    Attributes:
        revision: Its name.
        files: What is to be taken of it, small files first.
        licence: As its publisher gives it; "" where not.
        gated: Whether its publisher must let people in first.
        config: The ``model_type`` and what else the hub tells of its configuration.
    """

    revision: str
    files: tuple[Wanted, ...]
    licence: str
    gated: bool
    config: dict[str, Any]


def endpoint() -> str:
    """The hub's address; ``HF_ENDPOINT`` names a mirror."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def token() -> str:
    """What the user has logged in with, "" for nothing."""
    from huggingface_hub import get_token

    return get_token() or ""


def list_files(model: str, should_stop: ShouldStop) -> Listing | None:
    """What there is to fetch of a model; None where it was to stop.

    Raises:
        UserError: There is no such model, it is not a model for PyTorch, or there is no network.
    """
    log_in = token()
    url = f"{endpoint()}/api/models/{quote(model)}?blobs=true"
    text = _asked(model, url, log_in, should_stop)
    if text is None:
        return None
    try:
        told = json.loads(text)
        revision = str(told["sha"])
        there = {str(file["rfilename"]): file for file in told["siblings"]}
    except (ValueError, KeyError, TypeError):
        raise _not_understood(url) from None
    base = f"{endpoint()}/{model}/resolve/{revision}"
    index = index_name(there)
    parts = "" if index is None else _asked(model, f"{base}/{index}", log_in, should_stop)
    if parts is None:
        return None
    weights = weight_names(there, lambda _: parts)
    _check_whole(model, there, weights)
    names = [CONFIG, *names_beside(there), *([index] if index else []), *weights]
    try:
        files = tuple(_wanted(model, f"{base}/{quote(n)}", n, there[n], log_in) for n in names)
    except (KeyError, TypeError):
        raise _not_understood(url) from None
    return Listing(revision, files, _licence(told), bool(told.get("gated")),
                   told.get("config") or {})


def _asked(model: str, url: str, log_in: str, should_stop: ShouldStop) -> str | None:
    try:
        return read_text(request_for(url, log_in), should_stop)
    except HTTPError as error:
        raise failures.refused(model, error) from None
    except Broken as error:
        raise failures.unreachable(model, url, error.cause) from None
    except UnicodeDecodeError:
        raise _not_understood(url) from None


def _not_understood(url: str) -> UserError:
    return UserError(f"The answer of {url} can't be understood.",
                     "A log-in page or proxy may stand between. Where HF_ENDPOINT is set, it must "
                     "name the Hugging Face hub or a mirror of all of it.")


def _check_whole(
    model: str, there: Mapping[str, Any], weights: tuple[str, ...]
) -> None:
    hint = "Choose another model: 'mmstudio models' lists some that fit."
    if CONFIG not in there:
        raise UserError(f"'{model}' holds no {CONFIG}, so it is not a model of the transformers "
                        "library.", hint)
    if not weights or not set(weights) <= set(there):
        raise UserError(f"'{model}' holds no weights for PyTorch (model.safetensors or "
                        "pytorch_model.bin), or not all of them.", hint)


def _wanted(model: str, url: str, name: str, file: Mapping[str, Any], log_in: str) -> Wanted:
    """A large file is named by its sha256 there, a small one by git."""
    if lfs := file.get("lfs"):
        return Wanted(model, name, url, int(lfs["size"]), str(lfs["sha256"]), token=log_in)
    return Wanted(model, name, url, int(file["size"]), str(file["blobId"]), "git", log_in)


def _licence(told: Mapping[str, Any]) -> str:
    card = told.get("cardData") or {}
    named = card.get("license_name") or card.get("license") or next(
        (t.removeprefix("license:") for t in told.get("tags") or () if t.startswith("license:")),
        "")
    return ", ".join(named) if isinstance(named, list) else str(named)
