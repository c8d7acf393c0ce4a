"""The weights of a combination's answers, found by the validation rows, and what comes of them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from mmstudio.combining.combination import Combination
from mmstudio.combining.pool import first_weights, fit_weights
from mmstudio.data.batches import make_batch, row_batches
from mmstudio.data.prepare import Dataset
from mmstudio.threads import fitting_threads
from mmstudio.training.combine import MOST_VALIDATION
from mmstudio.training.descriptions import AT_ONCE
from mmstudio.training.model import MultimodalModel
from mmstudio.training.validate import figures_of, outputs_of

LEAST_ROWS = 5
"""Validation rows that have a subset's inputs, for weights of its own."""


def weigh(
    combination: Combination, model: MultimodalModel, dataset: Dataset, device: torch.device,
    trained: bool,
) -> None:
    """Find the weights by the validation rows; the combination's are replaced.

    Args:
        combination: On the device.
        model: With its best weights.
        dataset: With descriptions.
        device: The model's.
        trained: Whether the fusion and the heads have learnt anything yet.
    """
    rows = dataset.labelled_rows("validation")
    rows = np.sort(np.random.default_rng(0).permutation(rows)[:MOST_VALIDATION])
    subsets = combination.subsets.cpu().numpy()
    outputs, present = _contested(combination, model, dataset, rows, device)
    for t, (name, task) in enumerate(model.tasks.items()):
        labels = dataset.labels[name].of(rows)
        task_on_cpu = copy.deepcopy(task).to("cpu").eval()
        table = np.zeros((len(subsets), len(combination.contestants)), dtype=np.float32)
        for s, subset in enumerate(subsets):
            at = np.flatnonzero(present[:, subset].all(axis=1) & labels.known)
            able = _able(combination, subset, trained)
            if not len(able):
                continue  # before the training, of an input that no machine reads
            scaled = outputs[s][name][able][:, at]
            factors = _tempered(task_on_cpu, combination, able, scaled, labels.values[at])
            scaled = scaled * torch.from_numpy(factors)[:, None, None]
            start = first_weights(task_on_cpu, scaled, labels.values[at])
            found = start
            if len(at) >= LEAST_ROWS:
                found = fit_weights(task_on_cpu, scaled, labels.values[at], start)
            table[s, able] = found * factors
        getattr(combination, f"weights{t}").copy_(torch.from_numpy(table))


def _able(combination: Combination, subset: np.ndarray, trained: bool) -> np.ndarray:
    """The places of the contestants that can answer for a subset of the inputs."""
    there = torch.from_numpy(subset).unsqueeze(0)
    return np.array([a for a, c in enumerate(combination.contestants)
                     if bool(c.can_answer(there)) and (trained or c.kind == "machine")], dtype=int)


def _tempered(
    task: Any, combination: Combination, able: np.ndarray, outputs: torch.Tensor,
    labels: np.ndarray,
) -> np.ndarray:
    """Per contestant the factor that takes its confidence down, or up, to what it is worth."""
    factors = np.ones(len(able))
    if not task.scores or len(labels) < LEAST_ROWS:
        return factors
    for place, a in enumerate(able):
        if combination.contestants[a].kind != "machine":  # those are scaled already
            factors[place] = fit_weights(task, outputs[place : place + 1], labels, np.ones(1))[0]
    return factors


def _contested(
    combination: Combination, model: MultimodalModel, dataset: Dataset, rows: np.ndarray,
    device: torch.device,
) -> tuple[list[dict[str, torch.Tensor]], np.ndarray]:
    """Per subset and target the contestants' outputs ``(A, n, C)`` to rows; who is present."""
    subsets = combination.subsets.cpu().numpy()
    found: list[dict[str, list[torch.Tensor]]] = [{n: [] for n in model.task_names}
                                                  for _ in subsets]
    there = []
    before, was_training = model.combination, model.training
    model.eval()
    model.answer_with(combination)
    try:
        with combination.answering("validation"), torch.inference_mode():
            for some in row_batches(rows, AT_ONCE):
                batch = make_batch(dataset, model.modalities, some).to(device)
                with fitting_threads():
                    features, present = model.encoded(model.prepared(batch))
                    there.append(present.cpu().numpy())
                    for s, subset in enumerate(subsets):
                        seen = present & torch.from_numpy(subset).to(device)
                        reduced = model.reduced(features, seen)
                        fused = model.fused(reduced, seen)
                        for name, outputs in combination.contested(fused, reduced, seen).items():
                            found[s][name].append(outputs.cpu())
    finally:
        model.answer_with(before)
        model.train(was_training)
    return ([{n: torch.cat(parts, dim=1).clone() for n, parts in one.items()} for one in found],
            np.concatenate(there))


def combined_figures(
    combination: Combination, model: MultimodalModel, dataset: Dataset, device: torch.device,
    weights: Mapping[str, float],
) -> dict[str, dict[str, float]]:
    """Per target the figures of the combination's answers to the validation rows."""
    rows = dataset.labelled_rows("validation")
    before = model.combination
    model.answer_with(combination)
    try:
        with combination.answering("validation"):
            outputs = outputs_of(model, dataset, rows, device)
    finally:
        model.answer_with(before)
    labels = {n: labels.of(rows) for n, labels in dataset.labels.items()}
    figures = figures_of(model, outputs, labels, weights)
    del figures["loss"]
    return figures


def shares_by_task(
    combination: Combination, names: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """Per target what counts how much where all inputs are there, the largest share first."""
    told = {}
    for t, target in enumerate(combination.targets):
        weights = getattr(combination, f"weights{t}")[0].tolist()
        total = sum(weights) or 1.0
        each = [{"kind": c.kind, "inputs": [names[i] for i in c.inputs], "name": c.name,
                 "share": weight / total}
                for c, weight in zip(combination.contestants, weights, strict=True) if weight > 0]
        told[target] = sorted(each, key=lambda one: -one["share"])
    return told
