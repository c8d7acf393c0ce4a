"""What a run was made with: versions, device, seed, threads, and what names its data."""

from __future__ import annotations

import hashlib
import json
import platform
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

import mmstudio
from mmstudio.data.prepare import Dataset
from mmstudio.experiment import Experiment
from mmstudio.reading import read_json
from mmstudio.safe_files import write_whole
from mmstudio.shapes import fitted_to
from mmstudio.training.run_folder import RunFolder

NAME = "environment.json"
PARTS = ("torch", "numpy", "polars", "safetensors", "scikit-learn", "tokenizers", "transformers",
         "pillow", "soundfile", "soxr")
DECODING = ("numpy", "pillow", "soundfile", "soxr")
"""Parts of which another version may read the same file a little differently."""
MOST_BYTES = 1 << 22
MOST_KEPT = 50
"""Starts of a run that are remembered: the first, and the latest."""
SHAPE = {"starts": [{"versions": {"**": str}, "files?": {"**": {"cells": str, "contents": str}}}]}


def note_environment(
    files: RunFolder, experiment: Experiment, dataset: Dataset, device: str, going_on: bool,
) -> None:
    """Write with what a run begins, or goes on.

    Raises:
        OSError: It can't be written.
    """
    settings = experiment.training
    start = {
        "at": datetime.now().astimezone().isoformat(timespec="seconds"),
        "versions": versions(), "system": f"{platform.system()} {platform.machine()}",
        "device": device, "precision": settings.precision, "seed": settings.seed,
        "threads": settings.threads or torch.get_num_threads(),
        "rows": {split: len(dataset.rows(split)) for split in ("train", "validation", "test")},
        "files": _files(dataset)}
    before = starts_of(files) if going_on else []
    kept = [*before, start]
    kept = kept if len(kept) <= MOST_KEPT else [kept[0], *kept[1 - MOST_KEPT:]]
    write_whole(files.path / NAME, json.dumps({"starts": kept}, indent=1))


def starts_of(files: RunFolder) -> list[dict[str, Any]]:
    """With what a run was begun, and gone on with; empty where it noted none, or none readable."""
    path = files.path / NAME
    if path.is_symlink() or not path.is_file():
        return []
    try:
        found: list[dict[str, Any]] = fitted_to(
            read_json(path, MOST_BYTES), SHAPE, NAME)["starts"]
    except (OSError, ValueError, RecursionError):
        return []
    return found


def versions() -> dict[str, str]:
    """Of mmstudio, of Python, and of the parts that a model's numbers come from."""
    found = {"mmstudio": mmstudio.__version__, "python": platform.python_version()}
    for part in PARTS:
        try:
            found[part] = metadata.version(part)
        except metadata.PackageNotFoundError:
            continue
    return found


def files_changed(files: RunFolder, dataset: Dataset) -> list[str]:
    """Sentences on files that hold something else than when the run read them last.

    Nothing is said where the table has other rows, or where other versions read the files.

    Args:
        files: The run.
        dataset: The rows as they are now, decoded as the run decodes them.
    """
    starts = starts_of(files)
    if not starts:
        return []
    then, now, here = starts[-1].get("files", {}), _files(dataset), versions()
    if any(starts[-1]["versions"].get(part) != here.get(part) for part in DECODING):
        return []
    return [f"Files of input '{name}' hold something else than when {files.path.parent.name}/"
            f"{files.name} was trained on them." for name, told in now.items()
            if name in then and then[name]["cells"] == told["cells"]
            and then[name]["contents"] != told["contents"]]


def _files(dataset: Dataset) -> dict[str, dict[str, str]]:
    """Per input that is read from files what names these, and what they hold."""
    found = {}
    for name, values in dataset.values.items():
        decoded = dataset.decoded.get(name)
        if decoded is None or not any(isinstance(v, Path) for v in values):
            continue
        cells = hashlib.blake2b(digest_size=16)
        for value in values:
            # by its name: the project may lie elsewhere by now
            cells.update((value.name if isinstance(value, Path) else str(value)).encode(
                "utf-8", "surrogatepass") + b"\x1f")
        contents = hashlib.blake2b(np.diff(decoded.starts).astype("<i8").tobytes(), digest_size=16)
        contents.update(np.asarray(decoded.checksums, dtype="<i8").tobytes())
        found[name] = {"cells": cells.hexdigest(), "contents": contents.hexdigest()}
    return found
