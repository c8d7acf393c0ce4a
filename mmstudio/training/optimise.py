"""Optimiser, learning-rate schedule, modality dropout."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from mmstudio.encoders.base import Encoder
from mmstudio.experiment import TrainingSettings
from mmstudio.fusion.base import Fusion
from mmstudio.without_compiler import leave_compiler_out

EMBEDDING_DECAY = 42
"""An embedding's decay over an epoch, in units of the weight decay: at its default, what a word
that comes once in an epoch has learnt is less than half of it when the word comes again. AdamW
moves a rare word as far as a frequent one, and learns rare words by heart where nothing fades:
on 1,326 short texts, accuracy on unseen ones rose from 0.71 to 0.78. Counted by the epoch, so that
it does not grow with the number of rows."""
MOST_EMBEDDING_DECAY = 0.1
"""Of an embedding in one step."""


class EagerAdamW(torch.optim.AdamW):
    """Torch's AdamW, which imports no compiler at its first step.

    Torch's own step breaks a compiled graph in two where there is one, and imports the compiler
    for that, which takes seconds.
    """

    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))


leave_compiler_out([EagerAdamW.add_param_group, EagerAdamW.zero_grad, EagerAdamW.state_dict,
                    EagerAdamW.load_state_dict])


def make_optimiser(
    model: nn.Module, settings: TrainingSettings, steps_per_epoch: int
) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019); embeddings decay by epochs; biases and norms never.

    Published layers and fusions by attention have groups of their own, by the factor on the rate
    that their encoder or fusion gives. Published embeddings keep what they know of words that the
    data doesn't hold: they never decay.
    """
    embeddings = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    factors = _factors(model)
    decay: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    rare: list[nn.Parameter] = []
    slower: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        if not parameter.requires_grad:
            continue
        plain = id(parameter) not in embeddings
        if id(parameter) in factors:
            weight_decay = settings.weight_decay if plain and parameter.ndim > 1 else 0.0
            slower.setdefault((factors[id(parameter)], weight_decay), []).append(parameter)
        elif plain:
            (free if parameter.ndim < 2 else decay).append(parameter)
        else:
            rare.append(parameter)
    fading = min(MOST_EMBEDDING_DECAY, EMBEDDING_DECAY * settings.weight_decay / steps_per_epoch)
    # one fused kernel for all parameters, where the device has it
    fused = next(model.parameters()).device.type in ("cpu", "cuda")
    return EagerAdamW(
        [{"params": decay, "weight_decay": settings.weight_decay},
         {"params": free, "weight_decay": 0.0},
         # AdamW multiplies the decay by the learning rate
         {"params": rare, "weight_decay": fading / settings.learning_rate},
         *({"params": parameters, "weight_decay": weight_decay,
            "lr": settings.learning_rate * factor}
           for (factor, weight_decay), parameters in slower.items())],
        lr=settings.learning_rate, fused=fused)


def _factors(model: nn.Module) -> dict[int, float]:
    """By a parameter's ``id`` its factor on the learning rate, where its module gives one."""
    factors: dict[int, float] = {}
    for module in model.modules():
        if isinstance(module, Encoder):
            named = dict(module.named_parameters())
            factors |= {id(named[n]): factor for n, factor in module.rates().items()}
        elif isinstance(module, Fusion) and module.rate != 1:
            factors |= {id(p): module.rate for p in module.parameters()}
    return factors


def make_schedule(
    optimiser: torch.optim.Optimizer, settings: TrainingSettings, steps_per_epoch: int
) -> torch.optim.lr_scheduler.LambdaLR:
    """Linear warm-up, then half a cosine down to a hundredth of the highest rate."""
    rate = Rate(max(1, settings.epochs * steps_per_epoch), settings.warm_up)
    return torch.optim.lr_scheduler.LambdaLR(optimiser, rate)


class Rate:
    """The learning rate of a step, as a share of the highest.

    Args:
        steps: Of the whole training; may become fewer on the way.
        warm_up: The share of them in which the rate rises.
    """

    def __init__(self, steps: int, warm_up: float) -> None:
        self._warm_up = warm_up
        self.steps = steps
        self.rising = max(1, round(warm_up * steps))
        self.bent: tuple[int, float] | None = None
        self.factor = 1.0
        """Of all shares; less where the training diverged at the planned rate."""

    def shorten(self, steps: int, done: int) -> None:
        """End after so many steps: from the share of the step at hand down to the end's."""
        rising = max(1, round(self._warm_up * steps))
        if done > rising:
            self.bent = (done, self(done) / self.factor)
            rising = min(done, self.rising)
        self.steps, self.rising = steps, rising

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs."""
        return {"steps": self.steps, "rising": self.rising, "bent": self.bent,
                "factor": self.factor}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with what ``state_dict`` gave."""
        self.steps, self.rising = state["steps"], state["rising"]
        self.bent = None if state["bent"] is None else tuple(state["bent"])

    def __call__(self, step: int) -> float:
        """The share, from above 0 to 1 and down to a hundredth, times the factor."""
        return self.factor * self._planned(step)

    def _planned(self, step: int) -> float:
        if step < self.rising:
            return (step + 1) / self.rising
        begin, highest = self.bent or (self.rising, 1.0)
        done = (step - begin) / max(1, self.steps - begin)
        return 0.01 + (highest - 0.01) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def clip_gradients(
    parameters: Iterable[nn.Parameter], largest: float
) -> tuple[list[nn.Parameter], torch.Tensor]:
    """Bring the norm of all gradients together down to ``largest`` where it is above.

    Returns:
        The parameters that have a gradient, and ``(P,)`` the norms of their gradients before.
    """
    moved = [p for p in parameters if p.grad is not None]
    if not moved:
        return [], torch.zeros(0)
    norms = torch.stack([
        n.float() for n in torch._foreach_norm([p.grad for p in moved if p.grad is not None])])
    total = torch.linalg.vector_norm(norms)
    if not _asking_is_free(total.device) or total > largest:
        nn.utils.clip_grads_with_norm_(moved, largest, total)
    return moved, norms


def _asking_is_free(device: torch.device) -> bool:
    """On the CPU; then most steps need no pass over all gradients. A GPU would have to be done."""
    return device.type == "cpu"


def kept_inputs(
    present: torch.Tensor, chance: float | Sequence[float], generator: torch.Generator
) -> torch.Tensor | None:
    """Modality dropout: which inputs of each row the model gets to see (Neverova et al. 2016).

    Args:
        present: ``(B, M)`` bool, which inputs are there.
        chance: That an input is hidden; one for all, or one for each.
        generator: On the CPU.

    Returns:
        ``(B, M)`` bool; every row that has an input keeps at least one. None where nothing is
        hidden.
    """
    chances = torch.as_tensor(chance, dtype=torch.float32)
    if not bool((chances > 0).any()) or present.shape[1] < 2:
        return None
    keep = torch.rand(present.shape, generator=generator) >= chances
    bare = ~(keep & present).any(dim=1, keepdim=True)
    return keep | bare
