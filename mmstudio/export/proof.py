"""The self-test in a process of its own, where what the model must not need can't be imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmstudio.errors import UserError

MOST_S = 1800.0
LOOK_S = 0.2
REFUSED = ("torch", "mmstudio", "transformers", "safetensors")
PROGRAM = """\
import runpy, sys

class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {refused!r}:
            raise ImportError(name + " is not there for this test")

sys.meta_path.insert(0, Refused())
sys.path.insert(0, {folder!r})
sys.argv = ["predict.py", "--selftest", "--json"]
runpy.run_path({file!r}, run_name="__main__")
"""


def proven(
    folder: Path, program: str = "predict.py", refused: Sequence[str] = REFUSED
) -> Iterator[dict[str, Any] | None]:
    """Run the exported folder's own self-test.

    Args:
        folder: The exported one.
        program: Its program in there.
        refused: Packages that can't be imported.

    Yields:
        None while it runs; last what ``predict.py --selftest --json`` told.

    Raises:
        UserError: It ran into an error; says which.
    """
    code = PROGRAM.format(file=str(folder / program), folder=str(folder),
                          refused=tuple(refused))
    # neither the folder one stands in nor PYTHONPATH lends it anything; what the user installed
    # for himself does, which -I would leave out
    asked = [sys.executable, "-E", "-P", "-X", "utf8", "-B", "-c", code]
    process = subprocess.Popen(
        asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        encoding="utf-8", errors="replace", env=os.environ | {"PYTHONIOENCODING": "utf-8"})
    try:
        waited = 0.0
        while True:
            try:
                out, errors = process.communicate(timeout=LOOK_S)
                break
            except subprocess.TimeoutExpired:
                waited += LOOK_S
                if waited > MOST_S:
                    raise UserError("The self-test of the exported model takes too long.",
                                    "Report it with the run's experiment.toml.") from None
                yield None
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    try:
        found = json.loads(out.strip().splitlines()[-1])
        found["largest"] = float(found["largest"])
    except (IndexError, ValueError, KeyError, TypeError):
        lines = errors.strip().splitlines() or [f"it ended with {process.returncode}"]
        raise UserError(f"The exported model can't answer without the app: {lines[-1][:500]}",
                        "Nothing was exported.") from None
    yield found
