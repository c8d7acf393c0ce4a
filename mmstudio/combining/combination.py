"""What a run answers with: the fusion, the inputs' own heads and kernel machines, weighed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from mmstudio.combining.describer import Describer
from mmstudio.combining.input_heads import InputHeads
from mmstudio.combining.machines import KernelMachines
from mmstudio.combining.pool import pooled
from mmstudio.encoders.base import Features
from mmstudio.tasks import Task


@dataclass(frozen=True)
class Contestant:
    """One of the answers that are weighed.

    Attributes:
        kind: ``fusion``, ``head`` or ``machine``.
        inputs: The places of the inputs that it reads.
        name: Of a machine, what it looks at.
    """

    kind: str
    inputs: tuple[int, ...]
    name: str = ""

    def can_answer(self, present: torch.Tensor) -> torch.Tensor:
        """``(B,)`` bool, of ``(B, M)`` present inputs; one of several inputs needs two."""
        there = present[:, list(self.inputs)].sum(dim=1)
        return there >= (1 if self.kind == "fusion" or len(self.inputs) == 1 else 2)


class Combination(nn.Module):
    """Weighs the answers to a sample, by which inputs it has.

    Args:
        machines: None where there are none.
        heads: The inputs' own heads; None where there is one input.
        describers: Per input what describes it for the machines.
        contestants: The answers, in the order of the weights.
        subsets: ``(S, M)`` bool, the subsets of the inputs for which weights were found.
        weights: Per target ``(S, A)``.
        usual: Per target ``(C,)`` the outputs where no input is there.
    """

    def __init__(
        self, machines: KernelMachines | None, heads: InputHeads | None,
        describers: Mapping[str, Describer], contestants: Sequence[Contestant],
        subsets: torch.Tensor, weights: Mapping[str, torch.Tensor],
        usual: Mapping[str, torch.Tensor],
    ) -> None:
        super().__init__()
        self.machines, self.heads = machines, heads
        self.describers = dict(describers)  # no weights, and on the CPU as the data is
        self.contestants = tuple(contestants)
        self.targets = list(usual)
        self.register_buffer("subsets", subsets)
        for t, name in enumerate(self.targets):
            self.register_buffer(f"weights{t}", weights[name])
            self.register_buffer(f"usual{t}", usual[name])

    subsets: torch.Tensor

    @contextlib.contextmanager
    def answering(self, split: str) -> Iterator[None]:
        """Inside, rows of this split are answered by machines that have not learnt from them.

        Those of the training are learnt from in any case.
        """
        if self.machines is None or split != "validation":
            yield
            return
        with self.machines.held_out():
            yield

    def votes(
        self, at: int, name: str, described: torch.Tensor | None, values: torch.Tensor | None,
        mask: torch.Tensor | None, source: torch.Tensor | None,
    ) -> torch.Tensor | None:
        """``(B, V)`` what an input adds to the machines' answers; None without machines.

        Args:
            at: The input's place.
            name: Its name.
            described: ``(B, D)`` its description, where that was worked out already.
            values: Prepared values, from which it is worked out otherwise.
            mask: Theirs.
            source: What a published model gives.
        """
        if self.machines is None:
            return None
        if described is None and name in self.describers and values is not None:
            described = self.describers[name].to(values.device)(values, mask)
        return self.machines.votes(at, described, source)

    def answered(
        self, fused: Mapping[str, torch.Tensor], features: Sequence[Features],
        present: torch.Tensor, tasks: Mapping[str, Task],
    ) -> dict[str, torch.Tensor]:
        """Per target the outputs ``(B, C)``.

        Args:
            fused: Those of the fusion.
            features: Of all inputs, absent ones reduced to their absent token.
            present: ``(B, M)`` bool, which inputs count.
            tasks: Per target its head.
        """
        each = self.contested(fused, features, present)
        found = {}
        for name in tasks:
            weights = self.weights_of(name, present)
            usual = self.usual_of(name).to(each[name].dtype)
            nothing = ~present.any(dim=1, keepdim=True)
            found[name] = torch.where(nothing, usual, pooled(each[name], weights))
        return found

    def contested(
        self, fused: Mapping[str, torch.Tensor], features: Sequence[Features],
        present: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        """Per target ``(A, B, C)`` the outputs of all contestants."""
        own = None
        if self.heads is not None:
            own = self.heads([f.pooled().float() for f in features])
        machines: dict[str, torch.Tensor] = {}
        if self.machines is not None:
            total = torch.stack([
                torch.zeros(len(present), self.machines.width, device=present.device)
                if f.votes is None else f.votes.masked_fill(~present[:, i : i + 1], 0)
                for i, f in enumerate(features)]).sum(dim=0)
            machines = self.machines.answers(total)
        found = {}
        for t, name in enumerate(self.targets):
            outputs = [fused[name].float().unsqueeze(0)]
            if own is not None:
                outputs.append(torch.stack([one[t].float() for one in own]))
            if machines:
                outputs.append(machines[name])
            found[name] = torch.cat(outputs)
        return found

    def weights_of(self, target: str, present: torch.Tensor) -> torch.Tensor:
        """``(A, B)`` the contestants' weights for rows of ``(B, M)`` present inputs.

        A subset for which none were found has those of the first, the whole, spread over the
        contestants that can answer.
        """
        table = self._table(target)
        alike = (present.unsqueeze(1) == self.subsets).all(dim=2)  # (B, S)
        found = alike.float() @ table
        able = torch.stack([c.can_answer(present) for c in self.contestants], dim=1)
        whole = table[0] * able
        whole = whole * (table[0].sum() / whole.sum(dim=1, keepdim=True).clamp(min=1e-6))
        return torch.where(alike.any(dim=1, keepdim=True), found, whole).T

    def usual_of(self, target: str) -> torch.Tensor:
        """``(C,)`` a target's outputs where no input is there."""
        found: torch.Tensor = getattr(self, f"usual{self.targets.index(target)}")
        return found

    def _table(self, target: str) -> torch.Tensor:
        found: torch.Tensor = getattr(self, f"weights{self.targets.index(target)}")
        return found

    def shares(self, target: str) -> dict[str, float]:
        """How much each kind of answer counts where all inputs are there, adding up to 1."""
        weights = self._table(target)[0]
        found: dict[str, float] = {}
        for contestant, weight in zip(self.contestants, weights.tolist(), strict=True):
            found[contestant.kind] = found.get(contestant.kind, 0.0) + weight
        total = sum(found.values()) or 1.0
        return {kind: weight / total for kind, weight in found.items()}

    def layout(self) -> dict[str, Any]:
        """All but the numbers, as plain data."""
        return {
            "contestants": [asdict(c) for c in self.contestants], "targets": self.targets,
            "heads": self.heads is not None,
            "machines": None if self.machines is None else self.machines.layout()}
