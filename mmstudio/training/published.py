"""Which published models a run stands on: noted in its folder, and looked for when it is opened.

Their weights are not in the run, so the run is only worth something together with them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.portable import relative
from mmstudio.pretrained.preprocessing import model_of
from mmstudio.pretrained.source import find
from mmstudio.reading import read_json, reading
from mmstudio.shapes import fitted_to
from mmstudio.training.run_folder import RunFolder

NOTE = "published.json"
MOST_NOTE_BYTES = 1_000_000


def note_published(files: RunFolder, experiment: Experiment) -> None:
    """Write per input that stands on a published model its name, revision and digest.

    A run without one has no such file.
    """
    found = {}
    for name, settings in experiment.active_inputs.items():
        model = model_of(settings)
        if model is not None:
            source = find(model, settings.modality)
            found[name] = {"model": relative(model, files.path), "revision": source.revision,
                           "digest": source.digest}
    if found:
        files.write_text(NOTE, json.dumps(found, ensure_ascii=False, indent=1))


def published_of(files: RunFolder) -> dict[str, dict[str, Any]]:
    """Per input the model, revision and digest that were noted; empty without a note.

    Raises:
        UserError: The note is damaged.
    """
    path = files.path / NOTE
    if not os.path.lexists(path):
        return {}
    with reading(path, "The run is not complete; train it again."):
        noted = read_json(path, MOST_NOTE_BYTES)
        for name, one in noted.items():
            fitted_to(one, {"model": str, "digest": str}, name)
            if one["revision"] is not None:
                fitted_to(one["revision"], str, f"{name}.revision")
        return {name: {"model": _from(files.path, one["model"]), "revision": one["revision"],
                       "digest": one["digest"]} for name, one in noted.items()}


def check_published(files: RunFolder) -> None:
    """Look whether the published models of a run are on this disk, and the same ones.

    Raises:
        UserError: One is missing or another one now; names the input, the model and the remedy.
    """
    for name, noted in published_of(files).items():
        try:
            source = find(noted["model"])
        except UserError as error:
            raise UserError(
                f"{files.path} reads '{name}' with the published model {noted['model']}, "
                f"which can't be used here: {error.message}", error.hint) from None
        if source.digest != noted["digest"]:
            before, now = _version(noted["revision"]), _version(source.revision)
            versions = f" (then {before}, now {now})" if before != now else ""
            raise UserError(
                f"{files.path} was trained on another version of {noted['model']} than the one "
                f"on this disk{versions}.",
                "Put the model's files back as they were, or train the run again.")


def _from(folder: Path, model: str) -> str:
    """A model's name; the whole path of one that is noted as seen from the run's folder."""
    return str((folder / model).resolve()) if model.startswith("..") else model


def _version(revision: str | None) -> str:
    return "a local copy" if revision is None else f"version {revision[:8]}"
