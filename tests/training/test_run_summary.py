"""A run's summary that is kept, and what a person notes about it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mmstudio.errors import UserError
from mmstudio.jobs_queue.folder import JobsQueue
from mmstudio.jobs_queue.in_use import refuse_in_use
from mmstudio.training.events import EpochDone, RunFinished, Started
from mmstudio.training.history import RunHistory
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.run_list import list_runs, summarise
from mmstudio.training.run_names import rename_run
from mmstudio.training.run_notes import RunNotes, read_notes, write_notes
from mmstudio.training.run_summary import RunSummary, disk_bytes, kept_summary
from tests.small_project import small_experiment, start_small, train_small


def test_a_finished_run_is_listed_from_its_summary_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_small(project, {"training.epochs": 1}, run="first")
    run = project / "runs" / "first"
    (run / "summary.json").unlink()
    worked_out, = list_runs(project)
    monkeypatch.setattr(RunFolder, "events", lambda *_, **__: pytest.fail("the log was read"))
    assert list_runs(project) == [worked_out]
    assert worked_out.seconds > 0
    assert worked_out.status == "completed" and worked_out.metrics


def test_training_leaves_the_summary(project: Path) -> None:
    train_small(project, {"training.epochs": 1}, run="first")
    assert kept_summary(project / "runs" / "first") is not None


def test_another_log_or_a_damaged_summary_is_worked_out_anew(project: Path) -> None:
    train_small(project, {"training.epochs": 1}, run="first")
    run = RunFolder(project / "runs" / "first")
    before = summarise(run)
    for damaged in ("", "[]", '{"version": 1}', '{"version": 1, "of": [[1, 2], [3, 4]]}'):
        (run.path / "summary.json").write_text(damaged)
        assert kept_summary(run.path) is None
        assert summarise(run).metrics == before.metrics
    lines = run.log.read_text().splitlines(keepends=True)
    run.log.write_text("".join(lines[:-1]))  # without its end
    assert kept_summary(run.path) is None
    assert summarise(run).status == "unfinished"


def test_the_time_of_all_sessions_adds_up() -> None:
    def started(epoch: int) -> Started:
        return Started("r", "CPU", "float32", 1, 4, 1, epoch, {"train": 1}, ["a"], {"t": "f"})

    def epoch(number: int, seconds: float) -> EpochDone:
        return EpochDone(number, {"loss": 1.0}, {"loss": 1.0}, seconds, 1.0, 0.0, 0)

    history = RunHistory()
    for event in (started(1), epoch(1, 10.0), epoch(2, 10.0),  # a kill
                  started(3), epoch(3, 5.0), RunFinished("stopped", "r", 1, 3, 8.0),
                  started(4), epoch(4, 5.0), RunFinished("completed", "r", 1, 4, 6.0)):
        history.apply(event)
    assert history.trained_s == 10 + 10 + 8 + 6
    assert history.epoch_seconds == [10, 10, 5, 5]


def test_a_file_with_two_names_counts_once(tmp_path: Path) -> None:
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "evaluation" / "scores").write_bytes(b"x" * 50)
    (tmp_path / "epoch-1.safetensors").write_bytes(b"x" * 1000)
    os.link(tmp_path / "epoch-1.safetensors", tmp_path / "last.safetensors")
    assert disk_bytes(tmp_path) == 1050


def test_notes_are_read_as_they_were_written(project: Path) -> None:
    train_small(project, {"training.epochs": 1}, run="first")
    run = project / "runs" / "first"
    assert read_notes(run) == RunNotes()
    notes = RunNotes(True, ("baseline", "für Anna"), "The rate is too high.\nTry 0.001.")
    write_notes(run, notes)
    assert read_notes(run) == notes
    assert list_runs(project)[0].notes == notes
    write_notes(run, RunNotes())
    assert not (run / "notes.json").exists()
    (run / "notes.json").write_text(json.dumps({"tags": [" b ", "a", "b", ""]}))
    assert read_notes(run).tags == ("b", "a")


def test_damaged_notes_hide_no_run(project: Path) -> None:
    train_small(project, {"training.epochs": 1}, run="first")
    (project / "runs/first/notes.json").write_text('{"starred": 3}')
    listed, = list_runs(project)
    assert listed.status == "completed" and "notes.json" in listed.problem


def test_notes_that_are_too_long_are_refused(project: Path) -> None:
    with pytest.raises(UserError, match="too long"):
        write_notes(project, RunNotes(text="x" * 20_001))


def test_a_run_gets_another_name(project: Path) -> None:
    train_small(project, {"training.epochs": 1}, run="first")
    train_small(project, {"training.epochs": 1}, run="second")
    first = project / "runs" / "first"
    before = RunFolder(first).history()
    assert rename_run(first, " the best one ") == project / "runs" / "the best one"
    renamed = RunFolder(project / "runs" / "the best one")
    assert vars(renamed.history()) == vars(before)
    assert {run.name for run in list_runs(project)} == {"the best one", "second"}
    with pytest.raises(UserError, match="second already"):
        rename_run(renamed.path, "second")
    for bad in ("", " ", "..", "a/b", ".hidden", "a\nb", "c:d", "x" * 101):
        with pytest.raises(UserError, match="can't be a run's name"):
            rename_run(renamed.path, bad)


def test_a_run_in_training_or_in_the_queue_stays_as_it_is(project: Path) -> None:
    events = start_small(project, run="first")
    while type(next(events)).__name__ != "StepDone":
        pass
    run = project / "runs" / "first"
    with pytest.raises(UserError, match="is being trained"):
        refuse_in_use(run)
    with pytest.raises(UserError, match="is being trained"):
        rename_run(run, "other")
    events.close()  # type: ignore[attr-defined]
    refuse_in_use(run)
    queue = JobsQueue(project)
    job = queue.add("train", small_experiment(), "waiting")
    with pytest.raises(UserError, match=r"waits in the queue \(job 1\)"):
        refuse_in_use(project / "runs" / "waiting")
    queue.remove(job.job)
    refuse_in_use(project / "runs" / "waiting")


def test_a_run_that_a_job_goes_on_with_or_starts_from_stays_as_it_is(project: Path) -> None:
    queue, runs = JobsQueue(project), project / "runs"
    job = queue.add("train", small_experiment(), "stopped")
    queue.changed(job.job, state="stopped")
    refuse_in_use(runs / "stopped")  # nothing was begun
    queue.changed(job.job, begun=True)
    with pytest.raises(UserError, match="was stopped in the queue"):
        refuse_in_use(runs / "stopped")
    queue.changed(job.job, state="done")
    refuse_in_use(runs / "stopped")
    later = queue.add("train", small_experiment({"training.start_from": "runs/base"}), "later")
    for hold in (False, True):
        if hold:
            queue.hold(later.job)
        with pytest.raises(UserError, match=r"later, job 2 of the queue, starts from the run"):
            refuse_in_use(runs / "base")
    refuse_in_use(runs / "other")
    queue.remove(later.job)
    refuse_in_use(runs / "base")


@pytest.mark.parametrize(("name", "several"), [
    ("run-2", False), ("comparison-1.gated.seed0", True), ("cv.fold3", True),
    ("search-1.trial4.seed2", True), ("my.seed", False), ("seeds1", False)])
def test_trainings_of_a_comparison_are_told_from_ones_own(
    tmp_path: Path, name: str, several: bool
) -> None:
    summary = RunSummary(name, tmp_path / name, datetime.now(UTC), "completed", "", "", (), (), 1)
    assert summary.one_of_several == several
