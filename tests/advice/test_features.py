"""Cheap features: shapes, what they tell apart, and the components of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmstudio.advice.features import (
    MOST_SAMPLES,
    _shortened,
    cheap_features,
    leading_components,
)


def nearest(features: np.ndarray) -> list[int]:
    """Per row the row that is nearest to it."""
    apart = np.linalg.norm(features[:, None] - features[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    return [int(i) for i in apart.argmin(axis=1)]


def test_texts_of_like_words_are_near(tmp_path: Path) -> None:
    file = tmp_path / "note.txt"
    file.write_text("the red apples and the pears", encoding="utf-8")
    texts = ["a red apple and a pear", file, "old engine wheels", "wheels, old engine", "", ""]
    found = cheap_features("text", [], texts, {})
    assert nearest(found[:4]) == [1, 0, 3, 2]
    assert np.linalg.norm(found[:4], axis=1) == pytest.approx(1, abs=1e-5)
    assert not found[4].any() and np.isfinite(found).all()


def test_a_text_file_that_went_away_counts_as_empty(tmp_path: Path) -> None:
    assert not cheap_features("text", [], [tmp_path / "gone.txt"], {}).any()


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_told_apart_by_direction(channels: int) -> None:
    bars = np.zeros((4, 20, 24, channels), dtype=np.uint8)
    bars[0, 9:11], bars[1, 10:12], bars[2, :, 11:13], bars[3, :, 12:14] = 255, 255, 255, 255
    found = cheap_features("image", list(bars), [], {})
    assert nearest(found) == [1, 0, 3, 2]


def test_sounds_are_told_apart_by_pitch_and_not_by_silence() -> None:
    time_s = np.arange(4000) / 8000
    tones = [np.sin(2 * np.pi * hertz * time_s) * 20_000 for hertz in (400, 400, 2500, 2500)]
    late = [np.zeros(2000), np.zeros(500), np.zeros(1000), np.zeros(3000)]
    sounds = [
        np.concatenate([wait, tone]).astype(np.int16)
        for wait, tone in zip(late, tones, strict=True)]
    found = cheap_features("audio", sounds, [], {"sample_rate_hz": 8000})
    assert nearest(found) == [1, 0, 3, 2]


def test_a_long_sound_is_heard_in_three_pieces() -> None:
    sound = np.arange(200_000)
    heard = _shortened(sound)
    assert len(heard) == MOST_SAMPLES
    assert heard[0] == 0 and heard[-1] == 199_999 and 100_000 in heard
    assert len(_shortened(sound[:100])) == 100


def test_an_unknown_modality_is_taken_as_numbers() -> None:
    chance = np.random.default_rng(0)
    same = cheap_features("other", list(chance.normal(size=(30, 4))), [], {})
    assert same.shape == (30, 4)
    assert same.std(axis=0) == pytest.approx(1)
    varied = [chance.normal(size=n) for n in range(1, 31)]
    assert cheap_features("other", varied, [], {}).shape == (30, 4)


def test_the_components_hold_the_variance(chance: np.random.Generator) -> None:
    plain = chance.normal(size=(200, 3)) * [9, 5, 2]
    turned = np.linalg.qr(chance.normal(size=(300, 3)))[0]
    found = leading_components((plain @ turned.T + 7).astype(np.float32))
    assert found.shape == (200, 3)
    expected = np.linalg.svd(plain - plain.mean(axis=0), compute_uv=False)
    assert np.linalg.norm(found, axis=0) == pytest.approx(expected, rel=1e-3)
    assert leading_components(np.ones((5, 4), dtype=np.float32)).shape[0] == 5
