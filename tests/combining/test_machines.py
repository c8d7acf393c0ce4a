"""Kernel machines: the fitted module answers as the regression that it was made from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from mmstudio.combining.fitting import fit_machines, planned
from mmstudio.combining.machines import Block, KernelMachines
from mmstudio.combining.material import Known, Material
from mmstudio.tasks import TASKS, Task

ROWS, TRAINED, WIDTH, PLACES = 90, 60, 4, 12
BLOCKS = [Block(0, "edges", 0, WIDTH, False), Block(1, "words", 0, PLACES, True)]


def material(seed: int = 0, absent: float = 0.0) -> Material:
    """Two inputs: numbers whose first tells the class, and counts of which one tells it too."""
    chance = np.random.default_rng(seed)
    labels = chance.integers(0, 3, ROWS)
    numbers = chance.normal(size=(ROWS, WIDTH)).astype(np.float32)
    numbers[:, 0] += 4 * labels
    counts = (chance.random((ROWS, PLACES)) < 0.3).astype(np.float32)
    counts[np.arange(ROWS), labels] = 3
    present = chance.random((ROWS, 2)) >= absent
    present[:, 0] |= ~present.any(axis=1)
    task: Task = TASKS.get("classification")(2, {"classes": ["a", "b", "c"]}).eval()
    known = Known(task.regressed(labels), np.ones(ROWS, dtype=bool), labels)
    return Material(BLOCKS, [numbers * present[:, :1], csr_array(counts * present[:, 1:])], present,
                    np.arange(ROWS) < TRAINED, {"kind": known}, {"kind": task})


def fitted(given: Material) -> KernelMachines:
    found = list(fit_machines(given))[-1]
    assert isinstance(found, KernelMachines)
    return found


def answers(machines: KernelMachines, given: Material) -> torch.Tensor:
    rows: list[Any] = [given.rows[0], given.rows[1].toarray()]
    votes = [machines.votes(at, torch.from_numpy(rows[at]).float(), None) for at in (0, 1)]
    there = torch.from_numpy(given.present)
    total = sum((v.masked_fill(~there[:, at : at + 1], 0) for at, v in enumerate(votes)),
                torch.zeros(()))
    return machines.answers(total)["kind"]


def test_what_is_planned() -> None:
    blocks = [Block(0, "edges", 0, 3, False), Block(0, "colours", 3, 5, False),
              Block(1, "words", 0, 4, True), Block(1, "characters", 4, 8, True)]
    assert [(m.name, m.blocks, m.product) for m in planned(blocks, 2)] == [
        ("all", (0, 1), False), ("edges", (0,), False), ("colours", (1,), False),
        ("all", (2, 3), False), ("together", (0, 1, 2, 3), False),
        ("combined", (0, 1, 2, 3), True)]


@pytest.mark.parametrize("absent", [0.0, 0.3])
def test_every_machine_tells_what_its_inputs_tell(absent: float) -> None:
    given = material(absent=absent)
    machines = fitted(given)
    with machines.held_out():
        found = answers(machines, given)
    labels = given.targets["kind"].labels
    for k, machine in enumerate(machines.machines):
        inputs = machines.inputs_of(machine)
        there = given.present[:, inputs].all(axis=1) & ~given.trained
        right = (found[k].argmax(dim=1).numpy() == labels)[there].mean()
        assert right > 0.6, machine  # a third is chance


def test_the_final_ones_have_learnt_from_the_validation_rows_too() -> None:
    given = material()
    machines = fitted(given)
    final = answers(machines, given)
    with machines.held_out():
        held_out = answers(machines, given)
    truth = torch.from_numpy(given.targets["kind"].values).float()
    asked = ~torch.from_numpy(given.trained)

    def error(found: torch.Tensor) -> float:
        return float((found.softmax(dim=2) - truth)[:, asked].square().mean())

    assert error(final) < error(held_out)


def test_only_a_product_tells_what_two_inputs_say_together() -> None:
    chance = np.random.default_rng(1)
    signs = chance.integers(0, 2, (300, 2))
    labels = signs[:, 0] ^ signs[:, 1]
    rows = (2.0 * signs - 1 + 0.3 * chance.normal(size=(300, 2))).astype(np.float32)
    task: Task = TASKS.get("classification")(2, {"classes": ["same", "other"]}).eval()
    known = Known(task.regressed(labels), np.ones(300, dtype=bool), labels)
    given = Material(
        [Block(0, "first", 0, 1, False), Block(1, "second", 0, 1, False)],
        [rows[:, :1], rows[:, 1:]], np.ones((300, 2), dtype=bool), np.arange(300) < 200,
        {"kind": known}, {"kind": task})
    machines = fitted(given)
    total = sum((machines.votes(at, torch.from_numpy(given.rows[at]), None) for at in (0, 1)),
                torch.zeros(()))
    with machines.held_out():
        found = machines.answers(total)["kind"].argmax(dim=2).numpy() == labels
    right = {m.name: found[k, 200:].mean() for k, m in enumerate(machines.machines)}
    assert right["combined"] > 0.9 > 0.7 > right["together"]


def test_layout_and_numbers_are_all_that_is_kept() -> None:
    given = material(absent=0.2)
    machines = fitted(given)
    again = KernelMachines.of_layout(machines.layout(), machines.state_dict())
    assert torch.equal(answers(machines, given), answers(again, given))
