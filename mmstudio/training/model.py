"""The model: encoders, absent tokens, fusion, heads."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from mmstudio.combining.combination import Combination
from mmstudio.data.batches import Batch, InputBatch, places_of
from mmstudio.data.schema import Schema, modality_of
from mmstudio.encoders import ENCODERS, Encoder, Features
from mmstudio.encoders.fixed_front import FixedFront
from mmstudio.errors import UserError
from mmstudio.experiment import AUTO, Component, Experiment
from mmstudio.fusion import FUSIONS, Fusion
from mmstudio.modalities import MODALITIES, Modality
from mmstudio.registry import checked_options, options_of
from mmstudio.rng import DrawnAside
from mmstudio.tasks import TASKS, Task
from mmstudio.tasks.balancing import FixedBalancing, make_balancing
from mmstudio.training.alignment import Alignment
from mmstudio.training.memory_layout import USUAL_LAYOUT, laid_out


class MultimodalModel(nn.Module):
    """Encoders per input, one fusion, one head per target.

    Args:
        modalities: Per input its modality.
        encoders: Per input its encoder.
        fusion: Takes the encoders' features in the order of ``encoders``.
        tasks: Per target its head.
        balancing: Brings the targets' losses together; None adds them up by their weights.
        alignment: Draws the inputs' features together; None leaves them as they are.
    """

    def __init__(
        self,
        modalities: Mapping[str, Modality],
        encoders: Mapping[str, Encoder],
        fusion: Fusion,
        tasks: Mapping[str, Task],
        balancing: nn.Module | None = None,
        alignment: Alignment | None = None,
    ) -> None:
        super().__init__()
        self.modalities = dict(modalities)
        # input and target names may hold dots, which module names must not
        self.names = list(encoders)
        self.task_names = list(tasks)
        self.encoders = nn.ModuleList(encoders.values())
        self.absent = nn.ParameterList(
            nn.Parameter(torch.randn(e.width) * 0.02) for e in encoders.values())
        self.fusion = fusion
        self.heads = nn.ModuleList(tasks.values())
        # a part of the model, so that what it learns is trained, kept and resumed with it
        self.balancing = FixedBalancing() if balancing is None else balancing
        self.alignment = alignment
        self.layout = USUAL_LAYOUT
        """How its inputs lie in memory: as the weights of its convolutions do."""
        self.varied = frozenset(self.names)
        """The inputs that are varied in training."""
        self._combination: list[Combination] = []  # not a part of its weights

    @property
    def combination(self) -> Combination | None:
        """What its answers are weighed with in evaluation mode; None leaves them the fusion's."""
        return self._combination[0] if self._combination else None

    def answer_with(self, combination: Combination | None) -> None:
        """Weigh the answers with a combination from now on; None for the fusion's own."""
        self._combination = [] if combination is None else [combination]

    @property
    def tasks(self) -> dict[str, Task]:
        """Per target its head."""
        return dict(zip(self.task_names, self.heads, strict=True))  # type: ignore[arg-type]

    @property
    def fixed(self) -> frozenset[str]:
        """The names in its ``state_dict`` that training does not change: published weights."""
        return frozenset(f"encoders.{i}.{name}" for i, encoder in enumerate(self.encoders)
                         for name in encoder.fixed)  # type: ignore[union-attr]

    def forward(
        self,
        inputs: Mapping[str, InputBatch],
        *,
        keep: torch.Tensor | None = None,
        rows: int | None = None,
    ) -> dict[str, torch.Tensor]:
        """Per target its outputs; the arguments are those of ``encoded`` and ``answered``."""
        return self.answered(*self.encoded(inputs, rows=rows), keep)

    def encoded(
        self, inputs: Mapping[str, InputBatch], *, rows: int | None = None
    ) -> tuple[list[Features], torch.Tensor]:
        """Per input its features, the absent token where it is absent; and who is present.

        Args:
            inputs: Prepared values per input; an input that is not there is absent in every row.
            rows: B, needed only where ``inputs`` is empty.

        Returns:
            Features of all inputs, and ``(B, M)`` bool, True = present.
        """
        if rows is None:
            rows = len(next(iter(inputs.values())).present)
        features, present = [], []
        for i, name in enumerate(self.names):
            features.append(self._with_votes(i, self._encoded(i, inputs.get(name), rows),
                                             inputs.get(name)))
            present.append(
                inputs[name].present if name in inputs
                else torch.zeros(rows, dtype=torch.bool, device=self.absent[i].device))
        return features, torch.stack(present, dim=1)

    def answered(
        self, features: Sequence[Features], present: torch.Tensor,
        keep: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """Per target its outputs, from what ``encoded`` or ``reduced`` gave.

        Args:
            features: Of all inputs.
            present: ``(B, M)`` bool, True = counts.
            keep: ``(B, M)`` bool; False hides an input from a row (modality dropout). It hides
                it from the answers only: what else learns from the features would lose the row.
        """
        if keep is not None:
            present = present & keep
            features = self.reduced(features, present)
        outputs = self.fused(features, present)
        if self.training:
            return outputs
        if self.combination is None:
            return self._known_of_nothing(outputs, present)
        return self.combination.answered(outputs, features, present, self.tasks)

    def _known_of_nothing(
        self, outputs: dict[str, torch.Tensor], present: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """The outputs, those of the training rows' labels alone where no input is there.

        Few rows of a training have nothing, and none where there is one input: what the absent
        tokens alone make of the answer, nobody has taught them.
        """
        nothing = ~present.any(dim=1)
        found = {}
        for name, task in self.tasks.items():
            prior, own = task.prior(), outputs[name]
            found[name] = own if prior is None else torch.where(
                nothing.view(-1, *[1] * (own.dim() - 1)),
                torch.from_numpy(prior).to(own.device, own.dtype), own)
        return found

    def fused(
        self, features: Sequence[Features], present: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Per target the fusion's own outputs, from reduced features."""
        fused = self.fusion(features, present)
        return {name: head(fused) for name, head in zip(self.task_names, self.heads, strict=True)}

    def reduced(self, features: Sequence[Features], present: torch.Tensor) -> list[Features]:
        """The features with the absent token wherever an input is not to count.

        What an answer needs besides the fusion and the heads: all subsets of the inputs can be
        asked for at the price of one encoding.

        Args:
            features: As ``encoded`` gave them.
            present: ``(B, M)`` bool, True = may count; nowhere more than were present.
        """
        return [self._masked(i, one, present[:, i]) for i, one in enumerate(features)]

    def _masked(self, i: int, features: Features, there: torch.Tensor) -> Features:
        """One input's features where ``there (B,)``, elsewhere its absent token alone."""
        first = torch.zeros_like(features.mask)
        first[:, 0] = True
        here = there.unsqueeze(-1)
        return Features(
            torch.where(here.unsqueeze(-1), features.tokens,
                        self.absent[i].to(features.tokens.dtype)),
            torch.where(here, features.mask, first),
            features.source,
            None if features.votes is None else features.votes.masked_fill(~here, 0),
        )

    def _with_votes(self, i: int, features: Features, batch: InputBatch | None) -> Features:
        """One input's features with what it adds to the kernel machines' answers."""
        if batch is None or self.combination is None or self.training:
            return features
        machines = self.combination.machines
        if machines is not None and not machines.reads(i):
            return features
        votes = self.combination.votes(
            i, self.names[i], batch.described, None if batch.made else batch.values, batch.mask,
            features.source)
        if votes is not None:
            votes = votes.masked_fill(~batch.present.unsqueeze(1), 0)
        return dataclasses.replace(features, votes=votes)

    def _encoded(self, i: int, batch: InputBatch | None, rows: int) -> Features:
        """Features of one input, the absent token where it is not there.

        Rows whose content is absent never enter the encoder: its batch statistics are those of
        real content.
        """
        token = self.absent[i]
        alone = Features(token.expand(rows, 1, -1),
                         torch.ones(rows, 1, dtype=torch.bool, device=token.device))
        if batch is None:
            return alone
        there = places_of(batch.present) if batch.there is None else batch.there
        if not len(there):
            return alone
        if len(there) == rows:
            encoded = self._of_encoder(i, batch, batch.values, batch.mask)
        else:
            mask = None if batch.mask is None else batch.mask[there]
            some = self._of_encoder(i, batch, batch.values[there], mask)
            encoded = Features(
                _spread(some.tokens, there, rows), _spread(some.mask, there, rows),
                None if some.source is None else _spread(some.source, there, rows))
        return self._masked(i, encoded, batch.present)

    def _of_encoder(
        self, i: int, batch: InputBatch, values: torch.Tensor, mask: torch.Tensor | None
    ) -> Features:
        """Features of contents of a batch that are all there, from what was made of them before."""
        encoder: Encoder = self.encoders[i]  # type: ignore[assignment]
        if batch.encoded and mask is not None:
            return encoder.project(Features(values.float(), mask))
        if batch.fronted and mask is not None and isinstance(encoder, FixedFront):
            return encoder.behind_front(Features(values, mask))
        features: Features = encoder(values, mask)
        return features

    def prepared(
        self, batch: Batch, generator: torch.Generator | None = None
    ) -> dict[str, InputBatch]:
        """The batch's inputs as encoders take them, varied a little where a generator is given.

        What was encoded once, or is what an encoder begins with, is left as it is.
        """
        inputs = {}
        for name, item in batch.inputs.items():
            if item.made:
                inputs[name] = item
                continue
            modality = self.modalities[name]
            values, mask = modality.prepare(item.values), item.mask
            if generator is not None and name in self.varied:
                values, mask = modality.augment(values, mask, generator)
            inputs[name] = dataclasses.replace(
                item, values=laid_out(values, self.layout), mask=mask)
        return inputs


def _spread(some: torch.Tensor, places: torch.Tensor, rows: int) -> torch.Tensor:
    """``(n, …)`` at their places among ``(rows, …)``, zeros elsewhere."""
    return some.new_zeros(rows, *some.shape[1:]).index_copy(0, places, some)


def completed(experiment: Experiment) -> Experiment:
    """The experiment with every component's options checked and every default written out.

    Raises:
        UserError: An unknown component or option, or a value out of range; names the key.
    """
    data = experiment.to_dict()
    for name, settings in experiment.inputs.items():
        key = f"inputs.{name}.encoder"
        chosen = settings.encoder
        if chosen.name == AUTO:
            if not chosen.options:
                continue
            # options without a name are those of the usual encoder
            chosen = Component(MODALITIES.get(settings.modality).default_encoder, chosen.options)
        encoder = ENCODERS.get(chosen.name, f"{key}.name", modality=settings.modality)
        if encoder.modality != settings.modality:
            fitting = [n for n, c in ENCODERS.classes().items() if c.modality == settings.modality]
            raise UserError(
                f"{key}.name = '{encoder.name}' reads {encoder.modality}, but '{name}' is "
                f"{settings.modality}.", f"Known for {settings.modality}: {', '.join(fitting)}.")
        data["inputs"][name]["encoder"] = _complete(encoder, chosen, key)
    fusion = FUSIONS.get(experiment.fusion.name, "fusion.name")
    data["fusion"] = _complete(fusion, experiment.fusion, "fusion")
    for name, target in experiment.targets.items():
        task = TASKS.get(target.task, f"targets.{name}.task")
        data["targets"][name] |= checked_options(
            options_of(task), target.options, f"targets.{name}")
    return Experiment.from_dict(data)


def _complete(cls: type, component: Component, key: str) -> dict[str, Any]:
    return {"name": component.name} | checked_options(options_of(cls), component.options, key)


def build_model(experiment: Experiment, schema: Schema) -> MultimodalModel:
    """The model of a completed experiment, with fresh weights from torch's random state."""
    inputs = experiment.active_inputs
    encoders = {
        n: ENCODERS.get(i.encoder.name)(schema.inputs[n], **i.encoder.options)
        for n, i in inputs.items()
    }
    fusion = FUSIONS.get(experiment.fusion.name)(
        [e.width for e in encoders.values()], **experiment.fusion.options)
    tasks = {
        n: TASKS.get(t.task)(fusion.width, schema.targets[n], **t.options)
        for n, t in experiment.active_targets.items()
    }
    modalities = {n: modality_of(i) for n, i in inputs.items()}
    balancing = make_balancing(experiment.training.balancing, tasks)
    alignment = None
    if experiment.training.alignment > 0 and len(encoders) > 1:
        # drawn aside: the weights of all else are the same with and without it
        with DrawnAside():
            alignment = Alignment([e.width for e in encoders.values()])
    model = MultimodalModel(modalities, encoders, fusion, tasks, balancing, alignment)
    model.varied = frozenset(n for n, i in inputs.items() if i.augment is not False)
    return model
