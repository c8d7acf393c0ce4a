"""A model's outputs and figures on rows of a dataset."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from mmstudio.data.batches import make_batch, prefetched, row_batches
from mmstudio.data.labels import Labels
from mmstudio.data.prepare import Dataset
from mmstudio.training.model import MultimodalModel

BATCH_SIZE = 128


def outputs_of(
    model: MultimodalModel, dataset: Dataset, rows: np.ndarray, device: torch.device
) -> dict[str, np.ndarray]:
    """Per target the outputs of these rows, in their order; computed in float32."""
    was_training = model.training
    model.eval()
    parts: dict[str, list[np.ndarray]] = {name: [] for name in model.task_names}
    batches = prefetched(make_batch(dataset, model.modalities, chosen)
                         for chosen in row_batches(rows, BATCH_SIZE) if len(chosen))
    with contextlib.closing(batches), torch.inference_mode():
        for batch in batches:
            for name, outputs in model(model.prepared(batch.to(device))).items():
                parts[name].append(outputs.cpu().numpy())
    model.train(was_training)
    return {name: np.concatenate(p) if p else np.zeros((0, 1)) for name, p in parts.items()}


def figures_of(
    model: MultimodalModel, outputs: Mapping[str, np.ndarray],
    labels: Mapping[str, Labels], weights: Mapping[str, float],
) -> dict[str, Any]:
    """``loss``, the weighted sum over the tasks, and per task its figures.

    Args:
        model: Its tasks compute the figures.
        outputs: Per target ``(N, …)``.
        labels: Per target; rows whose label is unknown don't count.
        weights: Per target its weight in the loss.
    """
    figures: dict[str, Any] = {"loss": 0.0}
    for name, task in model.tasks.items():
        known = labels[name].known
        figures[name] = task.metrics(outputs[name][known], labels[name].values[known])
        if known.any():
            figures["loss"] += weights[name] * figures[name]["loss"]
    return figures
