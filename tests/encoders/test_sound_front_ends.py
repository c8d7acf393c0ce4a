"""What published sound models take, against the feature extractors of the transformers library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    ASTFeatureExtractor,
    ClapFeatureExtractor,
    Wav2Vec2FeatureExtractor,
    WhisperFeatureExtractor,
)

from mmstudio.encoders.sound_clap import ClapMel
from mmstudio.encoders.sound_kaldi import KaldiMel
from mmstudio.encoders.sound_waves import Waves
from mmstudio.encoders.sound_whisper import WhisperMel

# the library's own bank of 128 Kaldi bands has one that stays empty
pytestmark = pytest.mark.filterwarnings("ignore:At least one mel filter")

SECONDS = (1.03, 0.4, 0.77, 0.0613)


def sounds(rate_hz: int, seconds: Sequence[float] = SECONDS) -> list[np.ndarray]:
    """Tones that glide under noise and fade into the steps of a 16-bit recording."""
    chance = np.random.default_rng(0)
    made = []
    for number, length_s in enumerate(seconds):
        time_s = np.arange(round(length_s * rate_hz)) / rate_hz
        tone = np.sin(2 * np.pi * (150 + 90 * number + 400 * time_s) * time_s)
        sound = (tone + 0.4 * chance.normal(size=len(time_s))) * 0.3 * np.exp(-9 * time_s)
        made.append((np.round(np.clip(sound, -1, 1) * 32767) / 32768).astype(np.float32))
    return made


def batch(made: Sequence[np.ndarray], more: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Padded samples ``(B, L)``, with what must not count in the padding, and the mask."""
    length = max(map(len, made)) + more
    mask = torch.arange(length) < torch.tensor([len(m) for m in made]).unsqueeze(1)
    values = torch.full((len(made), length), float("nan"))
    for row, sound in enumerate(made):
        values[row, : len(sound)] = torch.from_numpy(sound)
    return values, mask


def close(got: torch.Tensor, wanted: Any, tolerance: float) -> None:
    torch.testing.assert_close(got, torch.as_tensor(np.asarray(wanted)), rtol=0, atol=tolerance)


@pytest.mark.parametrize("normalise", [True, False])
def test_waves_are_those_of_each_sound_alone(normalise: bool) -> None:
    library = Wav2Vec2FeatureExtractor(do_normalize=normalise)
    made = sounds(16_000)
    for more in (0, 5000):
        values, counts = Waves(library.to_dict())(*batch(made, more))
        assert counts.tolist() == [len(m) for m in made]
        for row, sound in enumerate(made):
            wanted = library(sound, sampling_rate=16_000, return_tensors="np").input_values[0]
            close(values[row, : len(sound)], wanted, 1e-5)
            assert (values[row, len(sound) :] == 0).all()


def test_waves_are_those_of_the_librarys_padded_batch() -> None:
    library = Wav2Vec2FeatureExtractor(return_attention_mask=True)
    made = sounds(16_000)
    wanted = library(made, sampling_rate=16_000, padding=True, return_tensors="pt")
    values, counts = Waves(library.to_dict())(*batch(made))
    close(values, wanted.input_values, 1e-5)
    assert torch.equal(counts, wanted.attention_mask.sum(dim=1))


@pytest.mark.parametrize("bands", [80, 128])
@pytest.mark.parametrize("seconds", [SECONDS, (29.997, 30.0), (31.5,)], ids=str)
def test_whisper_mel_of_thirty_seconds(bands: int, seconds: tuple[float, ...]) -> None:
    library = WhisperFeatureExtractor(feature_size=bands)
    made = sounds(16_000, seconds)
    wanted = library(made, sampling_rate=16_000).input_features
    got, counts = WhisperMel(library.to_dict())(*batch(made))
    assert got.shape == (len(made), bands, 3000)
    close(got, wanted, 1e-5)
    assert counts.tolist() == [min(3000, -(-len(m) // 160)) for m in made]


@pytest.mark.parametrize("more", [0, 3333])
def test_whisper_mel_of_less_than_thirty_seconds_is_a_part_of_it(more: int) -> None:
    front = WhisperMel(WhisperFeatureExtractor().to_dict())
    whole, _ = front(*batch(sounds(16_000)))
    part, _ = front(*batch(sounds(16_000), more), frames=150)
    assert torch.equal(part, whole[..., :150])


@pytest.mark.parametrize("length", [1024, 64])
def test_kaldi_mel_is_that_of_the_spectrogram_transformer(length: int) -> None:
    library = ASTFeatureExtractor(max_length=length)
    made = sounds(16_000)
    wanted = library(made, sampling_rate=16_000, return_tensors="np").input_values
    for more in (0, 3333):
        got, counts = KaldiMel(library.to_dict())(*batch(made, more))
        close(got, wanted, 1e-5)
        assert counts.tolist() == [min(length, (len(m) - 400) // 160 + 1) for m in made]
        part, _ = KaldiMel(library.to_dict())(*batch(made, more), frames=48)
        close(part, wanted[:, :48], 1e-5)


def test_kaldi_mel_without_scaling() -> None:
    library = ASTFeatureExtractor(do_normalize=False, num_mel_bins=40, max_length=120)
    made = sounds(16_000)
    wanted = library(made, sampling_rate=16_000, return_tensors="np").input_values
    close(KaldiMel(library.to_dict())(*batch(made))[0], wanted, 1e-5)


@pytest.mark.parametrize("truncation", ["rand_trunc", "fusion"])
@pytest.mark.parametrize("padding", ["repeatpad", "repeat", "pad"])
def test_clap_mel_of_a_filled_window(truncation: str, padding: str) -> None:
    library = ClapFeatureExtractor(truncation=truncation, padding=padding, max_length_s=2,
                                   frequency_min=50)
    made = sounds(48_000, (*SECONDS, 2.0))
    wanted = library(made, sampling_rate=48_000, return_tensors="np").input_features
    for more in (0, 3333):
        got = ClapMel(library.to_dict())(*batch(made, more))
        assert got.shape == wanted.shape
        close(got, wanted, 1e-4)  # decibel


def test_clap_mel_of_a_longer_sound_is_that_of_its_beginning() -> None:
    library = ClapFeatureExtractor(truncation="rand_trunc", max_length_s=1)
    long = sounds(48_000, (1.6,))[0]
    wanted = library(long[:48_000], sampling_rate=48_000, return_tensors="np").input_features
    close(ClapMel(library.to_dict())(*batch([long])), wanted, 1e-4)


@pytest.mark.parametrize("front", [
    Waves({}), WhisperMel({}), KaldiMel({}), ClapMel({"max_length_s": 1})],
    ids=lambda front: type(front).__name__)
@pytest.mark.parametrize("length", [1, 7, 399])
def test_a_sound_of_few_samples_is_taken(front: torch.nn.Module, length: int) -> None:
    found = front(torch.randn(2, length), torch.ones(2, length, dtype=torch.bool))
    values = found if isinstance(found, torch.Tensor) else found[0]
    assert values.isfinite().all()
