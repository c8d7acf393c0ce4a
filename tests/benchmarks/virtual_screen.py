"""A screen for the benchmarks: the one that is there, else Xvfb."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def screen(size: str = "1600x1000x24") -> Iterator[None]:
    """Have a DISPLAY; Xvfb is started and ended where there is none."""
    if not sys.platform.startswith("linux") or os.environ.get("DISPLAY"):
        yield
        return
    if shutil.which("Xvfb") is None:
        sys.exit("There is no screen. Install Xvfb: apt-get install xvfb")
    read_end, write_end = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write_end), "-screen", "0", size, "-nolisten", "tcp"],
        pass_fds=[write_end], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        number = pipe.readline().strip()
    try:
        if not number:
            sys.exit("Xvfb did not start.")
        os.environ.update(DISPLAY=f":{number}", QT_QPA_PLATFORM="xcb")
        yield
    finally:
        server.terminate()
        server.wait()
