"""How contents get worse: what a modality says of itself, for looking how robust a model is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from mmstudio.modalities.base import Value


@dataclass(frozen=True)
class Content:
    """One content that is to get worse.

    Attributes:
        array: As it was decoded; not to be written into.
        value: The file or the text that it was decoded from.
        spec: What the modality learnt from the training rows.
        decode: Decodes another value in its place.
    """

    array: np.ndarray
    value: Value
    spec: Mapping[str, Any]
    decode: Callable[[Value], np.ndarray]


@dataclass(frozen=True)
class Corruption:
    """One way in which contents get worse.

    Attributes:
        name: For people and for ``--json``, such as ``noise``.
        unit: What a strength counts, such as ``dB``.
        strengths: From hardly to very.
        change: Gives a content of some strength as it would be decoded; the generator draws.
    """

    name: str
    unit: str
    strengths: tuple[float, ...]
    change: Callable[[Content, float, np.random.Generator], np.ndarray]
