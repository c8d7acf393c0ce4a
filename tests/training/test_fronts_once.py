"""Spectrograms worked out once for rows that nobody varies: the steps are the same to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mmstudio.data.batches import make_batch
from mmstudio.data.prepare import Dataset, prepare
from mmstudio.encoders.audio_crnn import AudioCRNN
from mmstudio.encoders.base import Features
from mmstudio.encoders.log_mel import LogMel
from mmstudio.errors import UserError
from mmstudio.training import fronts_once, loop, ready
from mmstudio.training.events import EpochDone, Warned
from mmstudio.training.fronts_once import with_fronts
from mmstudio.training.model import MultimodalModel, build_model, completed
from tests.small_project import read_rows, small_experiment, train_small

CPU = torch.device("cpu")
SOUND = {"inputs.image.use": False, "inputs.words.use": False, "training.epochs": 3}
PLAIN = {"name": "crnn", "width": 16, "mel_bands": 16, "colouring": 0.0}


def heard(project: Path, *splits: str) -> int:
    """How many rows of some splits have a sound and a label."""
    return sum(bool(r["audio"]) and r["split"] in splits and bool(r["shape"] or r["size"])
               for r in read_rows(project))


@pytest.fixture
def transformed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many sounds each call of a spectrogram was given."""
    found: list[int] = []
    forward = LogMel.forward

    def counted(self: LogMel, samples: torch.Tensor, *more: Any) -> Any:
        found.append(len(samples))
        return forward(self, samples, *more)

    monkeypatch.setattr(LogMel, "forward", counted)
    return found


def figures(events: list[Any]) -> list[tuple[Any, Any]]:
    return [(e.train, e.validation) for e in events if isinstance(e, EpochDone)]


def in_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def left_alone(model: Any, dataset: Dataset, *more: Any) -> Any:
        yield dataset

    monkeypatch.setattr(ready, "with_fronts", left_alone)


@pytest.mark.parametrize("augment", [False, True])
def test_a_training_is_the_same_to_the_bit_as_with_one_made_in_each_step(
    project: Path, monkeypatch: pytest.MonkeyPatch, augment: bool
) -> None:
    # colouring is drawn anew in each step, and needs what is kept in other words; see below
    changes = SOUND | {"training.augment": augment} | (
        {} if augment else {"inputs.sound.encoder": PLAIN})
    once = train_small(project, changes, run="once")
    in_each_step(monkeypatch)
    anew = train_small(project, changes, run="anew")
    assert figures(once) == figures(anew) and len(figures(once)) == 3
    one, other = (load_file(project / "runs" / r / "last.safetensors") for r in ("once", "anew"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_where_nothing_is_varied_each_sound_is_transformed_once(
    project: Path, transformed: list[int]
) -> None:
    changes = SOUND | {"training.augment": False}
    train_small(project, changes, run="a")
    # and one more, by which the room is told
    assert sum(transformed) == heard(project, "train", "validation") + 1
    transformed.clear()
    train_small(project, changes | {"training.seed": 3}, run="b")
    assert sum(transformed) == 1


def test_varied_sounds_are_transformed_in_each_step_those_of_the_validation_once(
    project: Path, transformed: list[int]
) -> None:
    train_small(project, SOUND | {"inputs.sound.augment": True}, run="a")
    trained = 3 * heard(project, "train")
    assert sum(transformed) == trained + heard(project, "validation") + 1


def test_what_would_take_too_much_of_the_store_is_made_in_each_step(
    project: Path, transformed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fronts_once, "limit_bytes", lambda: 1000)
    train_small(project, SOUND | {"training.augment": False}, run="a")
    assert sum(transformed) == 3 * heard(project, "train", "validation") + 1


@pytest.mark.parametrize("error", [
    RuntimeError("can't allocate memory"), UserError("Decoded data can't be kept: disk full.")])
def test_what_memory_or_the_store_does_not_hold_is_made_in_each_step(
    project: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def kept(*_: Any) -> Any:
        yield 0
        raise error

    monkeypatch.setattr(fronts_once, "kept", kept)
    events = train_small(project, SOUND | {"training.augment": False}, run="a")
    told = [e.message for e in events if isinstance(e, Warned)]
    assert len(figures(events)) == 3
    assert sum("'sound' begins with can't be worked out once" in text for text in told) == 1


def test_a_run_that_goes_on_is_as_one_that_was_never_stopped(project: Path) -> None:
    changes = SOUND | {"training.augment": False, "inputs.sound.encoder": PLAIN | {"dropout": 0.3}}
    whole = train_small(project, changes, run="whole")
    experiment = small_experiment(changes)
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 30

    parts = list(loop.train(experiment, project / "runs/parts", folder=project, should_stop=stop))
    parts += loop.train(experiment, project / "runs/parts", folder=project, resume=True)
    assert figures(parts) == figures(whole)


def loaded(project: Path) -> tuple[MultimodalModel, Dataset]:
    experiment = completed(small_experiment(SOUND))
    dataset = next(d for d in prepare(experiment, project) if isinstance(d, Dataset))
    return build_model(experiment, dataset.schema), dataset


def test_batches_hold_spectrograms_where_all_of_their_rows_have_one(project: Path) -> None:
    model, dataset = loaded(project)
    *_, found = with_fronts(model, dataset, CPU, augment=True)
    assert isinstance(found, Dataset)
    validation, train = found.rows("validation"), found.rows("train")
    item = make_batch(found, model.modalities, validation).inputs["sound"]
    assert item.fronted and item.values.dtype == torch.float32 and item.values.shape[2] == 16
    assert not make_batch(found, model.modalities, train).inputs["sound"].fronted
    mixed = np.concatenate([train[:1], validation])
    assert not make_batch(found, model.modalities, mixed).inputs["sound"].fronted
    encoder = model.encoders[0]
    assert isinstance(encoder, AudioCRNN)
    plain = make_batch(dataset, model.modalities, validation).inputs["sound"]
    frames, real = encoder.log_mel(model.modalities["sound"].prepare(plain.values), plain.mask)
    here = item.present
    assert torch.equal(item.values[here], frames[here])
    assert item.mask is not None and torch.equal(item.mask[here], real[here])


@pytest.mark.parametrize("seconds", [0.04, 0.25, 1.0, 2.31])
def test_the_length_of_a_batch_is_that_of_the_frames(seconds: float) -> None:
    from mmstudio.modalities.audio import AudioModality

    for most in (1.0, 4.0):
        spec = {"sample_rate_hz": 8000, "max_seconds": most}
        encoder = AudioCRNN(spec, width=16)
        sound = np.ones(round(seconds * 8000), np.int16)
        values, mask = AudioModality().collate([sound, None], spec)
        assert mask is not None
        frames = encoder.front(values.float(), mask)
        assert frames.tokens.shape[1] == encoder.front_length(len(sound))


def test_colouring_a_kept_spectrogram_is_colouring_the_sound() -> None:
    torch.manual_seed(0)
    loudness = torch.tensor([[0.2], [0.001], [3e-6], [0.0]])  # the third is all but silent
    values = torch.randn(4, 4000) * loudness
    mask = torch.arange(4000) < torch.tensor([[4000], [2500], [4000], [3000]])
    log_mel = LogMel(8000, 16, 35.0)
    gain = 10 ** torch.linspace(-1, 1, 16).expand(4, 16)
    expected, _ = log_mel(values, mask, gain)
    found = log_mel.coloured(log_mel(values, mask)[0], gain)
    assert float((found - expected).abs().max()) < 2e-6


def test_a_class_of_ones_own_with_another_forward_is_not_passed_over() -> None:
    class Mine(AudioCRNN):
        name = "mine"

        def forward(self, values: torch.Tensor, mask: torch.Tensor | None) -> Features:
            return super().forward(values, mask)

    class Same(AudioCRNN):
        name = "same"

    found = [cls.__new__(cls) for cls in (AudioCRNN, Same, Mine)]
    assert [encoder.is_in_two_parts for encoder in found] == [True, True, False]
