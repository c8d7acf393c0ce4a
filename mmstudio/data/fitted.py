"""What ``fit`` learnt from files, kept on the disk: a second start opens none of them."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import mmstudio
from mmstudio.data.store import key_of
from mmstudio.data.store_space import fitted_dir
from mmstudio.modalities import Modality
from mmstudio.modalities.base import Value, spread


def fitted(
    modality: Modality, values: Sequence[Value], wanted: Mapping[str, Any]
) -> dict[str, Any]:
    """``modality.fit(values, wanted)``, or what it gave before for the same files unchanged.

    Another version of the app learns anew. Texts are learnt each time: their settings hold whole
    vocabularies.

    Raises:
        UserError: Not one value can be read.
    """
    if modality.looks_at is None:
        return modality.fit(values, wanted)
    some = spread(values, modality.looks_at)
    learnt_by = {"version": mmstudio.__version__, "options": vars(modality), "wanted": dict(wanted)}
    key = key_of(modality, learnt_by, some)
    path = fitted_dir() / f"{key}.json"
    with suppress(OSError, ValueError):
        known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return known
    learnt = modality.fit(some, wanted)
    beside = path.with_name(f"{key}.{uuid.uuid4().hex[:8]}.part")
    with suppress(OSError):  # a full disk is told where the rows themselves are kept
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(learnt), encoding="utf-8")
        os.replace(beside, path)
    return learnt
