"""How far a job is, as its files tell it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mmstudio.errors import UserError
from mmstudio.jobs_queue.job import Job
from mmstudio.jobs_queue.progress import share_done, share_of_run
from tests.small_project import train_small

STARTED = {"event": "started", "epochs": 5, "steps_per_epoch": 40, "first_epoch": 1,
           "first_step": 0}


def write_log(run: Path, *events: dict[str, object]) -> Path:
    run.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(event) + "\n" for event in events)
    (run / "events.jsonl").write_text(lines, encoding="utf-8")
    return run


def steps(first: int, last: int) -> list[dict[str, object]]:
    return [{"event": "step_done", "step": n, "loss": 1.0} for n in range(first, last + 1)]


def test_a_training_is_as_far_as_its_last_step(tmp_path: Path) -> None:
    assert share_of_run(tmp_path) is None
    assert share_of_run(write_log(tmp_path, STARTED)) == 0.0
    assert share_of_run(write_log(tmp_path, STARTED, *steps(1, 50))) == 0.25
    went_on = STARTED | {"first_epoch": 2, "first_step": 61}
    assert share_of_run(write_log(tmp_path, went_on)) == 0.3
    end = {"event": "run_finished", "reason": "stopped"}
    assert share_of_run(write_log(tmp_path, STARTED, *steps(1, 50), end)) == 1.0
    assert share_of_run(write_log(tmp_path, STARTED, end, went_on, *steps(61, 100))) == 0.5


def test_a_long_log_is_not_read_whole_and_a_torn_line_not_at_all(tmp_path: Path) -> None:
    run = write_log(tmp_path, STARTED | {"epochs": 1000}, *steps(1, 20_000))
    with (run / "events.jsonl").open("a") as file:
        file.write('{"event": "step_do')
    assert (run / "events.jsonl").stat().st_size > 500_000
    assert share_of_run(run) == 0.5


def test_a_damaged_log_tells_nothing(tmp_path: Path) -> None:
    assert share_of_run(write_log(tmp_path, STARTED | {"epochs": "many"}, *steps(1, 3))) is None
    assert share_of_run(write_log(tmp_path, STARTED | {"epochs": 0}, *steps(1, 3))) is None
    (tmp_path / "events.jsonl").write_bytes(b"\xff\n[1]\n" + b"[" * 100_000 + b"\n")
    assert share_of_run(tmp_path) is None


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_log_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    write_log(tmp_path / "mine", STARTED)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "events.jsonl").symlink_to(tmp_path / "mine" / "events.jsonl")
    with pytest.raises(UserError, match=r"events\.jsonl is a link"):
        share_of_run(tmp_path / "run")


def test_a_comparison_is_as_far_as_its_trainings(tmp_path: Path) -> None:
    folder = tmp_path / "comparisons" / "c"
    (folder / "scores").mkdir(parents=True)
    job = Job(1, "compare", "c", "running", 1.0, begun=True)
    assert share_done(tmp_path, job) is None
    (folder / "plan.toml").write_text("seeds = 2\n[[contestants]]\n[[contestants]]\n")
    assert share_done(tmp_path, job) == 0.0
    for name in ("a.json", "a.npz", "b.json", "c.json"):
        (folder / "scores" / name).touch()
    assert share_done(tmp_path, job) == 0.75
    (folder / "plan.toml").write_text("seeds = 0\n")
    assert share_done(tmp_path, job) is None


def test_a_job_that_has_not_begun_is_nowhere_and_one_that_is_done_whole(project: Path) -> None:
    train_small(project, {"training.epochs": 1})
    assert share_done(project, Job(1, "train", "first", "waiting", 1.0)) == 0.0
    assert share_done(project, Job(1, "train", "first", "stopped", 1.0, begun=True)) == 1.0
    assert share_done(project, Job(1, "train", "gone", "done", 1.0, begun=True)) == 1.0
