"""Starts the processes that train together, without torchrun."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
LONGEST_S = 100


@dataclass(frozen=True)
class Together:
    """What came of it: per run its events, the exit codes, and what the first one said."""

    events: dict[str, list[dict[str, Any]]]
    codes: list[int]
    said: str


def train_together(
    project: Path, size: int, jobs: dict[str, dict[str, Any]], dies_at: int = 0,
    timeout_s: float = LONGEST_S,
) -> Together:
    """Train the small project in so many processes, one run after the other."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "tests.training.distributed.worker", str(project),
             json.dumps(jobs), str(dies_at)]
    shared = {**os.environ, "OMP_NUM_THREADS": "1", "WORLD_SIZE": str(size),
              "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
              "TORCH_CPP_LOG_LEVEL": "ERROR"}
    started = [
        subprocess.Popen(words, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         env=shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in range(size)]
    try:
        said = [one.communicate(timeout=timeout_s) for one in started]
    finally:
        for one in started:
            one.kill()
            one.wait()
    lines = [json.loads(line) for line in said[0][0].splitlines()]
    return Together({run: [e for e in lines if e["of"] == run] for run in jobs},
                    [one.returncode for one in started], "".join(err for _, err in said))
