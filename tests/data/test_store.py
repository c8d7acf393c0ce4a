"""Decoded once: the store, its second start, its failures."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmstudio.data.store import Decoded, decode_all
from mmstudio.errors import UserError
from mmstudio.modalities.audio import AudioModality
from mmstudio.modalities.base import Modality, Value
from mmstudio.modalities.image import ImageModality
from mmstudio.paths import cache_dir

SPEC = {"size": [8, 8], "channels": 1}


class Counting(ImageModality):
    """Pictures that count how often one is decoded."""

    name = "image"

    def __init__(self) -> None:
        super().__init__()
        self.decoded: list[Value] = []

    def decode(self, value: Value, spec: Any) -> np.ndarray:
        self.decoded.append(value)
        return super().decode(value, spec)


def opened(modality: Modality, values: list[Any], spec: Any = SPEC) -> Decoded:
    *_, last = decode_all(modality, spec, values)
    assert isinstance(last, Decoded)
    return last


def kept_folders() -> list[Path]:
    return sorted((cache_dir() / "store").iterdir())


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{i}.png" for i in range(5)]
    for i, path in enumerate(paths):
        Image.new("L", (8, 8), 10 * i).save(path)
    return paths


def test_rows_come_back_as_decoded_and_absent_ones_as_none(pictures: list[Path]) -> None:
    rows = opened(ImageModality(), [pictures[2], None, pictures[4]])
    assert len(rows) == 3
    assert rows.row(1) is None
    for row, level in ((0, 20), (2, 40)):
        array = rows.row(row)
        assert array is not None
        assert array.shape == (8, 8, 1)
        assert (array == level).all()
    assert rows.errors == {}
    assert isinstance(rows.data, np.memmap)


def test_rows_of_unequal_length_come_back_whole() -> None:
    class Lengths(AudioModality):
        name = "audio"

        def decode(self, value: Value, spec: Any) -> np.ndarray:
            return np.arange(int(str(value)), dtype=np.int16)

    values = [str(n) for n in (3, 1, 700, 2)]
    rows = opened(Lengths(), values, {})
    assert [r.tolist() for i in range(4) if (r := rows.row(i)) is not None] == [
        list(range(int(v))) for v in values]


def test_a_second_start_decodes_nothing(pictures: list[Path]) -> None:
    first = Counting()
    opened(first, [*pictures, None])
    assert sorted(map(str, first.decoded)) == sorted(map(str, pictures))
    second = Counting()
    rows = opened(second, [*pictures, None])
    assert second.decoded == []
    assert [rows.row(i) is None for i in range(6)] == [False] * 5 + [True]


def test_a_file_in_two_rows_and_a_folder_of_another_setting(pictures: list[Path]) -> None:
    opened(ImageModality(), [pictures[0], pictures[0]])
    opened(ImageModality(), [pictures[0], pictures[0]], {"size": [12, 12], "channels": 1})
    assert len(kept_folders()) == 2


def test_a_changed_file_is_decoded_anew(pictures: list[Path]) -> None:
    opened(ImageModality(), pictures)
    Image.new("L", (8, 8), 200).save(pictures[1])
    os.utime(pictures[1], ns=(1, 1))
    row = opened(ImageModality(), pictures).row(1)
    assert row is not None
    assert (row == 200).all()


def test_a_file_that_came_late_is_decoded(pictures: list[Path], tmp_path: Path) -> None:
    values = [*pictures, tmp_path / "late.png"]
    assert list(opened(ImageModality(), values).errors) == [5]
    Image.new("L", (8, 8), 99).save(tmp_path / "late.png")
    assert opened(ImageModality(), values).errors == {}


def test_rows_that_cannot_be_read_are_absent_and_say_why(
    pictures: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "bad.png").write_bytes(b"nothing")
    values = [pictures[0], tmp_path / "bad.png", None, tmp_path / "none.png", pictures[1]]
    for _ in range(2):  # made, then opened again
        rows = opened(ImageModality(), values)
        assert [rows.row(i) is None for i in range(5)] == [False, True, True, True, False]
        assert set(rows.errors) == {1, 3}
        assert "bad.png" in rows.errors[1]
        assert "missing" in rows.errors[3]


@pytest.mark.parametrize("values", [[], [None, None]])
def test_nothing_to_decode_is_fine(values: list[None]) -> None:
    rows = opened(ImageModality(), values)
    assert len(rows) == len(values)
    assert all(rows.row(i) is None for i in range(len(values)))


@pytest.mark.parametrize("torn", ["no index", "half an index", "half the data", "no data"])
def test_a_torn_folder_is_made_anew(torn: str, pictures: list[Path]) -> None:
    opened(ImageModality(), pictures)
    folder, = kept_folders()
    index, data = folder / "index.json", folder / "data.bin"
    if torn == "no index":
        index.unlink()
    elif torn == "half an index":
        index.write_text(index.read_text()[:20])
    elif torn == "half the data":
        data.write_bytes(data.read_bytes()[:100])
    else:
        data.unlink()
    counting = Counting()
    rows = opened(counting, pictures)
    assert len(counting.decoded) == 5
    last = rows.row(4)
    assert last is not None
    assert (last == 40).all()
    assert [p.name for p in kept_folders()] == [folder.name]


def test_closing_midway_leaves_nothing_and_no_thread() -> None:
    before = threading.active_count()

    class Numbers(ImageModality):
        name = "image"

        def decode(self, value: Value, spec: Any) -> np.ndarray:
            return np.zeros((8, 8, 1), np.uint8)

    steps: Iterator[Any] = decode_all(Numbers(), SPEC, [str(i) for i in range(1000)])
    assert [next(steps), next(steps)] == [64, 128]
    steps.close()  # type: ignore[attr-defined]
    assert kept_folders() == []
    assert threading.active_count() == before


def test_a_fault_in_decoding_passes_through_and_leaves_nothing() -> None:
    class Faulty(ImageModality):
        name = "image"

        def decode(self, value: Value, spec: Any) -> np.ndarray:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        opened(Faulty(), ["a"])
    assert kept_folders() == []


def test_a_cache_that_cannot_be_written_is_a_user_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pictures: list[Path]
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MMSTUDIO_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError, match="can't be kept") as caught:
        opened(ImageModality(), pictures)
    assert "MMSTUDIO_CACHE" in caught.value.hint


def test_the_index_is_plain_json(pictures: list[Path]) -> None:
    opened(ImageModality(), pictures)
    index = json.loads((kept_folders()[0] / "index.json").read_text())
    assert index["starts"] == [64 * i for i in range(6)]
