"""The answers to rows that several processes answer together: each its share, all in all."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from mmstudio.data.prepare import Dataset
from mmstudio.tasks.kinds import Labels
from mmstudio.training.alignment_figures import Embeddings
from mmstudio.training.distributed.ranks import Ranks
from mmstudio.training.memory_chunks import MemoryChunks
from mmstudio.training.model import MultimodalModel
from mmstudio.training.validate import outputs_of


def shared_outputs(
    ranks: Ranks, model: MultimodalModel, dataset: Dataset, rows: np.ndarray, held: MemoryChunks,
    embeddings: Embeddings | None, labels: Mapping[str, Labels],
) -> dict[str, np.ndarray]:
    """As ``outputs_of``, for all rows in every process, of which each has answered its share.

    Args:
        ranks: The processes.
        model: On this one's device.
        dataset: Where the rows are.
        rows: The numbers of all of them.
        held: In how large parts a batch is taken.
        embeddings: Gets the embeddings of all rows; None where nobody asks.
        labels: Per target those of all rows: what the figures need is kept.
    """
    share, count = ranks.share(len(rows)), len(rows)
    own = {n: Labels(of.values[share], of.known[share]) for n, of in labels.items()}
    gathered = None if embeddings is None else embeddings.like()
    found = outputs_of(model, dataset, rows[share], ranks.device, held, gathered, kept_for=own)
    whole = {name: _whole(ranks, values, count, share) for name, values in found.items()}
    if embeddings is not None and gathered is not None:
        sizes = (len(model.names), embeddings.width)
        vectors, present = (gathered.arrays() if share.stop > share.start
                            else (np.zeros((0, *sizes), np.float32), np.zeros((0, sizes[0]), bool)))
        every = _whole(ranks, vectors.reshape(len(vectors), -1), count, share)
        there = _whole(ranks, present.astype(np.float32), count, share)
        embeddings.keep((every.reshape(count, *sizes), there > 0))
    return whole


def _whole(ranks: Ranks, own: np.ndarray, count: int, share: slice) -> np.ndarray:
    """``(count, D)`` the rows of all processes; one without rows does not know D."""
    width = ranks.most(own.shape[1] if len(own) else 0)
    if not len(own):
        own = np.zeros((0, width), np.float32)
    return ranks.whole(torch.from_numpy(own), count, share).numpy()
