"""A folder of broken files of every kind, and a table that names them: what users bring."""

from __future__ import annotations

import csv
import io
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

RATE_HZ = 8000
PICTURES = {"png": "PNG", "jpg": "JPEG", "gif": "GIF", "bmp": "BMP", "webp": "WEBP",
            "tif": "TIFF", "ppm": "PPM"}
SOUNDS = {"wav": "WAV", "flac": "FLAC", "ogg": "OGG", "aiff": "AIFF"}
GOOD_ROWS = 24
COLUMNS = ("image", "sound", "words", "label", "what")
LONG_TEXT_BYTES = 100_000_000
LINK_NAMES = ("image", "sound", "words")

EXPERIMENT = """\
[data]
table = "table.csv"
split = { train = 0.6, validation = 0.2, test = 0.2 }

[inputs.picture]
column = "image"
modality = "image"
encoder = { name = "cnn", width = 16 }

[inputs.sound]
column = "sound"
modality = "audio"
encoder = { name = "crnn", width = 16, mel_bands = 16 }

[inputs.words]
column = "words"
modality = "text"
encoder = { name = "rnn", width = 16 }

[targets.label]

[fusion]
name = "concat"
hidden = 32

[training]
epochs = 1
batch_size = 32
device = "cpu"
"""


def write_broken_project(folder: Path) -> list[dict[str, str]]:
    """Write good rows, rows with one broken file each, and ``experiment.toml``.

    Returns:
        The table's rows; ``what`` says how a file is broken, "" where it is not.
    """
    folder.mkdir(parents=True)
    rows = [_good_row(folder, i) for i in range(GOOD_ROWS)]
    for i, (column, name, what) in enumerate(_broken(folder)):
        cells = dict.fromkeys(COLUMNS, "") | {
            column: name, "label": "ab"[i % 2], "what": what}
        if column != "words":  # what a row with an unreadable file trains on
            cells["words"] = f"row number {i} speaks of {'apples' if i % 2 else 'pears'}"
        rows.append(cells)
    with (folder / "table.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    (folder / "experiment.toml").write_text(EXPERIMENT, encoding="utf-8")
    return rows


def _good_row(folder: Path, i: int) -> dict[str, str]:
    # a strange name is no fault
    names = [f"good{i}.png", f"good{i}.wav"] if i else ["line\nbreak 🙂.png", "line\nbreak 🙂.wav"]
    _picture(i).save(folder / names[0])
    soundfile.write(folder / names[1], _sound(i), RATE_HZ)
    return {"image": names[0], "sound": names[1], "words": f"good row {i}", "what": "",
            "label": "ab"[i % 2]}


def _picture(seed: int) -> Image.Image:
    levels = np.random.default_rng(seed).integers(0, 255, (40, 40, 3))
    return Image.fromarray(levels.astype(np.uint8))


def _sound(seed: int, seconds: float = 0.5) -> np.ndarray:
    samples: np.ndarray = 0.3 * np.random.default_rng(seed).normal(size=round(seconds * RATE_HZ))
    return samples


def _broken(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Write the files: column, name and how it is broken."""
    for column, kinds in (("image", PICTURES), ("sound", SOUNDS)):
        for suffix, name in kinds.items():
            whole = _encoded(column, name)
            for tenth in range(1, 10):
                yield _write(folder, column, f"cut{tenth}.{suffix}",
                             whole[: len(whole) * tenth // 10], f"truncated at {tenth}/10")
            yield _write(folder, column, f"zero.{suffix}", b"", "zero bytes")
            for seed in range(2):
                noise = np.random.default_rng(seed).bytes(3000)
                yield _write(folder, column, f"noise{seed}.{suffix}", noise, "random bytes")
                yield _write(folder, column, f"head{seed}.{suffix}", whole[:40] + noise,
                             "random bytes behind a header")
            yield _write(folder, column, f"text.{suffix}", b"This is a text.", "wrong extension")
            yield column, f"missing.{suffix}", "missing"
    yield _write(folder, "image", "really_png.jpg", _encoded("image", "PNG"), "wrong extension")
    yield _write(folder, "sound", "really_wav.flac", _encoded("sound", "WAV"), "wrong extension")
    yield from _strange_pictures(folder)
    yield from _strange_sounds(folder)
    yield from _strange_texts(folder)
    yield from _strange_paths(folder)


def _write(folder: Path, column: str, name: str, content: bytes, what: str) -> tuple[str, str, str]:
    name = f"{column}_{name}"
    (folder / name).write_bytes(content)
    return column, name, what


def _encoded(column: str, kind: str) -> bytes:
    buffer = io.BytesIO()
    if column == "image":
        _picture(99).save(buffer, kind)
    else:
        soundfile.write(buffer, _sound(99), RATE_HZ, format=kind)
    return buffer.getvalue()


def _strange_pictures(folder: Path) -> Iterator[tuple[str, str, str]]:
    for side, what in ((60_000, "a decompression bomb"), (11_000, "a large bomb that can be read")):
        yield _write(folder, "image", f"bomb{side}.png", _blank_png(side), what)
    yield _write(folder, "image", "nothing.ppm", b"P6 0 0 255\n", "no pixels")
    yield _write(folder, "image", "minus.bmp", b"BM" + struct.pack(
        "<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, -5, 10, 1, 24, 0, 0, 0, 0, 0, 0), "negative width")
    blank = io.BytesIO()
    Image.new("RGB", (40, 40), "teal").save(blank, "PNG")
    yield _write(folder, "image", "blank.png", blank.getvalue(), "blank")


def _blank_png(side: int) -> bytes:
    """A white square of one bit per pixel."""

    def chunk(name: bytes, data: bytes) -> bytes:
        check = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)

    packer = zlib.compressobj(9)
    line = b"\0" + b"\xff" * (-(-side // 8))
    packed = b"".join(packer.compress(line) for _ in range(side)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", packed), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _strange_sounds(folder: Path) -> Iterator[tuple[str, str, str]]:
    for name, value in (("nan", np.nan), ("inf", np.inf), ("minus_inf", -np.inf)):
        samples = _sound(5).astype(np.float32)
        samples[100] = value
        yield _write(folder, "sound", f"{name}.wav", _float_wav(samples), f"a sample is {name}")
    yield _write(folder, "sound", "0hz.wav", _wav(0, 1, bytes(2000)), "0 Hz")
    noise = (_sound(3, 4.0) * 9000).astype("<i2").tobytes()
    yield _write(folder, "sound", "64.wav", _wav(RATE_HZ, 64, noise), "64 channels")
    yield _write(folder, "sound", "0channels.wav", _wav(RATE_HZ, 0, noise), "no channel")
    yield _write(folder, "sound", "no_samples.wav", _wav(RATE_HZ, 1, b""), "no samples")
    yield _write(folder, "sound", "silent.wav", _wav(RATE_HZ, 1, bytes(8000)), "silent")
    constant = np.full(4000, 12_000, dtype="<i2").tobytes()
    yield _write(folder, "sound", "constant.wav", _wav(RATE_HZ, 1, constant), "constant")


def _wav(rate_hz: int, channels: int, data: bytes, kind: int = 1, width: int = 2) -> bytes:
    form = struct.pack("<HHIIHH", kind, channels, rate_hz, rate_hz * channels * width,
                       channels * width, 8 * width)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form
    body += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _float_wav(samples: np.ndarray) -> bytes:
    return _wav(RATE_HZ, 1, samples.astype("<f4").tobytes(), kind=3, width=4)


def _strange_texts(folder: Path) -> Iterator[tuple[str, str, str]]:
    for i, content in enumerate((b"caf\xe9 au lait", b"\xff\xfe\xfd", b"\xc3(", b"ok \xf0\x28\x8c",
                                 b"\x80\x81", "grüße".encode("utf-16"))):
        yield _write(folder, "words", f"not_utf8_{i}.txt", content, "invalid UTF-8")
    yield _write(folder, "words", "zero.txt", b"", "zero bytes")
    with (folder / "words_long.txt").open("wb") as file:
        block = b"many words and then some more\n" * 100_000
        for _ in range(-(-LONG_TEXT_BYTES // len(block))):
            file.write(block)
    yield "words", "words_long.txt", "a text of 100 MB"
    yield "words", "words_missing.txt", "missing"


def _strange_paths(folder: Path) -> Iterator[tuple[str, str, str]]:
    for column, suffix in zip(LINK_NAMES, ("png", "wav", "txt"), strict=True):
        one, other = f"{column}_circle.{suffix}", f"{column}_circle_back.{suffix}"
        os.symlink(folder / other, folder / one)
        os.symlink(folder / one, folder / other)
        yield column, one, "a link in a circle"
        (folder / f"{column}_folder.{suffix}").mkdir()
        yield column, f"{column}_folder.{suffix}", "a folder"
        yield _write(folder, column, f"line\nbreak 🙂.{suffix}", b"", "a strange name, zero bytes")
        if os.geteuid() != 0:
            made = _write(folder, column, f"forbidden.{suffix}", b"secret", "no permission")
            (folder / made[1]).chmod(0)
            yield made
