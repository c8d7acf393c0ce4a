"""The combination of a run as it begins: what describes the inputs, and the machines on it."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mmstudio.combining.combination import Combination, Contestant
from mmstudio.combining.copies import with_copies
from mmstudio.combining.describer import Describer
from mmstudio.combining.fitting import fit_machines, planned
from mmstudio.combining.input_heads import InputHeads
from mmstudio.combining.machines import PUBLISHED, Block, KernelMachines
from mmstudio.combining.material import Known, Material
from mmstudio.data.batches import collate_features
from mmstudio.data.mapped_rows import Decoded
from mmstudio.data.prepare import Dataset, Progress
from mmstudio.encoders.pretrained import PretrainedEncoder
from mmstudio.threads import each_fitting, one_thread
from mmstudio.training.descriptions import AT_ONCE, described, describers_for
from mmstudio.training.input_scores import reported_subsets
from mmstudio.training.model import MultimodalModel

MOST_ROWS, MOST_VALIDATION = 8000, 4000
"""Rows that the machines are fitted on, and whose answers are weighed, at most."""
MOST_COPIED = 600
"""Training rows that get a varied copy each, where that helps; more rows need none."""
FEW = 600
"""Rows below which a second thread costs more than it gains."""
MOST_OUTPUTS = 1000
"""Of all targets together; beyond, the machines' coefficients would outgrow the model."""


def machines_for(
    model: MultimodalModel, dataset: Dataset, describers: Mapping[str, Describer], seed: int
) -> Iterator[Progress | KernelMachines | None]:
    """Fit the kernel machines of a run.

    Args:
        model: Not trained yet; its frozen encoders' features are read where they are kept.
        dataset: With descriptions.
        describers: As ``describers_for`` gave them.
        seed: Which rows are taken where there are many.

    Yields:
        Progress, last the machines; None where nothing describes any input.
    """
    chance = np.random.default_rng(seed)
    rows = [np.sort(chance.permutation(dataset.labelled_rows(split))[:most])
            for split, most in (("train", MOST_ROWS), ("validation", MOST_VALIDATION))]
    trained = np.repeat([True, False], [len(r) for r in rows])
    both = np.concatenate(rows)
    blocks, values = [], []
    for i, name in enumerate(model.names):
        for block, numbers in _blocks(model, dataset, describers, i, name, both):
            blocks.append(block)
            values.append(numbers)
    outputs = sum(task.outputs for task in model.tasks.values())
    if not blocks or not len(rows[0]) or outputs > MOST_OUTPUTS:
        yield None
        return
    present = np.stack([np.diff(dataset.decoded[n].starts)[both] > 0 for n in model.names], axis=1)
    targets = {}
    for name, task in model.tasks.items():
        labels = dataset.labels[name].of(both)
        targets[name] = Known(task.regressed(labels.values), labels.known, labels.values)
    tasks = {n: copy.deepcopy(task).to("cpu").eval() for n, task in model.tasks.items()}
    material = Material(blocks, values, present, trained, targets, tasks)
    if len(rows[0]) <= MOST_COPIED:
        yield Progress("Trying varied samples", 0, 1)
        varied = {i: _described_varied(dataset, model, describers[name], name, both, seed)
                  for i, name in enumerate(model.names)
                  if name in model.varied and name in describers
                  and not any(part.counts for part in describers[name].parts)}
        with one_thread():
            material = with_copies(material, varied)
    many = len(planned(blocks, present.shape[1]))
    few = len(both) < FEW
    with one_thread() if few else contextlib.nullcontext():
        for step in (iter if few else each_fitting)(fit_machines(material, seed)):
            if isinstance(step, KernelMachines):
                yield step
            else:
                yield Progress("Fitting quick models", step, many)


def _described_varied(
    dataset: Dataset, model: MultimodalModel, describer: Describer, name: str, rows: np.ndarray,
    seed: int,
) -> np.ndarray:
    """``(n, D)`` descriptions of an input's varied contents, 0 where it is absent."""
    modality, spec, decoded = model.modalities[name], dataset.schema.inputs[name], (
        dataset.decoded[name])
    vary = torch.Generator().manual_seed(seed)
    found = []
    for begin in range(0, len(rows), AT_ONCE):
        arrays = [decoded.row(r) for r in rows[begin : begin + AT_ONCE]]
        there = [i for i, array in enumerate(arrays) if array is not None]
        some = np.zeros((len(arrays), describer.width), np.float32)
        if there:
            values, mask = modality.collate([arrays[i] for i in there], spec)
            values, mask = modality.augment(modality.prepare(values), mask, vary)
            some[there] = describer(values, mask).numpy()
        found.append(some)
    return np.concatenate(found)


def _blocks(
    model: MultimodalModel, dataset: Dataset, describers: Mapping[str, Describer], i: int,
    name: str, rows: np.ndarray,
) -> Iterator[tuple[Block, Any]]:
    """An input's blocks with the numbers of some rows, sparse where they are counts."""
    from scipy.sparse import csr_array, vstack

    if name in describers:
        parts = describers[name].parts
        found: list[list[Any]] = [[] for _ in parts]
        for begin in range(0, len(rows), AT_ONCE):
            numbers = dataset.describers[name](rows[begin : begin + AT_ONCE]).numpy()
            for part, gathered in zip(parts, found, strict=True):
                columns = numbers[:, part.begin : part.end]
                gathered.append(csr_array(columns) if part.counts else columns)
        for part, gathered in zip(parts, found, strict=True):
            whole = vstack(gathered, format="csr") if part.counts else np.concatenate(gathered)
            if part.counts or float(whole.std()) > 0:
                yield Block(i, part.name, part.begin, part.end, part.counts), whole
    encoder = model.encoders[i]
    if isinstance(encoder, PretrainedEncoder) and encoder.frozen and name in dataset.encoded:
        yield Block(i, PUBLISHED, 0, 0, False), _gists(encoder, dataset.encoded[name], rows)


def _gists(encoder: PretrainedEncoder, encoded: Decoded, rows: np.ndarray) -> np.ndarray:
    """``(n, D)`` what a frozen encoder gives of whole samples, 0 where they are absent."""
    from mmstudio.encoders.base import Features

    found = []
    for some in np.array_split(rows, max(1, len(rows) // AT_ONCE)):
        batch = collate_features([encoded.row(r) for r in some],
                                 encoded.tail[0] if encoded.tail else 1)
        gist = encoder.gist(Features(batch.values.float(), batch.mask))  # type: ignore[arg-type]
        found.append((gist * batch.present.unsqueeze(1)).numpy())
    return np.concatenate(found)


def begun(
    model: MultimodalModel, dataset: Dataset, machines: KernelMachines | None,
    heads: InputHeads | None, describers: Mapping[str, Describer],
) -> Combination:
    """A combination whose weights are not found yet: only what is named can answer."""
    count = len(model.names)
    contestants = [Contestant("fusion", tuple(range(count)))]
    if heads is not None:
        contestants += [Contestant("head", (i,)) for i in range(count)]
    if machines is not None:
        contestants += [Contestant("machine", tuple(machines.inputs_of(m)), m.name)
                        for m in machines.machines]
    usual = {}
    rows = dataset.rows("train")
    for name, task in model.tasks.items():
        labels = dataset.labels[name].of(rows)
        mean = task.usual(labels.values[labels.known])
        usual[name] = torch.from_numpy(task.usual_outputs(mean)).float()
    subsets = torch.from_numpy(reported_subsets(count))
    weights = {n: torch.zeros(len(subsets), len(contestants)) for n in usual}
    return Combination(machines, heads, describers, contestants, subsets, weights, usual)


@dataclass(frozen=True)
class Prepared:
    """A dataset with descriptions, and a combination that is not weighed yet."""

    dataset: Dataset
    combination: Combination


def with_machines(
    model: MultimodalModel, dataset: Dataset, heads: InputHeads | None, seed: int
) -> Iterator[Progress | Prepared]:
    """Describe the data and fit the machines.

    Args:
        model: Not trained yet.
        dataset: Its decoded rows.
        heads: The inputs' own, of which the combination gets a copy.
        seed: See ``machines_for``.

    Yields:
        Progress, last what is prepared.
    """
    describers = describers_for(model, dataset.schema)
    for step in described(dataset, model.modalities, describers):
        if isinstance(step, Dataset):
            dataset = step
        else:
            yield step
    machines = None
    for fitted in machines_for(model, dataset, describers, seed):
        if isinstance(fitted, Progress):
            yield fitted
        else:
            machines = fitted
    yield Prepared(dataset, begun(model, dataset, machines, copy.deepcopy(heads), describers))
