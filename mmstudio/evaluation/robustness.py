"""Robustness: how a run's figure falls as its inputs get worse, one at a time.

The ways in which contents get worse are the modalities' own; beside them each input is absent from
a growing share of rows. Each input's share of the answers is told along the way, so that one sees
where the others take over.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Collection, Iterator, Sequence
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
from mmstudio.evaluation.robustness_curves import Curve, Point, Robustness, ways_of
from mmstudio.experiment import Experiment
from mmstudio.inference.predictor import Predictor
from mmstudio.modalities.corruption import Content, Corruption
from mmstudio.threads import fitting_threads
from mmstudio.training.input_scores import MOST_INPUTS, answers_of_subsets
from mmstudio.training.looks import note_look
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.shapley import all_subsets, shapley_values

BATCH_SIZE = 64


def robustness(
    run: Path, split: str = "test", most_rows: int = 500, seed: int = 0, device: str = "auto"
) -> Iterator[Progress | Robustness]:
    """Find out how a run's figures fall as its inputs get worse.

    The same seed draws the same rows and the same noise for every run of a project. What was found
    before is not found again; see ``growing_robustness``.

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
    last: Robustness | None = None
    is_kept = True
    for step in growing_robustness(run, split, most_rows, seed, device):
        if isinstance(step, Robustness):
            last = step
        else:
            is_kept = False
            yield step
    if last is not None:
        if is_kept and split == "test":
            _noted(RunFolder(run).path)  # its figures are told once more
        yield last


def growing_robustness(
    run: Path, split: str = "test", most_rows: int = 500, seed: int = 0, device: str = "auto",
    only: Collection[tuple[str, str]] | None = None,
) -> Iterator[Progress | Robustness]:
    """As ``robustness``, curve by curve; each is kept beside the run as soon as it is there.

    Args:
        run: As there; so are ``split``, ``most_rows``, ``seed`` and ``device``.
        split: See ``run``.
        most_rows: See ``run``.
        seed: See ``run``.
        device: See ``run``.
        only: Input and name of the corruptions that are asked for; all when None.

    Yields:
        Progress, and after each curve what was found so far, with what was found before.

    Raises:
        UserError: As ``robustness``.
    """
    from mmstudio.evaluation.kept_robustness import Keeper

    if split not in SPLITS:
        raise UserError(f"There is no split '{split}'.", nearest(split, SPLITS))
    files = RunFolder.existing(run)
    keeper = Keeper(files, split, most_rows, seed)
    ways = ways_of(files.experiment())
    found = _known(keeper.read(), ways)
    plan = [(n, c) for n, c in ways if only is None or (n, c.name) in only]
    missing = [(n, c) for n, c in plan if found is None or found.curve(n, c.name) is None]
    if found is not None:
        yield found
    if not missing and found is not None:
        return
    if split == "test":
        _noted(files.path)
    predictor = Predictor(run, device)
    folder = predictor.run.path.resolve().parent.parent
    dataset = yield from prepared(predictor.experiment, folder, schema=predictor.schema)
    rows = dataset.labelled_rows(split)
    if not len(rows):
        raise UserError(f"No row of the split '{split}' has an input and a known label.",
                        "Choose another split.")
    rows = np.sort(np.random.default_rng(seed).permutation(rows)[:most_rows])
    with predictor.answering(split):
        for step in _curves(predictor, dataset, rows, split, seed, missing, found):
            if isinstance(step, Robustness):  # before who walks it may leave
                keeper.write(step, [[column[r] for r in rows.tolist()]
                                   for column in dataset.values.values()])
            yield step


def _known(
    found: Robustness | None, ways: Sequence[tuple[str, Corruption]]
) -> Robustness | None:
    """What was found before, without curves of ways that another version knew."""
    if found is None:
        return None
    names = {(name, corruption.name) for name, corruption in ways}
    return dataclasses.replace(
        found, curves=[one for one in found.curves if (one.input, one.corruption) in names])


def _noted(run: Path) -> None:
    """Keep that the test rows were looked at, where that can be kept."""
    try:
        note_look(run, "a look at robustness")
    except OSError:
        return  # of somebody else's run, say


def _curves(
    predictor: Predictor, dataset: Dataset, rows: np.ndarray, split: str, seed: int,
    plan: Sequence[tuple[str, Corruption]], before: Robustness | None,
) -> Iterator[Progress | Robustness]:
    """What was found before and the curves of the plan, after each of them."""
    model = predictor.model
    batches = [chosen for chosen in row_batches(rows, BATCH_SIZE) if len(chosen)]
    total = len(batches) * (1 + sum(len(corruption.strengths) for _, corruption in plan))
    encoded: list[tuple[list[Features], torch.Tensor]] = []
    clean = []
    for at, chosen in enumerate(batches):
        yield Progress("The rows as they are", at, total)
        batch = make_batch(dataset, model.modalities, chosen)
        with fitting_threads(), torch.inference_mode():
            features, present = model.encoded(model.prepared(batch.to(predictor.device)))
            encoded.append((features, present))
            clean.append(_answers(predictor, features, present))
    labels = {n: part.of(np.concatenate(batches)) for n, part in dataset.labels.items()}
    main = {n: task.main_metric for n, task in model.tasks.items()}
    found = Robustness(str(predictor.run.path), split, len(rows), main,
                       _point(predictor, labels, 0.0, clean),
                       [] if before is None else before.curves)
    done = len(batches)
    for name, corruption in plan:
        points = []
        for strength in corruption.strengths:
            answers = []
            for chosen, (features, present) in zip(batches, encoded, strict=True):
                yield Progress(f"{name}: {corruption.name}", done, total)
                done += 1
                worse = _corrupted(predictor, dataset, name, corruption, strength, chosen, seed)
                with fitting_threads(), torch.inference_mode():
                    changed, there = _with_input(predictor, features, present, name, worse)
                    answers.append(_answers(predictor, changed, there))
            points.append(_point(predictor, labels, strength, answers))
        curve = Curve(name, corruption.name, corruption.unit, points)
        found = dataclasses.replace(found, curves=_in_order(
            predictor.experiment, [*found.curves, curve]))
        yield found
    if not plan:
        yield found


def _in_order(experiment: Experiment, curves: list[Curve]) -> list[Curve]:
    ways = [(name, corruption.name) for name, corruption in ways_of(experiment)]
    return sorted(curves, key=lambda one: ways.index((one.input, one.corruption)))


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
