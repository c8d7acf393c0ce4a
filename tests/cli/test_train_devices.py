"""``mmstudio train`` on several devices: the commands of the README, and a process that dies."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.small_project import write_small_project

ROOT = Path(__file__).resolve().parents[2]
TORCHRUN = "torchrun --nproc-per-node=4 --max-restarts=3 -m -- mmstudio train experiment.toml"
LAUNCHER = "mmstudio train experiment.toml --devices 4"
LONGEST_S = 120


def started(words: list[str], folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        words, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)})


def test_the_readme_names_the_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert TORCHRUN in text and LAUNCHER in text


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pgrep") is None, reason="the workers are found by pgrep")
def test_torchrun_starts_a_training_again_that_lost_a_process(tmp_path: Path) -> None:
    project = write_small_project(tmp_path / "project")
    words = [sys.executable, "-m", "torch.distributed.run",
             *TORCHRUN.replace("=4", "=2").replace("=3", "=1").split()[1:], "--run", "first",
             "--set", "training.epochs=6", "--json"]
    with started(words, project) as run:
        events = []
        assert run.stdout is not None
        for line in run.stdout:
            events.append(json.loads(line))
            done = [e for e in events if e["event"] == "epoch_done"]
            if events[-1]["event"] == "step_done" and len(done) == 2:
                found = subprocess.run(["pgrep", "-P", str(run.pid)], text=True, check=True,
                                       capture_output=True).stdout.split()
                os.kill(int(found[-1]), signal.SIGKILL)
                break
        out, _ = run.communicate(timeout=LONGEST_S)
    events += [json.loads(line) for line in out.splitlines()]
    assert run.returncode == 0
    begun = [e for e in events if e["event"] == "started"]
    first, again = (e["first_epoch"] for e in begun)
    assert first == 1 and again > 2  # it may have ended another epoch before the signal came
    assert events[-1]["event"] == "run_finished" and events[-1]["reason"] == "completed"
    log = (project / "runs/first/events.jsonl").read_text(encoding="utf-8").splitlines()
    told = [json.loads(line) for line in log]
    assert [e["epoch"] for e in told if e["event"] == "epoch_done"] == [1, 2, 3, 4, 5, 6]
    steps = [e["step"] for e in told if e["event"] == "step_done"]
    assert steps == list(range(1, 19))


@pytest.mark.slow
def test_the_launcher_shows_one_training_and_its_end(tmp_path: Path) -> None:
    project = write_small_project(tmp_path / "project")
    words = [sys.executable, "-m", *LAUNCHER.replace(" 4", " 2").split(), "--json"]
    with started([*words, "--set", "training.epochs=1"], project) as run:
        out, said = run.communicate(timeout=LONGEST_S)
    assert (run.returncode, said) == (0, "")
    events = [json.loads(line)["event"] for line in out.splitlines()]
    assert events.count("started") == events.count("run_finished") == 1
    assert [p.name for p in (project / "runs").iterdir()] == ["concat-image-words-sound-1"]

    with started([*words, "--set", "training.device=\"cuda:1\""], project) as run:
        out, said = run.communicate(timeout=LONGEST_S)
    assert (run.returncode, out) == (1, "")
    assert said.count("is one device, and 2 processes train") == 1 and "Traceback" not in said
