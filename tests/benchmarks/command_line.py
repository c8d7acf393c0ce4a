"""``mmstudio`` in a process of its own, as the benchmarks use it, on data that is not theirs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def command_line(*arguments: str) -> list[dict[str, Any]]:
    """Run ``mmstudio … --json`` and return what it printed."""
    done = subprocess.run([sys.executable, "-m", "mmstudio", *arguments, "--json"],
                          stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def linked_project(data: Path, place: Path, toml: str) -> Path:
    """A project on links to a folder of data, which stays as it is; its experiment file."""
    for item in data.resolve().iterdir():
        (place / item.name).symlink_to(item)
    experiment = place / "experiment.toml"
    experiment.write_text(toml, encoding="utf-8")
    return experiment
