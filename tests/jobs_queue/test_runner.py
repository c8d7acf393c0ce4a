"""Working a queue off: in order, whatever becomes of a job, and after a kill."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mmstudio.jobs_queue.folder import JobsQueue
from mmstudio.jobs_queue.job import Job
from mmstudio.jobs_queue.runner import work_off
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.run_list import list_runs
from tests.small_project import small_experiment

ROOT = Path(__file__).resolve().parents[2]
MARKED = "from pathlib import Path; Path({!r}).write_text('ran')\n"
TINY = {"training.epochs": 1, "training.threads": 1, "inputs.image.use": False,
        "inputs.sound.use": False}
START = [sys.executable, "-m", "mmstudio", "queue", "start", "--json"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
Command = Callable[[JobsQueue, Job], list[str]]


def filled(project: Path, count: int = 3) -> JobsQueue:
    queue = JobsQueue(project)
    for number in range(1, count + 1):
        queue.add("train", small_experiment(TINY), f"run{number}")
    return queue


def doing(**code: str) -> Command:
    """Have jobs do this by their names; the others nothing."""
    return lambda queue, job: [sys.executable, "-S", "-c", code.get(job.name, "")]


def started(project: Path) -> subprocess.Popen[str]:
    """The command that works the queue off."""
    return subprocess.Popen(START, cwd=project, env=ENVIRONMENT, stdout=subprocess.PIPE,
                            text=True, start_new_session=True)


def killed(process: subprocess.Popen[str]) -> None:
    """End it and its job with SIGKILL."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True,
                            check=True).stdout.split()
    jobs = [int(pid) for pid, parent in zip(listed[::2], listed[1::2], strict=True)
            if int(parent) == process.pid]
    for pid in (process.pid, *jobs):
        with contextlib.suppress(ProcessLookupError):
            if pid != process.pid or process.poll() is None:
                os.kill(pid, signal.SIGKILL)
    process.communicate()


def states(queue: JobsQueue) -> list[str]:
    return [job.state for job in queue.jobs()]


def test_a_job_that_fails_or_crashes_does_not_end_the_queue(project: Path) -> None:
    queue = filled(project)
    command = doing(run1="import sys; sys.exit('It is wrong.\\nMend it.')",
                    run2="import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    events = [(e.event, e.job.job) for e in work_off(queue, command=command)]
    assert events == [(f"job_{what}", n) for n in (1, 2, 3) for what in ("started", "ended")]
    assert states(queue) == ["failed", "failed", "done"]
    first, second, third = queue.jobs()
    assert (first.message, first.hint) == ("It is wrong.", "Mend it.")
    assert "ended with -9" in second.message
    assert third.ended
    queue.release(1)
    assert [e.job.job for e in work_off(queue, command=doing())] == [1, 1]
    assert states(queue) == ["done", "failed", "done"]


def test_held_jobs_wait_and_what_is_added_meanwhile_is_done(project: Path) -> None:
    queue = filled(project, 2)
    queue.hold(1)
    for event in work_off(queue, command=doing()):
        if event.event == "job_started" and event.job.job == 2:
            queue.add("train", small_experiment(), "late")
    assert [(j.name, j.state) for j in queue.jobs()] == [
        ("run1", "held"), ("run2", "done"), ("late", "done")]


LONG = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(130)); signal.pause()"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
@pytest.mark.parametrize("code", [LONG, "import signal; signal.pause()"])
def test_a_job_that_is_stopped_ends_and_the_next_one_follows(project: Path, code: str) -> None:
    queue = filled(project, 2)
    for event in work_off(queue, command=doing(run1=code)):
        if event.event == "job_started" and event.job.job == 1:
            JobsQueue(project).stop(1)
    assert states(queue) == ["stopped", "done"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
def test_a_queue_that_is_stopped_has_its_job_wait_again(project: Path) -> None:
    queue = filled(project, 2)
    started: list[int] = []
    for event in work_off(queue, lambda: bool(started), doing(run1=LONG)):
        if event.event == "job_started":
            started.append(event.job.job)
    assert started == [1]
    assert states(queue) == ["waiting", "waiting"]


def test_a_wish_to_stop_that_a_killed_worker_has_left_holds(project: Path) -> None:
    queue = filled(project, 2)
    queue.changed(1, state="running", wish="stop")
    assert [e.job.job for e in work_off(queue, command=doing())] == [2, 2]
    assert states(queue) == ["stopped", "done"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
def test_ctrl_c_in_a_terminal_reaches_a_job_once(project: Path) -> None:
    queue = filled(project, 1)
    group = "import os, sys; sys.exit(str(os.getpgrp()))"
    list(work_off(queue, command=doing(run1=group)))
    assert int(queue.job(1).message) != os.getpgrp()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
def test_ctrl_c_ends_the_training_under_way_in_order(project: Path) -> None:
    queue = JobsQueue(project)
    queue.add("train", small_experiment(TINY | {"training.epochs": 4000}), "run1")
    process = started(project)
    run = RunFolder(project / "runs" / "run1")
    try:
        while not (run.log.is_file() and run.history().epochs):
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.2)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 130
    finally:
        killed(process)
    assert states(queue) == ["waiting"]
    finished = run.history().finished
    assert finished is not None
    assert finished.reason == "stopped"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
def test_of_five_jobs_killed_in_the_third_all_end_after_the_next_start(project: Path) -> None:
    queue = filled(project, 5)
    queue.changed(3, state="waiting")
    (queue.path / "3.toml").write_text(
        (queue.path / "3.toml").read_text().replace("epochs = 1", "epochs = 40"))
    process = started(project)
    third = RunFolder(project / "runs" / "run3")
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] == "job_started" and json.loads(line)["job"] == 3:
                break
        while not (third.log.is_file() and third.history().epochs):
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.2)
    finally:
        killed(process)
    assert states(queue) == ["done", "done", "running", "waiting", "waiting"]
    done = subprocess.run(START, cwd=project, env=ENVIRONMENT, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    assert states(queue) == ["done"] * 5
    assert [json.loads(line)["job"] for line in done.stdout.splitlines()] == [3, 3, 4, 4, 5, 5]
    assert {r.name: r.status for r in list_runs(project)} == {
        f"run{n}": "completed" for n in range(1, 6)}
    assert third.history().epochs == list(range(1, 41))
    assert third.history().started.first_epoch > 1  # type: ignore[union-attr]


def test_code_in_the_projects_folder_is_not_run(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONPATH", "")  # an empty place is the folder that Python starts in
    marker = tmp_path / "marker"
    (project / "mmstudio").mkdir()
    for name in ("random.py", "mmstudio/__init__.py", "mmstudio/__main__.py"):
        (project / name).write_text(MARKED.format(str(marker)))
    queue = filled(project, 1)
    assert [e.job.state for e in work_off(queue)] == ["running", "done"], queue.job(1).message
    assert not marker.exists()
    assert RunFolder(project / "runs" / "run1").history().epochs == [1]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_log_that_is_a_link_is_not_written_and_the_next_job_follows(
    project: Path, tmp_path: Path,
) -> None:
    queue = filled(project, 2)
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    queue.log(queue.job(1)).symlink_to(mine)
    list(work_off(queue, command=doing(run1="print('theirs')")))
    assert mine.read_text() == "mine"
    assert states(queue) == ["failed", "done"]
    assert "1.log is a link" in queue.job(1).message
