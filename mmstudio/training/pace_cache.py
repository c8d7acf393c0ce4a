"""What was the fastest in former runs, per machine and kind of model."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import logging
import os
import platform
from pathlib import Path
from typing import Any

from mmstudio.paths import cache_dir
from mmstudio.training.events import Tuned

MOST_KEPT = 500
log = logging.getLogger(__name__)


def pace_key(kind: Any) -> str:
    """The name of a kind of work on this machine, with this version of torch.

    Args:
        kind: What tells the work from another, in plain data.
    """
    import torch

    told = json.dumps([machine(), torch.__version__, kind], sort_keys=True)
    return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()


@functools.cache
def machine() -> str:
    """The processor's name, and how many of its cores this process may use."""
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores"


def cached_pace(key: str) -> Tuned | None:
    """What was the fastest for this kind of work; None where it was never measured."""
    found = _read().get(key)
    try:
        return None if found is None else Tuned(**found)
    except TypeError:  # of another version
        return None


def store_pace(key: str, tuned: Tuned) -> None:
    """Keep what was the fastest; a folder that can't be written to is no reason to fail."""
    kept = _read()
    kept.pop(key, None)
    kept[key] = dataclasses.asdict(tuned)
    for old in list(kept)[:-MOST_KEPT]:
        del kept[old]
    path = _path()
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(kept, indent=1), encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        log.warning("%s can't be written: %s", path, error)


def _path() -> Path:
    return cache_dir() / "pace.json"


def _read() -> dict[str, Any]:
    try:
        kept = json.loads(_path().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:  # it is measured again
        log.warning("%s can't be read: %s", _path(), error)
        return {}
    return kept if isinstance(kept, dict) else {}
