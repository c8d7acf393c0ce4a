"""Runs that are killed: what they lose is what came after their last checkpoint."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from mmstudio.errors import UserError
from mmstudio.training import checkpoints, weighing
from mmstudio.training.checkpoints import Checkpoints
from mmstudio.training.events import CheckpointSaved, EpochDone, Started, StepDone, Stopped, Warned
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.run_list import interrupted_runs, summarise
from tests.small_project import start_small, train_small

SMALL_STEPS = {"training.epochs": 2, "training.batch_size": 2, "training.threads": 1}
"""42 training rows: 21 steps an epoch."""


@pytest.fixture
def after_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a checkpoint written after each step."""
    monkeypatch.setattr(checkpoints, "MOST_S", 0.0)


def killed_after(project: Path, changes: dict[str, Any], steps: int, **more: Any) -> None:
    """Train up to a step and leave it there, as a kill does: nothing more is written."""
    events = start_small(project, changes, run="killed", **more)
    while not (isinstance(event := next(events), StepDone) and event.step >= steps):
        pass
    events.close()  # type: ignore[attr-defined]


def same_weights(one: Path, other: Path) -> bool:
    a, b = load_file(one), load_file(other)
    return list(a) == list(b) and all(torch.equal(a[n], b[n]) for n in a)


def alike(project: Path) -> None:
    """The killed run ended as the whole one did: its weights, its figures, its curves."""
    whole, killed = (RunFolder(project / "runs" / name) for name in ("whole", "killed"))
    for name in ("best.safetensors", "last.safetensors"):
        assert same_weights(whole.path / name, killed.path / name), name
    one, other = whole.history(), killed.history()
    assert one.step_loss == other.step_loss
    assert one.step_epochs == other.step_epochs
    assert one.epochs == other.epochs
    assert one.train_loss == other.train_loss
    assert one.validation_loss == other.validation_loss
    assert one.metrics == other.metrics
    assert repr(one.input_loss) == repr(other.input_loss)
    assert repr(one.gradient_share) == repr(other.gradient_share)
    assert one.best_epoch == other.best_epoch
    assert not [p for p in killed.path.iterdir() if p.name.endswith(".new")]


@pytest.mark.parametrize("changes", [
    {},
    {"training.input_loss": 0.0},  # the inputs' heads take several steps at once
    {"training.gradient_modulation": "ogm-ge", "training.modality_dropout": 0.3},
    {"training.alignment": 0.5, "training.balancing": "uncertainty"},
], ids=["plain", "heads alone", "modulated", "aligned"])
def test_a_run_killed_within_an_epoch_goes_on_at_its_next_step(
    project: Path, after_each_step: None, changes: dict[str, Any]
) -> None:
    changes = SMALL_STEPS | changes
    killed_after(project, changes, 8)
    torch.manual_seed(99)  # of another process
    resumed = start_small(project, changes, run="killed", resume=True)
    started = next(event for event in resumed if isinstance(event, Started))
    # that of the step itself had not been written yet, when it was told
    assert (started.first_epoch, started.first_step) == (1, 8)
    first = next(event for event in resumed if isinstance(event, StepDone))
    assert first.step == 8
    resumed.close()  # type: ignore[attr-defined]
    killed_after(project, changes, 30, resume=True)
    train_small(project, changes, run="killed", resume=True)
    train_small(project, changes, run="whole")
    alike(project)


def test_a_run_that_was_killed_is_found_by_the_next_start(project: Path) -> None:
    training = start_small(project, SMALL_STEPS, run="killed")
    next(event for event in training if isinstance(event, StepDone))
    assert not interrupted_runs(project)  # it is being trained
    training.close()  # type: ignore[attr-defined]
    assert [run.name for run in interrupted_runs(project)] == ["killed"]
    train_small(project, SMALL_STEPS | {"training.epochs": 1}, run="killed", resume=True)
    assert not interrupted_runs(project)


def test_a_stop_within_an_epoch_loses_no_step(project: Path) -> None:
    told: list[Any] = []
    training = start_small(project, SMALL_STEPS, run="killed", should_stop=lambda: len(told) == 5)
    for event in training:
        told += [event] if isinstance(event, StepDone) else []
    assert len(told) == 6  # the last one was on its way
    resumed = train_small(project, SMALL_STEPS, run="killed", resume=True)
    assert next(e for e in resumed if isinstance(e, StepDone)).step == 7
    train_small(project, SMALL_STEPS, run="whole")
    alike(project)


def test_all_is_written_when_a_stop_is_told(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The weighing of a last look at the model may take seconds."""
    monkeypatch.setattr(weighing, "weigh", lambda *_: None)
    changes = SMALL_STEPS | {"training.combine": True, "training.epochs": 1}
    seen: list[Any] = []
    training = start_small(project, changes, run="killed",
                           should_stop=lambda: any(isinstance(e, StepDone) for e in seen))
    for event in training:
        seen.append(event)
        if isinstance(event, Stopped):
            break
    training.close()  # type: ignore[attr-defined]
    run = RunFolder(project / "runs" / "killed")
    assert (event.epoch, event.step) == (0, 2)
    assert summarise(run).status == "stopped" and run.has_model()
    resumed = start_small(project, changes, run="killed", resume=True)
    assert next(e for e in resumed if isinstance(e, StepDone)).step == 3
    resumed.close()  # type: ignore[attr-defined]
    assert summarise(run).status == "unfinished"


def test_a_stop_after_the_epoch_ends_it_whole(project: Path) -> None:
    from mmstudio.training.loop import train
    from tests.small_project import small_experiment

    events = list(train(small_experiment(SMALL_STEPS), project / "runs" / "killed", folder=project,
                        stop_after_epoch=lambda: True))
    assert [e.step for e in events if isinstance(e, StepDone)] == list(range(1, 22))
    assert (events[-1].reason, events[-1].epochs) == ("stopped", 1)
    train_small(project, SMALL_STEPS, run="killed", resume=True)
    train_small(project, SMALL_STEPS, run="whole")
    alike(project)


def test_a_run_with_quick_models_goes_on_likewise(project: Path, after_each_step: None) -> None:
    changes = SMALL_STEPS | {"training.combine": True, "training.epochs": 1}
    killed_after(project, changes, 9)
    train_small(project, changes, run="killed", resume=True)
    train_small(project, changes, run="whole")
    alike(project)


def test_an_epoch_told_nowhere_is_in_the_log_after_the_resume(project: Path) -> None:
    """Killed between the checkpoint and the log."""
    whole = train_small(project, {"training.epochs": 1}, run="killed")
    log = RunFolder(project / "runs" / "killed").log
    lines = log.read_text().splitlines(keepends=True)
    steps = next(i for i, line in enumerate(lines) if '"epoch_done"' in line)
    log.write_text("".join(lines[:steps]) + lines[steps][:40])
    train_small(project, {"training.epochs": 2}, run="killed", resume=True)
    epochs = [json.loads(line) for line in log.read_text().splitlines()
              if '"epoch_done"' in line]
    assert [e["epoch"] for e in epochs] == [1, 2]
    first = next(e for e in whole if isinstance(e, EpochDone))
    assert epochs[0]["validation"]["loss"] == first.validation["loss"]
    saved = [json.loads(line) for line in log.read_text().splitlines()
             if '"checkpoint_saved"' in line]
    assert saved[0] == CheckpointSaved(1, True).to_json()


def test_what_was_told_after_the_checkpoint_is_told_once(
    project: Path, after_each_step: None
) -> None:
    killed_after(project, SMALL_STEPS, 6)
    log = RunFolder(project / "runs" / "killed").log
    with log.open("a") as file:
        for step in (7, 8):
            file.write(json.dumps(StepDone(1, step, 9.0, 0.1, 1.0).to_json()) + "\n")
        file.write('{"event": "step_do')
    train_small(project, SMALL_STEPS, run="killed", resume=True)
    steps = [json.loads(line)["step"] for line in log.read_text().splitlines()
             if '"step_done"' in line]
    assert steps == list(range(1, 43))


def test_an_epoch_of_other_batches_begins_anew(project: Path, after_each_step: None) -> None:
    killed_after(project, SMALL_STEPS, 8)
    events = train_small(project, SMALL_STEPS | {"training.batch_size": 4}, run="killed",
                         resume=True)
    told = [e for e in events if isinstance(e, Warned) and "begins anew" in e.message]
    assert len(told) == 1 and "Epoch 1" in told[0].message
    assert events[-1].epochs == 2
    history = RunFolder(project / "runs" / "killed").history()
    assert history.epochs == [1, 2]
    assert [round(11 * x) for x in history.step_epochs] == list(range(1, 23))


def test_the_state_holds_no_weights_that_stand_elsewhere(project: Path) -> None:
    train_small(project, {"training.epochs": 4})
    run = RunFolder(project / "runs" / "first")
    state = torch.load(run.state, weights_only=True)
    weights = sum(t.numel() * t.element_size() for t in load_file(run.last).values())
    assert run.state.stat().st_size < 3.6 * weights + 200_000  # AdamW has two means per weight
    assert state["candidates"].keys() == {"epochs", "heads"}
    names = {p.name for p in run.epoch_files()}
    assert names == {f"epoch-{e}.safetensors" for e in {4, *state["candidates"]["epochs"]}}
    assert run.last.samefile(run.weights_of(4))


def test_what_torch_save_does_for_others_stays_as_it_was(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, during = torch.save, []

    def save(*arguments: Any) -> None:
        during.append(torch.serialization.get_crc32_options())
        plain(*arguments)

    monkeypatch.setattr(torch, "save", save)
    train_small(project, {"training.epochs": 1})
    assert set(during) == {False}
    assert torch.serialization.get_crc32_options()


def test_an_epochs_weights_that_are_missing_are_named(project: Path) -> None:
    train_small(project, {"training.epochs": 1})
    (project / "runs" / "first" / "epoch-1.safetensors").unlink()
    with pytest.raises(UserError, match=r"epoch-1\.safetensors"):
        train_small(project, {"training.epochs": 2}, resume=True)


def test_checkpoints_are_as_frequent_as_they_are_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    now, cost = 0.0, 0.1
    saved: list[float] = []

    def save_run(*_: Any) -> None:
        nonlocal now
        saved.append(now)
        now += cost

    monkeypatch.setattr(checkpoints, "save_run", save_run)
    made = Checkpoints(None, None, clock=lambda: now)  # type: ignore[arg-type]
    made.save()
    for step_s, write_s in ((1.0, 0.1), (1.0, 3.0), (20.0, 3.0)):
        cost = write_s
        made.save()
        begun, saved[:] = now, []
        while now - begun < 600:
            now += step_s
            if made.due():
                made.save()
        gaps = [b - a for a, b in pairwise(saved)]
        # what a kill just before the next one is written loses
        assert max(gaps) + cost <= 60
        if write_s == 0.1:
            assert len(saved) * cost < 0.02 * (now - begun)
            assert max(gaps) < 23


CODE = """
import os, signal, sys
from pathlib import Path
from mmstudio.training import checkpoint, checkpoints, resuming
from mmstudio import safe_files
from tests.small_project import start_small
import torch
where, project = sys.argv[1], Path(sys.argv[2])
checkpoints.MOST_S = 0.0
def kill(): os.kill(os.getpid(), signal.SIGKILL)
seen = 0
if where == "writing":
    plain = torch.save
    def save(state, path):
        global seen
        plain(state, path)
        seen += 1
        if seen == 9:
            os.truncate(path, os.path.getsize(path) // 2)
            kill()
    torch.save = save
elif where == "before the rename":
    plain = os.replace
    def replace(one, other):
        global seen
        seen += str(other).endswith("state.pt")
        if seen == 9: kill()
        plain(one, other)
    os.replace = replace
elif where == "between an epoch's files":
    plain_state = resuming.save_state
    def save_state(path, *args):
        global seen
        seen += path.with_name("epoch-1.safetensors").exists()
        if seen: kill()
        plain_state(path, *args)
    resuming.save_state = save_state
for event in start_small(project, {changes}, run="killed"):
    if where == "between steps" and type(event).__name__ == "StepDone" and event.step == 9:
        kill()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal there")
@pytest.mark.parametrize("where", [
    "between steps", "writing", "before the rename", "between an epoch's files"])
def test_a_killed_process_loses_nothing_that_was_kept(project: Path, where: str) -> None:
    code = CODE.replace("{changes}", repr(SMALL_STEPS))
    done = subprocess.run([sys.executable, "-c", code, where, str(project)], check=False,
                          capture_output=True, text=True,
                          cwd=Path(__file__).parent.parent.parent)
    assert done.returncode == -signal.SIGKILL, done.stderr
    resumed = train_small(project, SMALL_STEPS, run="killed", resume=True)
    first = next(e for e in resumed if isinstance(e, Started)).first_step
    assert first >= (21 if where == "between an epoch's files" else 8)
    train_small(project, SMALL_STEPS, run="whole")
    alike(project)
