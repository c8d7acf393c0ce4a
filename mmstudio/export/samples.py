"""The samples of the self-test, and the app's answers to every subset of their inputs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmstudio.data.merged_labels import merged
from mmstudio.data.schema import values_of
from mmstudio.data.split import split_of
from mmstudio.data.table import read_table
from mmstudio.errors import UserError
from mmstudio.export.carried.base import MADE_UP, carried, free_path
from mmstudio.inference.predictor import Predictor
from mmstudio.training.shapley import all_subsets

MOST_SUBSETS = 64


@dataclass(frozen=True)
class Sample:
    """One sample: per input a path, a text or a record; an input that is missing is absent."""

    inputs: dict[str, Any]


def made_up(predictor: Predictor, folder: Path) -> list[Sample]:
    """Samples that nobody has: noise, tones and plain sentences, written into a folder."""
    chance = np.random.default_rng(0)
    samples: list[dict[str, Any]] = [{} for _ in range(MADE_UP)]
    for name, kind in predictor.inputs.items():
        carrier = carried(kind)
        if carrier is None:
            continue
        for at, sample in enumerate(samples):
            sample[name] = carrier.made_up(predictor.schema.inputs[name], folder, at, chance)
    return [Sample(sample) for sample in samples]


def of_data(predictor: Predictor, folder: Path) -> list[Sample]:
    """Samples of the test rows, else of the validation's, evenly spread; files are copied.

    Raises:
        UserError: The run's data can't be read any more, or a file can't be copied.
    """
    experiment = predictor.experiment
    project = predictor.run.path.resolve().parent.parent
    table = merged(read_table(project / experiment.data.table), experiment)
    splits = split_of(experiment, table, project)
    rows = next((found for split in ("test", "validation", "train")
                 if len(found := np.flatnonzero(splits == split))), np.zeros(0, int))
    values = {n: values_of(table, i) for n, i in experiment.active_inputs.items()}
    rows = np.array([r for r in rows if any(values[n][r] is not None for n in values)], dtype=int)
    if not len(rows):
        raise UserError("The run's data has no row to take along.", "Leave out --include-samples.")
    samples = []
    for row in rows[np.linspace(0, len(rows) - 1, min(MADE_UP, len(rows))).round().astype(int)]:
        there = {n: column[row] for n, column in values.items()
                 if _is_readable(predictor, n, column[row])}
        if there:
            samples.append(Sample({n: _taken_along(v, folder) for n, v in there.items()}))
    if not samples:
        raise UserError("Not one of the data's samples can be read to be taken along.",
                        "Look at the project's data, or leave out --include-samples.")
    return samples


def _is_readable(predictor: Predictor, name: str, value: Any) -> bool:
    """Whether an input is there: what can't be read counts as absent, as in training."""
    try:
        return predictor.decode(name, value) is not None
    except UserError:
        return False


def _taken_along(value: Any, folder: Path) -> Any:
    """A value; a file is copied into the folder."""
    if not isinstance(value, Path):
        return value
    copied = free_path(folder, value.suffix.lower())
    try:
        shutil.copyfile(value, copied)
    except OSError as error:
        raise UserError(f"{value} can't be copied to {folder}: {error}.",
                        "Make room there, or leave out --include-samples.") from None
    return copied


def subsets_of(names: list[str]) -> list[list[str]]:
    """All subsets; of many inputs nothing, each alone, all but one, and all."""
    count = len(names)
    if 2**count <= MOST_SUBSETS:
        chosen = all_subsets(count)
    else:
        one = np.eye(count, dtype=bool)
        chosen = np.concatenate([~one[:1] & False, one, ~one, one[:1] | True])
    return [[n for n, there in zip(names, row, strict=True) if there] for row in chosen]


def write_answers(
    predictor: Predictor, samples: list[Sample], folder: Path
) -> Iterator[int]:
    """Ask the app for every subset of every sample, and write ``answers.json``.

    Yields:
        How many samples are answered, after each.
    """
    told = []
    for done, sample in enumerate(samples, start=1):
        there = [n for n in sample.inputs if sample.inputs[n] is not None]
        answers = []
        for subset in subsets_of(there):
            found = predictor.predict(sample.inputs, use=subset)
            outputs: dict[str, Any] = {}
            labels: dict[str, list[str]] = {}
            for name, answer in found.tasks.items():
                classes = predictor.schema.targets[name].get("classes", ())
                outputs[name] = (answer.value if answer.value is not None
                                 else [answer.scores[c] for c in classes])
                if answer.labels is not None:
                    labels[name] = list(answer.labels)
            answers.append({"inputs": list(found.present), "outputs": outputs, "labels": labels})
        told.append({
            "inputs": {n: {"file": v.name} if isinstance(v, Path) else {"content": v}
                       for n, v in sample.inputs.items()},
            "answers": answers})
        yield done
    (folder / "answers.json").write_text(
        json.dumps({"samples": told}, ensure_ascii=False, indent=1), encoding="utf-8")
