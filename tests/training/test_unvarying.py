"""Inputs that are the same in every row: they get the cheapest encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from mmstudio.experiment import Experiment
from mmstudio.training import choose
from mmstudio.training.events import EncoderChosen
from mmstudio.training.loop import train
from mmstudio.training.run_folder import RunFolder
from tests.small_project import RATE_HZ, read_rows, small_experiment, write_small_project

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose sounds are silence, longer and shorter."""
    monkeypatch.setattr(choose, "starter_model", lambda kind: None)
    write_small_project(tmp_path)
    for number, row in enumerate(read_rows(tmp_path)):
        if row["audio"]:
            soundfile.write(tmp_path / row["audio"], np.zeros(1500 + 10 * number), RATE_HZ)
    return tmp_path


def left_open() -> Experiment:
    experiment = small_experiment({"training.epochs": 1})
    for name in experiment.inputs:
        experiment = experiment.replaced(("inputs", name, "encoder"), {"name": "auto"})
    return experiment


def test_silence_gets_no_network_and_the_reason_is_told(silent: Path) -> None:
    events = list(train(left_open(), silent / "runs" / "a", folder=silent))
    choices = {e.input: e for e in events if isinstance(e, EncoderChosen)}
    assert "the same in every training row" in choices["sound"].reason
    assert [choices[n].encoder for n in ("image", "words", "sound")] == ["cnn", "rnn", "statistics"]
    kept = RunFolder(silent / "runs" / "a").experiment()
    assert kept.inputs["sound"].encoder.name == "statistics"
    resumed = left_open().replaced("training.epochs", 2)
    assert list(train(resumed, silent / "runs" / "a", folder=silent, resume=True))


def test_an_encoder_that_was_chosen_by_hand_stays(silent: Path) -> None:
    experiment = left_open().replaced(("inputs", "sound", "encoder"), {"name": "crnn"})
    list(train(experiment, silent / "runs" / "a", folder=silent))
    assert RunFolder(silent / "runs" / "a").experiment().inputs["sound"].encoder.name == "crnn"
