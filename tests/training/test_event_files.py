"""TensorBoard's event files: what its own reader finds in them."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mmstudio.errors import UserError
from mmstudio.training.event_files import EventFiles
from mmstudio.training.events import EpochDone, RunFinished, Started, StepDone, WentBack
from tests.small_project import train_small, write_small_project

pytest.importorskip("tensorboardX")


def records(file: Path) -> Iterator[Any]:
    """The events of a file, each with the check sums of its length and its bytes looked at."""
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import masked_crc32c

    data = file.read_bytes()
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        assert struct.unpack_from("<I", data, at + 8)[0] == masked_crc32c(data[at : at + 8])
        body = data[at + 12 : at + 12 + length]
        assert struct.unpack_from("<I", data, at + 12 + length)[0] == masked_crc32c(body)
        yield Event.FromString(body)
        at += 16 + length


def scalars(files: list[Path]) -> dict[str, list[tuple[int, float]]]:
    """Per tag its points, as TensorBoard shows them: a new start hides what came after."""
    from tensorboardX.proto.event_pb2 import SessionLog

    found: dict[str, list[tuple[int, float]]] = {}
    for file in sorted(files):
        for event in records(file):
            if event.session_log.status == SessionLog.START:
                found = {tag: [p for p in points if p[0] < event.step]
                         for tag, points in found.items()}
            for value in event.summary.value:
                if value.WhichOneof("value") == "simple_value":
                    found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def event_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("events.out.tfevents.*"))


def test_a_training_writes_them_beside_its_log(tmp_path: Path) -> None:
    project = write_small_project(tmp_path / "project")
    events = train_small(project, {"training.tensorboard": True, "training.epochs": 2})
    (file,) = event_files(project / "runs" / "first")
    first, *rest = records(file)
    assert first.file_version == "brain.Event:2"
    settings = [v.tensor.string_val[0].decode() for e in rest for v in e.summary.value
                if v.tag == "settings/text_summary"]
    assert "tensorboard = true" in settings[0]
    found = scalars([file])
    steps = [(e.step, pytest.approx(e.loss)) for e in events if isinstance(e, StepDone)]
    epochs = [e for e in events if isinstance(e, EpochDone)]
    assert found["step/loss"] == steps
    assert [v for _, v in found["epoch/loss/validation"]] == [
        pytest.approx(e.validation["loss"]) for e in epochs]
    assert [v for _, v in found["shape/accuracy/validation"]] == [
        pytest.approx(e.validation["shape"]["accuracy"]) for e in epochs]
    assert found["epoch/loss/train"][-1][0] == steps[-1][0]


def test_its_own_reader_opens_them(tmp_path: Path) -> None:
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    write(tmp_path, [started(), step(1, 2.0), step(2, 1.0), finished()])
    found = reader.EventAccumulator(str(tmp_path))
    found.Reload()
    assert [(s.step, s.value) for s in found.Scalars("step/loss")] == [(1, 2.0), (2, 1.0)]


def started(**more: Any) -> Started:
    return Started(**{
        "run": "runs/first", "device": "cpu", "precision": "float32", "parameters": 1, "epochs": 2,
        "steps_per_epoch": 2, "first_epoch": 1, "samples": {"train": 4}, "inputs": ["a"],
        "tasks": {"t": "accuracy"}, "first_step": 1} | more)


def step(number: int, loss: float) -> StepDone:
    return StepDone(1, number, loss, 0.1, 10.0)


def finished() -> RunFinished:
    return RunFinished("completed", "runs/first", 1, 2, 1.0)


def write(folder: Path, events: list[Any]) -> None:
    (folder / "experiment.toml").write_text("[data]\n", encoding="utf-8")
    board = EventFiles(folder)
    for event in events:
        board.take(event)
    board.close()


def test_what_comes_once_more_hides_what_came_before(tmp_path: Path) -> None:
    back = WentBack(1, 2, 0.05, [1], "no number")
    write(tmp_path, [started(), step(1, 4.0), step(2, 9.0), back, step(2, 3.0)])
    write(tmp_path, [started(first_step=2), step(2, 2.5), step(3, 2.0), finished()])
    assert len(event_files(tmp_path)) == 3
    assert scalars(event_files(tmp_path))["step/loss"] == [(1, 4.0), (2, 2.5), (3, 2.0)]


def test_a_run_that_does_not_begin_has_none(tmp_path: Path) -> None:
    write(tmp_path, [finished()])
    assert event_files(tmp_path) == []


def test_without_the_package_nothing_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    project = write_small_project(tmp_path / "project", rows=6)
    with pytest.raises(UserError, match="tensorboardX") as told:
        train_small(project, {"training.tensorboard": True})
    assert 'pip install ".[tensorboard]"' in told.value.hint
    assert not (project / "runs").exists()
