"""One sample that a model was asked about, and the model's answers to variations of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import torch

from mmstudio.combining.machines import PUBLISHED
from mmstudio.data.batches import InputBatch, collate_input
from mmstudio.encoders.base import Encoder, Features, Layout
from mmstudio.errors import UserError, nearest
from mmstudio.inference.predictor import Predictor
from mmstudio.modalities.pieces import Pieces
from mmstudio.tasks.base import Answer

ROWS_AT_ONCE = 16
"""Variations that are asked about together: few, so that nobody waits long to leave off."""


def never() -> bool:
    """Nobody leaves off."""
    return False


class Asked:
    """A sample as the model takes it; one input at a time can be varied.

    Args:
        predictor: The model.
        inputs: As ``Predictor.predict`` takes them.
        use: The inputs that may count; None means all.
        should_stop: Asked in between; where it says so, what is at work is left off.

    Raises:
        UserError: An unknown input, a file that can't be read, or no input that is there.
    """

    def __init__(
        self, predictor: Predictor, inputs: Mapping[str, Any],
        use: Collection[str] | None = None, should_stop: Callable[[], bool] = never,
    ) -> None:
        self._should_stop = should_stop
        for name in use or ():
            if name not in predictor.inputs:
                raise UserError(f"The model has no input '{name}'.",
                                nearest(name, predictor.inputs))
        self.predictor, self.model = predictor, predictor.model
        self.contents = {n: v for n, v in inputs.items() if use is None or n in use}
        found = {n: predictor.decode(n, v) for n, v in self.contents.items()}
        self.arrays = {n: found[n] for n in predictor.inputs if found.get(n) is not None}
        if not self.arrays:
            raise UserError("No input is present: nothing can be explained.",
                            f"Give one of the inputs: {', '.join(predictor.inputs)}.")
        self.batch = {name: self._prepared(name, array) for name, array in self.arrays.items()
                      if array is not None}
        with torch.no_grad():
            self.features, self.there = self.model.encoded(self.batch, rows=1)
            self.outputs = self.model.answered(self.features, self.there)
        self._pieces: dict[str, Pieces | None] = {}

    def _prepared(self, name: str, array: np.ndarray) -> InputBatch:
        modality = self.model.modalities[name]
        item = collate_input(modality, [array], self.predictor.schema.inputs[name])
        item = item.to(self.predictor.device)
        batch = dataclasses.replace(item, values=modality.prepare(item.values))
        combination = self.model.combination
        if combination is None or name not in combination.describers:
            return batch
        described = combination.describers[name].to(batch.values.device)(batch.values, batch.mask)
        return dataclasses.replace(batch, described=described)

    @property
    def present(self) -> tuple[str, ...]:
        """The inputs that are there."""
        return tuple(self.batch)

    def layout(self, name: str) -> Layout | None:
        """Where within an encoder features lie as its input does; None where nothing says so."""
        batch = self.batch[name]
        return self.encoder(name).layout(batch.values, batch.mask)

    def encoder(self, name: str) -> Encoder:
        """An input's encoder."""
        found: Encoder = self.model.encoders[self.model.names.index(name)]  # type: ignore[assignment]
        return found

    def pieces(self, name: str) -> Pieces | None:
        """An input's content in pieces; None where its modality knows none."""
        if name not in self._pieces:
            array = self.arrays[name]
            self._pieces[name] = None if array is None else self.model.modalities[name].pieces(
                self.contents[name], array, self.predictor.schema.inputs[name])
        return self._pieces[name]

    def varied(
        self, name: str, values: torch.Tensor, mask: torch.Tensor | None, *, same: bool = False
    ) -> dict[str, torch.Tensor]:
        """Per target the outputs ``(R, C)`` with other contents of one input.

        Args:
            name: The input.
            values: ``(R, …)`` prepared.
            mask: Theirs.
            same: They are all the sample's own: its description for kernel machines is known.

        Raises:
            UserError: It is to be left off.
        """
        if self._should_stop():
            raise UserError("The explanation was cancelled.")
        rows = len(values)
        own = self.batch[name].described if same else None
        batch = InputBatch(values, mask, torch.ones(rows, dtype=torch.bool, device=values.device),
                           described=None if own is None else own.expand(rows, -1),
                           there=torch.arange(rows, device=values.device))
        features, _ = self.model.encoded({name: batch})
        at = self.model.names.index(name)
        others = [f if i == at else repeated(self.features[i], rows)
                  for i, f in enumerate(features)]
        present = self.there.expand(rows, -1)
        return self.model.answered(self.model.reduced(others, present), present)

    def without(self, name: str, gone: np.ndarray) -> dict[str, torch.Tensor]:
        """Per target the outputs ``(R, C)`` where pieces of one input are hidden.

        Args:
            name: The input; it has pieces.
            gone: ``(R, *shape)`` bool, True = hidden.
        """
        pieces, batch = self.pieces(name), self.batch[name]
        if pieces is None:
            raise ValueError(f"{name} has no pieces")
        found = []
        with torch.no_grad():
            for start in range(0, len(gone), ROWS_AT_ONCE):
                some = gone[start : start + ROWS_AT_ONCE]
                found.append(self.varied(name, *pieces.hidden(batch.values, batch.mask, some)))
        return {task: torch.cat([part[task] for part in found]) for task in self.model.tasks}

    def of_subsets(self, task: str, present: torch.Tensor) -> torch.Tensor:
        """A task's outputs ``(R, …)`` from subsets of the inputs that are there.

        Args:
            task: Which.
            present: ``(R, M)`` bool, True = counts.

        Raises:
            UserError: It is to be left off.
        """
        found = []
        with torch.no_grad():
            for start in range(0, len(present), ROWS_AT_ONCE):
                some = present[start : start + ROWS_AT_ONCE]
                if self._should_stop():
                    raise UserError("The explanation was cancelled.")
                reduced = self.model.reduced(
                    [repeated(f, len(some)) for f in self.features], some)
                found.append(self.model.answered(reduced, some)[task])
        return torch.cat(found)

    def answers(
        self, task: str, outputs: torch.Tensor, there: torch.Tensor | None = None
    ) -> list[Answer]:
        """A task's answers, with the scores and usual errors that the predictor tells.

        Args:
            task: Which.
            outputs: ``(R, …)`` as the model gave them.
            there: ``(R, M)`` bool, which inputs each row has; None for those of the sample.
        """
        head, calibration = self.model.tasks[task], self.predictor.calibration
        if calibration is None:
            found = head.answers(outputs)
        else:
            present = (self.there.expand(len(outputs), -1) if there is None else there).cpu()
            found = head.calibrated_answers(
                outputs, calibration.temperatures(task, present.numpy()))
        error = self.predictor.usual_errors.get(task)
        return found if error is None else [
            dataclasses.replace(answer, usual_error=error) for answer in found]

    def unseen_share(self, task: str, name: str) -> float:
        """How much of a task's answer gradients through an input's encoder don't see, 0 to 1.

        Kernel machines look at a description of the input, which has no gradient, and at what its
        published model gives, which has one.
        """
        combination = self.model.combination
        if combination is None or combination.machines is None:
            return 0.0
        at, machines = self.model.names.index(name), combination.machines
        weights = combination.weights_of(task, self.there)[:, 0].abs().tolist()
        asked = [w for c, w in zip(combination.contestants, weights, strict=True)
                 if c.kind == "machine"]
        unseen = 0.0
        for machine, weight in zip(machines.machines, asked, strict=True):
            shares = [(share, machines.blocks[b].name == PUBLISHED) for b, share in
                      zip(machine.blocks, machine.shares, strict=True)
                      if machines.blocks[b].input == at]
            whole = sum(share for share, _ in shares)
            if whole:
                unseen += weight * sum(s for s, published in shares if not published) / whole
        return float(unseen / (sum(weights) or 1.0))


def repeated(features: Features, rows: int) -> Features:
    """One sample's features so many times."""
    return Features(
        features.tokens.expand(rows, -1, -1), features.mask.expand(rows, -1),
        None if features.source is None else features.source.expand(rows, -1),
        None if features.votes is None else features.votes.expand(rows, -1))
