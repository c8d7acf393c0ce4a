"""What follows the data: whether its inputs may be varied, and options of their spectrograms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from mmstudio.combining.describer import Describer
from mmstudio.combining.fitting import tried
from mmstudio.combining.kernels import Measured as Placed
from mmstudio.combining.kernels import squared_distances
from mmstudio.combining.machines import Block
from mmstudio.combining.material import Known, Material
from mmstudio.combining.ridge import folds_of
from mmstudio.data.prepare import Dataset, Progress
from mmstudio.data.schema import modality_of
from mmstudio.encoders import ENCODERS
from mmstudio.experiment import Component, Experiment, InputSettings
from mmstudio.modalities import Modality
from mmstudio.registry import options_of
from mmstudio.tasks import TASKS, Task
from mmstudio.threads import one_thread

MOST_TRAINED, MOST_VALIDATION = 200, 150
"""Rows that are looked at."""
LEAST_KEPT = 0.25
"""Varying an input is left off where less of what is told of a target is told of varied rows."""
LEAST_TOLD = 0.05
"""Of a target's variance; below that there is nothing to lose."""
FOLDS, STRENGTH = 5, 0.1
BETTER = 0.85
"""Another value of an option is taken where the errors fall below this multiple."""
AT_ONCE = 32


@dataclass(frozen=True)
class Suited:
    """The experiment with what was found, and sentences that tell it."""

    experiment: Experiment
    notes: tuple[str, ...]


def suit(experiment: Experiment, dataset: Dataset, seed: int) -> Iterator[Progress | Suited]:
    """Find out, by quick models on some rows, what suits the inputs that a network reads.

    A kernel machine answers training rows out of fold, as they are and varied. Where next to
    nothing is told of varied ones, varying erases what the labels depend on, as another pitch does
    where the note is asked for, and the input is left as it is. Options that the descriptions try
    themselves are tried likewise, on the validation rows.

    Args:
        experiment: Completed; what the user has set is left alone.
        dataset: Its decoded rows.
        seed: Which rows, and how they are varied.

    Yields:
        Progress, last what was found.
    """
    found, notes = dict(experiment.inputs), []
    open_ones = {n: i for n, i in experiment.active_inputs.items()
                 if _can_be_varied(experiment, i)}
    for number, (name, settings) in enumerate(open_ones.items()):
        yield Progress(f"Trying what suits {name}", number, len(open_ones))
        with one_thread():
            trial = _Trial.of(experiment, dataset, name, seed)
            if trial is None:
                continue
            found[name], note = trial.settled(settings)
        notes += [note] if note else []
    yield Suited(replace(experiment, inputs=found), tuple(notes))


def _can_be_varied(experiment: Experiment, settings: InputSettings) -> bool:
    """Whether a network from scratch reads the input, and its modality varies anything."""
    encoder = ENCODERS.get(settings.encoder.name)
    return (experiment.training.augment and settings.augment is None
            and encoder.varies and type(modality_of(settings)).augment is not Modality.augment)


@dataclass(frozen=True)
class _Trial:
    """Some rows of one input."""

    name: str
    modality: Modality
    kind: str
    spec: Mapping[str, Any]
    arrays: Sequence[np.ndarray]
    trained: np.ndarray
    targets: Mapping[str, Known]
    tasks: Mapping[str, Task]
    seed: int

    @classmethod
    def of(
        cls, experiment: Experiment, dataset: Dataset, name: str, seed: int
    ) -> _Trial | None:
        """Of an input; None where too few rows have it."""
        decoded = dataset.decoded[name]
        there = (np.diff(decoded.starts) > 0) & dataset.labelled
        chance = np.random.default_rng(seed)
        some = [np.sort(chance.permutation(np.flatnonzero(there & (dataset.splits == s)))[:most])
                for s, most in (("train", MOST_TRAINED), ("validation", MOST_VALIDATION))]
        if min(map(len, some)) < 20:
            return None
        rows = np.concatenate(some)
        settings = experiment.inputs[name]
        tasks = {n: TASKS.get(t.task)(1, dataset.schema.targets[n], **t.options)
                 for n, t in experiment.active_targets.items()}
        targets = {}
        for target, task in tasks.items():
            labels = dataset.labels[target].of(rows)
            targets[target] = Known(task.regressed(labels.values), labels.known, labels.values)
        arrays = [a for a in (decoded.row(r) for r in rows) if a is not None]
        return cls(name, modality_of(settings), settings.modality, dataset.schema.inputs[name],
                   arrays, np.repeat([True, False], [len(s) for s in some]), targets, tasks, seed)

    def settled(self, settings: InputSettings) -> tuple[InputSettings, str]:
        """The input with what was found, and a sentence where that differs from what is usual."""
        options: dict[str, float] = {}
        for option, values in _tried_options(settings).items():
            errors = {v: self.error({option: v}) for v in values}
            chosen = min(errors, key=lambda v: errors[v])
            if errors[chosen] < BETTER * errors[settings.encoder.options[option]]:
                options[option] = chosen
        varied = self.kept_share() >= LEAST_KEPT
        encoder = ENCODERS.get(settings.encoder.name)
        if not varied:
            options |= encoder.unvaried
        component = Component(settings.encoder.name, settings.encoder.options | options)
        note = "" if varied else (
            f"'{self.name}' is left as it is in training, not varied: varied samples no longer "
            "tell the labels.")
        return replace(settings, encoder=component, augment=varied), note

    def error(self, options: Mapping[str, float]) -> float:
        """Of the answers to the validation rows, as a share of the labels' variance."""
        describer = Describer(self.kind, self.spec, options)
        rows = self._described(describer, self.arrays, None)
        parts = [p for p in describer.parts if not p.counts and rows[:, p.begin : p.end].std() > 0]
        blocks = [Block(0, p.name, p.begin, p.end, False) for p in parts]
        material = Material(
            blocks, [rows[:, p.begin : p.end] for p in parts], np.ones((len(rows), 1), dtype=bool),
            self.trained, self.targets, self.tasks)
        return tried(material, whole=True)[0][1]

    def kept_share(self) -> float:
        """Of what is told of training rows, how much is told of the same rows varied.

        The least over the targets; 1 where nothing is told of any.
        """
        describer = Describer(self.kind, self.spec)
        inside = np.flatnonzero(self.trained)
        arrays = [self.arrays[r] for r in inside.tolist()]
        plain = self._described(describer, arrays, None)
        varied = self._described(describer, arrays, torch.Generator().manual_seed(self.seed))
        alike, across = np.zeros((2, len(inside), len(inside)))
        for part in describer.parts:
            columns = slice(part.begin, part.end)
            if part.counts or plain[:, columns].std() == 0:
                continue
            placing = Placed.fit(plain[:, columns])
            own, other = (placing.placed(rows[:, columns]) for rows in (plain, varied))
            alike += np.exp(-squared_distances(own, own) / placing.spread)
            across += np.exp(-squared_distances(other, own) / placing.spread)
        shares = [_kept_share(alike, across, known.values[inside], known.known[inside])
                  for known in self.targets.values()]
        return min([share for share in shares if share is not None], default=1.0)

    def _described(
        self, describer: Describer, arrays: Sequence[np.ndarray], vary: torch.Generator | None
    ) -> np.ndarray:
        found = []
        for begin in range(0, len(arrays), AT_ONCE):
            values, mask = self.modality.collate(arrays[begin : begin + AT_ONCE], self.spec)
            values = self.modality.prepare(values)
            if vary is not None:
                values, mask = self.modality.augment(values, mask, vary)
            found.append(describer(values, mask).numpy())
        return np.concatenate(found)


def _kept_share(
    alike: np.ndarray, across: np.ndarray, values: np.ndarray, known: np.ndarray
) -> float | None:
    """Of one target; None where nothing is told of the rows as they are.

    Args:
        alike: ``(n, n)`` kernel of the rows.
        across: ``(n, n)`` kernel of the varied rows with those as they are.
        values: ``(n, C)``.
        known: ``(n,)`` bool.
    """
    if known.sum() < 2 * FOLDS:
        return None
    alike, across, values = alike[known][:, known], across[known][:, known], values[known]
    alike, across = alike / alike[0, 0], across / alike[0, 0]
    folds = folds_of(len(values), FOLDS)
    plain, varied = np.zeros_like(values), np.zeros_like(values)
    for fold in range(FOLDS):
        outside, inside = folds != fold, folds == fold
        mean = values[outside].mean(axis=0)
        eye = STRENGTH * np.eye(int(outside.sum()))
        found = np.linalg.solve(alike[outside][:, outside] + eye, values[outside] - mean)
        plain[inside] = alike[inside][:, outside] @ found + mean
        varied[inside] = across[inside][:, outside] @ found + mean
    usual = max(float(np.square(values - values.mean(axis=0)).sum()), 1e-9)
    told, still = (1 - float(np.square(a - values).sum()) / usual for a in (plain, varied))
    return None if told < LEAST_TOLD else still / told


def _tried_options(settings: InputSettings) -> dict[str, tuple[float, ...]]:
    """The options that descriptions try and the encoder has at its default."""
    from mmstudio.encoders.descriptive import describers_of

    own = options_of(ENCODERS.get(settings.encoder.name))
    return {name: values for cls in describers_of(settings.modality)
            for name, values in cls.tried.items()
            if name in own and settings.encoder.options.get(name) == own[name].default
            and own[name].default in values}


def with_suited(run: Experiment, experiment: Experiment) -> Experiment:
    """The experiment with what a run measured, as far as it leaves that open."""
    inputs = {}
    for name, settings in experiment.inputs.items():
        known = run.inputs.get(name)
        if (known is None or settings.augment is not None or known.augment is None
                or known.encoder.name != settings.encoder.name):
            inputs[name] = settings
            continue
        encoder = ENCODERS.get(settings.encoder.name)
        defaults = {o: option.default for o, option in options_of(encoder).items()}
        open_ones = {*encoder.unvaried, *_tried_options(settings)}
        taken = {o: known.encoder.options[o] for o in open_ones
                 if o in known.encoder.options
                 and settings.encoder.options.get(o, defaults[o]) == defaults[o]}
        component = Component(settings.encoder.name, settings.encoder.options | taken)
        inputs[name] = replace(settings, encoder=component, augment=known.augment)
    return replace(experiment, inputs=inputs)
