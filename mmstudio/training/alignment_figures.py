"""How well a model's inputs are aligned, on rows of a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mmstudio.encoders.base import Features
from mmstudio.experiment import TrainingSettings
from mmstudio.training.alignment import Alignment
from mmstudio.training.best import Score
from mmstudio.training.events import Warned
from mmstudio.training.retrieval import Retrieval, mean_recall, retrieval

MOST_ASKED = 5_000
"""Rows whose recall is worked out after every epoch, at most; an evaluation takes all."""
ALONE = 3.0
"""By how much an epoch of alignment alone scores below the others, which reach down to -1."""


Embedded = tuple[np.ndarray, np.ndarray]
"""``(N, M, W)`` float32 embeddings of M inputs, of length 1, and ``(N, M)`` bool, who is there."""


class Embeddings:
    """Gathers the embeddings of all inputs while a model answers batch by batch."""

    def __init__(self, alignment: Alignment) -> None:
        self._alignment = alignment
        self._parts: list[Embedded] = []

    def like(self) -> Embeddings:
        """One of the same kind that holds nothing yet."""
        return Embeddings(self._alignment)

    @property
    def width(self) -> int:
        """The W of the embeddings."""
        return self._alignment.width

    def of(self, features: Sequence[Features], present: torch.Tensor) -> Embedded:
        """Those of a batch as ``MultimodalModel.encoded`` gave it."""
        each = [self._alignment.embedded(i, f) for i, f in enumerate(features)]
        return torch.stack(each, dim=1).cpu().numpy(), present.cpu().numpy()

    def keep(self, part: Embedded | None) -> None:
        """Add what ``of`` gave."""
        if part is not None:
            self._parts.append(part)

    def arrays(self) -> Embedded:
        """All that was kept, in its order."""
        embeddings, present = zip(*self._parts, strict=True)
        return np.concatenate(embeddings), np.concatenate(present)


@dataclass(frozen=True)
class AlignmentFigures:
    """The loss, over batches of the training's size in the rows' order, and the recall."""

    loss: float
    retrieval: list[Retrieval]

    @property
    def score(self) -> Score:
        """What "best" means where only the alignment is trained: recall, then the loss."""
        recall = mean_recall(self.retrieval)
        return Score((0.0 if np.isnan(recall) else recall) - ALONE, self.loss)


def alignment_figures(
    alignment: Alignment, names: Sequence[str], found: Embeddings, contents: np.ndarray,
    batch_size: int,
) -> AlignmentFigures:
    """The figures of rows whose embeddings were gathered.

    Args:
        alignment: Of the model.
        names: The M inputs.
        found: Of N rows.
        contents: ``(N, M)`` numbers; equal ones stand for equal content of an input.
        batch_size: Of the training.
    """
    embeddings, present = found.arrays()
    asked = np.arange(len(embeddings))
    if len(asked) > MOST_ASKED:
        asked = np.sort(np.random.default_rng(0).permutation(asked)[:MOST_ASKED])
    return AlignmentFigures(
        _mean_loss(alignment, embeddings, present, contents, batch_size),
        retrieval(names, embeddings[asked], present[asked], contents[asked]))


def _mean_loss(
    alignment: Alignment, embeddings: np.ndarray, present: np.ndarray, contents: np.ndarray,
    batch_size: int,
) -> float:
    """The mean over the batches, each by its rows."""
    device = alignment.log_scale.device
    total = 0.0
    for begin in range(0, len(embeddings), batch_size):
        rows = slice(begin, begin + batch_size)
        part, there, numbers = (
            torch.from_numpy(a[rows]).to(device) for a in (embeddings, present, contents))
        with torch.no_grad():
            loss = alignment.loss(list(part.unbind(dim=1)), there, numbers)
        total += loss.item() * len(part)
    return total / max(1, len(embeddings))


def alignment_warnings(
    alignment: Alignment | None, inputs: int, settings: TrainingSettings
) -> Iterator[Warned]:
    """What someone who set the alignment's options may not expect.

    Args:
        alignment: Of the model.
        inputs: How many there are.
        settings: Of the training.
    """
    if settings.alignment > 0 and inputs < 2:
        yield Warned("Alignment needs two inputs, and one is in use: it is off.",
                     "Use another input, or set training.alignment to 0.")
    elif settings.alignment_epochs > 0 and alignment is None:
        yield Warned(f"training.alignment_epochs is {settings.alignment_epochs}, but alignment "
                     "is off: they are epochs like the others.",
                     "Set training.alignment to 1 to turn it on.")
    elif alignment is not None and settings.alignment_epochs >= settings.epochs:
        yield Warned("Only the alignment is trained: the model learns to find what belongs "
                     "together, and its answers mean nothing yet.",
                     "For answers too, set training.alignment_epochs below training.epochs; a "
                     "run can also be resumed with more epochs.")
