"""Which device to train on, in which number format, and how the process treats its memory."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import sys
from typing import TYPE_CHECKING

from mmstudio.errors import UserError

if TYPE_CHECKING:
    import torch

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_KEPT_BYTES = 512 * 2**20


def prepare_process() -> None:
    """Set what must be set before torch is loaded: how threads wait, how memory is kept.

    OpenMP's threads wait for each other in a busy loop, by default for so long that, as soon as
    another program or the app's own window takes a core, they burn the time that the others need:
    with a busy neighbour on 2 cores a training step took four times as long. A thirtieth of that
    wait keeps nearly all of the speed where the machine is idle.

    glibc's allocator returns blocks of a training step to the system by default, and fetches them
    again page by page in the next one, which costs a CPU run a tenth of its time or more. It
    keeps them instead. Where the C library is another one this part does nothing.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
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
    """The number format of the layers; ``auto`` is bfloat16 on CUDA devices made for it.

    Raises:
        UserError: The device can't train in the wanted format.
    """
    import torch

    if wanted == "auto":
        fast = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
        return torch.bfloat16 if fast else torch.float32
    if wanted != "float32" and device.type != "cuda":
        raise UserError(f"training.precision = '{wanted}' does not train on {device.type}.",
                        "Set precision = \"auto\".")
    dtype: torch.dtype = getattr(torch, wanted)
    return dtype


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
