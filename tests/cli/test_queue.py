"""``mmstudio queue``."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmstudio.jobs_queue.folder import JobsQueue
from mmstudio.training.run_folder import RunFolder
from tests.cli.conftest import Run
from tests.small_project import write_small_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_small_project(tmp_path / "project")


def test_jobs_are_added_listed_moved_and_removed(run: Run, project: Path) -> None:
    experiment = project / "experiment.toml"
    added = run("queue", "add", experiment, "--run", "first", "--set", "training.epochs=1",
                "--json")
    assert added.code == 0, added.err
    assert (added.lines[0]["job"], added.lines[0]["state"]) == (1, "waiting")
    run("queue", "add", experiment, "--compare", "--fusions", "concat,sum", "--seeds", "2")
    listed = run("queue", "list", "--project", project, "--json").lines
    assert [(j["kind"], j["name"]) for j in listed] == [
        ("train", "first"), ("compare", "comparison-1")]
    assert listed[1]["options"] == {"fusions": ["concat", "sum"], "seeds": 2}
    moved = run("queue", "move", "2", "1", "--project", project, "--json").lines
    assert [j["job"] for j in moved] == [2, 1]
    held = run("queue", "hold", "2", "--project", project)
    assert "held" in held.out.splitlines()[0]
    assert run("queue", "remove", "1", "2", "--project", project).code == 0
    empty = run("queue", "list", "--project", project)
    assert (empty.out, empty.err) == ("", "The queue is empty.\n")


def test_what_is_wrong_is_told(run: Run, project: Path) -> None:
    assert run("queue", "remove", "7", "--project", project).code == 1
    assert run("queue", "list", "--project", project / "none").code == 1
    twice = [run("queue", "add", project / "experiment.toml", "--run", "a") for _ in range(2)]
    assert [r.code for r in twice] == [0, 1]
    assert "waits in the queue" in twice[1].err
    with JobsQueue(project).working():
        second = run("queue", "start", "--project", project)
    assert second.code == 1 and "being run by process" in second.err


def test_a_job_is_done_and_goes_on_where_it_was(run: Run, project: Path) -> None:
    queue = JobsQueue(project)
    run("queue", "add", project / "experiment.toml", "--run", "a", "--set", "training.epochs=1")
    for _ in range(2):  # the second one finds that nothing is left
        done = run("queue", "work", "1", "--project", project)
        assert done.code == 0, done.err
    assert queue.job(1).begun
    assert RunFolder(project / "runs" / "a").history().epochs == [1]
    run("queue", "add", project / "experiment.toml", "--run", "b")
    (project / "runs" / "b").mkdir()
    (project / "runs" / "b" / "mine.txt").write_text("mine")
    refused = run("queue", "work", "2", "--project", project)
    assert refused.code == 1 and "already exists" in refused.err
