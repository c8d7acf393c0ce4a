"""A model's outputs and figures on rows of a dataset."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch

from mmstudio.data.alike import lengths_of
from mmstudio.data.batches import Batch, make_batch, prefetched, row_batches
from mmstudio.data.prepare import Dataset
from mmstudio.tasks.kinds import Labels
from mmstudio.threads import fitting_threads
from mmstudio.training.alignment_figures import Embedded, Embeddings
from mmstudio.training.memory_chunks import MemoryChunks
from mmstudio.training.model import MultimodalModel

BATCH_SIZE = 128


def outputs_of(
    model: MultimodalModel, dataset: Dataset, rows: np.ndarray, device: torch.device,
    held: MemoryChunks | None = None, embeddings: Embeddings | None = None,
    kept_for: Mapping[str, Labels] | None = None,
) -> dict[str, np.ndarray]:
    """Per target the outputs of these rows, in their order; computed in float32.

    Args:
        model: On the device.
        dataset: Where the rows are.
        rows: Their numbers.
        device: The model's.
        held: In how large parts a batch is taken; remembers it where memory asks for smaller ones.
        embeddings: Gathers the rows' embeddings on the way.
        kept_for: Per target the rows' labels: only what the figures need is kept of the outputs,
            which with many classes are large.

    Raises:
        RuntimeError: Memory does not hold one row.
    """
    held = MemoryChunks(device, "validation") if held is None else held
    was_training = model.training
    model.eval()
    parts: dict[str, list[np.ndarray]] = {name: [] for name in model.task_names}
    lengths = None if embeddings is not None else lengths_of(dataset)
    # rows of like length together: a short sound beside a long one is mostly padding
    order = np.arange(len(rows)) if lengths is None else np.argsort(lengths[rows], kind="stable")
    batches = prefetched(make_batch(dataset, model.modalities, chosen)
                         for chosen in row_batches(rows[order], BATCH_SIZE) if len(chosen))
    done = 0
    with contextlib.closing(batches), torch.inference_mode():
        for batch in batches:
            with fitting_threads():
                found = held.tried(
                    len(batch), partial(_answered, model, batch, device, embeddings))
            for outputs, embedded in found:
                at = order[done : done + len(next(iter(outputs.values())))]
                done += len(at)
                for name, values in outputs.items():
                    if kept_for is not None:
                        truth = torch.from_numpy(kept_for[name].values[at]).to(values.device)
                        values = model.tasks[name].kept(values, truth)
                    parts[name].append(values.cpu().numpy())
                if embeddings is not None:
                    embeddings.keep(embedded)
    model.train(was_training)
    back = np.argsort(order)
    return {name: np.concatenate(p)[back] if p else np.zeros((0, 1)) for name, p in parts.items()}


def _answered(
    model: MultimodalModel, batch: Batch, device: torch.device, embeddings: Embeddings | None,
    parts: list[slice],
) -> list[tuple[dict[str, torch.Tensor], Embedded | None]]:
    """For each part per target the outputs, and the embeddings where they are gathered."""
    answers = []
    for part in parts:
        features, present = model.encoded(model.prepared(batch.part(part).to(device)))
        embedded = None if embeddings is None else embeddings.of(features, present)
        answers.append((model.answered(features, present), embedded))
    return answers


def figures_of(
    model: MultimodalModel, outputs: Mapping[str, np.ndarray],
    labels: Mapping[str, Labels], weights: Mapping[str, float], *, kept: bool = False,
) -> dict[str, Any]:
    """``loss``, the weighted sum over the tasks, and per task its figures.

    Args:
        model: Its tasks compute the figures.
        outputs: Per target ``(N, …)``.
        labels: Per target; rows whose label is unknown don't count.
        weights: Per target its weight in the loss.
        kept: The outputs are what the tasks kept of them.
    """
    figures: dict[str, Any] = {"loss": 0.0}
    for name, task in model.tasks.items():
        known = labels[name].known
        of = task.metrics_of_stored if kept else task.metrics
        # a copy of all outputs only where some don't count
        answered = outputs[name] if known.all() else outputs[name][known]
        figures[name] = of(answered, labels[name].values[known])
        if known.any():
            figures["loss"] += weights[name] * figures[name]["loss"]
    return figures


def usual_losses(
    model: MultimodalModel, dataset: Dataset, rows: np.ndarray, labels: Mapping[str, Labels]
) -> dict[str, float]:
    """Per target the loss of answering each row alike, as is usual among the training rows.

    Args:
        model: Its tasks compute the losses.
        dataset: Where the training rows are.
        rows: Their numbers.
        labels: Per target those of the rows that are answered; targets without any are left out.
    """
    found = {}
    for name, task in model.tasks.items():
        learnt, asked = dataset.labels[name].of(rows), labels[name]
        if not learnt.known.any() or not asked.known.any():
            continue
        usual = task.usual_outputs(task.usual(learnt.values[learnt.known]))
        truth = asked.values[asked.known]
        loss = task.metrics(np.broadcast_to(usual, (len(truth), len(usual))), truth)["loss"]
        if loss > 0:
            found[name] = loss
    return found
