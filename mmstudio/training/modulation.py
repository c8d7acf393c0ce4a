"""Gradient modulation: inputs that learn faster than the others are slowed down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from mmstudio.experiment import TrainingSettings


def go_on_drawing(generator: torch.Generator | None, state: torch.Tensor | None) -> None:
    """Put a generator where it was; one of another kind of device draws anew."""
    if generator is not None and state is not None and (
            state.shape == generator.get_state().shape):
        generator.set_state(state.cpu())


def factors(scores: torch.Tensor, strength: float) -> torch.Tensor:
    """What each input's gradient is multiplied with (Peng et al. 2022, eq. 8 to 10).

    ``1 - tanh(a · r_i)`` where ``r_i > 1``, else 1, with ``r_i`` the input's score over the mean
    score of the other inputs: for two inputs, the ratio of the source.

    Args:
        scores: ``(M,)`` how probable each input alone holds the truth; nan where no row of the
            batch has it: it keeps its gradient, and the others don't look at it.
        strength: The a.

    Returns:
        ``(M,)``.
    """
    there = scores.isfinite()
    known = torch.where(there, scores, 0.0)
    others = (known.sum() - known) / (there.sum() - 1).clamp(min=1)
    ratio = known / others.clamp(min=1e-8)
    slowed = there & (there.sum() > 1) & (ratio > 1)
    return torch.where(slowed, 1 - torch.tanh(strength * ratio), 1.0)


def scale_gradients(
    parameters: Iterable[nn.Parameter], factor: torch.Tensor,
    generator: torch.Generator | None = None,
) -> None:
    """Multiply the gradients by ``factor``; with a generator, add noise of their deviation.

    The noise is normal, of mean 0 and the standard deviation that the parameter's gradient had
    before (Peng et al. 2022, section 3.3: generalisation enhancement). A parameter of a single
    number has no deviation and gets none.
    """
    for parameter in parameters:
        gradient = parameter.grad
        if gradient is None:
            continue
        noise = None
        if generator is not None and gradient.numel() > 1:
            noise = gradient.std() * torch.randn(
                gradient.shape, generator=generator, device=gradient.device, dtype=gradient.dtype)
        gradient.mul_(factor.to(gradient.dtype))
        if noise is not None:
            gradient.add_(noise)


class Modulation:
    """On-the-fly gradient modulation in every epoch: OGM, or OGM-GE with noise.

    After Peng et al. 2022, "Balanced multimodal learning via on-the-fly gradient modulation".
    What differs, so that it works with any fusion, any number of inputs and any of them absent:

    - The scores come from each input's own heads, which learn beside the model, in place of the
      classifier's weights split by input.
    - They are means over the rows that have the input and a known label, over all targets; a
      target that is not a class counts as ``exp(-loss)``.
    - An input is compared with the mean of all others.
    - Every parameter of an encoder is scaled and gets noise; the source's program takes
      convolutions only.

    Args:
        strength: The a.
        noisy: Whether noise is added (GE).
    """

    def __init__(self, strength: float, noisy: bool) -> None:
        self.strength = strength
        self.noisy = noisy
        self._generator: torch.Generator | None = None
        self._factors: torch.Tensor | None = None
        self._sum: torch.Tensor | None = None
        self._steps = 0

    @classmethod
    def of(cls, settings: TrainingSettings) -> Modulation | None:
        """What ``training.gradient_modulation`` names; None where it is off."""
        if settings.gradient_modulation == "off":
            return None
        return cls(settings.modulation_strength, settings.gradient_modulation == "ogm-ge")

    def begin_epoch(self, seed: int, inputs: int, device: torch.device) -> None:
        """Forget the last epoch; the noise is drawn by ``seed``, apart from all else."""
        self._generator = torch.Generator(device).manual_seed(seed) if self.noisy else None
        self._factors, self._sum, self._steps = None, torch.zeros(inputs, device=device), 0

    def epoch_state(self) -> dict[str, Any]:
        """What a resume within the epoch needs."""
        return {"sum": self._sum, "steps": self._steps,
                "noise": None if self._generator is None else self._generator.get_state()}

    def load_epoch_state(self, state: Mapping[str, Any]) -> None:
        """Go on with what ``epoch_state`` gave; ``begin_epoch`` was called before."""
        if self._sum is not None and state["sum"] is not None:
            self._sum.copy_(state["sum"])
        self._steps = int(state["steps"])
        go_on_drawing(self._generator, state["noise"])

    def take_scores(self, scores: torch.Tensor) -> None:
        """``(M,)`` the scores of the batch whose gradients come next."""
        self._factors = factors(scores, self.strength)

    def apply(self, encoders: Sequence[Sequence[nn.Parameter]]) -> None:
        """Scale the gradients of each input's encoder by its factor, and of nothing else."""
        if self._factors is None or self._sum is None:
            return
        for parameters, factor in zip(encoders, self._factors, strict=True):
            scale_gradients(parameters, factor, self._generator)
        self._sum += self._factors
        self._steps += 1
        self._factors = None

    def means(self) -> list[float]:
        """Per input the mean of the epoch's factors."""
        if self._sum is None:
            return []
        found: list[float] = (self._sum / max(1, self._steps)).tolist()
        return found
