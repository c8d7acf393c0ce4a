"""Encoders that nobody chose: what is taken, why, and where English is not spoken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmstudio.experiment import Component, Experiment
from mmstudio.pretrained import starter
from mmstudio.training import choose as module
from mmstudio.training.choose import Chosen, choose, with_encoders_of, without_auto
from mmstudio.training.events import EncoderChosen
from mmstudio.training.loop import train
from mmstudio.training.run_folder import RunFolder
from tests.small_project import read_rows, small_experiment, write_small_project, write_table
from tests.tiny_models import tiny
from tests.tiny_soundnet import tiny_soundnet

pytestmark = pytest.mark.usefixtures("one_thread")


def left_open(changes: dict[str, Any] | None = None) -> Experiment:
    experiment = small_experiment(changes)
    for name in experiment.inputs:
        experiment = experiment.replaced(("inputs", name, "encoder"), {"name": "auto"})
    return experiment


def chosen(experiment: Experiment, folder: Path) -> Chosen:
    found = list(choose(experiment, folder))[-1]
    assert isinstance(found, Chosen)
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_small_project(tmp_path)
    return tmp_path


@pytest.fixture
def no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "starter_model", lambda kind: None)


@pytest.fixture
def tiny_pictures(monkeypatch: pytest.MonkeyPatch) -> str:
    model = str(tiny("vit"))
    monkeypatch.setattr(
        module, "starter_model", lambda kind: model if kind == "image" else None)
    return model


@pytest.mark.usefixtures("no_models")
def test_without_a_published_model_here_the_usual_networks_are_taken(project: Path) -> None:
    found = chosen(left_open(), project)
    assert all("No published model" in c.reason for c in found.choices)
    assert [i.encoder.name for i in found.experiment.inputs.values()] == ["cnn", "rnn", "crnn"]
    assert without_auto(left_open()) == found.experiment


def test_a_published_model_is_tried_and_the_reason_told(project: Path, tiny_pictures: str) -> None:
    found = chosen(left_open(), project)
    choice = found.choices[0]
    assert choice.input == "image"
    assert tiny_pictures in choice.reason and "unexplained" in choice.reason
    better = "does better" in choice.reason
    assert choice.encoder.name == ("pretrained_image" if better else "cnn")
    assert chosen(left_open(), project) == found  # looked up


@pytest.fixture
def tiny_sounds(monkeypatch: pytest.MonkeyPatch) -> Component:
    """The starter pack's sound model is here, and no other of the pack."""
    folder = tiny_soundnet().parents[1]
    monkeypatch.setattr(
        starter, "package_folder", lambda name: folder if name == "soundnet" else None)
    return Component("pretrained_audio", {"model": "starter/soundnet"})


def test_the_packs_sound_model_is_tried_too(project: Path, tiny_sounds: Component) -> None:
    choice = next(c for c in chosen(left_open(), project).choices if c.input == "sound")
    assert choice.reason.startswith("starter/soundnet does ") and "unexplained" in choice.reason
    assert choice.encoder == (
        tiny_sounds if "does better" in choice.reason else Component("crnn"))


@pytest.mark.parametrize(("published", "taken"), [(0.2, True), (0.5, False)])
def test_it_is_taken_only_where_it_explains_most(
    project: Path, tiny_sounds: Component, monkeypatch: pytest.MonkeyPatch, published: float,
    taken: bool,
) -> None:
    """Of pitch and timbre a network from scratch learns more than its features hold."""
    monkeypatch.setattr(module, "_compared", lambda *a: module._Compared(0.6, published, 0.001))
    choice = next(c for c in chosen(left_open(), project).choices if c.input == "sound")
    assert choice.encoder == (tiny_sounds if taken else Component("crnn"))
    assert ("does better" if taken else "does not explain enough") in choice.reason


@pytest.mark.parametrize(("plain", "published", "seconds", "name", "said"), [
    (0.5, 0.4, 0.001, "pretrained_image", "does better"),
    (0.5, 0.49, 0.001, "cnn", "does not do clearly better"),
    (0.5, 0.2, 1000.0, "cnn", "training.minutes"),
])
def test_what_decides(
    project: Path, tiny_pictures: str, monkeypatch: pytest.MonkeyPatch, plain: float,
    published: float, seconds: float, name: str, said: str,
) -> None:
    monkeypatch.setattr(
        module, "_compared", lambda *a: module._Compared(plain, published, seconds))
    found = chosen(left_open({"training.epochs": 0}), project)
    assert found.experiment.inputs["image"].encoder.name == name
    assert said in found.choices[0].reason


def test_texts_in_another_language_are_not_sent_through_an_english_model(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        module, "starter_model", lambda kind: "starter/minilm" if kind == "text" else None)
    rows = read_rows(project)
    for row in rows:
        row["text"] = "das kleine Haus steht am Ende der alten Straße"
    write_table(project / "metadata.csv", rows)
    choice = next(c for c in chosen(left_open(), project).choices if c.input == "words")
    assert choice.encoder.name == "rnn"
    assert "English" in choice.reason


@pytest.mark.usefixtures("no_models")
def test_what_the_user_chose_stays(project: Path) -> None:
    experiment = left_open().replaced("inputs.image.encoder.name", "descriptors")
    found = chosen(experiment, project).experiment
    assert found.inputs["image"].encoder == Component("descriptors")


def test_the_run_holds_what_was_chosen_and_a_resume_keeps_it(
    project: Path, tiny_pictures: str
) -> None:
    experiment = left_open({"training.epochs": 1})
    events = list(train(experiment, project / "runs" / "a", folder=project))
    told = [e for e in events if isinstance(e, EncoderChosen)]
    run = RunFolder(project / "runs" / "a")
    assert [e.input for e in told] == ["image", "words", "sound"]
    assert run.history().encoders_chosen["image"].encoder == told[0].encoder
    kept = run.experiment()
    assert "auto" not in {i.encoder.name for i in kept.inputs.values()}
    again = with_encoders_of(kept, experiment)
    assert again.inputs["image"].encoder == kept.inputs["image"].encoder
