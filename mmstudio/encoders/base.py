"""The tensors that travel between encoders, fusions and tasks; the registry of encoders."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import nn

from mmstudio.registry import Registry


@dataclass(frozen=True)
class Features:
    """What an encoder gives and a fusion takes.

    Attributes:
        tokens: ``(B, T, D)`` float.
        mask: ``(B, T)`` bool, True = real; at least one per row.
        source: ``(B, S)`` what a published model says of the whole sample, before the layers
            that are learnt here; None for encoders from scratch.
        votes: ``(B, V)`` what the kernel machines that read this input add to their answers;
            None where there are none. 0 where the input is absent.
    """

    tokens: torch.Tensor
    mask: torch.Tensor
    source: torch.Tensor | None = None
    votes: torch.Tensor | None = None

    def pooled(self) -> torch.Tensor:
        """``(B, D)``: the mean of the real tokens."""
        weight = self.mask.unsqueeze(-1).to(self.tokens.dtype)
        # where, and not only times zero: nan in a token that is not real must not count
        real = self.tokens.masked_fill(~self.mask.unsqueeze(-1), 0)
        return real.sum(dim=1) / weight.sum(dim=1).clamp(min=1)


def grouped(features: Features, count: int) -> Features:
    """Always ``count`` tokens per row, of which as many are real as it has, up to ``count``.

    A row with more real tokens has the means of ``count`` even groups of neighbours. Fixed shapes
    keep long inputs cheap, and the answer the same to the bit however long the padding is.

    Args:
        features: ``(B, T, D)``.
        count: T of what comes out.
    """
    real = features.mask.sum(dim=1, keepdim=True)
    kept = real.clamp(max=count)
    group = (features.mask.cumsum(dim=1) - 1) * kept // real.clamp(min=1)  # (B, T)
    places = torch.arange(count, device=group.device)
    belongs = (group.unsqueeze(1) == places.unsqueeze(1)) & features.mask.unsqueeze(1)
    tokens = features.tokens.masked_fill(~features.mask.unsqueeze(-1), 0)
    share = belongs.to(tokens.dtype)  # (B, count, T)
    share = share / share.sum(dim=2, keepdim=True).clamp(min=1)
    return Features(share @ tokens, places < kept)


@dataclass(frozen=True)
class Fused:
    """What a fusion gives and a task takes.

    A task's head is applied to each view and the weighted sum of its outputs is the answer: K = 1
    for joint fusion, K = number of inputs for fusion at the decision level.

    Attributes:
        views: ``(B, K, D)`` float.
        weights: ``(B, K)`` float, adding up to 1 per row; an absent input weighs 0.
        mean: What of the views' answers is averaged where K > 1: ``geometric``, the head's
            outputs (logits); ``arithmetic``, the probabilities that they stand for.
    """

    views: torch.Tensor
    weights: torch.Tensor
    mean: Literal["geometric", "arithmetic"] = "geometric"

    @classmethod
    def joint(cls, shared: torch.Tensor) -> Fused:
        """One shared representation ``(B, D)`` as the only view."""
        return cls(shared.unsqueeze(1), shared.new_ones(len(shared), 1))


@dataclass(frozen=True)
class Layout:
    """Where within an encoder features still lie as its input does.

    Attributes:
        module: Gives them, for one content ``(1, …)``, as its output or its output's first item.
        method: ``grad_cam`` of a map ``(1, D, H', W')`` behind convolutions; else
            ``integrated_gradients`` from ``baseline`` to the output.
        baseline: What the module gives of nothing, as its output is, or of a shape that is
            brought to it; None for zeros.
        placed: From weights, of the output's shape for integrated gradients and ``(1, H', W')``
            for Grad-CAM, to those that the modality's ``Pieces.gathered`` takes, without the
            axis of the batch.
        dear: One pass through the encoder takes long: hiding pieces in turn would take seconds.
    """

    module: nn.Module
    method: Literal["grad_cam", "integrated_gradients"]
    placed: Callable[[torch.Tensor], torch.Tensor]
    baseline: torch.Tensor | None = None
    dear: bool = False


_LOOKED_INTO: ContextVar[bool] = ContextVar("an encoder is looked into", default=False)


@contextlib.contextmanager
def looked_into() -> Iterator[None]:
    """Inside, in this thread, gradients pass through what is frozen too."""
    before = _LOOKED_INTO.set(True)
    try:
        with torch.enable_grad():
            yield
    finally:
        _LOOKED_INTO.reset(before)


def is_looked_into() -> bool:
    """Whether this thread is inside ``looked_into``."""
    return _LOOKED_INTO.get()


class Encoder(nn.Module):
    """From prepared values of one modality to features.

    ``__init__`` takes the input's ``spec``, as its modality's ``fit`` learnt it, and the options
    as keyword-only arguments. ``width`` is the D of its tokens.

    One that stands on a published model is in two parts, ``encode`` (the published one) and
    ``project`` (learnt here); ``forward`` is the one after the other.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]
    modality: ClassVar[str]
    varies: ClassVar[bool] = True
    """Whether its inputs are varied in training: what is computed once is not."""
    unvaried: ClassVar[Mapping[str, float]] = {}
    """The options by which it varies its input itself, with the values that switch that off."""
    width: int

    def __init__(self, spec: dict[str, Any]) -> None:
        super().__init__()

    def forward(self, values: torch.Tensor, mask: torch.Tensor | None) -> Features:
        """Encode a batch.

        Args:
            values: ``(B, C, H, W)`` floats of pictures, ``(B, T)`` token numbers of texts,
                ``(B, L)`` samples of sounds.
            mask: ``(B, T)`` or ``(B, L)`` bool, True = real; None for pictures. What stands where
                it is False can't change the features.
        """
        raise NotImplementedError

    @property
    def fixed(self) -> frozenset[str]:
        """The names in its ``state_dict`` that training does not change: published weights.

        They are read where they were published, not from the run.
        """
        return frozenset()

    @property
    def stored_key(self) -> str | None:
        """Names all that ``encode`` depends on, where that is frozen; else None.

        With a key, features may be computed once and kept.
        """
        return None

    def layout(self, values: torch.Tensor, mask: torch.Tensor | None) -> Layout | None:
        """Where to look for what of one content counted; None where nothing lies as it does.

        Then pieces of the content are hidden in turn instead, which takes longer.

        Args:
            values: ``(1, …)`` prepared.
            mask: Theirs.
        """
        return None

    def rates(self) -> dict[str, float]:
        """Per parameter a factor on the learning rate, by its name; 1 for one that isn't named."""
        return {}

    def encode(self, values: torch.Tensor, mask: torch.Tensor | None) -> Features:
        """The published part alone, with the arguments of ``forward``."""
        raise NotImplementedError

    def project(self, features: Features) -> Features:
        """What ``encode`` gave, as the fusion takes it."""
        raise NotImplementedError


ENCODERS: Registry[Encoder] = Registry("encoder", "mmstudio.encoders")
