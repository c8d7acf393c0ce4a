"""Events as JSON, and the history that they add up to."""

from __future__ import annotations

import json
import math

import pytest

from mmstudio.training.events import (
    CheckpointSaved,
    EpochDone,
    InputsScored,
    Preparing,
    RunEvent,
    RunFinished,
    Started,
    StepDone,
    Warned,
    event_from_json,
)
from mmstudio.training.history import RunHistory

STARTED = Started("runs/a", "CPU", "float32", 10, 4, 2, 1, {"train": 8}, ["image"],
                  {"digit": "accuracy"})


SCORED = InputsScored(
    "test", 8, [{"inputs": ["image"], "samples": 8, "loss": None,
                 "tasks": {"digit": {"accuracy": 0.5}}}],
    {"digit": {"image": {"mean": 1.0, "mean_absolute": 1.5, "samples": 8}}}, {"digit": []})


def epoch(number: int, loss: float) -> EpochDone:
    figures = {"loss": loss, "digit": {"loss": loss, "accuracy": 1 - loss}}
    other = {"loss": loss + 1, "digit": {"loss": loss + 1, "accuracy": 0.5 - loss}}
    return EpochDone(number, figures, other, 1.5, 100.0, 3.0, 1000,
                     {"image": {"loss": 2 * loss, "gradient_share": 0.25}})


EVENTS: list[RunEvent] = [
    Preparing("Reading", 3, 10), STARTED, Warned("careful", "do this"),
    StepDone(1, 1, 0.9, 0.1, 50.0), StepDone(1, 2, 0.8, 0.1, 50.0), epoch(1, 0.4),
    CheckpointSaved(1, True), StepDone(2, 3, 0.7, 0.1, 50.0), StepDone(2, 4, 0.6, 0.1, 50.0),
    epoch(2, 0.3), CheckpointSaved(2, False), SCORED, RunFinished("stopped", "runs/a", 1, 2, 9.0),
]


def replayed(events: list[RunEvent]) -> RunHistory:
    history = RunHistory()
    for event in events:
        history.apply(event)
    return history


@pytest.mark.parametrize("event", EVENTS, ids=lambda e: type(e).__name__)
def test_an_event_survives_json(event: RunEvent) -> None:
    text = json.dumps(event.to_json(), allow_nan=False)
    assert next(iter(json.loads(text))) == "event"
    assert event_from_json(json.loads(text)) == event


def test_names_are_those_of_the_contract() -> None:
    names = [e.to_json()["event"] for e in EVENTS]
    assert list(dict.fromkeys(names)) == [
        "preparing", "started", "warned", "step_done", "epoch_done", "checkpoint_saved",
        "inputs_scored", "run_finished"]


def test_what_is_no_number_becomes_null_however_deep() -> None:
    event = EpochDone(1, {"loss": math.nan, "digit": {"accuracy": math.inf}}, {"loss": 1.0},
                      1.0, 1.0, 0.0, 0)
    data = json.loads(json.dumps(event.to_json(), allow_nan=False))
    assert data["train"] == {"loss": None, "digit": {"accuracy": None}}
    scored = InputsScored("test", 1, [{"tasks": {"digit": {"r2": math.nan}}}], {}, {})
    assert scored.to_json()["subsets"] == [{"tasks": {"digit": {"r2": None}}}]


def test_unknown_kinds_and_fields_are_passed_over() -> None:
    assert event_from_json({"event": "invented", "x": 1}) is None
    assert event_from_json({"event": "warned", "message": "m", "hint": "h", "new": 1}) == Warned(
        "m", "h")
    for broken in ({"event": "step_done"}, {}):
        with pytest.raises(ValueError):
            event_from_json(broken)


def test_the_history_keeps_every_point() -> None:
    history = replayed(EVENTS)
    assert history.step_epochs == [0.5, 1.0, 1.5, 2.0]
    assert history.step_loss == [0.9, 0.8, 0.7, 0.6]
    assert history.epochs == [1, 2]
    assert history.train_loss == [0.4, 0.3]
    assert history.validation_loss == [1.4, 1.3]
    assert history.metrics["digit"]["accuracy"] == {
        "train": [0.6, 0.7], "validation": pytest.approx([0.1, 0.2])}
    assert history.best_epoch == 1
    assert history.at_best()["digit"]["accuracy"] == pytest.approx(0.1)
    assert history.input_loss == {"image": [0.8, 0.6]}
    assert history.gradient_share == {"image": [0.25, 0.25]}
    assert history.inputs_scored == SCORED
    assert history.warnings == [Warned("careful", "do this")]
    assert history.progress() == 1.0
    assert history.remaining_s() == 3.0


def test_progress_runs_from_nought_to_one() -> None:
    history = RunHistory()
    found = []
    for event in EVENTS:
        history.apply(event)
        found.append(history.progress())
    assert found[:2] == [0.0, 0.0]
    assert found[3] == pytest.approx(1 / 8)
    assert found[4] == pytest.approx(2 / 8)
    assert found == sorted(found)
    assert history.preparing is None


def test_a_resumed_run_drops_the_points_of_the_broken_off_epoch() -> None:
    again = Started("runs/a", "CPU", "float32", 10, 4, 2, 2, {"train": 8}, ["image"],
                    {"digit": "accuracy"})
    history = replayed([*EVENTS[:8], again, StepDone(2, 3, 0.5, 0.1, 50.0),
                        StepDone(2, 4, 0.4, 0.1, 50.0), epoch(2, 0.2)])
    assert history.step_epochs == [0.5, 1.0, 1.5, 2.0]
    assert history.step_loss == [0.9, 0.8, 0.5, 0.4]
    assert history.epochs == [1, 2]
    assert history.metrics["digit"]["loss"]["train"] == [0.4, 0.2]
    assert history.input_loss == {"image": [0.8, 0.4]}
    assert replayed([*EVENTS, again]).inputs_scored is None


def test_null_in_the_log_is_no_number_in_the_history() -> None:
    event = EpochDone(1, {"loss": math.nan, "digit": {"accuracy": math.nan}},
                      {"loss": 1.0, "digit": {"accuracy": math.nan}}, 1.0, 1.0, 0.0, 0)
    read = event_from_json(json.loads(json.dumps(event.to_json())))
    assert read is not None
    history = replayed([read])
    assert math.isnan(history.train_loss[0])
    assert math.isnan(history.metrics["digit"]["accuracy"]["validation"][0])
