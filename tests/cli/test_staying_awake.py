"""Commands that train ask the system to stay awake, once, and let it sleep at their end."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mmstudio.awake import StayingAwake
from mmstudio.cli import staying_awake as module
from mmstudio.cli.staying_awake import staying_awake
from mmstudio.jobs_queue.folder import JobsQueue
from tests.cli.conftest import Run
from tests.small_project import small_experiment, write_small_project

TINY = ["--set", "training.epochs=1", "--set", "inputs.image.use=false",
        "--set", "inputs.sound.use=false"]


class Asked:
    """Notes what it is asked for, in place of the system."""

    def __init__(self, told: list[str]) -> None:
        self._told = told
        self.asked = threading.Event()

    def follow(self, wanted: Callable[[], bool]) -> None:
        self._told.append("stay awake" if wanted() else "sleep")
        self.asked.set()

    def release(self) -> None:
        self.follow(lambda: False)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the system was asked."""
    told: list[str] = []
    monkeypatch.setattr(module, "StayingAwake", lambda: Asked(told))
    return told


def test_a_block_that_fails_lets_the_system_sleep(
    told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    system = Asked(told)
    monkeypatch.setattr(module, "StayingAwake", lambda: system)
    with pytest.raises(KeyError), staying_awake(False):
        system.asked.wait(60)
        raise KeyError
    assert told == ["stay awake", "sleep"]
    with staying_awake(True):
        pass
    assert told == ["stay awake", "sleep"]


def test_training_and_the_queue_keep_it_awake_unless_it_may_sleep(
    told: list[str], run: Run, tmp_path: Path
) -> None:
    project = write_small_project(tmp_path / "project")
    settings = project / "experiment.toml"
    assert run("train", settings, "--run", "a", *TINY, "--json").code == 0
    assert told == ["stay awake", "sleep"]
    assert run("train", settings, "--run", "a", "--json").code == 1  # its name is taken
    assert len(told) == 4
    told.clear()
    assert run("train", settings, "--run", "b", *TINY, "--allow-sleep", "--json").code == 0
    JobsQueue(project).add("train", small_experiment(), "c")
    JobsQueue(project).hold(1)
    assert run("queue", "start", "--project", project, "--allow-sleep").code == 0
    assert told == []
    assert run("queue", "start", "--project", project).code == 0
    assert told[-1] == "sleep"


@pytest.mark.parametrize("command", [["train"], ["compare"], ["search"], ["queue", "start"]])
def test_all_that_train_can_allow_it(run: Run, command: list[str]) -> None:
    assert "--allow-sleep" in run(*command, "--help").out


@pytest.mark.parametrize("find", [list, lambda: [[sys.executable, "-c", "raise SystemExit(1)"]]])
def test_nothing_is_said_where_nothing_can_be_asked(
    find: Callable[[], list[list[str]]], run: Run, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "StayingAwake", lambda: StayingAwake(find))
    project = write_small_project(tmp_path / "project")
    done = run("queue", "start", "--project", project)
    assert (done.code, done.out, done.err) == (0, "", "")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux's own")
def test_the_systems_own_program_is_held_by_the_command(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inhibitor, marker = tmp_path / "systemd-inhibit", tmp_path / "marker"
    inhibitor.write_text(f"#!/bin/sh\necho $1 >> {marker}\ncat\necho slept >> {marker}\n")
    inhibitor.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    project = write_small_project(tmp_path / "project")
    assert run("queue", "start", "--project", project).code == 0
    assert marker.read_text() == "--what=sleep:idle\nslept\n"
