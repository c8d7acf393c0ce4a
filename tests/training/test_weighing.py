"""Weighing a run on the way, and loading its model meanwhile, change nothing in its training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from mmstudio.inference.predictor import Predictor
from mmstudio.training import weighing
from mmstudio.training.events import Combined, EncoderChosen, RunEvent, Shortened
from mmstudio.training.history import RunHistory
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.run_list import summarise
from tests.one_thread import one_thread as one_thread  # a fixture
from tests.small_project import start_small, train_small, write_small_project

COMBINED = {"training.combine": True, "training.epochs": 4, "inputs.sound.use": False}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_small_project(tmp_path / "project")


def last_weights(project: Path, run: str) -> dict[str, torch.Tensor]:
    return load_file(RunFolder(project / "runs" / run).last)


def test_a_run_that_is_weighed_and_asked_on_the_way_learns_the_same(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_small(project, COMBINED, run="plain")
    monkeypatch.setattr(weighing, "EVERY_S", 0.0)
    monkeypatch.setattr(weighing, "MOST_SHARE", 1e9)
    told: list[bool] = []
    for event in start_small(project, COMBINED, run="asked"):
        if isinstance(event, Combined):
            told.append(event.trained)
            state = torch.get_rng_state()
            predictor = Predictor(project / "runs" / "asked", "cpu")
            assert set(predictor.predict({"words": "two roads meet"}).tasks) == {"shape", "size"}
            assert torch.equal(torch.get_rng_state(), state)
    assert told[0] is False and told.count(True) > 1, "not only at the end"
    plain, asked = (last_weights(project, run) for run in ("plain", "asked"))
    assert plain.keys() == asked.keys()
    assert all(torch.equal(plain[name], asked[name]) for name in plain)


def test_loading_a_model_never_puts_back_what_a_training_draws_meanwhile(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_small(project, COMBINED | {"training.epochs": 1})

    def taken_back(*_: object, **__: object) -> None:
        raise AssertionError("a run in another thread would draw the same numbers again")

    monkeypatch.setattr(torch.random, "fork_rng", taken_back)
    monkeypatch.setattr(torch, "manual_seed", taken_back)
    assert Predictor(project / "runs" / "first", "cpu").model.combination is not None


def test_what_was_chosen_and_cut_is_kept_in_the_history_and_the_summary(project: Path) -> None:
    train_small(project, {"training.epochs": 1})
    history = RunHistory()
    events: list[RunEvent] = [EncoderChosen("words", "rnn", "", "It does."), Shortened(12, 5.0)]
    for event in events:
        history.apply(event)
    assert history.shortened == events[1]
    run = RunFolder(project / "runs" / "first")
    assert summarise(run).chosen == {}
    with run.log.open("a", encoding="utf-8") as log:
        log.write('{"event": "encoder_chosen", "input": "words", "encoder": "rnn", "model": "", '
                  '"reason": "It does."}\n')
    assert summarise(run).chosen == {"words": events[0]}
