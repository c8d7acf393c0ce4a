"""Inputs that are the same in every row: no network is spent on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mmstudio.data.mapped_rows import Decoded
from mmstudio.data.prepare import Dataset
from mmstudio.encoders.descriptive import describers_of
from mmstudio.experiment import Component, Experiment
from mmstudio.training.choose import Choice

MOST_LOOKED_AT = 300
"""Training rows that are compared first, spread over all: most inputs vary among them."""
REASON = "It is the same in every training row, so there is nothing to learn from it."


def spared(
    experiment: Experiment, dataset: Dataset, choices: Sequence[Choice]
) -> tuple[Experiment, tuple[Choice, ...]]:
    """Give the inputs that never vary the cheapest encoder, where nobody chose another.

    Args:
        experiment: With all encoders named.
        dataset: Its decoded rows.
        choices: The encoders that the user left open; others are left alone.

    Returns:
        The experiment and the choices with that encoder and its reason.
    """
    inputs, told = dict(experiment.inputs), []
    rows = dataset.rows("train")
    for choice in choices:
        cheap = describers_of(inputs[choice.input].modality)
        if cheap and _never_varies(dataset.decoded[choice.input], rows):
            encoder = Component(cheap[0].name)
            inputs[choice.input] = replace(inputs[choice.input], encoder=encoder)
            choice = Choice(choice.input, encoder, REASON)
        told.append(choice)
    return replace(experiment, inputs=inputs), tuple(told)


def _never_varies(decoded: Decoded, rows: np.ndarray) -> bool:
    """Whether all of these rows that have the input hold the same, or silence of any length.

    One row alone says nothing.
    """
    sizes = np.diff(decoded.starts)[rows]
    filled, sizes = rows[sizes > 0], sizes[sizes > 0]
    first = decoded.row(int(filled[0])) if len(filled) > 1 else None
    if first is None:
        return False
    even = bool((first == first.flat[0]).all())
    if not even and (sizes != sizes[0]).any():
        return False
    some = filled[:: max(1, len(filled) // MOST_LOOKED_AT)]
    return all(_is_like(decoded.row(row), first, even) for row in [*some, *filled])


def _is_like(array: np.ndarray | None, first: np.ndarray, even: bool) -> bool:
    if array is None:
        return True
    return bool((array == first.flat[0]).all()) if even else np.array_equal(array, first)
