"""The whole model as one function of plain tensors, for any subset of the inputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn

from mmstudio.combining.combination import Combination
from mmstudio.combining.machines import PUBLISHED
from mmstudio.encoders.base import Encoder, Features
from mmstudio.export.carried.base import carried
from mmstudio.export.primitives import OfProducts
from mmstudio.export.pruning import blocks_in_use, counting
from mmstudio.export.rewritten import NGRAMS, ready, rewrite
from mmstudio.tasks import LABEL_SET, NUMBER, ONE_LABEL, Task
from mmstudio.training.model import MultimodalModel

Temperatures = Mapping[str, Sequence[tuple[Sequence[str], float]]]
"""Per target, for subsets of the inputs, what its logits are divided by before they are scores.
A subset that is not among them has that of all inputs; where nothing is there it is 1."""



@dataclass(frozen=True)
class Tensors:
    """The names of one input's tensors.

    Attributes:
        values: Its content.
        more: The mask of a text, the length of a sound; "" where there is neither.
        ngrams: The places of a text's words and letter sequences; "" where nothing reads them.
    """

    values: str
    more: str = ""
    ngrams: str = ""

    @property
    def all(self) -> list[str]:
        """Those that there are."""
        return [name for name in (self.values, self.more, self.ngrams) if name]


class Graph(nn.Module):
    """A model that answers as the app does, in terms of ONNX.

    Args:
        model: In evaluation mode, with what it answers with; it is copied.
        tensors: Per input the names of its tensors.
        present: The name of the tensor that says which inputs are there.
        temperatures: What logits are divided by; empty where nothing was calibrated.
    """

    def __init__(
        self, model: MultimodalModel, tensors: Mapping[str, Tensors], present: str,
        temperatures: Temperatures,
    ) -> None:
        super().__init__()
        combination = counting(model)
        self.model = cast(MultimodalModel, ready(model)).eval()
        self.combination = None if combination is None else cast(Combination, ready(combination))
        if self.combination is not None:
            self.combination.eval()
            self.describers = nn.ModuleList(self.combination.describers.values())
            for module in self.describers.modules():
                rewrite(module)
            self.model.answer_with(self.combination)
        self.tensors, self.present = dict(tensors), present
        self.temperatures = dict(temperatures)
        for t, name in enumerate(self.model.task_names):
            subsets, each = _table(self.model.names, temperatures.get(name, ()))
            self.register_buffer(f"subsets{t}", subsets)
            self.register_buffer(f"temperatures{t}", each)
        for parameter in self.parameters():
            parameter.requires_grad_(False)

    def forward(self, given: dict[str, torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """Per target its scores ``(B, C)`` or values ``(B,)``; last the embedding ``(B, D)``.

        Args:
            given: Tensors by their names.
        """
        with OfProducts():
            present = given[self.present]
            features = [self._features(i, name, given, present[:, i])
                        for i, name in enumerate(self.model.names)]
            fused = self.model.fusion(features, present)
            tasks = self.model.tasks
            outputs = {name: head(fused) for name, head in tasks.items()}
            if self.combination is None:
                outputs = self.model._known_of_nothing(outputs, present)
            else:
                outputs = self.combination.answered(outputs, features, present, tasks)
            answers = [told(task, outputs[name], self._temperature(t, present))
                       for t, (name, task) in enumerate(tasks.items())]
            shared = (fused.views * fused.weights.unsqueeze(-1)).sum(dim=1)
        return (*answers, shared.float())

    def _temperature(self, t: int, present: torch.Tensor) -> torch.Tensor | None:
        """``(B, 1)`` what a target's logits are divided by; None where it was not calibrated."""
        subsets = cast(torch.Tensor, getattr(self, f"subsets{t}"))  # (S, M), the whole one first
        each = cast(torch.Tensor, getattr(self, f"temperatures{t}"))
        if not each.shape[0]:
            return None
        alike = (present.unsqueeze(1) == subsets).all(dim=2)  # (B, S)
        found = torch.where(alike.any(dim=1), alike.float() @ each, each[0])
        return torch.where(present.any(dim=1), found, 1.0).unsqueeze(1)

    def _features(
        self, i: int, name: str, given: Mapping[str, torch.Tensor], present: torch.Tensor
    ) -> Features:
        """As ``MultimodalModel.encoded``, of all rows: an absent one's content counts nowhere."""
        values, mask = self._prepared(name, given, present)
        self._hand_ngrams(i, name, given)
        encoder: Encoder = self.model.encoders[i]  # type: ignore[assignment]
        features = self.model._masked(i, encoder(values, mask), present)
        machines = None if self.combination is None else self.combination.machines
        if self.combination is None or machines is None:
            return features
        blocks = [machines.blocks[b] for b in blocks_in_use(machines, i)]
        if not blocks:
            return features
        described = None
        if any(block.name != PUBLISHED for block in blocks):
            describers = self.combination.describers[name].encoders
            described = torch.cat([e.describe(values, mask) for e in describers], dim=1)
        votes = machines.votes(i, described, features.source)
        return dataclasses.replace(
            features, votes=votes.masked_fill(~present.unsqueeze(1), 0))

    def _prepared(
        self, name: str, given: Mapping[str, torch.Tensor], present: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Values and mask as encoders take them; where the input is absent one step is real."""
        tensors, modality = self.tensors[name], self.model.modalities[name]
        carrier = carried(modality.name)
        if carrier is None:
            raise TypeError(f"a {modality.name} can't be exported")
        values, mask = carrier.prepared(
            modality, given[tensors.values], given[tensors.more] if tensors.more else None)
        if mask is None:
            return values, None
        first = torch.arange(values.shape[1]) < 1
        return values, torch.where(present.unsqueeze(1), mask, first)

    def _hand_ngrams(self, i: int, name: str, given: Mapping[str, torch.Tensor]) -> None:
        """Have what counts words and letters find their places."""
        tensors = self.tensors[name]
        if not tensors.ngrams:
            return
        parts: list[Any] = [self.model.encoders[i]]
        if self.combination is not None and name in self.combination.describers:
            parts += list(self.combination.describers[name].encoders)
        for part in parts:
            if isinstance(part, NGRAMS):
                part.given = given[tensors.ngrams]


def _table(
    names: Sequence[str], temperatures: Sequence[tuple[Sequence[str], float]]
) -> tuple[torch.Tensor, torch.Tensor]:
    """``(S, M)`` subsets, the whole one first, and ``(S,)`` their temperatures."""
    of = {frozenset(inputs): temperature for inputs, temperature in temperatures}
    if not of:
        return torch.zeros(0, len(names), dtype=torch.bool), torch.zeros(0)
    whole = frozenset(names)
    subsets = [whole, *(one for one in of if one != whole)]
    return (torch.tensor([[n in one for n in names] for one in subsets]),
            torch.tensor([of.get(one, 1.0) for one in subsets]))


def told(task: Task, outputs: torch.Tensor, temperature: torch.Tensor | None) -> torch.Tensor:
    """A task's outputs as its answer: probabilities, or numbers in the data's own units.

    Args:
        task: The head.
        outputs: ``(B, …)`` as it gave them.
        temperature: ``(B, 1)`` what logits are divided by; None leaves them.

    Raises:
        TypeError: A task of one's own, whose answer is not known here.
    """
    if task.name in (ONE_LABEL.task, LABEL_SET.task):
        logits = outputs.float() if temperature is None else outputs.float() / temperature
        return logits.softmax(dim=-1) if task.name == ONE_LABEL.task else logits.sigmoid()
    if task.name == NUMBER.task:
        # in double precision, as the app: a large mean would take a number's last digits
        return outputs[:, 0].double() * cast(float, task.deviation) + cast(float, task.mean)
    raise TypeError(f"the task {task.name} is not known")
