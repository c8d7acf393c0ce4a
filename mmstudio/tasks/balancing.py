"""How the losses of several targets are brought together into the one that is made small."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from mmstudio.tasks.base import Task


class FixedBalancing(nn.Module):
    """The sum of the losses, each times its target's weight."""

    def forward(
        self, losses: Mapping[str, torch.Tensor], known: Mapping[str, torch.Tensor],
        weights: Mapping[str, float],
    ) -> torch.Tensor:
        """The sum.

        Args:
            losses: Per target its mean loss, a scalar.
            known: Per target ``(B,)`` bool, whose label is known.
            weights: Per target its weight.
        """
        return torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()


class UncertaintyBalancing(nn.Module):
    """Each loss over a learned variance, plus half its logarithm (Kendall et al. 2018).

    With ``s = log σ²`` a target's share is ``exp(-s) · L + s / 2`` for classification (eq. 10),
    and ``exp(-s) · L / 2 + s / 2`` for squared errors (eq. 7); the task says which by its
    ``uncertainty_factor``. Unlike there, a target's weight multiplies its whole share, and a
    batch without one of its labels leaves its variance alone.

    Args:
        tasks: Per target its head.
    """

    def __init__(self, tasks: Mapping[str, Task]) -> None:
        super().__init__()
        self.names = list(tasks)
        self.factors = [task.uncertainty_factor for task in tasks.values()]
        self.log_variances = nn.Parameter(torch.zeros(len(tasks)))

    def forward(
        self, losses: Mapping[str, torch.Tensor], known: Mapping[str, torch.Tensor],
        weights: Mapping[str, float],
    ) -> torch.Tensor:
        """The sum of the shares; arguments as in ``FixedBalancing``."""
        shares = [
            weights[name] * (factor * torch.exp(-log_variance) * loss
                             + 0.5 * log_variance * known[name].any())
            for (name, loss), factor, log_variance in zip(
                losses.items(), self.factors, self.log_variances, strict=True)
        ]
        return torch.stack(shares).sum()

    def scales(self) -> torch.Tensor:
        """``(T,)`` what each target's loss is multiplied with now, besides its own weight."""
        factors = self.log_variances.new_tensor(self.factors)
        return factors * torch.exp(-self.log_variances.detach())

    def loss_weights(self) -> dict[str, float]:
        """The same by the targets' names."""
        return dict(zip(self.names, self.scales().tolist(), strict=True))


def make_balancing(name: str, tasks: Mapping[str, Task]) -> nn.Module:
    """The balancing that ``training.balancing`` names."""
    return UncertaintyBalancing(tasks) if name == "uncertainty" else FixedBalancing()
