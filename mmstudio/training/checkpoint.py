"""Weights and training state on disk, always written beside and renamed."""

from __future__ import annotations

import errno
import os
import shutil
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mmstudio.errors import UserError
from mmstudio.reading import opened, reading
from mmstudio.safe_files import written_whole
from mmstudio.shapes import fitted_to
from mmstudio.training.device import is_out_of_memory

MOST_WEIGHT_BYTES = 1 << 40
MOST_HEADER_BYTES = 1 << 24
"""A name, a kind and a size per tensor: room for a hundred thousand."""
MOST_PICKLE_BYTES = 1 << 26
FULL_BYTES = 1 << 16
"""A disk with less room counts as full."""
FRACTIONS = ("F64", "F32", "F16", "BF16")
WHOLE = {torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
         torch.uint8: "U8", torch.bool: "BOOL"}


def checkpoint_state(model: nn.Module) -> dict[str, torch.Tensor]:
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
    save_tensors(checkpoint_state(model), path)


def save_tensors(tensors: dict[str, torch.Tensor], path: Path) -> None:
    """Write what ``checkpoint_state`` gave."""
    from safetensors.torch import save_file

    tensors = {n: t.detach().cpu().contiguous() for n, t in tensors.items()}
    with writing_tensors(path) as beside:
        save_file(tensors, beside)


def load_tensors(path: Path) -> dict[str, torch.Tensor]:
    """What ``save_tensors`` wrote. Raises whatever reading a damaged file raises."""
    from safetensors.torch import load_file

    check_header(path)
    return dict(load_file(path))


@contextmanager
def writing_tensors(path: Path) -> Iterator[Path]:
    """``written_whole``, with OSError for what the libraries raise where a disk is full.

    Raises:
        OSError: It can't be written.
    """
    from safetensors import SafetensorError

    with written_whole(path) as beside:
        try:
            yield beside
        except (RuntimeError, SafetensorError) as error:
            if is_out_of_memory(error):
                raise
            raise _as_os_error(error, beside) from error


def _as_os_error(error: Exception, path: Path) -> OSError:
    """What the system said, where it is known: the libraries tell it in words, or not at all."""
    said = str(error).splitlines()[0]
    # the file is still there, as far as it came: the disk is as full as it was
    if "No space left" in said or shutil.disk_usage(path.parent).free < FULL_BYTES:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    return OSError(f"{path.name}: {said}")


def load_weights(
    model: nn.Module, path: Path, device: torch.device, *, in_place: bool = False
) -> None:
    """Read weights that ``save_weights`` wrote; they take the place of the model's own.

    The model may be on the device ``meta``, without weights but those that are fixed. With
    ``in_place`` its own tensors get the values: an optimiser goes on with them.

    Raises:
        UserError: The file is missing, damaged, or of another model.
    """
    from safetensors.torch import load_file

    if not path.exists():
        raise UserError(f"{path} is missing: this run holds no model.", "Train it again.")
    wanted = {n: t for n, t in model.state_dict().items()
              if n not in getattr(model, "fixed", frozenset())}
    with reading(path, "Train the run again."):
        fits = same_tensors(path, wanted, getattr(model, "fixed", frozenset()))
    if not fits:
        raise UserError(f"{path} holds the weights of another model.",
                        "The run was trained by another version; train it again.")
    with reading(path, "Train the run again."):
        state = load_file(path, device=str(device))
        wrong = next((n for n, t in state.items()
                      if t.is_floating_point() and bool(t.isnan().any())), None)
        if wrong is not None:
            raise ValueError(f"'{wrong}' holds values that are not numbers")
        _load(model, {n: t.to(wanted[n].dtype) if n in wanted else t for n, t in state.items()},
              assign=not in_place)


def check_header(path: Path) -> None:
    """Look at the size of a file of tensors and of its header, before anything is read.

    Raises:
        OSError, ValueError: It is not a file of tensors, or its header is too long.
    """
    with opened(path, MOST_WEIGHT_BYTES) as file:
        header = int.from_bytes(file.read(8), "little")
        if header > MOST_HEADER_BYTES:
            raise ValueError(f"its header says that it has {header:,} bytes")


def same_tensors(
    path: Path, wanted: Mapping[str, torch.Tensor], also: Collection[str] = ()
) -> bool:
    """Whether a file of weights holds just these tensors, by its header alone.

    Args:
        path: A file of safetensors.
        wanted: Tensors of these names, sizes and kinds; they may be without values. Numbers with a
            fraction may be of another precision.
        also: Names that may be there as well.

    Raises:
        OSError, ValueError, SafetensorError: It is not such a file, or its header is too long.
    """
    from safetensors import safe_open

    check_header(path)
    with safe_open(path, framework="pt") as tensors:
        if set(tensors.keys()) - set(also) != set(wanted):
            return False
        for name, tensor in wanted.items():
            there = tensors.get_slice(name)
            kind = there.get_dtype()
            alike = (kind in FRACTIONS if tensor.is_floating_point()
                     else kind == WHOLE.get(tensor.dtype))
            if list(there.get_shape()) != list(tensor.shape) or not alike:
                return False
    return True


def save_state(
    path: Path, model: nn.Module, optimiser: torch.optim.Optimizer, schedule: Any, scaler: Any,
    counts: dict[str, Any], parts: Mapping[str, Any],
) -> None:
    """Write what training needs to go on exactly as if never stopped, the model's weights included.

    Published weights that training does not change stay out: the model has them already. Were the
    weights read from another file, a kill between the two would leave them some steps apart.

    Args:
        path: Of the file.
        model: That is trained.
        optimiser: Of its parameters.
        schedule: Of the learning rate.
        scaler: Of the loss.
        counts: Plain data.
        parts: By name what else there is; None where there is none.

    Raises:
        OSError: It can't be written.
    """
    state = {
        "model": checkpoint_state(model),
        "optimiser": optimiser.state_dict(),
        "schedule": {"last_epoch": schedule.last_epoch},
        "scaler": scaler.state_dict(),
        **random_state(),
        "counts": counts,
        **parts,
    }
    with writing_tensors(path) as beside, _without_checksums():
        torch.save(state, beside)


@contextmanager
def _without_checksums() -> Iterator[None]:
    """Have torch.save leave out what torch.load never looks at: half of the time goes into it."""
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        yield
    finally:
        torch.serialization.set_crc32_options(before)


def random_state() -> dict[str, Any]:
    """What the layers' chance goes on from."""
    return {"random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []}


def restore_random(state: Mapping[str, Any], device: torch.device) -> None:
    """Have the layers' chance go on from what ``random_state`` gave."""
    torch.set_rng_state(state["random"].cpu())
    if state["random_cuda"] and device.type == "cuda":
        here = torch.cuda.device_count()  # there may have been more
        torch.cuda.set_rng_state_all([s.cpu() for s in state["random_cuda"][:here]])


def is_finite(model: nn.Module) -> bool:
    """Whether all weights that belong to the run are numbers."""
    with torch.no_grad():
        state = checkpoint_state(model).values()
        weights = [t for t in state if t.is_floating_point() and t.numel()]
        if not weights:
            return True
        largest = torch.stack([n.float() for n in torch._foreach_norm(weights, float("inf"))])
        return bool(largest.isfinite().all())


COUNTS = {"epoch": int, "step": int, "best?": {"epoch": int, "gained": int}, "scored_on?": str,
          "log_bytes?": int, "told?": [str]}
"""Of ``load_state``; the figures of the best epoch may be infinite before the first."""


def load_state(
    path: Path, model: nn.Module, optimiser: torch.optim.Optimizer, schedule: Any, scaler: Any,
    device: torch.device,
) -> dict[str, Any]:
    """Restore what ``save_state`` wrote; returns all of it, for its other parts.

    Raises:
        UserError: The file is damaged.
    """
    with reading(path, "Train the run again, under another name."):
        size = check_archive(path)
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        _check_within(state, size)
        state["counts"] = fitted_to(state["counts"], COUNTS, "counts")
        _load(model, state["model"], assign=False)
        _load_optimiser(optimiser, state["optimiser"])
        schedule.last_epoch = state["schedule"]["last_epoch"]
        schedule._last_lr = [group["lr"] for group in optimiser.param_groups]
        scaler.load_state_dict(state["scaler"])
        restore_random(state, device)
    return state


def check_archive(path: Path) -> int:
    """Look into a file of ``torch.save`` before anything in it is read; returns its size.

    It is a ZIP archive of plain parts. Packed ones could be a thousand times as large.

    Raises:
        OSError, ValueError, BadZipFile: It is not such a file, or its parts are larger than it is.
    """
    with opened(path, MOST_WEIGHT_BYTES) as file:
        size = os.fstat(file.fileno()).st_size
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
    if any(part.compress_type != zipfile.ZIP_STORED for part in parts) or sum(
            part.file_size for part in parts) > size:
        raise ValueError("its parts are larger than the file")
    if any(part.file_size > MOST_PICKLE_BYTES for part in parts if part.filename.endswith(".pkl")):
        raise ValueError("its list of tensors is too long")
    return size


def _check_within(value: Any, size: int) -> None:
    """Refuse tensors that are larger than the file: one value can stand for as many as wanted."""
    if isinstance(value, torch.Tensor):
        if value.numel() * value.element_size() > size:
            raise ValueError("a tensor is larger than the file")
    elif isinstance(value, dict):
        for one in value.values():
            _check_within(one, size)
    elif isinstance(value, list | tuple):
        for one in value:
            _check_within(one, size)


def _load_optimiser(optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Restore an optimiser whose state fits its parameters, which torch does not look at."""
    for before, now in zip(state["param_groups"], optimiser.param_groups, strict=True):
        for name, value in now.items():
            if name != "params" and isinstance(value, int | float) != isinstance(
                    before[name], int | float):
                raise ValueError(f"'{name}' of the optimiser is not a number")
    optimiser.load_state_dict(state)
    for parameter, kept in optimiser.state.items():
        for name, value in kept.items():
            if isinstance(value, torch.Tensor) and value.dim() and value.shape != parameter.shape:
                raise ValueError(f"'{name}' of the optimiser is of another size")
