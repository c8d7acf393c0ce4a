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

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8
_KEPT_BYTES = 512 * 2**20


def prepare_process() -> None:
    """Have the C library keep the memory that a training step frees, for the next step.

    glibc's allocator returns such blocks to the system by default, and fetches them again page by
    page, which costs a CPU run a tenth of its time or more. What threads other than the first
    allocate, such as those that the app trains in, it keeps in heaps of their own, which are
    given back whatever is set here: so all share one. To be called before threads are begun.

    Where the C library is another one this does nothing.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(_MMAP_THRESHOLD, _KEPT_BYTES)
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_TOP_PAD, 16 * 2**20)
        mallopt(_ARENA_MAX, 1)


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
        raise UserError(f"training.device = '{wanted}' is not a known device.",
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
    """The number format of the layers in training; ``auto`` is one that is safe and fast.

    That is bfloat16 on CUDA devices from Ampere on, else float32. On a CPU, training measures
    whether bfloat16 is the faster, where there are instructions for it: see ``cpu_formats``. What
    recurrent layers do step by step stays in float32 on the CPU, which has no bfloat16 kernel for
    it.

    Raises:
        UserError: The device can't train in the wanted format.
    """
    import torch

    if wanted == "auto":
        fast = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
        return torch.bfloat16 if fast else torch.float32
    if device.type != "cuda" and wanted != "float32" and (wanted, device.type) != (
        "bfloat16", "cpu"
    ):
        raise UserError(f"training.precision = '{wanted}' does not train on {device.type}.",
                        "Set precision = \"auto\".")
    dtype: torch.dtype = getattr(torch, wanted)
    return dtype


def cpu_formats() -> list[str]:
    """The number formats that may be fast on this CPU, the safest first."""
    import torch

    # not public, so they may go: then the CPU counts as one without
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    fast = any(getattr(torch.cpu, name, bool)() for name in names)
    return ["float32", "bfloat16"] if fast else ["float32"]


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


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device's or the computer's memory did not hold what was asked for."""
    import torch

    if isinstance(error, torch.OutOfMemoryError):
        return True
    said = str(error)
    return isinstance(error, RuntimeError) and (
        "can't allocate memory" in said or "out of memory" in said)


_LOST = ("CUDA error", "CUDA driver error", "HIP error", "cuBLAS error", "cuDNN error",
         "CUBLAS_STATUS", "CUDNN_STATUS", "NVML", "MPS backend", "device lost", "Device lost")
"""How the errors of a device begin that no longer works: unplugged, reset, broken, asleep."""


def is_lost(error: BaseException, device: torch.device) -> bool:
    """Whether a device other than the CPU stopped working; not for want of memory."""
    if device.type == "cpu" or not isinstance(error, RuntimeError) or is_out_of_memory(error):
        return False
    import torch

    lost = getattr(torch, "AcceleratorError", None)
    return (lost is not None and isinstance(error, lost)) or any(
        sign in str(error) for sign in _LOST)


def release_memory(device: torch.device) -> None:
    """Give the device's unused memory back to other programs; one that is gone has none."""
    import gc

    import torch

    gc.collect()
    try:
        if device.type == "cuda":
            torch.cuda.empty_cache()
        elif device.type == "mps":
            torch.mps.empty_cache()
    except RuntimeError as error:
        if not is_lost(error, device):
            raise


def free_bytes(device: torch.device) -> int:
    """Memory that a training may take now: of the device, or of the computer on the CPU.

    What this process holds of the device and does not use counts as free; so does, on the CPU,
    what the system can take back from its caches.
    """
    import torch

    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + int(unused)
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return _free_of_computer()


def _free_of_computer() -> int:
    """What Linux tells; elsewhere, half of the memory that is built in."""
    with contextlib.suppress(OSError, ValueError):
        with open("/proc/meminfo") as file:
            found = re.search(r"^MemAvailable:\s+(\d+) kB", file.read(), re.MULTILINE)
        if found is not None:
            return min(int(found[1]) * 1024, _free_of_container())
    if sys.platform == "win32":
        return _free_of_windows()
    import os

    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (OSError, ValueError, AttributeError):
        return 8 * 2**30


def _free_of_container() -> int:
    """What is left of a container's limit; more than any computer has where there is none."""
    with contextlib.suppress(OSError, ValueError):
        with open("/sys/fs/cgroup/memory.max") as limit, \
                open("/sys/fs/cgroup/memory.current") as used, \
                open("/sys/fs/cgroup/memory.stat") as parts:
            cached = re.search(r"^inactive_file (\d+)", parts.read(), re.MULTILINE)
            back = int(cached[1]) if cached is not None else 0
            return int(limit.read()) - int(used.read()) + back
    return 2**62


def _free_of_windows() -> int:
    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong), ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in (
                "total", "available", "page_total", "page_available", "virtual_total",
                "virtual_available", "extended")))

    status = Status(length=ctypes.sizeof(Status))
    ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined]
    return int(status.available)
