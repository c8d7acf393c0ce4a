"""Which device to train on, in which number format, and how the process treats its memory."""

from __future__ import annotations

import contextlib
import ctypes
import re
import sys
from typing import TYPE_CHECKING

from mmstudio.errors import UserError

if TYPE_CHECKING:
    import torch

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_KEPT_BYTES = 512 * 2**20


def prepare_process() -> None:
    """Have the C library keep the memory that a training step frees, for the next step.

    glibc's allocator returns such blocks to the system by default, and fetches them again page by
    page, which costs a CPU run a tenth of its time or more. Where the C library is another one
    this does nothing.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(_MMAP_THRESHOLD, _KEPT_BYTES)
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_TOP_PAD, 16 * 2**20)


def choose_device(wanted: str) -> torch.device:
    """The device that a setting names; ``auto`` is CUDA, else MPS, else the CPU.

    Raises:
        UserError: No such device here.
    """
    import torch

    if wanted == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", wanted):
        raise UserError(f"training.device = '{wanted}' is no known device.",
                        "Known: auto, cpu, cuda, cuda:1, mps.")
    device = torch.device(wanted)
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if not torch.cuda.is_available() or (device.index or 0) >= count:
            raise UserError(f"training.device = '{wanted}', but {count} CUDA device(s) are here.",
                            "Set device = \"auto\".")
        return torch.device("cuda", device.index or 0)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UserError("training.device = 'mps', but there is none here.",
                        "Set device = \"auto\".")
    return device


def choose_precision(wanted: str, device: torch.device) -> torch.dtype:
    """The number format of the layers in training; ``auto`` is bfloat16 where it is the faster.

    That is on CUDA devices from Ampere on, and on CPUs with instructions for it (AVX512-BF16,
    AMX). Recurrent layers stay in float32 on the CPU, which has no bfloat16 kernel for them.

    Raises:
        UserError: The device can't train in the wanted format.
    """
    import torch

    if wanted == "auto":
        if device.type == "cuda":
            fast = torch.cuda.get_device_capability(device) >= (8, 0)
        else:
            fast = device.type == "cpu" and _cpu_has_bfloat16()
        return torch.bfloat16 if fast else torch.float32
    if device.type != "cuda" and wanted != "float32" and (wanted, device.type) != (
        "bfloat16", "cpu"
    ):
        raise UserError(f"training.precision = '{wanted}' does not train on {device.type}.",
                        "Set precision = \"auto\".")
    dtype: torch.dtype = getattr(torch, wanted)
    return dtype


def _cpu_has_bfloat16() -> bool:
    import torch

    # not public, so they may go: then the CPU counts as one without
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in names)


def memory_bytes(device: torch.device) -> int:
    """Memory that the run holds: of the device, or of the process on the CPU."""
    import torch

    if device.type == "cuda":
        return int(torch.cuda.memory_reserved(device))
    if device.type == "mps":
        return int(torch.mps.driver_allocated_memory())
    try:
        with open("/proc/self/statm") as file:
            import resource

            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return 0


def release_memory(device: torch.device) -> None:
    """Give the device's unused memory back to other programs."""
    import gc

    import torch

    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
