"""Runs as they are listed, replayed and named."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from mmstudio.errors import UserError
from mmstudio.training.history import RunHistory
from mmstudio.training.run_folder import RunFolder, list_runs, next_run_name
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


def test_broken_folders_are_passed_over(project: Path) -> None:
    assert list_runs(project) == []
    train_small(project, {"training.epochs": 1}, run="good")
    runs = project / "runs"
    (runs / "file").write_text("no run")
    (runs / "empty").mkdir()
    shutil.copytree(runs / "good", runs / "no experiment")
    (runs / "no experiment" / "experiment.toml").unlink()
    shutil.copytree(runs / "good", runs / "bad experiment")
    (runs / "bad experiment" / "experiment.toml").write_text("[data")
    assert [r.name for r in list_runs(project)] == ["good"]


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
    with pytest.raises(UserError, match="no run folder"):
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
