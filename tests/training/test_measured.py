"""Runs whose steps are measured: what is told, written, kept, and repeated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mmstudio.experiment import Experiment
from mmstudio.training import measured, pace_cache, trial
from mmstudio.training.events import CheckpointSaved, Started, Tuned
from mmstudio.training.measured import format_on_resume
from mmstudio.training.pace_cache import cached_pace, pace_key, store_pace
from mmstudio.training.run_folder import RunFolder
from tests.small_project import start_small, train_small

LONG = {"training.epochs": 60, "training.patience": 1000,  # 180 steps
        "training.memory_layout": "channels_last"}  # see test_memory_layout


@pytest.fixture
def two_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "cpu_formats", lambda: ["float32", "bfloat16"])


@pytest.fixture
def two_threads() -> Iterator[None]:
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def of(events: list[Any], kind: type) -> list[Any]:
    return [e for e in events if type(e) is kind]


def until_saved(events: Iterator[Any], epochs: int) -> list[Any]:
    seen = []
    for event in events:
        seen.append(event)
        if isinstance(event, CheckpointSaved) and event.epoch == epochs:
            break
    events.close()  # type: ignore[attr-defined]
    return seen


def test_the_format_is_measured_told_written_kept_and_repeated(
    project: Path, two_formats: None
) -> None:
    seen = until_saved(start_small(project, LONG), 12)
    assert of(seen, Started)[0].precision == "float32"
    (tuned,) = of(seen, Tuned)
    assert set(tuned.step_s) == {"1 thread, float32", "1 thread, bfloat16"}
    run = RunFolder(project / "runs" / "first")
    assert run.experiment().training.precision == tuned.precision
    history = run.history()
    assert history.tuned == tuned
    assert history.started is not None and history.started.precision == tuned.precision

    resumed = until_saved(start_small(project, LONG, resume=True), 14)
    assert of(resumed, Started)[0].precision == tuned.precision
    assert not of(resumed, Tuned)
    again = until_saved(start_small(project, LONG, run="second"), 1)
    assert of(again, Started)[0].precision == tuned.precision
    assert not of(again, Tuned)
    assert RunFolder(project / "runs/second").experiment().training.precision == tuned.precision
    other = until_saved(start_small(project, LONG | {"training.batch_size": 8}, run="third"), 6)
    assert len(of(other, Tuned)) == 1


def test_a_short_run_is_float32(project: Path, two_formats: None) -> None:
    events = train_small(project, {"training.epochs": 2})
    assert not of(events, Tuned)
    assert RunFolder(project / "runs" / "first").experiment().training.precision == "float32"


def test_a_format_that_is_set_is_left(project: Path, two_formats: None) -> None:
    seen = until_saved(start_small(project, LONG | {"training.precision": "bfloat16"}), 8)
    assert not of(seen, Tuned)
    assert of(seen, Started)[0].precision == "bfloat16"


def test_threads_are_measured_and_set_back(
    project: Path, two_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "_more_is_faster", lambda _: True)  # however busy it is here
    monkeypatch.setattr(trial, "HOPELESS", float("inf"))
    monkeypatch.setattr(trial, "MOST_ROUNDS", 2)
    events = start_small(project, LONG | {"training.precision": "float32"})
    tuned = next(e for e in events if isinstance(e, Tuned))
    events.close()  # type: ignore[attr-defined]
    assert set(tuned.step_s) == {"1 thread, float32", "2 threads, float32"}
    assert torch.get_num_threads() == 2


def test_a_busy_machine_begins_with_one_thread(
    project: Path, two_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "best_threads", lambda: 1)
    seen = until_saved(start_small(project, LONG | {"training.precision": "float32"}), 1)
    (tuned,) = of(seen, Tuned)
    assert (tuned.threads, tuned.step_s) == (1, {})
    assert torch.get_num_threads() == 2


def test_few_steps_take_one_thread(project: Path, two_threads: None) -> None:
    used = []
    for event in start_small(project, {"training.epochs": 2}):
        assert not isinstance(event, Tuned)
        if isinstance(event, CheckpointSaved):
            used.append(torch.get_num_threads())
    assert used == [1, 1]
    assert torch.get_num_threads() == 2


def test_pinned_threads_and_format_give_the_same_run_to_the_bit(
    project: Path, two_threads: None, two_formats: None
) -> None:
    runs = project / "runs"
    pinned = {"training.epochs": 60, "training.threads": 1, "training.precision": "float32"}
    for run in ("a", "b"):
        seen = until_saved(start_small(project, pinned, run=run), 3)
        assert not of(seen, Tuned)
        assert torch.get_num_threads() == 2
    until_saved(start_small(project, pinned, run="c"), 1)
    until_saved(start_small(project, pinned, run="c", resume=True), 3)
    for other in ("b", "c"):
        for name in ("best.safetensors", "last.safetensors"):
            assert (runs / "a" / name).read_bytes() == (runs / other / name).read_bytes()


def test_a_resume_repeats_the_format_where_it_can() -> None:
    base = Experiment.parse("""
        [data]
        table = "a.csv"
        [inputs.text]
        column = "text"
        modality = "text"
        [targets.label]
        task = "classification"
    """)
    auto, cpu = base.replaced("training.precision", "auto"), torch.device("cpu")
    before = base.replaced("training.precision", "float32")
    assert format_on_resume(auto, before, cpu).training.precision == "float32"
    assert format_on_resume(auto, before, torch.device("mps")) == auto
    before_16 = base.replaced("training.precision", "float16")
    assert format_on_resume(auto, before_16, cpu).training.precision == "auto"
    wanted = base.replaced("training.precision", "bfloat16")
    assert format_on_resume(wanted, before, cpu).training.precision == "bfloat16"


def test_what_was_fastest_is_kept_by_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace_cache, "MOST_KEPT", 3)
    keys = [pace_key(["model", n]) for n in range(4)]
    assert len(set(keys)) == 4 and pace_key(["model", 0]) == keys[0]
    assert cached_pace(keys[0]) is None
    for n, key in enumerate(keys):
        store_pace(key, Tuned(n, "float32", {"1 thread, float32": 0.5}))
    assert cached_pace(keys[0]) is None  # the oldest made room
    assert cached_pace(keys[3]) == Tuned(3, "float32", {"1 thread, float32": 0.5})


def test_a_damaged_file_is_measured_anew(caplog: pytest.LogCaptureFixture) -> None:
    key = pace_key("model")
    store_pace(key, Tuned(1, "float32"))
    pace_cache._path().write_text("{", encoding="utf-8")
    assert cached_pace(key) is None
    store_pace(key, Tuned(2, "float32"))
    assert cached_pace(key) == Tuned(2, "float32")
    pace_cache._path().write_text(
        json.dumps({key: {"of": "another version"}}), encoding="utf-8")
    assert cached_pace(key) is None


