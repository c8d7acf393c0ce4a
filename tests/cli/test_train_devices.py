"""``mmstudio train`` on several devices: the commands of the README, and a process that dies."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mmstudio.cli import shared_training
from mmstudio.training.distributed import launch as launching
from mmstudio.training.events import Started
from tests.small_project import write_small_project

ROOT = Path(__file__).resolve().parents[2]
TORCHRUN = "torchrun --nproc-per-node=4 --max-restarts=3 -m -- mmstudio train experiment.toml"
LAUNCHER = "mmstudio train experiment.toml --devices 4"
LONGEST_S = 120


def started(words: list[str], folder: Path, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        words, cwd=folder, text=True, **options, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)})


def again(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """As torchrun tells a process that it starts for the second time."""
    for key, value in (("RUN_ID", name), ("RESTART_COUNT", "1"), ("MAX_RESTARTS", "3")):
        monkeypatch.setenv(f"TORCHELASTIC_{key}", value)


@pytest.mark.parametrize("name", ["none", "job-17"])
def test_a_new_start_goes_on_with_the_run_that_the_same_torchrun_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    experiment = write_small_project(tmp_path / "project") / "experiment.toml"
    run = experiment.parent / "runs" / "first"
    again(monkeypatch, name)
    assert shared_training._chosen(experiment, "first", False) == ("first", False)
    run.mkdir(parents=True)
    shutil.copyfile(experiment, run / "experiment.toml")
    # somebody else's, or an older one
    assert shared_training._chosen(experiment, "first", False) == ("first", False)
    (run / shared_training.JOB).write_text("job-16", encoding="utf-8")
    assert shared_training._chosen(experiment, "first", False) == ("first", False)
    begins = iter([Started("first", "cpu", "float32", 1, 1, 1, 1, {}, [], {})])
    assert len(list(shared_training._noted(begins, run))) == 1
    assert shared_training._chosen(experiment, "first", False) == ("first", True)


def test_a_run_that_goes_on_takes_its_own_device(tmp_path: Path) -> None:
    experiment = write_small_project(tmp_path / "project") / "experiment.toml"
    text = experiment.read_text(encoding="utf-8").replace("{", "{{").replace("}", "}}")
    text = re.sub(r'^device = .*$', "{}", text, flags=re.MULTILINE)
    assert "\n{}\n" in text
    run = experiment.parent / "runs" / "first"
    run.mkdir(parents=True)
    (run / "experiment.toml").write_text(text.format('device = "cpu"'), encoding="utf-8")
    experiment.write_text(text.format('device = "cuda"'), encoding="utf-8")
    assert shared_training._device(experiment, "first", "", [], True) == "cpu"
    assert shared_training._device(experiment, "first", "auto", [], True) == "auto"
    assert shared_training._device(experiment, "first", "", [], False) == "cuda"


def test_two_launchers_take_no_port_from_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch.distributed import run

    asked = []
    monkeypatch.setattr(run, "run", asked.append)
    monkeypatch.setattr(launching, "_pass_on", lambda name: None)
    monkeypatch.setenv("TORCH_CPP_LOG_LEVEL", "ERROR")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert launching.launch(["train", "--run", "a"], 2) == 0
    assert asked[0].standalone and asked[0].nproc_per_node == "2"
    assert asked[0].training_script_args == ["-m", "mmstudio", "train", "--run", "a"]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="there is no such signal")
def test_a_wish_to_stop_after_the_epoch_reaches_all_processes(tmp_path: Path) -> None:
    project = write_small_project(tmp_path / "project")
    words = [sys.executable, "-m", *LAUNCHER.replace(" 4", " 2").split(), "--json", "--run", "a",
             "--set", "training.epochs=5000", "--set", "training.patience=5000"]
    with started(words, project) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if json.loads(line)["event"] == "step_done":
                break
        run.send_signal(signal.SIGUSR1)
        try:
            out, said = run.communicate(timeout=30)
        finally:
            run.terminate()
    assert run.returncode == 0, said
    last = json.loads(out.splitlines()[-1])
    assert (last["event"], last["reason"]) == ("run_finished", "stopped")
    assert said.count("Stopping after this epoch.") == 1 and "--run a --resume" in said


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
