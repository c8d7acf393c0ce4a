"""The combination of a run on disk: ``answers.safetensors``, written beside and renamed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from mmstudio.combining.combination import Combination, Contestant
from mmstudio.combining.input_heads import InputHeads
from mmstudio.combining.machines import KernelMachines
from mmstudio.data.schema import Schema
from mmstudio.experiment import Experiment
from mmstudio.reading import reading
from mmstudio.training.checkpoint import check_header, writing_tensors
from mmstudio.training.descriptions import describers_for
from mmstudio.training.model import MultimodalModel

LAYOUT, FORMAT = "layout", 1


def save_combination(combination: Combination, path: Path) -> None:
    """Write all that ``load_combination`` needs."""
    from safetensors.torch import save_file

    tensors = {n: t.detach().cpu().contiguous() for n, t in combination.state_dict().items()}
    # there are as many of these as words and letters: half the digits are enough of each
    tensors |= {f"machines.{n}": tensors[f"machines.{n}"].half()
                for n in _of_counts(combination.machines)}
    layout = combination.layout() | {"format": FORMAT}
    with writing_tensors(path) as beside:
        save_file(tensors, beside, {LAYOUT: json.dumps(layout, ensure_ascii=False)})


def _of_counts(machines: KernelMachines | None) -> list[str]:
    """The names of what counts are multiplied with."""
    if machines is None:
        return []
    return [f"machine{k}_block{b}" for k, machine in enumerate(machines.machines)
            if not machine.product for b in machine.blocks if machines.blocks[b].counts]


def load_combination(
    path: Path, model: MultimodalModel, experiment: Experiment, schema: Schema,
    device: torch.device,
) -> Combination | None:
    """Read what a run weighs its answers with; None for a run that answers with the fusion.

    Raises:
        UserError: The file is damaged, or of another model or version.
    """
    from safetensors import safe_open

    if not path.is_file():
        return None
    with reading(path, "Train the run again."):
        check_header(path)
        with safe_open(path, "pt") as file:
            layout = json.loads((file.metadata() or {})[LAYOUT])
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        if layout["format"] != FORMAT:
            raise ValueError("it was written by another version")
        wrong = next((n for n, t in tensors.items()
                      if t.is_floating_point() and bool(t.isnan().any())), None)
        if wrong is not None:
            raise ValueError(f"'{wrong}' holds values that are not numbers")
        found = _combination(layout, tensors, model, experiment, schema)
        _try(found, model)
        return found.to(device).eval()


def _try(combination: Combination, model: MultimodalModel) -> None:
    """Have it answer where nothing is there: numbers of wrong sizes show here."""
    count = len(model.names)
    if combination.subsets.shape[1:] != (count,):
        raise ValueError(f"it is of {combination.subsets.shape[1]} inputs")
    nothing = torch.zeros(1, count, dtype=torch.bool)
    for name, task in model.tasks.items():
        usual = combination.usual_of(name)
        if tuple(usual.shape) != (task.outputs,):
            raise ValueError(f"'{name}' has {len(usual)} outputs in it")
        combination.weights_of(name, nothing)
    if combination.machines is not None:
        answers = combination.machines.answers(torch.zeros(1, combination.machines.width))
        if {n: a.shape[2] for n, a in answers.items()} != {
                n: t.outputs for n, t in model.tasks.items()}:
            raise ValueError("its machines are of other targets")


def _combination(
    layout: dict[str, Any], tensors: dict[str, torch.Tensor], model: MultimodalModel,
    experiment: Experiment, schema: Schema,
) -> Combination:
    heads = machines = None
    if layout["heads"]:
        heads = InputHeads(experiment, schema, [e.width for e in model.encoders])  # type: ignore[misc]
        heads.load_state_dict(_below("heads.", tensors))
    if layout["machines"] is not None:
        own = {n: t.float() if t.is_floating_point() else t
               for n, t in _below("machines.", tensors).items()}
        machines = KernelMachines.of_layout(layout["machines"], own)
    contestants = [Contestant(c["kind"], tuple(c["inputs"]), c["name"])
                   for c in layout["contestants"]]
    targets = layout["targets"]
    if targets != model.task_names:
        raise ValueError("it is of other targets")
    return Combination(
        machines, heads, describers_for(model, schema), contestants, tensors["subsets"],
        {n: tensors[f"weights{t}"] for t, n in enumerate(targets)},
        {n: tensors[f"usual{t}"] for t, n in enumerate(targets)})


def _below(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
