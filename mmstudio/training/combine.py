"""The combination of a run: its machines fitted before the training, its weights afterwards."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from mmstudio.combining.combination import Combination, Contestant
from mmstudio.combining.copies import with_copies
from mmstudio.combining.describer import Describer
from mmstudio.combining.fitting import Known, Material, fit_machines, planned
from mmstudio.combining.input_heads import InputHeads
from mmstudio.combining.machines import PUBLISHED, Block, KernelMachines
from mmstudio.combining.pool import first_weights, fit_weights
from mmstudio.data.batches import collate_features, make_batch, row_batches
from mmstudio.data.mapped_rows import Chunk, Decoded, kept
from mmstudio.data.prepare import Dataset, Progress
from mmstudio.data.schema import Schema
from mmstudio.encoders.pretrained import PretrainedEncoder
from mmstudio.modalities import Modality
from mmstudio.threads import each_fitting, fitting_threads, one_thread
from mmstudio.training.input_scores import reported_subsets
from mmstudio.training.model import MultimodalModel
from mmstudio.training.validate import figures_of, outputs_of

MOST_ROWS, MOST_VALIDATION = 8000, 4000
"""Rows that the machines are fitted on, and whose answers are weighed, at most."""
AT_ONCE = 64
MOST_COPIED = 600
"""Training rows that get a varied copy each, where that helps; more rows need none."""
FEW = 600
"""Rows below which a second thread costs more than it gains."""
MOST_KEPT = 20_000
"""Rows whose descriptions are worked out once; of more only those that are asked for."""
MOST_OUTPUTS = 1000
"""Of all targets together; beyond, the machines' coefficients would outgrow the model."""
LEAST_ROWS = 5
"""Validation rows that have a subset's inputs, for weights of its own."""


def described(
    dataset: Dataset, modalities: Mapping[str, Modality], describers: Mapping[str, Describer],
) -> Iterator[Progress | Dataset]:
    """Have the rows' descriptions at hand: worked out once and kept, or whenever asked for.

    Yields:
        Progress, last the dataset.
    """
    found: dict[str, Callable[[np.ndarray], Any]] = {}
    for name, describer in describers.items():
        modality, spec = modalities[name], dataset.schema.inputs[name]
        work = partial(_work_out, dataset.decoded[name], describer, modality, spec)
        key, decoded = describer.stored_key, dataset.decoded[name]
        if key is None or len(dataset.table) > MOST_KEPT:
            found[name] = work
            continue
        name_of_it = hashlib.blake2b(json.dumps([key, decoded.key]).encode(), digest_size=16)
        rows = dataset.used & (np.diff(decoded.starts) > 0)
        name_of_it.update(np.packbits(rows).tobytes())
        for step in kept(name_of_it.hexdigest(), "float32", len(rows),
                         partial(_chunks, work, rows, describer.width)):
            if isinstance(step, Decoded):
                found[name] = partial(_looked_up, step, work)
            else:
                yield Progress(f"Describing {name}", step, len(rows))
    yield dataclasses.replace(dataset, describers=found)


def _work_out(
    decoded: Decoded, describer: Describer, modality: Modality, spec: Mapping[str, Any],
    rows: np.ndarray,
) -> torch.Tensor:
    return describer.of_arrays(modality, [decoded.row(r) for r in rows], spec)


def _chunks(work: Any, used: np.ndarray, width: int) -> Iterator[Chunk]:
    for begin in range(0, len(used), AT_ONCE):
        rows = np.arange(begin, min(len(used), begin + AT_ONCE))
        some = rows[used[rows]]
        block = work(some).numpy().ravel() if len(some) else np.zeros(0, np.float32)
        yield Chunk(block, np.where(used[rows], width, 0).tolist(), ())


def _looked_up(decoded: Decoded, work: Any, rows: np.ndarray) -> torch.Tensor:
    arrays = [decoded.row(r) for r in rows]
    if any(array is None for array in arrays):  # absent, or not among those that were kept
        found: torch.Tensor = work(rows)
        return found
    return torch.from_numpy(np.stack(arrays))  # type: ignore[arg-type]


def describers_for(model: MultimodalModel, schema: Schema) -> dict[str, Describer]:
    """Per input what describes it; inputs of a modality that nothing describes are left out."""
    found = {}
    for name, modality in model.modalities.items():
        describer = Describer(modality.name, schema.inputs[name])
        if describer.width:
            found[name] = describer
    return found


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


# Weighing --------------------------------------------------------------------------------------


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


def weigh(
    combination: Combination, model: MultimodalModel, dataset: Dataset, device: torch.device,
    trained: bool,
) -> None:
    """Find the weights by the validation rows; the combination's are replaced.

    Args:
        combination: On the device.
        model: With its best weights.
        dataset: With descriptions.
        device: The model's.
        trained: Whether the fusion and the heads have learnt anything yet.
    """
    rows = dataset.labelled_rows("validation")
    rows = np.sort(np.random.default_rng(0).permutation(rows)[:MOST_VALIDATION])
    subsets = combination.subsets.cpu().numpy()
    outputs, present = _contested(combination, model, dataset, rows, device)
    for t, (name, task) in enumerate(model.tasks.items()):
        labels = dataset.labels[name].of(rows)
        task_on_cpu = copy.deepcopy(task).to("cpu").eval()
        table = np.zeros((len(subsets), len(combination.contestants)), dtype=np.float32)
        for s, subset in enumerate(subsets):
            at = np.flatnonzero(present[:, subset].all(axis=1) & labels.known)
            able = _able(combination, subset, trained)
            if not len(able):
                continue  # before the training, of an input that no machine reads
            scaled = outputs[s][name][able][:, at]
            factors = _tempered(task_on_cpu, combination, able, scaled, labels.values[at])
            scaled = scaled * torch.from_numpy(factors)[:, None, None]
            start = first_weights(task_on_cpu, scaled, labels.values[at])
            found = start
            if len(at) >= LEAST_ROWS:
                found = fit_weights(task_on_cpu, scaled, labels.values[at], start)
            table[s, able] = found * factors
        getattr(combination, f"weights{t}").copy_(torch.from_numpy(table))


def _able(combination: Combination, subset: np.ndarray, trained: bool) -> np.ndarray:
    """The places of the contestants that can answer for a subset of the inputs."""
    there = torch.from_numpy(subset).unsqueeze(0)
    return np.array([a for a, c in enumerate(combination.contestants)
                     if bool(c.can_answer(there)) and (trained or c.kind == "machine")], dtype=int)


def _tempered(
    task: Any, combination: Combination, able: np.ndarray, outputs: torch.Tensor,
    labels: np.ndarray,
) -> np.ndarray:
    """Per contestant the factor that takes its confidence down, or up, to what it is worth."""
    factors = np.ones(len(able))
    if not task.scores or len(labels) < LEAST_ROWS:
        return factors
    for place, a in enumerate(able):
        if combination.contestants[a].kind != "machine":  # those are scaled already
            factors[place] = fit_weights(task, outputs[place : place + 1], labels, np.ones(1))[0]
    return factors


def _contested(
    combination: Combination, model: MultimodalModel, dataset: Dataset, rows: np.ndarray,
    device: torch.device,
) -> tuple[list[dict[str, torch.Tensor]], np.ndarray]:
    """Per subset and target the contestants' outputs ``(A, n, C)`` to rows; who is present."""
    subsets = combination.subsets.cpu().numpy()
    found: list[dict[str, list[torch.Tensor]]] = [{n: [] for n in model.task_names}
                                                  for _ in subsets]
    there = []
    before, was_training = model.combination, model.training
    model.eval()
    model.answer_with(combination)
    try:
        with combination.answering("validation"), torch.inference_mode():
            for some in row_batches(rows, AT_ONCE):
                batch = make_batch(dataset, model.modalities, some).to(device)
                with fitting_threads():
                    features, present = model.encoded(model.prepared(batch))
                    there.append(present.cpu().numpy())
                    for s, subset in enumerate(subsets):
                        seen = present & torch.from_numpy(subset).to(device)
                        reduced = model.reduced(features, seen)
                        fused = model.fused(reduced, seen)
                        for name, outputs in combination.contested(fused, reduced, seen).items():
                            found[s][name].append(outputs.cpu())
    finally:
        model.answer_with(before)
        model.train(was_training)
    return ([{n: torch.cat(parts, dim=1).clone() for n, parts in one.items()} for one in found],
            np.concatenate(there))


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


def combined_figures(
    combination: Combination, model: MultimodalModel, dataset: Dataset, device: torch.device,
    weights: Mapping[str, float],
) -> dict[str, dict[str, float]]:
    """Per target the figures of the combination's answers to the validation rows."""
    rows = dataset.labelled_rows("validation")
    before = model.combination
    model.answer_with(combination)
    try:
        with combination.answering("validation"):
            outputs = outputs_of(model, dataset, rows, device)
    finally:
        model.answer_with(before)
    labels = {n: labels.of(rows) for n, labels in dataset.labels.items()}
    figures = figures_of(model, outputs, labels, weights)
    del figures["loss"]
    return figures


def shares_by_task(
    combination: Combination, names: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """Per target what counts how much where all inputs are there, the largest share first."""
    told = {}
    for t, target in enumerate(combination.targets):
        weights = getattr(combination, f"weights{t}")[0].tolist()
        total = sum(weights) or 1.0
        each = [{"kind": c.kind, "inputs": [names[i] for i in c.inputs], "name": c.name,
                 "share": weight / total}
                for c, weight in zip(combination.contestants, weights, strict=True) if weight > 0]
        told[target] = sorted(each, key=lambda one: -one["share"])
    return told
