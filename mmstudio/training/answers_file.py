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
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.training.combine import describers_for
from mmstudio.training.model import MultimodalModel

LAYOUT, FORMAT = "layout", 1


def save_combination(combination: Combination, path: Path) -> None:
    """Write all that ``load_combination`` needs."""
    from safetensors.torch import save_file

    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    beside.touch()
    mode = beside.stat().st_mode
    tensors = {n: t.detach().cpu().contiguous() for n, t in combination.state_dict().items()}
    layout = combination.layout() | {"format": FORMAT}
    save_file(tensors, beside, {LAYOUT: json.dumps(layout, ensure_ascii=False)})
    beside.chmod(mode)  # safetensors lets nobody but the owner read it
    beside.replace(path)


def load_combination(
    path: Path, model: MultimodalModel, experiment: Experiment, schema: Schema,
    device: torch.device,
) -> Combination | None:
    """Read what a run weighs its answers with; None for a run that answers with the fusion.

    Raises:
        UserError: The file is damaged, or of another model or version.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt", device=str(device)) as file:
            layout = json.loads((file.metadata() or {})[LAYOUT])
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        if layout["format"] != FORMAT:
            raise ValueError("another version")
        found = _combination(layout, tensors, model, experiment, schema)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError,
            AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path} can't be read: {reason}", "Train the run again.") from None
    return found.to(device).eval()


def _combination(
    layout: dict[str, Any], tensors: dict[str, torch.Tensor], model: MultimodalModel,
    experiment: Experiment, schema: Schema,
) -> Combination:
    heads = machines = None
    if layout["heads"]:
        heads = InputHeads(experiment, schema, [e.width for e in model.encoders])  # type: ignore[misc]
        heads.load_state_dict(_below("heads.", tensors))
    if layout["machines"] is not None:
        machines = KernelMachines.of_layout(layout["machines"], _below("machines.", tensors))
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
