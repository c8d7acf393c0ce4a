"""What ``fit`` learnt from files, kept on the disk: a second start opens none of them."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmstudio.data.store import key_of
from mmstudio.data.store_space import fitted_dir
from mmstudio.modalities import Modality
from mmstudio.modalities.base import Value, spread
from mmstudio.version import __version__

MOST_KEPT = 200
"""Files; the settings of a text hold its vocabulary, up to some megabytes."""


def fitted(
    modality: Modality, values: Sequence[Value], wanted: Mapping[str, Any]
) -> dict[str, Any]:
    """``modality.fit(values, wanted)``, or what it gave before for the same content unchanged.

    Another version of the app learns again. So the runs of a comparison share a vocabulary, and
    with it the texts' numbers in the store. What a published model wants of texts is not learnt.

    Raises:
        UserError: Not one value can be read.
    """
    if modality.looks_at is None and wanted:
        return modality.fit(values, wanted)
    some = values if modality.looks_at is None else spread(values, modality.looks_at)
    learnt_by = {"version": __version__, "options": modality.options_in_use(),
                 "wanted": dict(wanted)}
    key = key_of(modality, learnt_by, some)
    path = fitted_dir() / f"{key}.json"
    with suppress(OSError, ValueError):
        known = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(known, dict):
            os.utime(path)  # the time of its last use
            return known
    learnt = modality.fit(some, wanted)
    try:
        text = json.dumps(learnt)
    except (TypeError, ValueError, RecursionError):  # one of one's own may learn anything
        return learnt
    beside = path.with_name(f"{key}.{uuid.uuid4().hex[:8]}.part")
    with suppress(OSError):  # a full disk is reported where the rows themselves are kept
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, path)
        _remove_oldest(path.parent)
    return learnt


def _remove_oldest(folder: Path) -> None:
    files = sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime_ns)
    for file in files[:-MOST_KEPT]:
        file.unlink(missing_ok=True)
