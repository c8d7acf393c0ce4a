"""A small file that is a large picture takes no more memory than is said, whatever its mode."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmstudio.errors import UserError
from mmstudio.modalities import picture_cost, picture_files
from mmstudio.modalities.image import ImageModality
from mmstudio.modalities.picture_files import open_image, shown_size
from tests.in_a_process import LONGEST_S, MOST_MEMORY_MB, run_python

READ = """
import json, pathlib, sys, time
from mmstudio.errors import UserError
from mmstudio.modalities.image import ImageModality
from mmstudio.modalities.picture_files import open_image
spec = {"size": [96, 96], "channels": 3}
for path in map(pathlib.Path, sys.argv[1:]):
    began = time.monotonic()
    said = ""
    for read in (lambda: ImageModality().decode(path, spec), lambda: open_image(path)):
        try:
            read()
        except UserError as error:
            said = str(error)
    print(json.dumps([path.name, time.monotonic() - began, said]))
"""


def png(width: int, height: int, bits: int, kind: int, more: bytes = b"") -> bytes:
    """A picture of zeros: of 100 million pixels in some hundred kilobytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(
            ">I", zlib.crc32(name + data))

    channels = {0: 1, 2: 3, 3: 1, 6: 4}[kind]
    line = bytes(1 + -(-width * channels * bits // 8))
    packer = zlib.compressobj(1)
    rows = max(1, 10**6 // len(line))
    packed = [packer.compress(line * min(rows, height - at)) for at in range(0, height, rows)]
    head = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + more
            + chunk(b"IDAT", b"".join([*packed, packer.flush()])) + chunk(b"IEND", b""))


PALETTE = b"\0\0\0\x03PLTE\0\0\0" + struct.pack(">I", zlib.crc32(b"PLTE\0\0\0"))
CLEAR = b"\0\0\0\x01tRNS\0" + struct.pack(">I", zlib.crc32(b"tRNS\0"))
BOMBS = {
    "16 bits": (12_000, 12_000, 16, 0, b""), "alpha": (12_000, 12_000, 8, 6, b""),
    "bits": (12_000, 12_000, 1, 0, b""), "a clear palette": (12_000, 12_000, 8, 3, PALETTE + CLEAR),
    "wide": (300_000, 480, 8, 2, b""), "tall and 16 bits": (480, 300_000, 16, 0, b""),
}  # fmt: skip


@pytest.mark.parametrize("what", BOMBS)
def test_a_large_picture_in_a_small_file_is_read_within_bounds(what: str, tmp_path: Path) -> None:
    width, height, bits, kind, more = BOMBS[what]
    (tmp_path / "a.png").write_bytes(png(width, height, bits, kind, more))
    assert (tmp_path / "a.png").stat().st_size < 10**7
    ended = run_python(READ, tmp_path / "a.png")
    assert ended.code == 0, ended.err
    name, seconds, said = json.loads(ended.out)
    assert (name, said) == ("a.png", "")
    assert seconds < LONGEST_S
    assert ended.peak_mb < MOST_MEMORY_MB


def webp(width: int, height: int) -> bytes:
    """A lossless WebP's head, and nothing behind it."""
    bits = (width - 1) | (height - 1) << 14
    body = b"VP8L" + struct.pack("<I", 20) + b"\x2f" + struct.pack("<I", bits) + bytes(15)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def dds(width: int, height: int) -> bytes:
    """A DDS's head of 32 bits a pixel."""
    head = struct.pack("<7I44x", 124, 0x100F, height, width, 4 * width, 0, 0)
    masks = struct.pack("<2I4s5I", 32, 0x41, b"\0\0\0\0", 32, 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    return b"DDS " + head + masks + struct.pack("<5I", 0x1000, 0, 0, 0, 0)


@pytest.mark.parametrize(("name", "content", "limit"), [
    ("a.webp", webp(11_000, 11_000), r"decoding them as WEBP would take 1\.9 GB"),
    ("a.dds", dds(4000, 4000), "of DDS 10 million are the limit"),
], ids=["webp", "dds"])  # fmt: skip
def test_what_costs_more_to_decode_than_it_holds_is_refused(
    name: str, content: bytes, limit: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=limit) as raised:
        open_image(tmp_path / name, hint=(96, 96))
    assert name in raised.value.message


def test_a_picture_inside_an_icon_is_bounded_too(tmp_path: Path) -> None:
    for side, said in ((16_000, ""), (18_000, "a.ico has more than 150 million pixels")):
        inside = png(side, side, 8, 6)
        entry = struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(inside), 22)
        (tmp_path / "a.ico").write_bytes(struct.pack("<HHH", 0, 1, 1) + entry + inside)
        ended = run_python(READ, tmp_path / "a.ico")
        assert said in json.loads(ended.out)[2]
        assert ended.peak_mb < MOST_MEMORY_MB


def test_a_huge_file_is_refused_by_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (40, 40)).save(tmp_path / "a.bmp")
    with (tmp_path / "a.bmp").open("r+b") as file:
        file.truncate(picture_cost.MOST_FILE_BYTES + 1)
    with pytest.raises(UserError, match=r"a\.bmp has 600 MB"):
        open_image(tmp_path / "a.bmp")


@pytest.mark.parametrize("size", [(4000, 6), (6, 4000)])
def test_narrow_pictures_are_reduced_as_square_ones(
    size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_files, "LARGE_PIXELS", 10_000)
    Image.new("RGB", size, (200, 100, 0)).save(tmp_path / "narrow.png")
    seen = open_image(tmp_path / "narrow.png", hint=(16, 16))
    assert max(seen.size) == 65 and min(seen.size) == 1  # 4000 // (4 * 16) = 62, and 4000 / 62
    array = ImageModality().decode(tmp_path / "narrow.png", {"size": [16, 16], "channels": 3})
    assert np.abs(array.astype(int) - (200, 100, 0)).max() <= 1


def test_the_shown_size_is_the_files_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_files, "LARGE_PIXELS", 10_000)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (400, 300)).save(tmp_path / "a.jpg", exif=exif)
    assert shown_size(tmp_path / "a.jpg") == (300, 400)
    assert open_image(tmp_path / "a.jpg").width < 300
