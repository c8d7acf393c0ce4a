"""Robustness: how a run's figure falls as its inputs get worse, one at a time.

The ways in which contents get worse are the modalities' own; beside them each input is absent from
a growing share of rows. Each input's share of the answers is told along the way, so that one sees
where the others take over.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmstudio.data.batches import Batch, InputBatch, collate_input, make_batch, row_batches
from mmstudio.data.prepare import Dataset, Progress, prepared
from mmstudio.data.split import SPLITS
from mmstudio.encoders.base import Features
from mmstudio.errors import UserError, nearest
from mmstudio.inference.predictor import Predictor
from mmstudio.modalities.corruption import Content, Corruption
from mmstudio.threads import fitting_threads
from mmstudio.training.events import without_nan
from mmstudio.training.input_scores import MOST_INPUTS, answers_of_subsets
from mmstudio.training.looks import note_look
from mmstudio.training.shapley import all_subsets, shapley_values

ABSENT = "absent"
ABSENT_SHARES = (0.25, 0.5, 0.75, 1.0)
BATCH_SIZE = 64


@dataclass(frozen=True)
class Point:
    """The figures at one strength.

    Attributes:
        strength: Of the corruption; 0 for the rows as they are.
        figures: Per target its main figure.
        shares: Per target and input the share of its mean absolute Shapley value, of all inputs
            that are there; empty for more than six inputs.
    """

    strength: float
    figures: dict[str, float]
    shares: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Curve:
    """One way in which one input gets worse, and what becomes of the figures."""

    input: str
    corruption: str
    unit: str
    points: list[Point]


@dataclass(frozen=True)
class Robustness:
    """How robust a run is.

    Attributes:
        run: Its folder.
        split: Whose rows were looked at.
        rows: How many.
        main_figures: Per target the name of its figure.
        clean: The rows as they are.
        curves: Per input and corruption.
    """

    run: str
    split: str
    rows: int
    main_figures: dict[str, str]
    clean: Point
    curves: list[Curve]

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it; null where a figure is not known."""
        data: dict[str, Any] = without_nan(dataclasses.asdict(self))
        return data


def robustness(
    run: Path, split: str = "test", most_rows: int = 500, seed: int = 0, device: str = "auto"
) -> Iterator[Progress | Robustness]:
    """Find out how a run's figures fall as its inputs get worse.

    The same seed draws the same rows and the same noise for every run of a project.

    Args:
        run: The run folder, in a project's ``runs``.
        split: ``train``, ``validation`` or ``test``.
        most_rows: Of more rows, so many are drawn.
        seed: Of the rows and of all that is drawn.
        device: As in ``training.device``.

    Yields:
        Progress, last what was found.

    Raises:
        UserError: No such run or split, or no rows with a label.
    """
    if split not in SPLITS:
        raise UserError(f"There is no split '{split}'.", nearest(split, SPLITS))
    predictor = Predictor(run, device)
    folder = predictor.run.path.resolve().parent.parent
    dataset = yield from prepared(predictor.experiment, folder, schema=predictor.schema)
    rows = dataset.labelled_rows(split)
    if not len(rows):
        raise UserError(f"No row of the split '{split}' has an input and a known label.",
                        "Choose another split.")
    rows = np.sort(np.random.default_rng(seed).permutation(rows)[:most_rows])
    if split == "test":
        _noted(predictor.run.path)
    with predictor.answering(split):
        yield from _found(predictor, dataset, rows, split, seed)


def _noted(run: Path) -> None:
    """Keep that the test rows were looked at, where that can be kept."""
    try:
        note_look(run, "a look at robustness")
    except OSError:
        return  # of somebody else's run, say


def _found(
    predictor: Predictor, dataset: Dataset, rows: np.ndarray, split: str, seed: int
) -> Iterator[Progress | Robustness]:
    model = predictor.model
    asked = [(name, corruption, strength) for name, corruption in _plan(predictor)
             for strength in corruption.strengths]
    steps = len(asked) + 1
    found: dict[Any, list[dict[str, np.ndarray]]] = {key: [] for key in (None, *asked)}
    batches = [chosen for chosen in row_batches(rows, BATCH_SIZE) if len(chosen)]
    for at, chosen in enumerate(batches):
        batch = make_batch(dataset, model.modalities, chosen)
        with fitting_threads(), torch.inference_mode():
            features, present = model.encoded(model.prepared(batch.to(predictor.device)))
            found[None].append(_answers(predictor, features, present))
        for done, (name, corruption, strength) in enumerate(asked, start=1):
            yield Progress(f"{name}: {corruption.name}", at * steps + done, len(batches) * steps)
            worse = _corrupted(predictor, dataset, name, corruption, strength, chosen, seed)
            with fitting_threads(), torch.inference_mode():
                changed, there = _with_input(predictor, features, present, name, worse)
                found[name, corruption, strength].append(_answers(predictor, changed, there))
    labels = {n: part.of(np.concatenate(batches)) for n, part in dataset.labels.items()}
    point = partial(_point, predictor, labels)
    curves = [Curve(name, corruption.name, corruption.unit,
                    [point(s, found[name, corruption, s]) for s in corruption.strengths])
              for name, corruption in _plan(predictor)]
    main = {n: task.main_metric for n, task in model.tasks.items()}
    yield Robustness(str(predictor.run.path), split, len(rows), main, point(0.0, found[None]),
                     curves)


def _plan(predictor: Predictor) -> list[tuple[str, Corruption]]:
    """Every input with each way in which it gets worse; to be absent comes last."""
    return [(name, corruption) for name, modality in predictor.model.modalities.items()
            for corruption in (*modality.corruptions(), GONE)]


def _absent(content: Content, strength: float, chance: np.random.Generator) -> np.ndarray:
    """Nothing where a row is hit; a row that is hit at a share is hit at every greater one."""
    return content.array[:0] if chance.random() < strength else content.array


GONE = Corruption(ABSENT, "of the rows", ABSENT_SHARES, _absent)


def _corrupted(
    predictor: Predictor, dataset: Dataset, name: str, corruption: Corruption, strength: float,
    rows: np.ndarray, seed: int,
) -> InputBatch | None:
    """An input's contents of these rows, made worse; None where not one is left.

    What is drawn for a row depends on the seed, the corruption and the row alone.
    """
    modality, spec = predictor.model.modalities[name], predictor.schema.inputs[name]
    kind = zlib.crc32(f"{name}\0{corruption.name}".encode())
    arrays: list[np.ndarray | None] = []
    for row in rows.tolist():
        array, value = dataset.decoded[name].row(row), dataset.values[name][row]
        if array is not None and value is not None:
            content = Content(array, value, spec, partial(modality.decode, spec=spec))
            array = corruption.change(
                content, strength, np.random.default_rng([seed, kind, row]))
        arrays.append(array if array is not None and array.size else None)
    if all(array is None for array in arrays):
        return None
    return collate_input(modality, arrays, spec)


def _with_input(
    predictor: Predictor, features: Sequence[Features], present: torch.Tensor, name: str,
    worse: InputBatch | None,
) -> tuple[list[Features], torch.Tensor]:
    """The features of a batch with one input's made anew; the others are as they were."""
    model = predictor.model
    batch = {} if worse is None else model.prepared(Batch({name: worse.to(predictor.device)},
                                                          {}, {}))
    changed, there = model.encoded(batch, rows=len(present))
    i = model.names.index(name)
    present = present.clone()
    present[:, i] = there[:, i]
    return [*features[:i], changed[i], *features[i + 1 :]], present


def _answers(
    predictor: Predictor, features: list[Features], present: torch.Tensor
) -> dict[str, np.ndarray]:
    """Per target its outputs ``(B, …)``, and what each input adds to them ``(B, M)``."""
    model = predictor.model
    found = {n: o.float().cpu().numpy() for n, o in model.answered(features, present).items()}
    if len(model.names) > MOST_INPUTS:
        return found
    subsets = [answers_of_subsets(model, features, present, subset)
               for subset in all_subsets(len(model.names))]
    for name, task in model.tasks.items():
        outputs = np.stack([each[name].float().cpu().numpy() for each in subsets])
        added = np.abs(shapley_values(task.support(outputs, outputs[-1])))  # (M, B)
        found[f"{name}\0added"] = added.T
    return found


def _point(
    predictor: Predictor, labels: dict[str, Any], strength: float,
    parts: list[dict[str, np.ndarray]],
) -> Point:
    """The figures of all batches."""
    figures, shares = {}, {}
    for name, task in predictor.model.tasks.items():
        known = labels[name].known
        outputs = np.concatenate([part[name] for part in parts])[known]
        figures[name] = float(task.metrics(outputs, labels[name].values[known])[task.main_metric])
        if f"{name}\0added" in parts[0]:
            added = np.concatenate([part[f"{name}\0added"] for part in parts]).mean(axis=0)
            total = float(added.sum()) or 1.0
            shares[name] = {n: float(a) / total
                            for n, a in zip(predictor.model.names, added, strict=True)}
    return Point(float(strength), figures, shares)
