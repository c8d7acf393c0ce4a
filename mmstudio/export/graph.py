"""The whole model as one function of plain tensors, for any subset of the inputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn

from mmstudio.combining.combination import Combination
from mmstudio.encoders.base import Encoder, Features
from mmstudio.export.primitives import OfProducts
from mmstudio.export.rewritten import NGRAMS, ready, rewrite
from mmstudio.tasks import LABEL_SET, NUMBER, ONE_LABEL, Task
from mmstudio.training.model import MultimodalModel

SCALE = 32767
"""Of a sound's samples when the app makes 16 bits of them; read back they are divided by one
more."""


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
        temperatures: Per target what its logits are divided by.
    """

    def __init__(
        self, model: MultimodalModel, tensors: Mapping[str, Tensors], present: str,
        temperatures: Mapping[str, float],
    ) -> None:
        super().__init__()
        combination = model.combination
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
            answers = [told(tasks[name], outputs[name], self.temperatures.get(name, 1.0))
                       for name in tasks]
            shared = (fused.views * fused.weights.unsqueeze(-1)).sum(dim=1)
        return (*answers, shared.float())

    def _features(
        self, i: int, name: str, given: Mapping[str, torch.Tensor], present: torch.Tensor
    ) -> Features:
        """As ``MultimodalModel.encoded``, of all rows: an absent one's content counts nowhere."""
        values, mask = self._prepared(name, given, present)
        self._hand_ngrams(i, name, given)
        encoder: Encoder = self.model.encoders[i]  # type: ignore[assignment]
        features = self.model._masked(i, encoder(values, mask), present)
        machines = None if self.combination is None else self.combination.machines
        if self.combination is None or machines is None or not machines.reads(i):
            return features
        described = None
        if name in self.combination.describers and _is_described(machines, i):
            describers = self.combination.describers[name].encoders
            described = torch.cat([e.describe(values, mask) for e in describers], dim=1)
        votes = machines.votes(i, described, features.source)
        return dataclasses.replace(
            features, votes=votes.masked_fill(~present.unsqueeze(1), 0))

    def _prepared(
        self, name: str, given: Mapping[str, torch.Tensor], present: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Values and mask as encoders take them; where the input is absent one step is real."""
        tensors, kind = self.tensors[name], self.model.modalities[name].name
        values = given[tensors.values]
        if kind == "image":
            return self.model.modalities[name].prepare(values), None
        if kind == "tabular":
            return values, None
        if kind == "text":
            mask = given[tensors.more]
        else:
            values = (values.clamp(-1, 1) * SCALE).round() * (1 / (SCALE + 1))
            mask = torch.arange(values.shape[1]) < given[tensors.more].unsqueeze(1)
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


def _is_described(machines: Any, i: int) -> bool:
    return any(block.input == i and block.name != "published" for block in machines.blocks)


def told(task: Task, outputs: torch.Tensor, temperature: float) -> torch.Tensor:
    """A task's outputs as its answer: probabilities, or numbers in the data's own units.

    Raises:
        TypeError: A task of one's own, whose answer is not known here.
    """
    if task.name == ONE_LABEL.task:
        return (outputs.float() / temperature).softmax(dim=-1)
    if task.name == LABEL_SET.task:
        return (outputs.float() / temperature).sigmoid()
    if task.name == NUMBER.task:
        # in double precision, as the app: a large mean would take a number's last digits
        return outputs[:, 0].double() * cast(float, task.deviation) + cast(float, task.mean)
    raise TypeError(f"the task {task.name} is not known")
