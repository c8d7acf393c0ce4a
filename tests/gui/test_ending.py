"""A signal ends the open window as closing it does, with what is being trained kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mmstudio.jobs_queue.folder import JobsQueue
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.run_list import list_runs
from tests.small_project import small_experiment

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="signals are sent another way there")

PROGRAM = """
import sys
from mmstudio.gui import app, main_window
from mmstudio.gui.state.session import Session

Window = main_window.MainWindow
wanted = sys.argv[2:]


def say(what):
    print(what, flush=True)


class Watched(Window):
    def __init__(self, session):
        super().__init__(session)
        opened = []

        def go_on(_=None):
            opened.append(1)
            if len(opened) == 2:
                if "queue" in wanted:
                    session.queue.listed.connect(see)
                    session.queue.start()
                elif "train" in wanted:
                    session.project.edit("training.epochs", 10_000)
                    session.project.edit("training.patience", 1000)
                    session.training.start()
                else:
                    say("idle")

        def see(listing):
            if any(share for share in listing.shares.values()) and not said:
                said.append(1)
                say("training")

        session.project.changed.connect(go_on)
        session.libraries.components_ready.connect(go_on)
        said = []

        def step(_):
            if session.runs.history is not None and session.runs.history.epochs and not said:
                said.append(1)
                if "ask" in wanted:
                    self.close()
                say("training")

        session.training.events.connect(step)
        session.training.failed.connect(lambda *words: say(words))


main_window.MainWindow = Watched
sys.argv[1:] = sys.argv[1:2]
from mmstudio.cli import main
main()
"""


@contextmanager
def window(project: Path, *wanted: str) -> Iterator[subprocess.Popen[str]]:
    """The app in a process of its own, that has told that it is where it is wanted."""
    root = str(Path(__file__).resolve().parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(project), *wanted], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": root, "OMP_NUM_THREADS": "1",
                          "QT_QPA_PLATFORM": "offscreen"})
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == ("training" if wanted else "idle")
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("which", "wanted"), [
    ("SIGTERM", ("train",)), ("SIGHUP", ("train",)), ("SIGINT", ("train", "ask"))])  # fmt: skip
def test_a_signal_while_it_trains_keeps_the_run(
    small_project: Path, which: str, wanted: tuple[str, ...]
) -> None:
    with window(small_project, *wanted) as process:
        process.send_signal(getattr(signal, which))
        if which == "SIGHUP":  # the shell and the system both tell of a closed terminal
            process.send_signal(signal.SIGHUP)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    [run] = list_runs(small_project)
    folder = RunFolder(run.path)
    assert run.status == "stopped"
    assert folder.path.joinpath("best.safetensors").is_file()
    assert folder.path.joinpath("state.pt").is_file()
    assert not list(folder.path.glob("*.new"))
    history = folder.history()
    assert history.finished is not None and history.finished.reason == "stopped"


def test_a_signal_to_an_idle_window_ends_it(small_project: Path) -> None:
    """Nothing moves the mouse: the signal itself wakes Qt's loop."""
    with window(small_project) as process:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors


def test_a_signal_while_the_queue_runs_keeps_the_run_and_its_place(small_project: Path) -> None:
    queue = JobsQueue(small_project)
    for name in ("first", "second"):
        queue.add("train", small_experiment({
            "training.epochs": 10_000, "training.patience": 1000, "training.threads": 1}), name)
    with window(small_project, "queue") as process:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert [(job.name, job.state) for job in queue.jobs()] == [
        ("first", "waiting"), ("second", "waiting")]
    [run] = list_runs(small_project)
    assert (run.name, run.status) == ("first", "stopped")
    assert run.path.joinpath("state.pt").is_file()


def test_a_second_signal_ends_it_at_once(small_project: Path) -> None:
    with window(small_project, "train") as process:
        process.send_signal(signal.SIGSTOP)  # both are there when it goes on
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGCONT)
        process.communicate(timeout=30)
    assert process.returncode in (-signal.SIGTERM, -signal.SIGINT)
    [run] = list_runs(small_project)
    assert run.path.joinpath("best.safetensors").is_file()
