"""A run's log read the quick way holds what it holds read line by line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmstudio.training.events import Started, StepDone
from mmstudio.training.history import RunHistory
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.step_lines import StepLines


def line(**changes: object) -> str:
    """A step's line as training writes it, with these values."""
    return json.dumps(StepDone(1, 3, 0.5, 0.001, 20.0).to_json() | changes) + "\n"


def gathered(text: str) -> StepLines | None:
    steps = StepLines()
    return steps if steps.take(text.encode()) else None


@pytest.mark.parametrize("loss", [0.5, -0.0, 1e-7, 1.5e16, 3, None, 0.1 + 0.2])
def test_a_step_as_training_writes_it_is_taken_exactly(loss: float | None) -> None:
    history, steps = RunHistory(), gathered(line(loss=loss))
    assert steps is not None
    steps.give(history)
    assert history.last_step == StepDone(1, 3, loss, 0.001, 20.0)  # type: ignore[arg-type]
    assert history.step_epochs == [3.0]
    assert history.step_loss == pytest.approx([float("nan") if loss is None else loss],
                                              rel=0, abs=0, nan_ok=True)


@pytest.mark.parametrize("text", [
    line(epoch=-1), line(step=1.5), line(step=True), line(loss="0.5"), line(loss=10**16),
    line(loss=1e300), line(loss=[1]), line(loss=float("nan")), line(loss=float("inf")),
    line(more=1), line().replace("0.5", "1e999"), line().replace("0.5", "0x1"),
    line().replace("0.5", ".5"), line().replace('"step"', '"stop"'), line()[:-4], line() + "x",
    line().replace(": ", ":"), '{"event": "checkpoint_saved", "epoch": 1, "best": true}\n', "\n"])
def test_what_is_written_otherwise_is_left_to_the_slow_reader(text: str) -> None:
    assert gathered(text) is None


def test_a_log_of_all_kinds_of_lines_gives_the_same_history(tmp_path: Path) -> None:
    def started(per_epoch: int, first_step: int) -> str:
        first = (first_step - 1) // per_epoch + 1
        return json.dumps(Started("runs/a", "CPU", "float32", 10, 9, per_epoch, first, {"train": 4},
                                  ["x"], {"y": "accuracy"}, first_step).to_json()) + "\n"

    went_back = json.dumps({"event": "went_back", "epoch": 1, "step": 3, "learning_rate": 0.1,
                            "rows": [1], "reason": "no number"}) + "\n"
    run = RunFolder(tmp_path)
    run.log.write_text("".join([
        line(step=1), started(4, 1), *(line(step=n, loss=1 / n) for n in range(1, 5)), went_back,
        line(step=3, loss=None), line(step=4, more="kept"), "[]\n", line(loss="no"),
        line(step=5, loss=1e300), line(step=6), started(2, 6), line(step=6, loss=7),
        line(step=7).replace("\n", "\r\n"), line(step=8)[:30]]), "utf-8", newline="")
    slow = RunHistory()
    for event in run.events():
        slow.apply(event)
    fast = run.history()
    assert [repr(x) for x in fast.step_loss] == [repr(float(x)) for x in slow.step_loss]
    assert fast.step_epochs == slow.step_epochs
    assert fast.step_epochs == [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 3.0, 3.5]
    assert fast.last_step == slow.last_step
    assert fast.warnings == slow.warnings
