"""Runs a piece of Python in a process of its own, and tells its peak memory and its time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MOST_MEMORY_MB = 1500
LONGEST_S = 60

PEAK = '''
def _peak_mb():
    import re, resource, sys
    try:  # a child's ru_maxrss begins at its parent's
        with open("/proc/self/status") as file:
            return int(re.search(r"VmHWM:\\s+(\\d+)", file.read())[1]) / 1024
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (2**20 if sys.platform == "darwin" else 1024)
import atexit as _atexit, sys as _sys
_atexit.register(lambda: print(f"peak {_peak_mb():.0f}", file=_sys.stderr))
'''


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    code: int
    out: str
    err: str
    peak_mb: float
    seconds: float


def run_python(
    code: str, *arguments: object, timeout_s: float = 280, env: Mapping[str, str] | None = None,
) -> Ended:
    """Run ``code`` with ``sys.argv[1:]`` as given, one thread in it."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", PEAK + code, *map(str, arguments)], capture_output=True, text=True,
        timeout=timeout_s, check=False, cwd=Path(__file__).parent.parent,
        env={**os.environ, "OMP_NUM_THREADS": "1", **(env or {})})
    lines = done.stderr.splitlines()
    peaks = [float(line.split()[1]) for line in lines if line.startswith("peak ")]
    err = "\n".join(line for line in lines if not line.startswith("peak "))
    return Ended(done.returncode, done.stdout, err, peaks[-1] if peaks else float("inf"),
                 time.monotonic() - began)
