"""Everything but the window works where Qt is not installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.small_project import write_small_project

PROGRAM = """
import sys
from importlib.abc import MetaPathFinder


class NoQt(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("PySide6", "shiboken6", "pyqtgraph", "qtawesome", "qtpy"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, NoQt())

import torch
torch.set_num_threads(1)
from mmstudio import cli


def run(*arguments):
    sys.argv = ["mmstudio", *arguments]
    try:
        cli.main()
    except SystemExit as end:
        return end.code or 0
    return 0


assert run("check", "experiment.toml", "--json") == 0
assert run("train", "experiment.toml", "--run", "a", "--set", "training.epochs=2", "--json") == 0
slow = [m for m in ("torch._dynamo", "transformers") if m in sys.modules]
assert not slow, f"seconds of imports that this training has no use for: {slow}"
assert run("evaluate", "runs/a", "--json") == 0
assert run("compare", "experiment.toml", "--fusions", "sum", "--seeds", "1", "--set",
           "training.epochs=1", "--json") == 0
assert run("predict", "runs/a", "--input", "words=round", "--json") == 0
assert run("predict", "runs/a", "--table", "metadata.csv", "--output", "out.csv") == 0
assert run("components") == 0
assert not [m for m in sys.modules if m.startswith("mmstudio.gui.")], "the window was imported"
assert run(".") == 1, "the app itself needs Qt, and must say so"
"""


def test_trains_evaluates_and_predicts_with_qt_blocked(tmp_path: Path) -> None:
    project = write_small_project(tmp_path / "p")
    root = str(Path(__file__).resolve().parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=project, text=True, capture_output=True, timeout=240,
        env=os.environ | {"PYTHONPATH": root, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    assert "can't be opened" in done.stderr
    assert "Traceback" not in done.stderr
    assert (project / "out.csv").is_file()
