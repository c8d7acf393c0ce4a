"""The spectrogram: its frames against a plain numpy computation, its behaviour at the edges."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmstudio.encoders.log_mel import LogMel


def test_frames_are_those_of_a_plain_computation() -> None:
    rate_hz, length = 8000, 1600
    mel = LogMel(rate_hz, 16, range_db=35.0)
    sound = np.random.default_rng(0).normal(size=length).astype(np.float32) * 0.1
    frames, real = mel(torch.from_numpy(sound)[None], torch.ones(1, length, dtype=torch.bool))
    bins, hop, window = 256, 80, np.hanning(201)[:-1]
    padded = np.pad(sound.astype(np.float64), bins // 2)
    expected = []
    for start in range(0, length + 1, hop):
        # the window of 200 samples stands in the middle of 256
        piece = padded[start + 28 : start + 228] * window
        power = np.abs(np.fft.rfft(np.pad(piece, 28))) ** 2
        expected.append(power @ mel.bank.numpy().astype(np.float64))
    plain = np.array(expected)[: real.sum()]
    plain = np.log(1 + plain / (plain.max() * 10**-3.5)) / 3
    assert int(real.sum()) == 20
    np.testing.assert_allclose(frames[0][real[0]].numpy(), plain, atol=1e-4)


@pytest.mark.parametrize(("rate_hz", "bands"), [(8000, 16), (16_000, 40), (22_050, 64),
                                                (44_100, 128), (11_025, 7)])
def test_the_bands_are_those_of_the_usual_library(rate_hz: int, bands: int) -> None:
    from transformers.audio_utils import mel_filter_bank

    mel = LogMel(rate_hz, bands, range_db=35.0)
    theirs = mel_filter_bank(
        num_frequency_bins=mel.bins // 2 + 1, num_mel_filters=bands,
        min_frequency=min(20.0, rate_hz / 40), max_frequency=rate_hz / 2,
        sampling_rate=rate_hz, norm=None, mel_scale="htk")
    np.testing.assert_array_equal(mel.bank.numpy(), theirs.astype(np.float32))


def test_a_tone_is_loudest_in_its_band() -> None:
    rate_hz = 16_000
    mel = LogMel(rate_hz, 40, range_db=35.0)
    time_s = torch.arange(rate_hz) / rate_hz
    for hertz in (300, 1000, 5000):
        frames, _ = mel(torch.sin(2 * torch.pi * hertz * time_s)[None],
                        torch.ones(1, rate_hz, dtype=torch.bool))
        band = int(frames[0].mean(dim=0).argmax())
        centre_hz = float(mel.bank[:, band].argmax()) * rate_hz / mel.bins
        assert centre_hz == pytest.approx(hertz, rel=0.15)


def test_loudness_does_not_matter_and_silence_is_zero() -> None:
    mel = LogMel(8000, 16, range_db=35.0)
    sound = torch.randn(1, 2400) * 0.2
    mask = torch.ones(1, 2400, dtype=torch.bool)
    torch.testing.assert_close(mel(sound, mask)[0], mel(sound * 0.01, mask)[0])
    assert (mel(torch.zeros(1, 2400), mask)[0] == 0).all()


def test_silence_around_a_sound_changes_nothing_in_its_frames() -> None:
    mel = LogMel(8000, 16, range_db=35.0)
    sound = torch.randn(1, 2400) * 0.2
    longer = torch.nn.functional.pad(sound, (800, 1600))  # ten frames before, twenty behind
    plain, real = mel(sound, torch.ones_like(sound, dtype=torch.bool))
    framed, _ = mel(longer, torch.ones_like(longer, dtype=torch.bool))
    count = int(real.sum())
    torch.testing.assert_close(framed[:, 10 : 10 + count], plain[:, :count])
    assert (framed[:, -15:] == 0).all()
    assert (framed[:, :8] == 0).all()


def test_a_gain_of_a_band_lifts_that_band() -> None:
    mel = LogMel(8000, 16, range_db=35.0)
    sound, mask = torch.randn(1, 2400), torch.ones(1, 2400, dtype=torch.bool)
    gain = torch.ones(1, 16)
    plain = mel(sound, mask, gain)[0]
    assert torch.equal(plain, mel(sound, mask)[0])
    gain[0, 3] = 0.01
    assert (mel(sound, mask, gain)[0][0, :30, 3] < plain[0, :30, 3] - 0.5).all()


@pytest.mark.parametrize("rate_hz", [30, 100, 1000, 8000, 44_100, 192_000])
@pytest.mark.parametrize("bands", [8, 48, 256])
def test_every_rate_and_number_of_bands_works(rate_hz: int, bands: int) -> None:
    frames, real = LogMel(rate_hz, bands, range_db=35.0)(
        torch.randn(2, rate_hz // 5), torch.ones(2, rate_hz // 5, dtype=torch.bool))
    assert frames.shape == (2, real.shape[1], bands)
    assert frames.isfinite().all()
