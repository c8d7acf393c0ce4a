"""What follows the data: an input whose varied samples tell nothing is left as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from mmstudio.data.prepare import Dataset, prepare
from mmstudio.experiment import Experiment
from mmstudio.training.model import completed
from mmstudio.training.suited import Suited, suit, with_suited
from tests.small_project import write_table

RATE_HZ = 8000
pytestmark = pytest.mark.usefixtures("one_thread")

TOML = """\
[data]
table = "metadata.csv"
split = "split"
[inputs.sound]
column = "audio"
modality = "audio"
encoder = { name = "crnn", width = 16 }
[targets.label]
task = "classification"
"""


def sounds(folder: Path, *, pitches: bool) -> Experiment:
    """Tones that are a semitone apart; or tones, and noise."""
    chance = np.random.default_rng(0)
    (folder / "audio").mkdir(exist_ok=True)
    rows = []
    for at in range(150):
        label = at % 2
        pitch_hz = 600 * 1.06**label if pitches else chance.uniform(300, 1200)
        seconds = np.arange(int(0.4 * RATE_HZ)) / RATE_HZ
        wave = 0.4 * np.sin(2 * np.pi * pitch_hz * seconds + chance.uniform(0, 6))
        wave += 0.01 * chance.normal(size=len(wave))
        if label and not pitches:
            wave = 0.2 * chance.normal(size=len(wave))
        name = f"audio/{at}.wav"
        soundfile.write(folder / name, wave, RATE_HZ)
        rows.append({"audio": name, "label": "high" if label else "low",
                     "split": "validation" if at >= 100 else "train"})
    write_table(folder / "metadata.csv", rows)
    return completed(Experiment.parse(TOML))


def suited(experiment: Experiment, folder: Path) -> Suited:
    dataset = list(prepare(experiment, folder))[-1]
    assert isinstance(dataset, Dataset)
    found = list(suit(experiment, dataset, 0))[-1]
    assert isinstance(found, Suited)
    return found


def test_where_the_pitch_is_the_label_sounds_are_not_varied(tmp_path: Path) -> None:
    found = suited(sounds(tmp_path, pitches=True), tmp_path)
    sound = found.experiment.inputs["sound"]
    assert sound.augment is False
    assert (sound.encoder.options["colouring"], sound.encoder.options["masking"]) == (0.0, 0.0)
    assert "left as it is" in found.notes[0]


def test_what_varying_leaves_is_varied(tmp_path: Path) -> None:
    found = suited(sounds(tmp_path, pitches=False), tmp_path)
    sound = found.experiment.inputs["sound"]
    assert sound.augment is True and not found.notes
    assert sound.encoder.options["masking"] == 0.2


def test_what_the_user_set_is_left_alone(tmp_path: Path) -> None:
    experiment = sounds(tmp_path, pitches=True).replaced("inputs.sound.augment", True)
    assert suited(experiment, tmp_path).experiment == experiment
    off = sounds(tmp_path, pitches=True).replaced("training.augment", False)
    assert suited(off, tmp_path).experiment == off


def test_a_resume_takes_what_the_run_measured(tmp_path: Path) -> None:
    experiment = sounds(tmp_path, pitches=True)
    run = suited(experiment, tmp_path).experiment
    assert with_suited(run, experiment) == run
    wider = experiment.replaced("inputs.sound.encoder.masking", 0.1)
    again = with_suited(run, wider)
    assert again.inputs["sound"].encoder.options["masking"] == 0.1
    assert again.inputs["sound"].encoder.options["colouring"] == 0.0


def test_the_file_holds_it(tmp_path: Path) -> None:
    found = suited(sounds(tmp_path, pitches=True), tmp_path).experiment
    assert Experiment.parse(found.to_toml()) == found
