"""Batches of rows that are of like length, where content is long."""

from __future__ import annotations

import numpy as np

from mmstudio.data.batches import row_batches
from mmstudio.data.prepare import Dataset

LONG_SOUND_S, LONG_TEXT_TOKENS = 2.0, 64
"""Where an input's content is never longer, padding costs little and batches are drawn freely."""
WINDOW = 8
"""Batches whose rows are brought in order together."""
BLUR = 0.06
"""How far a row's length is blurred, as a share of it: neighbours change from epoch to epoch."""


def lengths_of(dataset: Dataset) -> np.ndarray | None:
    """``(N,)`` how long each row's content is, over all inputs whose content may be long.

    In units of what counts as long, so that sounds and texts add up; None where no input's is.
    """
    found = None
    for name, spec in dataset.schema.inputs.items():
        if "max_seconds" in spec:
            limit = LONG_SOUND_S * spec["sample_rate_hz"]
        elif "max_tokens" in spec:
            limit = float(LONG_TEXT_TOKENS)
        else:
            continue
        decoded = dataset.decoded.get(name)
        if decoded is None or name in dataset.encoded:
            continue  # features that were computed once cost little
        sizes = np.diff(decoded.starts) / limit
        if sizes.max(initial=0.0) > 1:
            found = sizes if found is None else found + sizes
    return found


def training_batches(
    rows: np.ndarray, batch_size: int, order: np.random.Generator, lengths: np.ndarray | None
) -> list[np.ndarray]:
    """The rows of an epoch in batches, by chance; each row once, no batch of one row.

    Rows are shuffled, those of a few batches are sorted by length, and the batches are shuffled:
    which rows meet, and when, is left to chance, and short rows come no earlier and no oftener
    than long ones.

    Args:
        rows: Their numbers.
        batch_size: The last may be smaller, or one larger.
        order: Draws the order.
        lengths: ``(N,)`` of all rows of the dataset; None draws batches freely.
    """
    batches = row_batches(rows, batch_size, order)
    if lengths is None:
        return batches
    sizes = np.cumsum([len(b) for b in batches])
    drawn = np.concatenate(batches)
    blurred = lengths[drawn] * np.exp(order.normal(0.0, BLUR, len(drawn)))
    starts = [0, *sizes[:-1].tolist()][::WINDOW]
    sorted_rows = [
        drawn[begin:end][np.argsort(blurred[begin:end], kind="stable")]
        for begin, end in zip(starts, [*starts[1:], len(drawn)], strict=True)]
    cut = np.split(np.concatenate(sorted_rows), sizes[:-1])
    return [cut[i] for i in order.permutation(len(cut))]
