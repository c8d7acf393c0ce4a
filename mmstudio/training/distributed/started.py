"""What torchrun tells a process that it starts; asked before PyTorch is loaded."""

from __future__ import annotations

import os
import platform
from contextlib import suppress


def among_several() -> bool:
    """Whether torchrun has started this process beside others."""
    return "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


def is_quiet() -> bool:
    """Whether another of the processes is the one that speaks."""
    return among_several() and os.environ.get("RANK") != "0"


def restarts() -> tuple[int, int]:
    """How often torchrun has started the training again, and how often it may."""
    return (int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")),
            int(os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0")))


def job() -> str:
    """What names the torchrun that started this process, the same however often it does so again.

    Its own name where it was given one; else all have the same, and its process tells them apart.
    """
    name = os.environ.get("TORCHELASTIC_RUN_ID", "none")
    if name != "none":
        return name
    parent = os.getppid()
    began = ""
    with suppress(OSError, IndexError):  # only Linux says when a process began
        with open(f"/proc/{parent}/stat", encoding="utf-8", errors="replace") as file:
            # the name before it may hold anything, so that it is counted from its last bracket
            began = file.read().rpartition(")")[2].split()[19]
    return f"{platform.node()} {parent} {began}"
