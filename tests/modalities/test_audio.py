"""Sounds of every kind that libsndfile writes."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from mmstudio.errors import UserError
from mmstudio.modalities.audio import LONG_SAMPLES, AudioModality
from mmstudio.modalities.sound_files import read_sound

RATE_HZ = 8000


def tone(hertz: float = 440, seconds: float = 0.5, rate_hz: int = RATE_HZ) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate_hz)) / rate_hz)


def loudest_hz(samples: np.ndarray, rate_hz: int) -> float:
    return float(np.abs(np.fft.rfft(samples)).argmax()) * rate_hz / len(samples)


@pytest.mark.parametrize(("subtype", "error"), [
    ("PCM_U8", 0.01), ("PCM_16", 1e-4), ("PCM_24", 1e-6), ("PCM_32", 1e-6), ("FLOAT", 1e-6),
    ("DOUBLE", 1e-6), ("ULAW", 0.02),
])
def test_wav_of_every_width(subtype: str, error: float, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "s.wav", tone(), RATE_HZ, subtype=subtype)
    samples, rate_hz = read_sound(tmp_path / "s.wav")
    assert rate_hz == RATE_HZ
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples[:4000], tone(), atol=error)


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3", "aiff", "au", "caf", "w64", "rf64"])
def test_other_formats(suffix: str, tmp_path: Path) -> None:
    soundfile.write(tmp_path / f"s.{suffix}", tone(), RATE_HZ)
    samples, rate_hz = read_sound(tmp_path / f"s.{suffix}")
    assert rate_hz == RATE_HZ
    assert loudest_hz(samples, rate_hz) == pytest.approx(440, abs=5)


@pytest.mark.parametrize("channels", [2, 6, 8])
def test_channels_are_mixed_to_their_mean(channels: int, tmp_path: Path) -> None:
    many = np.stack([tone() * (i + 1) / channels for i in range(channels)], axis=1)
    soundfile.write(tmp_path / "s.wav", many, RATE_HZ, subtype="FLOAT")
    samples, _ = read_sound(tmp_path / "s.wav")
    np.testing.assert_allclose(samples, many.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("rate_hz", [8000, 11_025, 22_050, 44_100, 96_000])
def test_every_rate_is_brought_to_the_common_one(rate_hz: int, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "s.wav", tone(1000, 0.5, rate_hz), rate_hz)
    spec = {"sample_rate_hz": 16_000, "max_seconds": 0.4}
    array = AudioModality().decode(tmp_path / "s.wav", spec)
    assert array.dtype == np.int16
    assert len(array) == 6400
    assert loudest_hz(array, 16_000) == pytest.approx(1000, abs=5)
    assert np.abs(array[400:-400]).max() == pytest.approx(0.5 * 32767, rel=0.02)


def test_short_sounds_stay_short_and_loud_ones_are_clipped(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "s.wav", np.array([2.0, -2.0, 0.5]), RATE_HZ, subtype="FLOAT")
    spec = {"sample_rate_hz": RATE_HZ, "max_seconds": 1.0}
    array = AudioModality().decode(tmp_path / "s.wav", spec)
    assert array.tolist() == [32767, -32767, 16384]


@pytest.mark.parametrize("own_rate_hz", [8000, 44_100])
def test_one_sample_is_a_sound(own_rate_hz: int, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "s.wav", np.array([0.5]), own_rate_hz)
    spec = {"sample_rate_hz": 8000, "max_seconds": 1.0}
    try:
        assert len(AudioModality().decode(tmp_path / "s.wav", spec)) == 1
    except UserError as error:
        assert own_rate_hz != 8000  # less than a sample of the common rate
        assert "no sound" in error.message


def test_the_rate_and_length_adapt_to_the_data_and_can_be_set(tmp_path: Path) -> None:
    for name, seconds, rate_hz in (("a", 0.5, 8000), ("b", 0.7, 8000), ("c", 0.6, 44_100)):
        soundfile.write(tmp_path / f"{name}.wav", tone(440, seconds, rate_hz), rate_hz)
    paths = [tmp_path / f"{n}.wav" for n in "abc"]
    assert AudioModality().fit(paths) == {"sample_rate_hz": 8000, "max_seconds": 0.7}
    assert AudioModality().fit(paths[2:])["sample_rate_hz"] == 16_000
    assert AudioModality(sample_rate_hz=22_050, max_seconds=2.0).fit(paths) == {
        "sample_rate_hz": 22_050, "max_seconds": 2.0}
    soundfile.write(tmp_path / "long.wav", tone(440, 12.0), RATE_HZ)
    assert AudioModality().fit([tmp_path / "long.wav"])["max_seconds"] == 10.0


def test_a_published_models_rate_counts_and_its_longest_sound(tmp_path: Path) -> None:
    for seconds in (1.0, 12.0, 40.0):
        soundfile.write(tmp_path / f"{seconds:g}.wav", tone(440, seconds), RATE_HZ)
    whisper = {"sample_rate_hz": 16_000, "most_seconds": 30.0}
    waves = {"sample_rate_hz": 16_000}

    def seconds_of(wanted: dict[str, float], longest: str, set_to: float = 0.0) -> float:
        spec = AudioModality(sample_rate_hz=44_100, max_seconds=set_to).fit(
            [tmp_path / f"{longest}.wav"], wanted)
        assert spec.keys() == {"sample_rate_hz", "max_seconds"}
        assert spec["sample_rate_hz"] == 16_000
        return float(spec["max_seconds"])

    assert [seconds_of(whisper, n) for n in ("1", "12", "40")] == [1.0, 12.0, 30.0]
    assert [seconds_of(waves, n) for n in ("1", "12", "40")] == [1.0, 10.0, 10.0]
    assert seconds_of(whisper, "40", set_to=5.0) == 5.0
    assert seconds_of(whisper, "40", set_to=60.0) == 30.0
    assert seconds_of(waves, "40", set_to=60.0) == 60.0


def test_one_long_sound_among_many_does_not_set_the_length(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "short.wav", tone(440, 0.2), RATE_HZ)
    soundfile.write(tmp_path / "long.wav", tone(440, 9.0), RATE_HZ)
    paths = [tmp_path / "short.wav"] * 199 + [tmp_path / "long.wav"]
    assert AudioModality().fit(paths)["max_seconds"] == pytest.approx(0.2)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused(value: float, tmp_path: Path) -> None:
    samples = tone()
    samples[100] = value
    soundfile.write(tmp_path / "s.wav", samples, RATE_HZ, subtype="FLOAT")
    with pytest.raises(UserError, match="not numbers"):
        read_sound(tmp_path / "s.wav")


def test_files_that_cannot_be_read_are_user_errors(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_bytes(b"this is no sound")
    (tmp_path / "noise.mp3").write_bytes(bytes(range(256)) * 8)
    (tmp_path / "folder.wav").mkdir()
    for name in ("empty.wav", "text.wav", "noise.mp3", "folder.wav", "none.wav"):
        with pytest.raises(UserError) as caught:
            read_sound(tmp_path / name)
        assert name in caught.value.message
        assert caught.value.hint
    with pytest.raises(UserError, match="Not one sound"):
        AudioModality().fit([tmp_path / "text.wav", tmp_path / "none.wav"])


def test_a_header_without_samples_is_refused_with_its_name(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "s.wav", np.zeros(0), RATE_HZ)
    with pytest.raises(UserError, match=r"s\.wav holds no sound"):
        AudioModality().decode(tmp_path / "s.wav",
                               {"sample_rate_hz": RATE_HZ, "max_seconds": 1.0})


@pytest.mark.parametrize(("content", "suffix"), [
    ("flac", "wav"), ("wav", "mp3"), ("ogg", "wav"), ("mp3", "wav"),
])
def test_the_content_counts_and_not_the_suffix(content: str, suffix: str, tmp_path: Path) -> None:
    soundfile.write(tmp_path / f"s.{content}", tone(), RATE_HZ)
    (tmp_path / f"s.{content}").rename(tmp_path / f"wrong.{suffix}")
    samples, rate_hz = read_sound(tmp_path / f"wrong.{suffix}")
    assert loudest_hz(samples, rate_hz) == pytest.approx(440, abs=5)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_a_damaged_file_is_read_or_refused_and_never_crashes(suffix: str, tmp_path: Path) -> None:
    chance = random.Random(0)
    soundfile.write(tmp_path / f"s.{suffix}", tone(seconds=0.3), RATE_HZ)
    content = (tmp_path / f"s.{suffix}").read_bytes()
    modality = AudioModality()
    for round_ in range(40):
        damaged = bytearray(content)
        for _ in range(chance.randint(0, 8)):
            damaged[chance.randrange(min(len(damaged), 200))] = chance.randrange(256)
        path = tmp_path / f"{round_}.{suffix}"
        path.write_bytes(damaged[: chance.choice([len(damaged), chance.randrange(len(damaged))])])
        for read in (
            lambda p=path: modality.decode(p, {"sample_rate_hz": 8000, "max_seconds": 1.0}),
            lambda p=path: modality.fit([p]),
        ):
            try:
                read()
            except UserError as error:
                assert error.message


def test_a_batch_is_as_long_as_its_longest_sound_in_steps() -> None:
    modality, spec = AudioModality(), {"sample_rate_hz": 1000, "max_seconds": 1.0}
    arrays = [np.arange(1, 251, dtype=np.int16), None, np.ones(40, np.int16)]
    values, mask = modality.collate(arrays, spec)
    assert mask is not None
    assert values.shape == mask.shape == (3, 300)
    assert values.dtype == torch.int16
    assert mask.sum(dim=1).tolist() == [250, 0, 40]
    assert values[0, :250].tolist() == list(range(1, 251))
    assert values[~mask].unique().tolist() == [0]
    prepared = modality.prepare(torch.tensor([[-32768, 0, 16384]], dtype=torch.int16))
    assert prepared.tolist() == [[-1.0, 0.0, 0.5]]


def test_augmenting_varies_a_little_and_leaves_the_padding_empty() -> None:
    modality = AudioModality()
    values = torch.zeros(4, 1000)
    mask = torch.arange(1000) < torch.tensor([[1000], [600], [1], [300]])
    values[mask] = torch.sin(torch.arange(int(mask.sum())) / 7)
    results = [modality.augment(values, mask, torch.Generator().manual_seed(s))
               for s in (0, 0, 1)]
    moved, real = results[0]
    assert real is not None
    assert torch.equal(moved, results[1][0])
    assert not torch.equal(moved, results[2][0])
    assert (moved[~real] == 0).all()
    assert moved.isfinite().all()
    lengths = real.sum(dim=1)
    assert (lengths[[0, 1, 3]] >= torch.tensor([850, 510, 255])).all()
    assert (lengths <= 1000).all()


def test_long_sounds_are_varied_alike() -> None:
    modality, length = AudioModality(), LONG_SAMPLES + 8000
    lengths = torch.tensor([[length], [length - 4000], [1], [0]])
    mask = torch.arange(length) < lengths
    wave = torch.sin(torch.arange(length) / 7)
    values = torch.where(mask, wave, torch.full((), 9.0))  # what stands behind must not count
    empty = torch.where(mask, wave, 0.0)
    moved, real = modality.augment(values, mask, torch.Generator().manual_seed(0))
    same, _ = modality.augment(empty, mask, torch.Generator().manual_seed(0))
    other, _ = modality.augment(empty, mask, torch.Generator().manual_seed(1))
    assert real is not None
    assert torch.equal(moved, same) and not torch.equal(moved, other)
    assert moved.shape == real.shape == (4, length + length // 8)
    assert (moved[~real] == 0).all() and moved.isfinite().all()
    heard = real.sum(dim=1)
    assert (heard[:2] >= torch.tensor([0.85 * length, 0.85 * (length - 4000)])).all()
    assert not real[3].any()


def test_a_long_sound_comes_out_faster_or_slower_and_whole() -> None:
    """A wave's zero crossings per sample tell its speed; its number of waves stays."""
    modality, length = AudioModality(), 2 * LONG_SAMPLES
    values = torch.sin(torch.arange(length) / 20).expand(16, -1).contiguous()
    moved, _ = modality.augment(
        values, torch.ones(16, length, dtype=torch.bool), torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.avg_pool1d(moved.unsqueeze(1), 15, 1).squeeze(1)
    loud = smooth.abs() > 0.2
    for row in range(16):
        signs = smooth[row][loud[row]].sign()
        crossings = int((signs[1:] != signs[:-1]).sum())
        assert crossings > 0.93 * length / 20 / torch.pi
        first, last = loud[row].nonzero()[[0, -1], 0].tolist()
        assert length / 1.16 < last - first < 1.19 * length
