"""What each modality says of contents that get worse."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from mmstudio.modalities import MODALITIES, Modality
from mmstudio.modalities.corrupting import pictures, records, sounds, texts
from mmstudio.modalities.corruption import Content, Corruption
from mmstudio.modalities.tabular import KNOWN, SIZE


def made(modality: str, value: Any, fitted: list[Any]) -> tuple[Modality, Content]:
    cls = MODALITIES.get(modality)()
    spec = cls.fit(fitted)
    return cls, Content(cls.decode(value, spec), value, spec, partial(cls.decode, spec=spec))


@pytest.fixture
def contents(tmp_path: Path) -> dict[str, tuple[Modality, Content]]:
    chance = np.random.default_rng(0)
    picture = tmp_path / "a.png"
    Image.fromarray(chance.integers(0, 255, (32, 24, 3), dtype=np.uint8)).save(picture)
    sound = tmp_path / "a.wav"
    soundfile.write(sound, 0.3 * np.sin(np.arange(4000) / 5), 8000)
    note = "one two three four five six seven eight nine ten"
    rows = [json.dumps({"age": str(i), "town": "Rome" if i % 2 else "Oslo"}) for i in range(40)]
    return {"image": made("image", picture, [picture]), "audio": made("audio", sound, [sound]),
            "text": made("text", note, [note] * 3), "tabular": made("tabular", rows[7], rows)}


def distance(one: np.ndarray, other: np.ndarray) -> float:
    if one.shape != other.shape:
        return float(abs(len(one) - len(other)))
    return float(np.abs(one.astype(float) - other.astype(float)).mean())


def test_every_built_in_modality_says_how_it_gets_worse(
    contents: dict[str, tuple[Modality, Content]]
) -> None:
    assert set(contents) == set(MODALITIES.names())
    assert not Modality().corruptions()


@pytest.mark.parametrize("name", ["image", "audio", "text", "tabular"])
def test_what_is_made_worse_can_be_used_and_drawn_again(
    name: str, contents: dict[str, tuple[Modality, Content]]
) -> None:
    modality, content = contents[name]
    before = content.array.copy()
    for corruption in modality.corruptions():
        assert list(corruption.strengths) == sorted(corruption.strengths)
        for strength in corruption.strengths:
            worse = corruption.change(content, strength, np.random.default_rng(1))
            again = corruption.change(content, strength, np.random.default_rng(1))
            assert worse.dtype == before.dtype and np.array_equal(worse, again)
            if worse.size:
                modality.collate([worse, None], content.spec)
        assert np.array_equal(content.array, before)


@pytest.mark.parametrize("corruption", [*pictures.CORRUPTIONS, *sounds.CORRUPTIONS],
                         ids=lambda c: c.change.__module__.rpartition(".")[2] + c.name)
def test_stronger_is_further_off(
    corruption: Corruption, contents: dict[str, tuple[Modality, Content]]
) -> None:
    _, content = contents["image" if corruption in pictures.CORRUPTIONS else "audio"]
    off = [distance(corruption.change(content, s, np.random.default_rng(1)), content.array)
           for s in corruption.strengths]
    assert off == sorted(off) and 0 < off[0] < off[-1]


def test_occlusion_hides_the_share_that_it_says(
    contents: dict[str, tuple[Modality, Content]]
) -> None:
    _, content = contents["image"]
    worse = pictures.occlusion(content, 0.25, np.random.default_rng(0))
    changed = (worse != content.array.reshape(worse.shape)).any(axis=2).mean()
    assert 0.2 < changed <= 0.26


def test_noise_is_as_loud_as_it_says(contents: dict[str, tuple[Modality, Content]]) -> None:
    _, content = contents["audio"]
    for strength in (-20, 0):
        added = sounds.noise(content, strength, np.random.default_rng(0)).astype(float)
        added -= content.array.reshape(-1)
        loudness = np.sqrt((content.array.astype(float) ** 2).mean())
        assert 20 * np.log10(added.std() / loudness) == pytest.approx(strength, abs=0.5)


def test_words_are_dropped_or_become_others(contents: dict[str, tuple[Modality, Content]]) -> None:
    _, content = contents["text"]
    chance = np.random.default_rng(0)
    assert len(texts.dropped_words(content, 0.5, chance)) < len(content.array)
    assert len(texts.dropped_words(content, 1.0, chance)) == 1  # a text of nothing
    assert not np.array_equal(texts.unknown_words(content, 0.75, chance), content.array)
    assert np.array_equal(texts.typing_errors(content, 0.0, chance), content.array)


def test_cells_go_missing_and_numbers_move(contents: dict[str, tuple[Modality, Content]]) -> None:
    _, content = contents["tabular"]
    worse = records.noise(content, 0.5, np.random.default_rng(0))
    assert worse[0, SIZE] != content.array[0, SIZE]  # the age
    assert np.array_equal(worse[1], content.array[1])  # the town
    assert not records.missing(content, 1.0, np.random.default_rng(0)).size
    some = records.missing(content, 0.5, np.random.default_rng(2))
    assert some[:, KNOWN].sum() < 2
