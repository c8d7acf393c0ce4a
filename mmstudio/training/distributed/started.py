"""What torchrun tells a process that it starts; asked before PyTorch is loaded."""

from __future__ import annotations

import os


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
