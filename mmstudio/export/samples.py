"""The samples of the self-test, and the app's answers to every subset of their inputs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmstudio.data.merged_labels import merged
from mmstudio.data.schema import values_of
from mmstudio.data.split import split_of
from mmstudio.data.table import read_table
from mmstudio.errors import UserError
from mmstudio.inference.predictor import Predictor
from mmstudio.training.shapley import all_subsets

COUNT = 8
MOST_SUBSETS = 64
TEXTS = (
    "A red kite over the sea", "seven", "Please call me back before noon; the train is late.",
    "two small birds and one big cloud 🙂", "Où est la gare ? 12 €", "the the the and",
    "One text that goes on for longer than the others do, so that it is cut or padded: " * 6,
    "今日は good morning",
)
"""Made up, of different lengths and scripts."""


@dataclass(frozen=True)
class Sample:
    """One sample: per input a path, a text or a record; an input that is missing is absent."""

    inputs: dict[str, Any]


def made_up(predictor: Predictor, folder: Path) -> list[Sample]:
    """Samples that nobody has: noise, tones and plain sentences, written into a folder."""
    chance = np.random.default_rng(0)
    samples: list[dict[str, Any]] = [{} for _ in range(COUNT)]
    for name, kind in predictor.inputs.items():
        spec = predictor.schema.inputs[name]
        place = len(list(folder.iterdir()))
        for at, sample in enumerate(samples):
            if kind == "image":
                sample[name] = _picture(folder / f"picture-{place + at}.png", spec, at, chance)
            elif kind == "audio":
                sample[name] = _sound(folder / f"sound-{place + at}.wav", spec, at, chance)
            elif kind == "text":
                sample[name] = TEXTS[at % len(TEXTS)]
            else:
                sample[name] = _record(spec, chance)
    return [Sample(sample) for sample in samples]


def _picture(path: Path, spec: Mapping[str, Any], at: int, chance: np.random.Generator) -> Path:
    from PIL import Image

    scale = (1.0, 1.0, 0.5, 2.3, 1.0, 5.1, 1.0, 1.7)[at]
    high, wide = (max(4, round(side * scale)) for side in spec["size"])
    coarse = chance.integers(0, 256, (6, 6 + at, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((wide, high + 3 * at), Image.Resampling.BICUBIC)
    (picture.convert("L") if at == 4 else picture).save(path)
    return path


def _sound(path: Path, spec: Mapping[str, Any], at: int, chance: np.random.Generator) -> Path:
    import soundfile

    rate = round(spec["sample_rate_hz"] * (1.0, 1.0, 1.5, 1.0, 2.0, 1.0, 1.0, 0.75)[at])
    seconds = spec["max_seconds"] * (1.0, 0.6, 0.8, 0.15, 0.5, 1.2, 0.02, 0.9)[at]
    steps = np.arange(max(64, round(seconds * rate))) / rate
    tone = 0.3 * np.sin(2 * np.pi * (200 + 150 * at + 80 * steps) * steps)
    soundfile.write(path, tone + 0.02 * chance.normal(size=len(steps)), rate)
    return path


def _record(spec: Mapping[str, Any], chance: np.random.Generator) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for column in spec["columns"]:
        choices = [None, "something new"] + (
            list(column["words"][:6]) if column["kind"] == "category"
            else [str(k) for k in column["knots"][:: max(1, len(column["knots"]) // 5)]] + ["1e9"])
        cells[column["name"]] = choices[int(chance.integers(len(choices)))]
    first = spec["columns"][0]
    if all(cell is None for cell in cells.values()):
        cells[first["name"]] = "something new"
    return cells


def of_data(predictor: Predictor, folder: Path) -> list[Sample]:
    """Samples of the test rows, else of the validation's, evenly spread; files are copied.

    Raises:
        UserError: The run's data can't be read any more.
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
    for row in rows[np.linspace(0, len(rows) - 1, min(COUNT, len(rows))).round().astype(int)]:
        sample: dict[str, Any] = {}
        for name, column in values.items():
            value = column[row]
            if isinstance(value, Path):
                copied = folder / f"{len(list(folder.iterdir()))}{value.suffix.lower()}"
                shutil.copyfile(value, copied)
                value = copied
            if value is not None:
                sample[name] = value
        samples.append(Sample(sample))
    return samples


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
            for name, answer in found.tasks.items():
                classes = predictor.schema.targets[name].get("classes", ())
                outputs[name] = (answer.value if answer.value is not None
                                 else [answer.scores[c] for c in classes])
            answers.append({"inputs": list(found.present), "outputs": outputs})
        told.append({
            "inputs": {n: {"file": v.name} if isinstance(v, Path) else {"content": v}
                       for n, v in sample.inputs.items()},
            "answers": answers})
        yield done
    (folder / "answers.json").write_text(
        json.dumps({"samples": told}, ensure_ascii=False, indent=1), encoding="utf-8")
