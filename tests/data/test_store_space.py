"""The room that decoded data takes: its limit, who goes first, who stays."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from mmstudio.data import store_space
from mmstudio.data.store import Decoded, decode_all
from mmstudio.data.store_space import (
    GB,
    clear_store,
    limit_bytes,
    make_room,
    store_bytes,
    store_dir,
)
from mmstudio.errors import UserError
from mmstudio.modalities.base import Value
from mmstudio.modalities.image import ImageModality
from mmstudio.paths import config_dir

SIZE = 10_000
"""Bytes of one folder's content; what stands beside it is less than half of that."""


class Numbers(ImageModality):
    name = "image"

    def decode(self, value: Value, spec: object) -> np.ndarray:
        return np.full((100, 100, 1), int(str(value)), np.uint8)


def decoded(number: int) -> Decoded:
    *_, last = decode_all(Numbers(), {"size": [100, 100]}, [str(number)])
    assert isinstance(last, Decoded)
    return last


def folders() -> dict[int, Path]:
    """The store's folders by the number that stands in them."""
    return {(path / "data.bin").read_bytes()[0]: path for path in store_dir().iterdir()}


def used_at(number: int, time: float) -> None:
    os.utime(folders()[number] / "index.json", (time, time))


def test_the_least_recently_used_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for number, time in ((1, 300.0), (2, 100.0), (3, 200.0)):
        decoded(number)
        used_at(number, time)
    monkeypatch.setenv("MMSTUDIO_CACHE_LIMIT_GB", str(2.5 * SIZE / GB))
    assert make_room() >= SIZE
    assert set(folders()) == {1, 3}
    decoded(4)
    assert set(folders()) == {1, 4}


def test_a_use_makes_a_folder_the_last_to_go(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (1, 2):
        decoded(number)
        used_at(number, 100.0 * number)
    decoded(1)
    monkeypatch.setenv("MMSTUDIO_CACHE_LIMIT_GB", str(1.5 * SIZE / GB))
    make_room()
    assert set(folders()) == {1}


@pytest.mark.skipif(store_space.fcntl is None, reason="there, the system itself refuses")
def test_what_is_in_use_stays_and_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    used = decoded(7)
    decoded(8)
    used_at(7, 1.0)
    monkeypatch.setenv("MMSTUDIO_CACHE_LIMIT_GB", "0")
    make_room()
    assert set(folders()) == {7}
    assert clear_store() == 0
    row = used.row(0)
    assert row is not None and (row == 7).all()
    del used, row
    assert clear_store() > SIZE
    assert folders() == {}


def test_clearing_tells_what_became_free() -> None:
    decoded(1)
    decoded(2)
    before = store_bytes()
    assert before > 2 * SIZE
    assert clear_store() == before
    assert store_bytes() == 0


def test_what_a_killed_process_left_is_removed_and_what_is_made_now_is_not() -> None:
    left = store_dir() / "abc.1234.part"
    left.mkdir(parents=True)
    (left / "data.bin").write_bytes(bytes(100))
    new = store_dir() / "abc.5678.part"
    new.mkdir()
    old = store_dir() / "abc.9012.part"
    old.mkdir()
    os.utime(old, (1, 1))
    assert make_room() == 100
    assert list(store_dir().iterdir()) == [new]


def test_the_limit_comes_from_the_environment_then_the_settings_then_the_disk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert 0 < limit_bytes() <= 20 * GB
    config_dir().mkdir(parents=True)
    (config_dir() / "settings.toml").write_text("cache_limit_gb = 3.5", encoding="utf-8")
    assert limit_bytes() == 3.5 * GB
    monkeypatch.setenv("MMSTUDIO_CACHE_LIMIT_GB", "2")
    assert limit_bytes() == 2 * GB


def test_without_a_limit_at_most_half_of_the_free_disk_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store_space, "_free_bytes", lambda: 6 * GB)
    assert limit_bytes() == 3 * GB


@pytest.mark.parametrize("text", ["much", "-1", "nan"])
def test_a_limit_that_is_no_size_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMSTUDIO_CACHE_LIMIT_GB", text)
    with pytest.raises(UserError, match=text) as caught:
        decoded(1)
    assert "MMSTUDIO_CACHE_LIMIT_GB" in caught.value.hint
