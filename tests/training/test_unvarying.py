"""Inputs that are the same in every row: they get the cheapest encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from mmstudio.data.mapped_rows import Decoded
from mmstudio.experiment import Experiment
from mmstudio.training import choose
from mmstudio.training.events import EncoderChosen
from mmstudio.training.loop import train
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.unvarying import MOST_LOOKED_AT, _never_varies
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


def decoded(*arrays: list[int]) -> Decoded:
    data = np.array([value for array in arrays for value in array], dtype=np.int64)
    return Decoded(data, np.cumsum([0, *map(len, arrays)]), (), {})


def test_one_row_among_many_that_differs_is_found_wherever_it_is() -> None:
    rows = np.arange(4 * MOST_LOOKED_AT)
    alike: list[list[int]] = [[1, 2]] * len(rows)
    assert _never_varies(decoded(*alike), rows)
    for at in (0, 1, 2, 3, len(rows) - 1):
        odd = [*alike[:at], [1, 3], *alike[at + 1:]]
        assert not _never_varies(decoded(*odd), rows)
        assert _never_varies(decoded(*odd), np.delete(rows, at))


def test_one_filled_row_says_nothing() -> None:
    rows = np.arange(3)
    assert not _never_varies(decoded([], [5], []), rows)
    assert not _never_varies(decoded([], [], []), rows)
    assert _never_varies(decoded([5], [], [5]), rows)


@pytest.mark.parametrize(("arrays", "never"), [
    ([[0, 0], [0], [0, 0, 0]], True), ([[0, 0], [0, 1]], False), ([[0, 0], [1, 1]], False),
    ([[1, 2], [1, 2, 2]], False), ([[1, 2], [1, 1]], False), ([[0], [0, 1]], False),
])
def test_silence_is_the_same_at_any_length_and_nothing_else_is(
    arrays: list[list[int]], never: bool
) -> None:
    assert _never_varies(decoded(*arrays), np.arange(len(arrays))) is never
