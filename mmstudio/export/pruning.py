"""A combination without the quick models that no subset of the inputs gives a vote."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch

from mmstudio.combining.combination import Combination
from mmstudio.combining.machines import KernelMachines
from mmstudio.training.model import MultimodalModel

_OF_MACHINE = re.compile(r"machine(\d+)_(.*)")


def counting(model: MultimodalModel) -> Combination | None:
    """What a model answers with, of its machines those alone that count anywhere.

    The answers stay the same; what travels is often a fraction.
    """
    whole = model.combination
    if whole is None or whole.machines is None:
        return whole
    tables = [getattr(whole, f"weights{t}") for t in range(len(whole.targets))]
    counts = torch.stack([table.ne(0).any(dim=0) for table in tables]).any(dim=0).tolist()
    kept = [a for a, one in enumerate(whole.contestants) if one.kind != "machine" or counts[a]]
    first = next(a for a, one in enumerate(whole.contestants) if one.kind == "machine")
    places = [a - first for a in kept if a >= first]
    return Combination(
        _of(whole.machines, places) if places else None, whole.heads, whole.describers,
        [whole.contestants[a] for a in kept], whole.subsets,
        {n: table[:, kept] for n, table in zip(whole.targets, tables, strict=True)},
        {n: whole.usual_of(n) for n in whole.targets})


def _of(machines: KernelMachines, places: Sequence[int]) -> KernelMachines:
    """Some of the machines."""
    used = {b for k in places for b in machines.machines[k].blocks}
    tensors: dict[str, torch.Tensor] = {}
    for name, tensor in machines.named_buffers():
        of_machine = _OF_MACHINE.fullmatch(name)
        if of_machine is not None:
            if int(of_machine[1]) in places:
                tensors[f"machine{places.index(int(of_machine[1]))}_{of_machine[2]}"] = tensor
        elif name == "scales":
            tensors[name] = tensor[list(places)]
        elif any(name.startswith(f"block{b}_") for b in used):
            tensors[name] = tensor
    return KernelMachines(
        machines.blocks, [machines.machines[k] for k in places], tensors, machines.sizes)


def blocks_in_use(machines: KernelMachines | None, at: int) -> list[int]:
    """The blocks of an input that a machine reads."""
    if machines is None:
        return []
    used = {b for machine in machines.machines for b in machine.blocks}
    return [b for b in sorted(used) if machines.blocks[b].input == at]
