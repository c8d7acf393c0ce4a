"""Runs as they are listed, replayed and named."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from mmstudio.errors import UserError
from mmstudio.training.history import RunHistory
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.run_list import list_runs
from mmstudio.training.run_names import next_run_name
from tests.small_project import small_experiment, start_small, train_small


def test_a_live_history_equals_the_replayed_one(project: Path) -> None:
    live = RunHistory()
    for event in start_small(project):
        live.apply(event)
    assert vars(RunFolder(project / "runs" / "first").history()) == vars(live)


def test_runs_are_listed_newest_first_with_their_figures(project: Path) -> None:
    train_small(project, {"training.epochs": 2}, run="old")
    train_small(project, {"training.epochs": 1, "inputs.sound.use": False,
                          "fusion": {"name": "sum"}}, run="new", should_stop=lambda: False)
    for i, name in enumerate(("old", "new")):
        os.utime(project / "runs" / name / "experiment.toml", (1000 + i, 1000 + i))
    new, old = list_runs(project)
    assert (new.name, old.name) == ("new", "old")
    assert (new.status, new.data, new.fusion) == ("completed", "metadata.csv", "sum")
    assert (new.inputs, new.encoders) == (("image", "words"), ("cnn", "rnn"))
    history = RunFolder(old.path).history()
    assert old.best_epoch == history.best_epoch
    at = history.epochs.index(history.best_epoch or 0)
    assert old.metrics == {
        f"{t} accuracy": history.metrics[t]["accuracy"]["validation"][at]
        for t in ("shape", "size")}


def test_unfinished_and_stopped_runs_are_listed_as_such(project: Path) -> None:
    events = start_small(project, run="killed")
    while type(next(events)).__name__ != "StepDone":
        pass
    events.close()  # type: ignore[attr-defined]
    train_small(project, run="stopped", should_stop=lambda: True)
    assert {r.name: (r.status, r.metrics) for r in list_runs(project)} == {
        "killed": ("unfinished", {}), "stopped": ("stopped", {})}


def test_folders_that_are_no_runs_are_passed_over_and_broken_ones_named(project: Path) -> None:
    assert list_runs(project) == []
    train_small(project, {"training.epochs": 1}, run="good")
    runs = project / "runs"
    (runs / "file").write_text("no run")
    (runs / "empty").mkdir()
    shutil.copytree(runs / "good", runs / "no experiment")
    (runs / "no experiment" / "experiment.toml").unlink()
    shutil.copytree(runs / "good", runs / "bad experiment")
    (runs / "bad experiment" / "experiment.toml").write_text("[data")
    assert {r.name: r.status for r in list_runs(project)} == {
        "good": "completed", "bad experiment": "unreadable"}


def test_a_damaged_log_is_read_as_far_as_it_goes(project: Path) -> None:
    train_small(project, {"training.epochs": 1}, run="good")
    log = project / "runs/good/events.jsonl"
    lines = log.read_text().splitlines()
    lines[2:2] = ["", "no json", "3", "null", "[]", '{"event": 4}', '{"event": "step_done"}']
    log.write_bytes("\n".join(lines).encode() + b'\n{"event": "war\xff\xfe')
    history = RunFolder(log.parent).history()
    assert history.epochs == [1]
    assert len(history.step_loss) == 3
    assert history.finished is not None
    assert [r.status for r in list_runs(project)] == ["completed"]


def test_a_folder_without_model_says_so(project: Path) -> None:
    with pytest.raises(UserError, match="not a run folder"):
        RunFolder.existing(project / "images")
    train_small(project, run="stopped", should_stop=lambda: True)
    assert not RunFolder(project / "runs" / "stopped").has_model()


def test_names_say_what_is_in_a_run_and_are_free(tmp_path: Path) -> None:
    experiment = small_experiment()
    assert next_run_name(tmp_path, experiment) == "concat-image-words-sound-1"
    (tmp_path / "runs" / "concat-image-words-sound-1").mkdir(parents=True)
    assert next_run_name(tmp_path, experiment) == "concat-image-words-sound-2"
    odd = experiment.replaced(("inputs", "a/b: ü*?" + "long" * 40),
                              {"column": "c", "modality": "image"})
    name = next_run_name(tmp_path, odd)
    assert Path(name).name == name
    assert len(name) < 70


def test_whoever_may_read_a_run_may_read_its_weights(project: Path) -> None:
    train_small(project, {"training.epochs": 1})
    files = RunFolder(project / "runs" / "first")
    assert files.best.stat().st_mode == files.log.stat().st_mode


needs_links = pytest.mark.skipif(os.name == "nt", reason="links need rights there")


@needs_links
@pytest.mark.parametrize("name", ["events.jsonl", "experiment.toml", "state.pt", "schema.json",
                                  "best.safetensors", "published.json", "training.lock"])
def test_a_run_whose_files_are_links_is_refused_and_nothing_is_written_through(
    project: Path, name: str
) -> None:
    train_small(project, {"training.epochs": 1})
    run, mine = project / "runs" / "first", project / "mine"
    mine.write_bytes((run / name).read_bytes() if (run / name).exists() else b"mine")
    before = mine.read_bytes()
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(mine)
    with pytest.raises(UserError, match=f"{name} is a link"):
        train_small(project, {"training.epochs": 2}, resume=True)
    with pytest.raises(UserError, match=f"{name} is a link"):
        RunFolder.existing(run)
    assert mine.read_bytes() == before


@needs_links
def test_links_under_the_names_of_begun_files_lead_nowhere(project: Path) -> None:
    train_small(project, {"training.epochs": 1})
    run, mine = project / "runs" / "first", project / "mine"
    mine.write_text("mine")
    for name in ("experiment.toml", "state.pt", "best.safetensors"):
        (run / f"{name}.new").symlink_to(mine)
    train_small(project, {"training.epochs": 2}, resume=True)
    assert mine.read_text() == "mine"
    assert not list(run.glob("*.new"))


def test_the_second_training_of_a_run_is_told_who_holds_it(project: Path) -> None:
    events = start_small(project)
    while type(next(events)).__name__ != "Started":
        pass
    for resume in (False, True):
        with pytest.raises(UserError, match=rf"is being trained by process {os.getpid()}\."):
            train_small(project, resume=resume)
    (project / "runs/first/training.json").write_text('{"pid": 7, "host": "far-away"}')
    with pytest.raises(UserError, match="by process 7 on far-away"):
        train_small(project)
    (project / "runs/first/training.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match="by another process"):
        train_small(project)
    list(events)
    assert not list((project / "runs/first").glob("training.*"))
    assert RunFolder(project / "runs/first").history().epochs == [1, 2, 3]


def test_of_two_that_begin_the_same_run_one_makes_it(project: Path) -> None:
    one, other = RunFolder(project / "runs/a"), RunFolder(project / "runs/a")
    for files in (one, other):
        files.check_free()
    one.claim()
    with pytest.raises(UserError, match="is being trained"):
        other.claim()
    one.write_text("experiment.toml", "")
    one.release()
    with pytest.raises(UserError, match="already exists"):
        other.claim()
    one.claim(resume=True)  # the refused one does not hold it


def test_what_killed_writers_left_is_gone_after_the_next_start(project: Path) -> None:
    train_small(project, {"training.epochs": 1})
    run = project / "runs" / "first"
    (run / "state.pt.0011aabb.new").write_bytes(b"half")
    (run / "training.lock").write_bytes(b"")  # of a process that was killed
    (run / "training.json").write_text('{"pid": 1, "host": "gone"}')
    train_small(project, {"training.epochs": 2}, resume=True)
    assert {p.suffix for p in run.iterdir()} == {
        ".toml", ".json", ".jsonl", ".safetensors", ".pt", ".bin", ".txt"}
    assert not list(run.glob("training.*"))
