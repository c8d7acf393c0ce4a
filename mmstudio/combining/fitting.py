"""Fitting the kernel machines: their widths and strengths by evidence, then on all rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from mmstudio.combining.evidence import Turns, evidence_of
from mmstudio.combining.kernels import Counted, Measured, squared_distances
from mmstudio.combining.machines import Block, KernelMachines, Machine
from mmstudio.combining.material import Material
from mmstudio.combining.ridge import STRENGTHS, Array, Basis, solved
from mmstudio.combining.scaling import scale_answers

MOST_LANDMARKS = 1000
"""Rows that others are compared with; below as many, the regressions are exact."""
MOST_TRIED = 400
"""Rows and landmarks with which the width of the kernels is chosen."""
WIDTHS = (1 / 3, 1.0, 3.0)
LEAST_LANDMARKS = 10
"""For a machine at all."""


@dataclass
class _Fitter:
    """The landmarks, and each block's kernel with them."""

    material: Material
    landmarks: np.ndarray
    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    placed: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        for b, block in enumerate(self.material.blocks):
            rows, there = self.material.rows[b], self.material.present[:, block.input]
            trained = np.flatnonzero(there & self.material.trained)
            some = trained if len(trained) else np.flatnonzero(there)
            if block.counts:
                counted = Counted.fit(rows[some])
                self.placed.append((counted.placed(rows), None))
                self.tensors[f"block{b}_weights"] = torch.from_numpy(counted.weights)
                continue
            measured = Measured.fit(rows[some])
            placed = measured.placed(rows)
            self.placed.append((placed, measured.spread))
            self.tensors |= {
                f"block{b}_mean": torch.from_numpy(measured.mean),
                f"block{b}_scale": torch.from_numpy(measured.scale),
                f"block{b}_spread": torch.tensor(measured.spread),
                f"block{b}_landmarks": torch.from_numpy(placed[self.marks_of(b)])}

    def marks_of(self, b: int) -> np.ndarray:
        """The landmarks that have the block's input."""
        at = self.material.blocks[b].input
        return np.asarray(self.landmarks[self.material.present[self.landmarks, at]])

    def marks_for(self, machine: Machine) -> np.ndarray:
        """The landmarks of a machine: for a product, those that have all of its inputs."""
        if not machine.product:
            return self.landmarks
        inputs = sorted({self.material.blocks[b].input for b in machine.blocks})
        return np.asarray(self.landmarks[self.material.present[self.landmarks][:, inputs].all(
            axis=1)])

    def kernel(self, machine: Machine, rows: np.ndarray, marks: np.ndarray) -> np.ndarray:
        """``(rows, marks)``, 0 where either lacks the input; a product passes over it."""
        found = np.zeros((len(rows), len(marks)), dtype=np.float32)
        if machine.product:
            for b, share in zip(machine.blocks, machine.shares, strict=True):
                there = self.material.present[rows, self.material.blocks[b].input][:, None]
                found -= np.float32(machine.width * share) * self._apart(b, rows, marks) * there
            return np.asarray(np.exp(found, out=found))
        for b, share in zip(machine.blocks, machine.shares, strict=True):
            placed, spread = self.placed[b]
            if spread is None:
                part = (placed[rows] @ placed[marks].T).toarray()
            else:
                part = squared_distances(placed[rows], placed[marks])
                np.exp(part * np.float32(-machine.width / spread), out=part)
            there = self.material.present[:, self.material.blocks[b].input]
            found += np.float32(share) * part * (there[rows][:, None] & there[marks][None])
        return found


    def _apart(self, b: int, rows: np.ndarray, marks: np.ndarray) -> np.ndarray:
        """``(rows, marks)`` how far apart in a block, 1 is usual."""
        placed, spread = self.placed[b]
        if spread is None:
            return np.asarray(1 - (placed[rows] @ placed[marks].T).toarray(), dtype=np.float32)
        return squared_distances(placed[rows], placed[marks]) / np.float32(spread)


def planned(blocks: Sequence[Block], inputs: int) -> list[Machine]:
    """Per input one of all its blocks and one of each; a sum and a product of several inputs.

    Blocks of counts belong together.
    """
    machines, every = [], []
    for at in range(inputs):
        groups: dict[str, list[int]] = {}
        for b, block in enumerate(blocks):
            if block.input == at:
                groups.setdefault("counts" if block.counts else block.name, []).append(b)
        if not groups:
            continue
        whole = [(b, 1 / len(groups) / len(g)) for g in groups.values() for b in g]
        every += whole
        machines.append(_machine("all", whole))
        if len(groups) > 1:
            machines += [_machine(name, [(b, 1 / len(g)) for b in g]) for name, g in groups.items()]
    if len({blocks[b].input for b, _ in every}) > 1:
        machines.append(_machine("together", every))
        machines.append(replace(_machine("combined", every), product=True))
    return machines


def _machine(name: str, blocks: list[tuple[int, float]]) -> Machine:
    places, shares = zip(*blocks, strict=True)
    return Machine(name, places, shares, 1.0)


def fit_machines(material: Material, seed: int = 0) -> Iterator[int | KernelMachines]:
    """Fit all machines that are planned for the material's blocks.

    Yields:
        How many are fitted, after each; last the machines.
    """
    chance = np.random.default_rng(seed)
    rows = np.arange(len(material.trained))
    # a landmark with all inputs serves every block
    many = material.present.sum(axis=1) + 100 * material.own + chance.random(len(rows))
    landmarks = np.sort(np.argsort(-many)[:MOST_LANDMARKS])
    fitter = _Fitter(material, landmarks)
    machines: list[Machine] = []
    scales = []
    best: dict[int, tuple[float, Machine]] = {}
    for plan in planned(material.blocks, material.present.shape[1]):
        if plan.product:
            plan = _of_best(plan, best)
        if len(fitter.marks_for(plan)) < LEAST_LANDMARKS:
            continue
        machine, error = _with_width(fitter, plan)
        inputs = {material.blocks[b].input for b in machine.blocks}
        if len(inputs) == 1:
            at = inputs.pop()
            best[at] = min(best.get(at, (np.inf, machine)), (error, machine), key=lambda e: e[0])
        k = len(machines)
        coefficients, means, scale = _fitted(fitter, machine)
        if machine.product:
            fitter.tensors |= _of_product(fitter, machine, k, coefficients)
        else:
            for b in machine.blocks:
                fitter.tensors[f"machine{k}_block{b}"] = _of_block(
                    fitter, machine, b, coefficients)
        fitter.tensors[f"machine{k}_mean"] = torch.from_numpy(means.astype(np.float32))
        scales.append(scale)
        machines.append(machine)
        yield len(machines)
    fitter.tensors["scales"] = torch.tensor(scales, dtype=torch.float32)
    sizes = {n: known.values.shape[1] for n, known in material.targets.items()}
    yield KernelMachines(material.blocks, machines, fitter.tensors, sizes)


def _of_best(plan: Machine, best: Mapping[int, tuple[float, Machine]]) -> Machine:
    """A product of what tells most of each input alone: a product can't pass over the rest."""
    blocks = [pair for _, one in best.values()
              for pair in zip(one.blocks, one.shares, strict=True)]
    return replace(_machine(plan.name, blocks), product=True)


def tried(material: Material, *, whole: bool = False) -> list[tuple[Machine, float]]:
    """The planned machines of a few rows, with the error of their answers to other rows.

    Mean squares as shares of the labels' variance, the mean over the targets.

    Args:
        material: Few rows, of one input or of several.
        whole: Only the first one, of all that describes the first input.
    """
    fitter = _Fitter(material, np.flatnonzero(material.trained))
    plans = planned(material.blocks, material.present.shape[1])
    return [_with_width(fitter, plan) for plan in (plans[:1] if whole else plans)]


def _with_width(fitter: _Fitter, machine: Machine) -> tuple[Machine, float]:
    """The machine with the width that answers best, tried on some of the rows; its error."""
    material = fitter.material
    chance = np.random.default_rng(0)
    trained, others = (_some(chance, at, most) for at, most in (
        (_usable(material, machine, True), MOST_TRIED),
        (_usable(material, machine, False), MOST_TRIED // 2)))
    if machine.product:
        inputs = sorted({material.blocks[b].input for b in machine.blocks})
        trained = trained[material.present[trained][:, inputs].all(axis=1)]
    counts = all(material.blocks[b].counts for b in machine.blocks) and not machine.product
    options = [replace(machine, width=width) for width in (WIDTHS if not counts else (1.0,))]
    errors = []
    for one in options:
        basis = Basis.of(fitter.kernel(one, trained, trained))
        inside = Turns(basis.coordinates(fitter.kernel(one, trained, trained)))
        outside = basis.coordinates(fitter.kernel(one, others, trained))
        errors.append(float(np.mean([
            evidence_of(known, trained, others, inside, outside, material.origins).errors.min()
            for known in material.targets.values() if known.known[trained].sum() > 1] or [1.0])))
    best = int(np.argmin(errors))
    return options[best], errors[best]


def _some(chance: np.random.Generator, rows: np.ndarray, most: int) -> np.ndarray:
    return np.asarray(np.sort(chance.permutation(rows)[:most]))


def _usable(material: Material, machine: Machine, trained: bool) -> np.ndarray:
    """The rows of training or validation that have any of a machine's inputs."""
    inputs = sorted({material.blocks[b].input for b in machine.blocks})
    there = material.present[:, inputs].any(axis=1)
    return np.flatnonzero(there & (material.trained == trained))


def _fitted(
    fitter: _Fitter, machine: Machine
) -> tuple[Array, Array, list[tuple[float, float]]]:
    """Coefficients ``(2, m, outputs)``, means ``(2, outputs)``, and per target its scale."""
    material = fitter.material
    trained, others = (_usable(material, machine, of) for of in (True, False))
    everyone = np.concatenate([trained, others])
    marks = fitter.marks_for(machine)
    basis = Basis.of(fitter.kernel(machine, marks, marks))
    whole = basis.coordinates(fitter.kernel(machine, everyone, marks))
    inside, outside = Turns(whole[: len(trained)]), whole[len(trained) :]
    coefficients, means, scales = [], [], []
    for name, known in material.targets.items():
        if known.known[trained].sum() < 2:
            width = known.values.shape[1]
            coefficients.append(np.zeros((2, len(marks), width)))
            means.append(np.zeros((2, width)))
            scales.append((0.0, 0.0))
            continue
        evidence = evidence_of(known, trained, others, inside, outside, material.origins)
        best = int(np.argmin(evidence.errors))
        asked = known.known[everyone]
        weights, mean = solved(whole[asked], known.values[everyone][asked], STRENGTHS[best])
        held_out = evidence.ridge.weights(STRENGTHS[best])
        coefficients.append(np.stack([basis.coefficients(w) for w in (weights, held_out)]))
        means.append(np.stack([mean, evidence.ridge.mean]))
        scales.append(scale_answers(material.tasks[name], evidence.answers[best],
                                    known.labels[evidence.rows]))
    return np.concatenate(coefficients, axis=2), np.concatenate(means, axis=1), scales


def _of_product(
    fitter: _Fitter, machine: Machine, k: int, coefficients: Array
) -> dict[str, torch.Tensor]:
    """What a product's landmarks are, block by block, and what their kernel is multiplied with."""
    marks = fitter.marks_for(machine)
    tensors = {f"machine{k}_beta": torch.from_numpy(coefficients.astype(np.float32))}
    for b in machine.blocks:
        placed, spread = fitter.placed[b]
        if spread is None:
            sparse = placed[marks].tocoo()
            places = np.stack([sparse.row, sparse.col]).astype(np.int64)
            tensors |= {f"machine{k}_places{b}": torch.from_numpy(places),
                        f"machine{k}_counts{b}": torch.from_numpy(sparse.data.astype(np.float32))}
        else:
            at = np.searchsorted(fitter.marks_of(b), marks)
            tensors[f"machine{k}_marks{b}"] = torch.from_numpy(at)
    return tensors


def _of_block(
    fitter: _Fitter, machine: Machine, b: int, coefficients: Array
) -> torch.Tensor:
    """``(2, landmarks or D, outputs)`` what a block's kernel, or its counts, is multiplied with."""
    share = machine.shares[machine.blocks.index(b)]
    marks = fitter.marks_of(b)
    own = share * coefficients[:, np.searchsorted(fitter.landmarks, marks)]
    placed, spread = fitter.placed[b]
    if spread is None:
        own = np.stack([placed[marks].T @ part for part in own])
    return torch.from_numpy(own.astype(np.float32))
