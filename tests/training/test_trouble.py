"""Trouble while training: what is lost is little, what is told can be mended."""

from __future__ import annotations

import dataclasses
import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from mmstudio import safe_files
from mmstudio.errors import UserError
from mmstudio.training import checkpoints, epoch, setbacks
from mmstudio.training.device import is_lost
from mmstudio.training.events import StepDone, WentBack
from mmstudio.training.run_folder import RunFolder
from tests.small_project import read_rows, start_small, train_small
from tests.training.test_checkpoints import same_weights

ONE_THREAD = {"training.epochs": 2, "training.batch_size": 8, "training.threads": 1}
"""6 steps an epoch."""
NAN = float("nan")


def spoil(monkeypatch: pytest.MonkeyPatch, *steps: int, weights: bool = False) -> list[Any]:
    """Have the loss, or a weight, become no number at these steps; the rates of all steps."""
    plain, rates = epoch.take_step, []

    def take_step(run: Any, *more: Any) -> Any:
        rates.append(run.rate)
        taken = plain(run, *more)
        if len(rates) not in steps:
            return taken
        if weights:
            with torch.no_grad():
                run.trained[0].view(-1)[0] = NAN
            return taken
        return dataclasses.replace(taken, loss=torch.tensor(NAN))

    monkeypatch.setattr(epoch, "take_step", take_step)
    return rates


def test_a_loss_that_is_no_number_goes_back_with_half_the_rate_once(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = spoil(monkeypatch, 9)
    events = train_small(project, ONE_THREAD)
    back, = (e for e in events if isinstance(e, WentBack))
    # its last checkpoint is that of the first epoch's end
    assert (back.epoch, back.step) == (2, 7)
    assert "the loss in epoch 2 is nan" in back.reason
    splits = [r["split"] for r in read_rows(project)]
    assert len(back.rows) == 8 and {splits[row - 1] for row in back.rows} == {"train"}
    # the step after the wrong one was made already when its loss was known
    assert len(rates) == 6 + 4 + 6
    assert rates[10:14] == pytest.approx([rate / 2 for rate in rates[6:10]])
    assert events[-1].reason == "completed"
    history = RunFolder(project / "runs" / "first").history()
    assert [round(6 * x) for x in history.step_epochs] == list(range(1, 13))
    told = history.warnings[-1]
    assert "Training diverged" in told.message and f"rows {back.rows[0]}" in told.hint


def test_a_weight_that_is_no_number_never_reaches_a_checkpoint(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "MOST_S", 0.0)
    spoil(monkeypatch, 3, weights=True)
    one = ONE_THREAD | {"training.epochs": 1}
    events = start_small(project, one)
    back = next(e for e in events if isinstance(e, WentBack))
    assert back.step == 3 and "not a number" in back.reason
    assert next(e for e in events if isinstance(e, StepDone)).step == 3
    events.close()  # type: ignore[attr-defined]
    monkeypatch.undo()
    resumed = train_small(project, one, resume=True)
    # it was told on the way to the checkpoint
    assert next(e for e in resumed if isinstance(e, StepDone)).step == 3
    assert resumed[-1].reason == "completed"


def test_a_kill_right_after_it_went_back_within_an_epoch_loses_no_place(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = checkpoints.Checkpoints.due
    monkeypatch.setattr(checkpoints.Checkpoints, "due", lambda self: (
        plain(self) or self._run.step == 3))
    spoil(monkeypatch, 5)
    events = start_small(project, ONE_THREAD)
    assert next(e for e in events if isinstance(e, WentBack)).step == 4
    next(e for e in events if isinstance(e, StepDone))
    events.close()  # type: ignore[attr-defined]
    resumed = start_small(project, ONE_THREAD, resume=True)
    assert next(e for e in resumed if isinstance(e, StepDone)).step == 4
    resumed.close()  # type: ignore[attr-defined]


def test_a_second_time_ends_it_and_names_the_rows(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, 8, 11)
    with pytest.raises(UserError, match=r"also with half .* The batch is of rows \d+, ") as caught:
        train_small(project, ONE_THREAD)
    assert "learning_rate to 0.001" in caught.value.hint
    monkeypatch.undo()
    assert train_small(project, ONE_THREAD, resume=True)[-1].reason == "completed"


def test_a_lower_rate_stays_lower_after_a_resume(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, 2)
    events = start_small(project, ONE_THREAD)
    next(e for e in events if isinstance(e, WentBack))
    next(events)
    events.close()  # type: ignore[attr-defined]
    monkeypatch.undo()
    rates = spoil(monkeypatch)
    train_small(project, ONE_THREAD, resume=True)
    halved = list(rates)
    train_small(project, ONE_THREAD, run="whole")
    assert halved == pytest.approx([rate / 2 for rate in rates[len(halved):]])


def test_a_full_disk_is_told_as_such_and_the_last_checkpoint_stays(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(project / "runs" / "first")
    plain, written = torch.save, []

    def save(state: Any, path: Path) -> None:
        written.append(path)
        if len(written) == 3:
            path.write_bytes(b"half of it")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        plain(state, path)

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(UserError, match="the disk is full") as caught:
        train_small(project, ONE_THREAD)
    assert "free some space, then resume" in caught.value.hint
    assert not list(run.path.glob("*.new"))
    monkeypatch.undo()
    train_small(project, ONE_THREAD, resume=True)
    train_small(project, ONE_THREAD, run="whole")
    assert same_weights(run.last, project / "runs" / "whole" / "last.safetensors")
    assert run.history().epochs == [1, 2]


def test_a_log_that_can_t_be_written_to_the_end_goes_on_without_a_gap(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(project / "runs" / "first")
    plain = safe_files.append_text

    def append(path: Path, text: str) -> None:
        if '"step": 9' in text:
            plain(path, text[:12])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        plain(path, text)

    monkeypatch.setattr("mmstudio.training.run_folder.append_text", append)
    with pytest.raises(UserError, match="the disk is full"):
        train_small(project, ONE_THREAD)
    monkeypatch.undo()
    train_small(project, ONE_THREAD, resume=True)
    assert len(run.history().step_loss) == 12


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MB, where one may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if not root or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder],
                                  check=False, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def fill(folder: Path, left: int = 0) -> Path:
    """Take all room but so many bytes; the file that does."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            file.truncate(file.tell() - left)
            return ballast


@pytest.mark.parametrize("left", [0, 300_000])  # room for the log, and for a part of a state
def test_a_disk_that_fills_up_for_real(project: Path, small_disk: Path, left: int) -> None:
    (project / "runs").symlink_to(small_disk)
    events = start_small(project, ONE_THREAD)
    next(e for e in events if isinstance(e, StepDone) and e.step == 8)
    ballast = fill(small_disk, left)
    with pytest.raises(UserError, match="the disk is full") as caught:
        list(events)
    assert "free some space, then resume" in caught.value.hint
    run = RunFolder(small_disk / "first")
    assert run.history().epochs == [1]  # what was there is whole
    assert all(bool(load_file(path)) for path in (run.best, run.last))
    assert not list(run.path.glob("*.new"))
    ballast.unlink()
    assert train_small(project, ONE_THREAD, resume=True)[-1].reason == "completed"
    train_small(project, ONE_THREAD, run="whole")
    assert same_weights(small_disk / "first/last.safetensors",
                        small_disk / "whole/last.safetensors")


def test_a_full_disk_of_the_cache_is_told_as_such(
    project: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMSTUDIO_CACHE", str(small_disk))
    ballast = fill(small_disk)
    with pytest.raises(UserError, match=r"Decoded data can't be kept.*the disk is full"):
        train_small(project, ONE_THREAD)
    ballast.unlink()
    assert train_small(project, ONE_THREAD)[-1].reason == "completed"


def test_a_damaged_cache_is_decoded_again(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMSTUDIO_CACHE", str(tmp_path / "cache"))
    train_small(project, ONE_THREAD)
    stored = sorted((tmp_path / "cache").rglob("data.bin"))
    assert stored
    for path in stored:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
    train_small(project, ONE_THREAD, run="second")
    assert same_weights(project / "runs/first/last.safetensors",
                        project / "runs/second/last.safetensors")


def test_files_that_vanish_or_change_in_a_run_are_read_no_more(project: Path) -> None:
    """What is trained on was decoded before the first step."""
    train_small(project, ONE_THREAD, run="whole")
    events = start_small(project, ONE_THREAD)
    next(e for e in events if isinstance(e, StepDone))
    pictures = sorted((project / "images").glob("*.png"))
    pictures[0].unlink()
    pictures[1].write_bytes(b"no picture")
    assert list(events)[-1].reason == "completed"
    assert same_weights(project / "runs/first/last.safetensors",
                        project / "runs/whole/last.safetensors")


def test_files_that_vanished_before_a_resume_are_told(project: Path) -> None:
    train_small(project, {"training.epochs": 1})
    next(iter(sorted((project / "images").glob("*.png")))).unlink()
    events = train_small(project, {"training.epochs": 2}, resume=True)
    assert any("1 of input 'image' can't be read" in getattr(e, "message", "") for e in events)
    assert events[-1].epochs == 2


LOST = ("CUDA error: unspecified launch failure", "CUDA error: no CUDA-capable device is detected",
        "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", "MPS backend device lost")


@pytest.mark.parametrize("said", LOST)
def test_a_device_that_stopped_working_is_known_by_what_it_says(said: str) -> None:
    assert is_lost(RuntimeError(said), torch.device("cuda:0"))
    assert not is_lost(RuntimeError(said), torch.device("cpu"))
    assert not is_lost(RuntimeError("CUDA out of memory. " + said), torch.device("cuda:0"))
    assert not is_lost(RuntimeError("shapes do not match"), torch.device("cuda:0"))


def test_a_device_that_is_gone_ends_with_a_remedy_and_a_whole_run(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, made = epoch.take_step, []

    def take_step(*arguments: Any) -> Any:
        made.append(0)
        if len(made) == 8:
            raise RuntimeError(f"{LOST[0]}\nSearch for it")
        return plain(*arguments)

    monkeypatch.setattr(epoch, "take_step", take_step)
    monkeypatch.setattr(setbacks, "is_lost", lambda error, device: LOST[0] in str(error))
    with pytest.raises(UserError, match=r"stopped working .*launch failure ") as caught:
        train_small(project, ONE_THREAD)
    assert "resume it" in caught.value.hint
    monkeypatch.undo()
    assert train_small(project, ONE_THREAD, resume=True)[-1].epochs == 2
    assert not list((project / "runs" / "first").glob("training.*"))
