"""Training on tiny published sound models, from files of sounds to answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmstudio.inference.predictor import Predictor
from mmstudio.training.events import EpochDone, RunFinished, Started, Warned
from mmstudio.training.run_folder import RunFolder
from tests.small_project import train_small
from tests.tiny_soundnet import tiny_soundnet
from tests.tiny_sounds import tiny_sound

pytestmark = [
    # a bank of few bands for AST has some that stay empty
    pytest.mark.filterwarnings("ignore:At least one mel filter"),
]


def changes(folder: Path, **options: Any) -> dict[str, Any]:
    """The sound alone, through the model in ``folder``."""
    return {
        "inputs.sound.encoder": {
            "name": "pretrained_audio", "model": str(folder), "width": 16, "dropout": 0.0,
            **options},
        "inputs.image.use": False, "inputs.words.use": False, "targets.size.use": False,
        "training.epochs": 12,
    }


@pytest.mark.parametrize(("family", "tuning"), [
    ("whisper", "frozen"), ("clap", "frozen"), ("ast", "full"), ("hubert", "lora")])
def test_a_table_of_sounds_is_learnt_and_answered(
    family: str, tuning: str, project: Path
) -> None:
    events = train_small(project, changes(tiny_sound(family), tuning=tuning, rate=0.1))
    assert isinstance(events[-1], RunFinished)
    assert events[-1].reason == "completed"
    assert not [e for e in events if isinstance(e, Warned)]
    started = next(e for e in events if isinstance(e, Started))
    assert started.inputs == ["sound"]
    losses = [e.train["loss"] for e in events if isinstance(e, EpochDone)]
    # three tones that even random layers tell apart
    assert losses[-1] < 0.7 * losses[0]
    run = RunFolder.existing(project / "runs" / "first")
    spec = run.schema().inputs["sound"]
    assert spec["sample_rate_hz"] == 16_000
    assert spec["max_seconds"] == pytest.approx(0.3)
    answer = Predictor(run.path).predict({"sound": project / "sounds" / "000.wav"})
    assert answer.present == ("sound",)
    assert sum(answer.tasks["shape"].scores.values()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("tuning", ["frozen", "last"])
def test_soundnet_learns_and_answers_sounds_that_are_shorter_than_it_takes(
    tuning: str, project: Path
) -> None:
    events = train_small(project, changes(tiny_soundnet(), tuning=tuning, rate=0.1))
    assert isinstance(events[-1], RunFinished) and events[-1].reason == "completed"
    assert not [e for e in events if isinstance(e, Warned)]
    losses = [e.train["loss"] for e in events if isinstance(e, EpochDone)]
    assert losses[-1] < 0.7 * losses[0]
    run = RunFolder.existing(project / "runs" / "first")
    assert run.schema().inputs["sound"] == {"sample_rate_hz": 22_050, "max_seconds": 0.3}
    # what is published stays in its package
    weights = run.path / "best.safetensors"
    assert (weights.stat().st_size < 200_000) == (tuning == "frozen")
    answer = Predictor(run.path).predict({"sound": project / "sounds" / "000.wav"})
    assert sum(answer.tasks["shape"].scores.values()) == pytest.approx(1, abs=1e-5)
