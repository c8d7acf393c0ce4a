"""Weights and training state on disk, always written beside and renamed."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mmstudio.errors import UserError


def kept_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """The state that belongs to the run: not what is fixed, the weights as published."""
    fixed: frozenset[str] = getattr(model, "fixed", frozenset())
    return {n: t for n, t in model.state_dict().items() if n not in fixed}


def _load(model: nn.Module, state: dict[str, torch.Tensor], *, assign: bool) -> None:
    """Take over a state that may lack what is fixed, and nothing else.

    Raises:
        RuntimeError: It is of another model.
    """
    fixed: frozenset[str] = getattr(model, "fixed", frozenset())
    found = model.load_state_dict(state, strict=False, assign=assign)
    missing = sorted(set(found.missing_keys) - fixed)
    if missing or found.unexpected_keys:
        raise RuntimeError(f"missing: {missing[:3]}; not known: {found.unexpected_keys[:3]}")


def save_weights(model: nn.Module, path: Path) -> None:
    """Write the weights as safetensors; published ones that training did not change stay out."""
    from safetensors.torch import save_file

    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    beside.touch()
    mode = beside.stat().st_mode
    save_file({n: t.detach().cpu().contiguous() for n, t in kept_state(model).items()}, beside)
    beside.chmod(mode)  # safetensors lets nobody but the owner read it
    beside.replace(path)


def load_weights(
    model: nn.Module, path: Path, device: torch.device, *, in_place: bool = False
) -> None:
    """Read weights that ``save_weights`` wrote; they take the place of the model's own.

    The model may be on the device ``meta``, without weights but those that are fixed.
    ``in_place`` copies them into the model's own tensors, which an optimiser goes on changing.

    Raises:
        UserError: The file is missing, damaged, or of another model.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        _load(model, load_file(path, device=str(device)), assign=not in_place)
    except FileNotFoundError:
        raise UserError(f"{path} is missing: this run holds no model.",
                        "Train it again.") from None
    except RuntimeError:
        raise UserError(f"{path} holds the weights of another model.",
                        "The run was trained by another version; train it again.") from None
    except (SafetensorError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path} can't be read: {reason}", "Train the run again.") from None


def save_state(
    path: Path, model: nn.Module, optimiser: torch.optim.Optimizer, schedule: Any, scaler: Any,
    counts: dict[str, Any], watch: dict[str, Any] | None = None,
    average: dict[str, Any] | None = None,
) -> None:
    """Write what training needs to go on exactly as if never stopped, weights included.

    Published weights that training does not change stay out: the model has them already.
    Were the weights read from another file, a kill between the two would leave them one epoch
    apart. ``watch`` is the state of what watches the inputs, where they are watched; ``average``
    that of the mean of the weights.
    """
    beside = path.with_name(f"{path.name}.new")
    torch.save({
        "model": kept_state(model),
        "optimiser": optimiser.state_dict(),
        "schedule": {"last_epoch": schedule.last_epoch},
        "scaler": scaler.state_dict(),
        "random": torch.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "counts": counts,
        "watch": watch,
        "average": average,
    }, beside)
    beside.replace(path)


def load_state(
    path: Path, model: nn.Module, optimiser: torch.optim.Optimizer, schedule: Any, scaler: Any,
    device: torch.device, watch: Any = None, average: Any = None,
) -> dict[str, Any]:
    """Restore what ``save_state`` wrote; returns the counts.

    ``watch`` watches the inputs, ``average`` follows the weights; a run from before there were
    such begins them anew.

    Raises:
        UserError: The file is damaged.
    """
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        _load(model, state["model"], assign=False)
        optimiser.load_state_dict(state["optimiser"])
        schedule.last_epoch = state["schedule"]["last_epoch"]
        schedule._last_lr = [group["lr"] for group in optimiser.param_groups]
        scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(state["random"].cpu())
        if state["random_cuda"] and device.type == "cuda":
            torch.cuda.set_rng_state_all([s.cpu() for s in state["random_cuda"]])
        if watch is not None and state.get("watch") is not None:
            watch.load_state_dict(state["watch"])
        if average is not None and state.get("average") is not None:
            average.load_state_dict(state["average"])
        counts: dict[str, Any] = state["counts"]
        return counts
    except (OSError, RuntimeError, KeyError, ValueError, EOFError,
            pickle.UnpicklingError) as error:
        raise UserError(f"{path} can't be read: {error}", "Train the run again.") from None
