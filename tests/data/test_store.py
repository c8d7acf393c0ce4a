"""Decoded once: the store, its second start, its failures."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmstudio.data import checksums, mapped_rows, store
from mmstudio.data.store import Decoded, decode_all, key_of
from mmstudio.data.store_space import clear_store
from mmstudio.errors import UserError
from mmstudio.modalities.audio import AudioModality
from mmstudio.modalities.base import Modality, Value
from mmstudio.modalities.image import ImageModality
from mmstudio.paths import cache_dir

SPEC = {"size": [8, 8], "channels": 1}


class Counting(ImageModality):
    """Pictures that count how often one is decoded."""

    name = "image"
    __module__ = ImageModality.__module__  # what it decodes is kept under the same names

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
    assert isinstance(rows.data.base, np.memmap)


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


@pytest.mark.parametrize("torn", [
    "no index", "half an index", "half the data", "no data", "no starts", "half the starts",
    "an older format"])
def test_a_torn_folder_is_made_anew(torn: str, pictures: list[Path]) -> None:
    opened(ImageModality(), pictures)
    folder, = kept_folders()
    index, data, starts = (folder / n for n in ("index.json", "data.bin", "starts.npy"))
    if torn == "no index":
        index.unlink()
    elif torn == "half an index":
        index.write_text(index.read_text()[:20])
    elif torn == "half the data":
        data.write_bytes(data.read_bytes()[:100])
    elif torn == "no starts":
        starts.unlink()
    elif torn == "half the starts":
        starts.write_bytes(starts.read_bytes()[:-20])
    elif torn == "an older format":
        index.write_text(json.dumps({"starts": [64 * i for i in range(6)], "tail": [8, 1],
                                     "errors": {}}))
    else:
        data.unlink()
    counting = Counting()
    rows = opened(counting, pictures)
    assert len(counting.decoded) == 5
    last = rows.row(4)
    assert last is not None
    assert (last == 40).all()
    assert [p.name for p in kept_folders()] == [folder.name]


@pytest.mark.parametrize("name", ["data.bin", "starts.npy", "index.json"])
@pytest.mark.parametrize("place", [0.02, 0.5, 0.98])
def test_one_wrong_bit_is_found_and_the_rows_are_decoded_again(
    name: str, place: float, pictures: list[Path]
) -> None:
    opened(ImageModality(), pictures)
    folder, = kept_folders()
    content = bytearray((folder / name).read_bytes())
    content[int(place * len(content))] ^= 4
    (folder / name).write_bytes(content)
    counting = Counting()
    rows = opened(counting, pictures)
    assert len(counting.decoded) == 5
    assert [int(rows.row(i).max()) for i in range(5)] == [0, 10, 20, 30, 40]  # type: ignore
    assert [p.name for p in kept_folders()] == [folder.name]
    again = Counting()
    opened(again, pictures)
    assert again.decoded == []


def test_rows_of_other_processes_are_read_through_once(
    pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(ImageModality(), pictures)
    folder, = kept_folders()
    monkeypatch.setattr(checksums, "_SEEN", set())  # as in another process
    wanted = json.loads((folder / "index.json").read_text())["checksums"]["data.bin"]
    assert list(checksums.verified(folder / "data.bin", wanted)) == [5 * 64]
    assert list(checksums.verified(folder / "data.bin", wanted)) == []
    os.utime(folder / "data.bin", ns=(1, 1))
    with pytest.raises(ValueError, match="damaged within 320 bytes from 0 on"):
        list(checksums.verified(folder / "data.bin", [wanted[0] ^ 1]))
    with pytest.raises(ValueError, match="longer"):
        list(checksums.verified(folder / "data.bin", []))


def test_processes_share_a_verification_for_some_days(
    pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(ImageModality(), pictures)
    folder, = kept_folders()
    data, now = folder / "data.bin", time.time()
    wanted = json.loads((folder / "index.json").read_text())["checksums"]["data.bin"]

    def read() -> int:
        monkeypatch.setattr(checksums, "_SEEN", set())  # as in another process
        return sum(checksums.verified(data, wanted))

    assert [read(), read(), read()] == [320, 0, 0]
    for days, count in ((6, 0), (8, 320), (8, 0), (0, 320)):  # a date to come is not believed
        monkeypatch.setattr(time, "time", lambda days=days: now + 86_400 * days)
        assert read() == count, days
    (folder / checksums.STAMP).write_text("{")
    assert read() == 320
    os.utime(data, ns=(1, 1))
    assert read() == 320
    copy = data.with_name("copy")
    copy.write_bytes(data.read_bytes())
    copy.replace(data)
    os.utime(data, ns=(1, 1))
    assert read() == 320


@pytest.mark.parametrize(("code", "kept"), [
    (errno.EMFILE, True), (errno.EACCES, True), (errno.EIO, False)])
def test_only_damage_discards_what_is_kept(
    code: int, kept: bool, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(ImageModality(), pictures)
    folder, = kept_folders()
    inode = (folder / "data.bin").stat().st_ino

    def failing(*_: object) -> Iterator[int]:
        raise OSError(code, os.strerror(code))
        yield 0

    with monkeypatch.context() as patch:
        patch.setattr(mapped_rows, "verified", failing)
        if kept:
            with pytest.raises(UserError, match="can't be read"):
                opened(ImageModality(), pictures)
        assert mapped_rows.opened(folder.name, "uint8") is None
        assert folder.exists() is kept
    counting = Counting()
    opened(counting, pictures)
    assert len(counting.decoded) == (0 if kept else 5)
    assert not kept or (folder / "data.bin").stat().st_ino == inode


def test_too_many_open_files_say_nothing_of_a_folder(
    pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(ImageModality(), pictures)
    folder, = kept_folders()

    def none_left(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(mapped_rows, "Hold", none_left)
        with pytest.raises(UserError, match="Too many open files") as caught:
            opened(ImageModality(), pictures)
        assert "ulimit" in caught.value.hint
        assert not mapped_rows.exists(folder.name, "uint8")
    counting = Counting()
    opened(counting, pictures)
    assert counting.decoded == []


def test_whether_rows_are_there_is_asked_without_reading_them(
    pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not mapped_rows.exists("none", "uint8")
    opened(ImageModality(), pictures)
    folder, = kept_folders()
    monkeypatch.setattr(mapped_rows, "verified", None)
    assert mapped_rows.exists(folder.name, "uint8")
    (folder / "data.bin").write_bytes(b"half")
    assert not mapped_rows.exists(folder.name, "uint8")


def test_checksums_do_not_depend_on_how_the_bytes_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checksums, "BLOCK_BYTES", 10)
    content = bytes(range(35))
    found = []
    for size in (1, 3, 10, 11, 35):
        sums = checksums.Checksums()
        for begin in range(0, 35, size):
            sums.add(memoryview(content[begin : begin + size]))
        found.append(sums.finished())
    assert found[0] == [zlib.crc32(content[i : i + 10]) for i in range(0, 35, 10)]
    assert all(one == found[0] for one in found)


def test_closing_midway_leaves_nothing_and_no_thread() -> None:
    before = threading.active_count()

    class Numbers(ImageModality):
        name = "image"

        def decode(self, value: Value, spec: Any) -> np.ndarray:
            return np.zeros((8, 8, 1), np.uint8)

    steps: Iterator[Any] = decode_all(Numbers(), SPEC, [str(i) for i in range(5000)])
    assert 0 < next(steps) < next(steps) < 5000
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


@pytest.mark.skipif(os.name == "nt", reason="there, permissions work otherwise")
def test_a_file_with_other_permissions_is_looked_at_anew(pictures: list[Path]) -> None:
    before = key_of(ImageModality(), SPEC, pictures)
    pictures[0].chmod(0o600 if pictures[0].stat().st_mode & 0o077 else 0o644)
    assert key_of(ImageModality(), SPEC, pictures) != before


def test_what_is_ahead_is_bounded_in_bytes_whatever_the_number_of_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    size, count = 100_000, 400
    monkeypatch.setattr(store, "CHUNK_BYTES", 2 * size)
    monkeypatch.setattr(store, "IN_FLIGHT_BYTES", 10 * size)
    monkeypatch.setattr(store, "WORKERS", 4)
    lock, made, most = threading.Lock(), 0, 0

    class Large(ImageModality):
        name = "image"

        def decode(self, value: Value, spec: Any) -> np.ndarray:
            nonlocal made
            with lock:
                made += 1
            return np.full((1, size, 1), int(str(value)) % 251, np.uint8)

    rows = 0
    for chunk in store._decoded(Large(), SPEC, [str(i) for i in range(count)]):
        rows += len(chunk.sizes)
        with lock:
            most = max(most, made - rows)
    assert rows == count
    # ten in line, and one more with each thread: the one that makes its chunk large enough
    assert most <= 10 + 4


def test_a_value_that_needs_too_much_memory_is_an_error_of_its_row() -> None:
    class Huge(ImageModality):
        name = "image"

        def decode(self, value: Value, spec: Any) -> np.ndarray:
            if value == "b":
                raise MemoryError
            return np.zeros((8, 8, 1), np.uint8)

    rows = opened(Huge(), ["a", "b", "c"])
    assert set(rows.errors) == {1}
    assert [rows.row(i) is None for i in range(3)] == [False, True, False]


KILLED = """
import sys
from pathlib import Path
import numpy as np
from mmstudio.data import store
from mmstudio.data.store import Decoded, decode_all, key_of
from mmstudio.data.store_space import clear_store
from mmstudio.modalities.image import ImageModality

class Numbers(ImageModality):
    name = "image"
    __module__ = ImageModality.__module__  # kept under the same names in all processes
    def decode(self, value, spec):
        return np.full((32, 32, 1), int(value) % 251, np.uint8)

for step in decode_all(Numbers(), {"size": [32, 32]}, [str(i) for i in range(20_000)]):
    print("done" if isinstance(step, Decoded) else step, flush=True)
input()
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_killed_at_any_moment_the_next_start_is_right() -> None:
    class Numbers(Counting):
        __module__ = ImageModality.__module__

        def decode(self, value: Value, spec: Any) -> np.ndarray:
            self.decoded.append(value)
            return np.full((32, 32, 1), int(str(value)) % 251, np.uint8)

    values = [str(i) for i in range(20_000)]
    for wait_for in ("1", "1", "4", "12", "done"):
        with subprocess.Popen([sys.executable, "-c", KILLED], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for number, line in enumerate(process.stdout, 1):
                if wait_for in (str(number), line.strip()):
                    break
            process.send_signal(signal.SIGKILL)
        # what the process before left is gone, what this one left is there
        assert [path.suffix for path in kept_folders()] == ["" if wait_for == "done" else ".part"]
    counting = Numbers()
    rows = opened(counting, values, {"size": [32, 32]})
    assert counting.decoded == []
    assert [int(rows.row(i).min()) for i in (0, 777, 19_999)] == [0, 24, 170]  # type: ignore
    clear_store()
    del rows
    assert clear_store() > 20_000 * 32 * 32
    with subprocess.Popen([sys.executable, "-c", KILLED], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    rows = opened(counting, values, {"size": [32, 32]})
    assert len(counting.decoded) == len(values)
    assert [int(rows.row(i).min()) for i in (0, 777, 19_999)] == [0, 24, 170]  # type: ignore
    assert [path.suffix for path in kept_folders()] == [""]
