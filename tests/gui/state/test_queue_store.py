"""The queue as the window has it: shared with the command line, run after the work at hand."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from mmstudio.gui.state.comparison import Choices
from mmstudio.gui.state.heavy_work import QUEUE, TRAINING
from mmstudio.gui.state.queue_store import QueueStore
from mmstudio.gui.state.session import Session
from mmstudio.jobs_queue import runner
from mmstudio.jobs_queue.folder import JobsQueue
from mmstudio.jobs_queue.job import Job
from tests.gui.conftest import PATIENCE_MS
from tests.small_project import small_experiment

Open = Callable[[Path], Session]
Does = Callable[[str], None]
LONG = ("import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(130));"
        "signal.pause()")
HOLDER = """
import sys
from pathlib import Path
from mmstudio.jobs_queue.folder import JobsQueue
with JobsQueue(Path(sys.argv[1])).working():
    print("working", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def jobs_do(monkeypatch: pytest.MonkeyPatch) -> Does:
    """Have the processes of jobs do this instead of training."""
    def do(code: str) -> None:
        def command(queue: JobsQueue, job: Job) -> list[str]:
            return [sys.executable, "-S", "-c", code]

        monkeypatch.setattr(runner, "_command", command)

    return do


def states(queue: QueueStore) -> dict[str, str]:
    return {job.name: job.state for job in queue.listing.jobs}


def wait_for(qtbot: QtBot, queue: QueueStore, **wanted: str) -> None:
    qtbot.waitUntil(lambda: states(queue) == wanted, timeout=PATIENCE_MS)


def test_what_is_added_waits_with_the_settings_that_it_was_added_with(
    qtbot: QtBot, opened: Open, small_project: Path
) -> None:
    session = opened(small_project)
    queue = session.queue
    added: list[Job] = []
    queue.added.connect(added.append)
    session.project.edit("training.epochs", 7)
    with qtbot.waitSignal(queue.added, timeout=PATIENCE_MS):
        queue.add_training()
    with qtbot.waitSignal(queue.added, timeout=PATIENCE_MS):
        queue.add_comparison(Choices(("concat", "sum"), False, 2, "size"))
    session.project.edit("training.epochs", 9)
    folder = JobsQueue(small_project)
    assert [folder.experiment(job).training.epochs for job in added] == [7, 7]
    assert added[1].options == {"fusions": ["concat", "sum"], "single": False,
                                "combination": False, "seeds": 2, "target": "size"}
    assert not queue.running and not queue.follows
    wait_for(qtbot, queue, **{added[0].name: "waiting", "comparison-1": "waiting"})


def test_jobs_run_one_after_another_and_the_machine_is_theirs(
    qtbot: QtBot, opened: Open, small_project: Path, jobs_do: Does
) -> None:
    session = opened(small_project)
    for name in ("a", "b"):
        JobsQueue(small_project).add("train", small_experiment(), name)
    jobs_do("")
    told: list[tuple[str, str]] = []
    session.queue.job_changed.connect(lambda e: told.append((e.event, e.job.name)))
    session.queue.start()
    assert session.heavy.running is QUEUE
    problems: list[tuple[str, str]] = []
    session.jobs.problem.connect(lambda *said: problems.append(said))
    session.training.start()
    assert not session.training.running
    assert problems == [("The queue is running.", "Add to it, or stop it first. The running job "
                         "then waits, and continues later.")]
    qtbot.waitUntil(lambda: not session.queue.running, timeout=PATIENCE_MS)
    assert told == [("job_started", "a"), ("job_ended", "a"), ("job_started", "b"),
                    ("job_ended", "b")]
    wait_for(qtbot, session.queue, a="done", b="done")
    assert session.heavy.running is None


@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
def test_a_queue_that_is_stopped_has_its_job_wait_and_a_job_that_is_stopped_does_not(
    qtbot: QtBot, opened: Open, small_project: Path, jobs_do: Does
) -> None:
    session = opened(small_project)
    for name in ("a", "b"):
        JobsQueue(small_project).add("train", small_experiment(), name)
    jobs_do(LONG)
    queue = session.queue
    queue.start()
    wait_for(qtbot, queue, a="running", b="waiting")
    # the folder's listing and the runner's own word reach the window each in its time
    qtbot.waitUntil(lambda: session.heavy.run == small_project / "runs" / "a",
                    timeout=PATIENCE_MS)
    queue.stop_job(1)
    wait_for(qtbot, queue, a="stopped", b="running")
    queue.stop()
    assert queue.stopping
    qtbot.waitUntil(lambda: not queue.running, timeout=PATIENCE_MS)
    wait_for(qtbot, queue, a="stopped", b="waiting")
    jobs_do("")
    queue.release(1)
    wait_for(qtbot, queue, a="waiting", b="waiting")
    queue.move(2, -1)
    queue.hold(1)
    qtbot.waitUntil(lambda: list(states(queue).items()) == [("b", "waiting"), ("a", "held")],
                    timeout=PATIENCE_MS)
    queue.start()
    wait_for(qtbot, queue, b="done", a="held")
    queue.remove(1, 2)
    wait_for(qtbot, queue)


def test_what_is_added_beside_a_training_follows_it(
    qtbot: QtBot, opened: Open, small_project: Path, jobs_do: Does,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def train(*_: Any, should_stop: Callable[[], bool], **__: Any) -> Iterator[Any]:
        while not should_stop():
            yield from ()

    monkeypatch.setattr("mmstudio.training.loop.train", train)
    session = opened(small_project)
    jobs_do("")
    waiting = JobsQueue(small_project).add("train", small_experiment())
    JobsQueue(small_project).hold(waiting.job)
    session.training.start()
    assert session.heavy.running is TRAINING
    assert session.training.run is not None and session.training.run.name != waiting.name
    with qtbot.waitSignal(session.queue.added, timeout=PATIENCE_MS):
        session.queue.add_training()
    assert session.queue.follows and not session.queue.running
    names = {job.name for job in JobsQueue(small_project).jobs()}
    assert len(names) == 2 and session.training.run.name not in names
    session.training.stop()
    qtbot.waitUntil(lambda: list(states(session.queue).values()) == ["held", "done"],
                    timeout=PATIENCE_MS)
    assert not session.queue.follows


def test_what_waited_at_the_last_end_is_offered_and_never_started_unasked(
    qtbot: QtBot, opened: Open, small_project: Path, session: Session
) -> None:
    folder = JobsQueue(small_project)
    for name in ("a", "b", "c"):
        folder.add("train", small_experiment(), name)
    folder.changed(1, state="running")  # its worker was killed
    folder.changed(3, state="done")
    with qtbot.waitSignal(session.queue.left_over, timeout=PATIENCE_MS) as offered:
        opened(small_project)
    assert [job.name for job in offered.args[0]] == ["a", "b"]
    assert not session.queue.running and session.heavy.running is None
    again: list[object] = []
    session.queue.left_over.connect(again.append)
    with qtbot.waitSignal(session.queue.added, timeout=PATIENCE_MS):
        session.queue.add_training()
    qtbot.waitUntil(lambda: len(session.queue.listing.jobs) == 4, timeout=PATIENCE_MS)
    assert again == []


def test_beside_another_worker_the_window_reads_and_says_why(
    qtbot: QtBot, opened: Open, small_project: Path
) -> None:
    JobsQueue(small_project).add("train", small_experiment(), "a")
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(small_project)], text=True, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, cwd=Path(__file__).resolve().parents[3])
    try:
        assert other.stdout is not None and other.stdout.readline() == "working\n"
        session = opened(small_project)
        offered: list[object] = []
        session.queue.left_over.connect(offered.append)
        qtbot.waitUntil(lambda: session.queue.listing.worker == f"process {other.pid}",
                        timeout=PATIENCE_MS)
        assert offered == []
        with qtbot.waitSignal(session.jobs.problem, timeout=PATIENCE_MS) as problem:
            session.queue.start()
        assert f"already being run by process {other.pid}" in problem.args[0]
        assert not session.queue.running and session.heavy.running is None
        with qtbot.waitSignal(session.queue.added, timeout=PATIENCE_MS):
            session.queue.add_training()  # it runs there
        session.heavy.begin(TRAINING, lambda: None)
        with qtbot.waitSignal(session.queue.added, timeout=PATIENCE_MS):
            session.queue.add_training()
        session.queue.start()
        assert not session.queue.follows
        session.heavy.end()
    finally:
        other.communicate("end\n")
    qtbot.waitUntil(lambda: session.queue.listing.worker == "", timeout=PATIENCE_MS)


def test_a_damaged_job_is_told_once_and_the_queue_can_be_left(
    qtbot: QtBot, opened: Open, small_project: Path, session: Session,
) -> None:
    JobsQueue(small_project).add("train", small_experiment(), "a")
    (small_project / "queue" / "1.json").write_text("{}")
    problems: list[str] = []
    session.jobs.problem.connect(lambda message, _: problems.append(message))
    opened(small_project)
    qtbot.waitUntil(lambda: len(problems) == 1, timeout=PATIENCE_MS)
    session.queue.refresh()
    qtbot.waitUntil(lambda: session.jobs.all_over, timeout=PATIENCE_MS)
    assert len(problems) == 1
    with qtbot.waitSignal(session.jobs.problem, timeout=PATIENCE_MS) as problem:
        session.queue.start()
    assert "1.json" in problem.args[0]
    qtbot.waitUntil(lambda: not session.queue.running, timeout=PATIENCE_MS)
    assert session.heavy.running is None


def test_the_queue_is_listed_after_its_end_even_where_nothing_changed(
    qtbot: QtBot, opened: Open, small_project: Path
) -> None:
    folder = JobsQueue(small_project)
    folder.hold(folder.add("train", small_experiment(), "a").job)
    queue = opened(small_project).queue
    wait_for(qtbot, queue, a="held")
    running: list[bool] = []
    queue.listed.connect(lambda _: running.append(queue.running))
    queue.start()
    qtbot.waitUntil(lambda: False in running, timeout=PATIENCE_MS)


def test_a_run_that_cannot_be_resumed_keeps_no_other_from_it(
    qtbot: QtBot, opened: Open, project_with_run: Path, jobs_do: Does
) -> None:
    jobs_do("")
    session = opened(project_with_run)
    problems: list[str] = []
    session.jobs.problem.connect(lambda message, _: problems.append(message))
    session.queue.resume_runs(["gone", "first"])
    wait_for(qtbot, session.queue, first="done")
    assert len(problems) == 1 and "gone" in problems[0]
