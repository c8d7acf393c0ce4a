"""What each input is worth to a model: figures of every subset, mean contributions."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmstudio.data.batches import Batch, make_batch, prefetched, row_batches
from mmstudio.data.prepare import Dataset
from mmstudio.encoders.base import Features
from mmstudio.tasks.kinds import Labels
from mmstudio.threads import fitting_threads
from mmstudio.training.checkpoint import load_weights
from mmstudio.training.events import InputsScored, RunEvent, Warned, without_nan
from mmstudio.training.input_figures import InputScores
from mmstudio.training.memory_chunks import MemoryChunks
from mmstudio.training.model import MultimodalModel
from mmstudio.training.shapley import (
    all_subsets,
    pairs,
    shapley_interactions,
    shapley_values,
)
from mmstudio.training.validate import BATCH_SIZE, figures_of

__all__ = ["InputScores", "score_inputs"]

ALL_SUBSETS = 4
"""Up to so many inputs the figures of all subsets are told."""
MOST_INPUTS = 6
"""Up to so many inputs contributions are worked out: they take all 2^M subsets."""
MOST_ANSWERS = 2 ** 16
"""How many answers the mean contributions are taken from, subsets times rows."""
MOST_NUMBERS = 2 ** 26
"""How many outputs are held at once, all subsets, rows and targets together."""


@dataclass
class _Gathered:
    """Outputs of the batches so far.

    ``outputs[task]`` are arrays ``(S, B, …)``, ``present`` arrays ``(B, M)``.
    """

    outputs: dict[str, list[np.ndarray]]
    present: list[np.ndarray]
    rows: list[np.ndarray]


def reported_subsets(count: int) -> np.ndarray:
    """``(S, M)`` bool, the subsets whose figures are told: all inputs first, smaller ones last.

    All of them up to four inputs; beyond, all inputs, all but one, and each alone.
    """
    subsets = all_subsets(count)[1:]
    sizes = subsets.sum(axis=1)
    if count > ALL_SUBSETS:
        subsets = subsets[np.isin(sizes, (1, count - 1, count))]
        sizes = subsets.sum(axis=1)
    return subsets[np.argsort(-sizes, kind="stable")]


def subsets_asked(count: int) -> np.ndarray:
    """``(S, M)`` bool, the subsets that are answered: all of them up to six inputs.

    Beyond, those of ``reported_subsets``.
    """
    return all_subsets(count)[1:] if count <= MOST_INPUTS else reported_subsets(count)


def answers_of_subsets(
    model: MultimodalModel, features: list[Features], present: torch.Tensor, subset: np.ndarray
) -> dict[str, torch.Tensor]:
    """Per target the outputs where only a subset's inputs count.

    Args:
        model: In evaluation mode.
        features: As ``encoded`` gave them.
        present: ``(B, M)`` bool, likewise.
        subset: ``(M,)`` bool.
    """
    seen = present & torch.from_numpy(subset).to(present.device)
    return model.answered(model.reduced(features, seen), seen)


def score_inputs(
    model: MultimodalModel, dataset: Dataset, rows: np.ndarray, device: torch.device,
    weights: Mapping[str, float], enough: Callable[[], bool] = lambda: False,
) -> InputScores:
    """Find out what each input is worth; every input of every row is encoded once.

    Args:
        model: Its best weights.
        dataset: Where the rows are.
        rows: Their numbers, at least one; they are taken in a drawn order, and so many of them
            only as memory holds the outputs of.
        device: The model's.
        weights: Per target its weight in the loss.
        enough: Asked after each batch; True takes the rows until then for all.
    """
    count = len(model.names)
    asked = subsets_asked(count)
    nothing = {n: o.cpu().numpy() for n, o in _from_nothing(model).items()}
    width = sum(o[0].size for o in nothing.values())
    rows = np.random.default_rng(0).permutation(rows)[:max(1, MOST_NUMBERS // (width * len(asked)))]
    found = _gather(model, dataset, rows, device, asked, enough)
    outputs = {n: np.concatenate(parts, axis=1) for n, parts in found.outputs.items()}
    taken = np.concatenate(found.rows)
    return scores_of_answers(
        model, asked, outputs, np.concatenate(found.present),
        {n: labels.of(taken) for n, labels in dataset.labels.items()}, weights, nothing)


def scores_of_answers(
    model: MultimodalModel, asked: np.ndarray, outputs: Mapping[str, np.ndarray],
    present: np.ndarray, labels: Mapping[str, Labels], weights: Mapping[str, float],
    nothing: Mapping[str, np.ndarray] | None = None,
) -> InputScores:
    """What each input is worth, from answers that are there already.

    Args:
        model: Which gave them.
        asked: ``(S, M)`` bool, the subsets that they are of: those of ``subsets_asked``.
        outputs: Per target ``(S, N, …)``; the mean contributions are taken from the first rows.
        present: ``(N, M)`` bool.
        labels: Per target those of the rows.
        weights: Per target its weight in the loss.
        nothing: Per target ``(1, …)``, where no input is there; None has the model answer.
    """
    count = len(model.names)
    if nothing is None:
        nothing = {n: o.cpu().numpy() for n, o in _from_nothing(model).items()}
    told = []
    for subset in reported_subsets(count):
        at = int(np.flatnonzero((asked == subset).all(axis=1))[0])
        told.append(_figures(model, {n: o[at] for n, o in outputs.items()}, present, subset,
                             labels, weights))
    contributions: dict[str, dict[str, dict[str, float]]] = {}
    interactions: dict[str, list[dict[str, Any]]] = {}
    if count <= MOST_INPUTS:
        few = max(1, MOST_ANSWERS // 2 ** count)
        for name, task in model.tasks.items():
            part = outputs[name][:, :few]
            from_nothing = np.repeat(nothing[name][None], part.shape[1], axis=1)
            values = task.support(np.concatenate([from_nothing, part]), part[-1])
            contributions[name] = _mean_contributions(model, values, present[:few])
            interactions[name] = _mean_interactions(model, values, present[:few])
    return InputScores(len(present), told, contributions, interactions)


def inputs_scored(
    model: MultimodalModel, best: Path, dataset: Dataset, split: str, device: torch.device,
    weights: Mapping[str, float], enough: Callable[[], bool],
) -> RunEvent:
    """The event that ends a run's training: ``score_inputs`` with its best weights.

    Args:
        model: Of the run; it gets the best weights.
        best: Their file.
        dataset: Where the rows are.
        split: Whose rows are looked at.
        device: The model's.
        weights: Per target its weight in the loss.
        enough: As in ``score_inputs``.

    Returns:
        A warning in place of the scores where they can't be had: the run itself is done.
    """
    try:
        load_weights(model, best, device)
        combination = model.combination
        with contextlib.nullcontext() if combination is None else combination.answering(split):
            found = score_inputs(model, dataset, dataset.rows(split), device, weights, enough)
    except Exception as error:  # whatever it is, the trained model is kept
        return Warned(f"What each input is worth could not be worked out: {error}",
                      "The model is trained and kept; evaluate it with --inputs later.")
    # as the log tells it: an opened run shows the same
    return InputsScored(split, found.samples, *map(without_nan, (
        found.subsets, found.contributions, found.interactions)))


def _from_nothing(model: MultimodalModel) -> dict[str, torch.Tensor]:
    """The outputs ``(1, …)`` where every input is absent."""
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        outputs: dict[str, torch.Tensor] = model({}, rows=1)
    model.train(was_training)
    return outputs


def _gather(
    model: MultimodalModel, dataset: Dataset, rows: np.ndarray, device: torch.device,
    asked: np.ndarray, enough: Callable[[], bool],
) -> _Gathered:
    """The outputs of all asked subsets, batch by batch."""
    found = _Gathered({n: [] for n in model.task_names}, [], [])
    chosen = [c for c in row_batches(rows, BATCH_SIZE) if len(c)]
    held = MemoryChunks(device, "scoring the inputs")
    was_training = model.training
    model.eval()
    batches = prefetched(make_batch(dataset, model.modalities, c) for c in chosen)
    with contextlib.closing(batches), torch.inference_mode():
        for batch, these in zip(batches, chosen, strict=False):
            with fitting_threads():
                answered = held.tried(
                    len(batch), partial(_of_subsets, model, batch, device, asked))
            for outputs, present in answered:
                for name, parts in found.outputs.items():
                    parts.append(outputs[name])
                found.present.append(present)
            found.rows.append(these)
            if enough():
                break
    model.train(was_training)
    return found


def _of_subsets(
    model: MultimodalModel, batch: Batch, device: torch.device, asked: np.ndarray,
    parts: list[slice],
) -> list[tuple[dict[str, np.ndarray], np.ndarray]]:
    """For each part of a batch per target the outputs ``(S, B, …)``, and who is present."""
    found = []
    for part in parts:
        features, present = model.encoded(model.prepared(batch.part(part).to(device)))
        answers = [answers_of_subsets(model, features, present, s) for s in asked]
        found.append(({name: torch.stack([a[name] for a in answers]).float().cpu().numpy()
                       for name in model.task_names}, present.cpu().numpy()))
    return found


def _figures(
    model: MultimodalModel, outputs: Mapping[str, np.ndarray], present: np.ndarray,
    subset: np.ndarray, labels: Mapping[str, Labels], weights: Mapping[str, float],
) -> dict[str, Any]:
    """One subset's figures, over the rows that have any of its inputs."""
    some = (present & subset).any(axis=1)
    at = np.flatnonzero(some)
    figures = figures_of(model, {n: o[at] for n, o in outputs.items()},
                         {n: part.of(at) for n, part in labels.items()}, weights)
    loss = figures.pop("loss")
    return {"inputs": [n for n, there in zip(model.names, subset, strict=True) if there],
            "samples": len(at), "loss": loss, "tasks": figures}


def _mean_contributions(
    model: MultimodalModel, values: np.ndarray, present: np.ndarray
) -> dict[str, dict[str, float]]:
    """Per input the means of its Shapley values ``(2^M, N)``, over the rows that have it."""
    each = shapley_values(values)
    return {name: _means(each[i][present[:, i]]) for i, name in enumerate(model.names)}


def _mean_interactions(
    model: MultimodalModel, values: np.ndarray, present: np.ndarray
) -> list[dict[str, Any]]:
    each = shapley_interactions(values)
    return [
        {"inputs": [model.names[i], model.names[j]],
         **_means(each[at][present[:, i] & present[:, j]])}
        for at, (i, j) in enumerate(pairs(len(model.names)))]


def _means(values: np.ndarray) -> dict[str, float]:
    if not len(values):
        return {"mean": float("nan"), "mean_absolute": float("nan"), "samples": 0}
    return {"mean": float(values.mean()), "mean_absolute": float(np.abs(values).mean()),
            "samples": len(values)}
