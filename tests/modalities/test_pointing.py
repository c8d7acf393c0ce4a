"""Contents in pieces: hidden, counted together, named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmstudio.modalities.audio import AudioModality
from mmstudio.modalities.image import ImageModality
from mmstudio.modalities.pieces import Pieces
from mmstudio.modalities.pointing.grids import heat, summed
from mmstudio.modalities.tabular import TabularModality
from mmstudio.modalities.text import TextModality

TEXTS = ["a handwritten nine", "one more nine", "nine, again nine!", "über naïve 数字 text"] * 3


def prepared(modality: object, array: np.ndarray, spec: dict) -> tuple:
    values, mask = modality.collate([array], spec)  # type: ignore[attr-defined]
    return modality.prepare(values), mask  # type: ignore[attr-defined]


def nothing_gone(pieces: Pieces) -> np.ndarray:
    return np.zeros((1, *pieces.shape), dtype=bool)


def test_weights_keep_their_sum_on_another_grid() -> None:
    assert summed(np.array([[4.0]]), (2, 2)).tolist() == [[1, 1], [1, 1]]
    assert summed(np.arange(6.0).reshape(2, 3), (1, 1)).tolist() == [[15]]
    assert summed(np.array([[3.0, 6.0]]), (1, 3))[0].tolist() == pytest.approx([2, 3, 4])
    some = np.random.default_rng(0).normal(size=(7, 5))
    assert summed(some, (3, 8)).sum() == pytest.approx(some.sum())


def test_the_strongest_place_is_the_most_opaque() -> None:
    alpha = np.asarray(heat(np.array([[0.0, 1.0], [-0.5, 0.01]])))[..., 3]
    assert alpha[0, 0] == alpha[1, 1] == 0 and alpha[0, 1] == alpha.max() > alpha[1, 0] > 0


def test_a_hidden_patch_has_the_colour_of_the_rim() -> None:
    array = np.zeros((16, 16, 1), dtype=np.uint8)
    array[4:12, 4:12] = 255
    modality, spec = ImageModality(), {"size": [16, 16], "channels": 1}
    pieces = modality.pieces(array, array, spec)
    assert pieces.shape == (5, 5)
    values, mask = prepared(modality, array, spec)
    gone = np.zeros((2, 5, 5), dtype=bool)
    gone[1] = True
    hidden, _ = pieces.hidden(values, mask, gone)
    assert torch.equal(hidden[0], values[0]) and hidden[1].unique().tolist() == [-1.0]
    assert pieces.names()[6] == "row 2, column 2"


@pytest.mark.parametrize("size", [(40, 20), (20, 40), (16, 16)])
def test_the_map_is_of_the_picture_without_its_padding(
    size: tuple[int, int], tmp_path: Path
) -> None:
    path = tmp_path / "a.png"
    Image.new("L", size, 90).save(path)
    modality, spec = ImageModality(), {"size": [16, 16], "channels": 1}
    pieces = modality.pieces(path, modality.decode(path, spec), spec)
    shown = pieces.shown(np.ones((4, 4)), whole=False)
    high, wide = shown.weights.shape
    assert wide / high == pytest.approx(size[0] / size[1], rel=0.01)
    drawn = shown.picture()
    assert drawn is not None
    assert drawn.width / drawn.height == pytest.approx(size[0] / size[1], rel=0.01)
    assert len(shown.to_json()["grid"]) == min(14, high)


def test_a_picture_on_its_side_is_told_as_it_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    picture = Image.new("L", (40, 20))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(path, exif=exif)
    modality, spec = ImageModality(), {"size": [16, 16], "channels": 1}
    shown = modality.pieces(path, modality.decode(path, spec), spec).shown(
        np.ones((4, 4)), whole=False)
    assert shown.weights.shape[0] > shown.weights.shape[1]


@pytest.mark.parametrize(("text", "words"), [
    ("nine, again nine!", ["nine", ",", "again", "nine", "!"]),
    ("one more  nine", ["one", "more", "nine"]),
    ("  über naïve text ", ["über", "naïve", "text"]),
    ("数字", ["数", "字"]), ("", []),
])
def test_texts_are_cut_into_words_with_their_characters(text: str, words: list[str]) -> None:
    modality = TextModality(vocabulary=200)
    spec = modality.fit(TEXTS, {}) | {"max_tokens": 50}
    pieces = modality.pieces(text, modality.decode(text, spec), spec)
    assert pieces.names() == words
    shown = pieces.shown(np.arange(float(len(words))), whole=True)
    told = shown.to_json()
    assert [told["text"][w["begin"] : w["end"]] for w in told["words"]] == words


def test_a_hidden_word_is_left_out_and_a_text_without_any_is_unknown() -> None:
    modality = TextModality(vocabulary=200)
    spec = modality.fit(TEXTS)
    text = "one more nine"
    array = modality.decode(text, spec)
    pieces = modality.pieces(text, array, spec)
    values, mask = prepared(modality, array, spec)
    gone = np.array([[False] * 3, [False, True, False], [True] * 3])
    hidden, real = pieces.hidden(values, mask, gone)
    assert real is not None
    for row, rest in enumerate([text, "one nine", ""]):
        assert hidden[row][real[row]].tolist() == modality.decode(rest, spec).tolist()


def test_words_that_were_cut_off_are_not_told() -> None:
    modality = TextModality(vocabulary=200, max_tokens=2)
    spec = modality.fit(TEXTS)
    pieces = modality.pieces("one more nine", modality.decode("one more nine", spec), spec)
    assert pieces.names() == ["one", "more"]


def test_pieces_of_a_word_are_added_up() -> None:
    modality = TextModality(vocabulary=50)
    spec = modality.fit(TEXTS)
    array = modality.decode("handwritten nine", spec)
    pieces = modality.pieces("handwritten nine", array, spec)
    weights = np.zeros(len(array) + 3)  # padding behind
    weights[: len(array)] = 1
    gathered = pieces.gathered(weights)
    assert len(gathered) == 2 and gathered.sum() == len(array) and gathered[0] > 1


def test_a_hidden_range_of_a_sound_is_filtered_out() -> None:
    rate_hz, seconds = 8000, 0.6
    time_s = np.arange(round(rate_hz * seconds)) / rate_hz
    low, high = np.sin(2 * np.pi * 200 * time_s), np.sin(2 * np.pi * 3000 * time_s)
    array = ((low + high) * 8000).astype(np.int16)
    modality, spec = AudioModality(), {"sample_rate_hz": rate_hz, "max_seconds": 1.0}
    pieces = modality.pieces(None, array, spec)
    assert pieces.shape == (12, 6)
    values, mask = prepared(modality, array, spec)
    gone = np.zeros((3, 12, 6), dtype=bool)
    gone[1, :, 4:] = True  # the high ranges
    gone[2, :6] = True  # the first half
    hidden, real = pieces.hidden(values, mask, gone)
    assert real is not None and real.shape == hidden.shape
    assert torch.equal(hidden[0], values[0])

    def power(samples: torch.Tensor, hertz: float) -> float:
        wave = np.exp(-2j * np.pi * hertz * np.arange(len(samples)) / rate_hz)
        return float(abs((samples.numpy() * wave).sum()))

    count = len(array)
    assert power(hidden[1, :count], 3000) < 0.05 * power(values[0, :count], 3000)
    assert power(hidden[1, :count], 200) > 0.9 * power(values[0, :count], 200)
    halves = hidden[2, :count].abs().reshape(2, -1).mean(dim=1)
    assert halves[0] < 0.1 * halves[1]
    told = pieces.shown(np.ones((12, 6)), whole=True)
    assert told.spots[0].where["end_s"] == pytest.approx(0.05)
    assert len(told.to_json()["edges_hz"]) == 7 and told.seconds == pytest.approx(seconds)
    drawn = told.picture()
    assert drawn is not None and drawn.size == (600, 200)


def test_the_shortest_sound_is_one_moment() -> None:
    array = np.ones(20, dtype=np.int16)
    modality, spec = AudioModality(), {"sample_rate_hz": 8000, "max_seconds": 1.0}
    pieces = modality.pieces(None, array, spec)
    assert pieces.shape == (1, 6)
    hidden, _ = pieces.hidden(*prepared(modality, array, spec), np.ones((1, 1, 6), dtype=bool))
    assert hidden.abs().max() < 1e-6
    assert pieces.shown(np.ones((1, 6)), whole=True).picture() is not None


def test_a_hidden_column_is_a_missing_cell() -> None:
    modality = TabularModality()
    spec = modality.fit([json.dumps({"age": str(i), "city": "RS"[i % 2]}) for i in range(20)])
    array = modality.decode("age=3, city=R", spec)
    pieces = modality.pieces("age=3, city=R", array, spec)
    values, mask = prepared(modality, array, spec)
    hidden, _ = pieces.hidden(values, mask, np.array([[True, False]]))
    assert torch.equal(hidden[0], torch.from_numpy(modality.decode("city=R", spec)))
    told = pieces.shown(np.array([0.5, -1.0]), whole=True).to_json()
    assert told == {"columns": [{"column": "age", "weight": 0.5, "cell": "3"},
                                {"column": "city", "weight": -1.0, "cell": "R"}]}
    assert modality.pieces({"age": 3}, array, spec).shown(
        np.zeros(2), whole=True).spots[0].where == {"cell": "3"}
