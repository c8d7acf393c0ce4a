"""What the first and last bytes of a file say: its format, and whether it ends early.

Decoders fill up or pass over what is missing at the end of a sound, so they can't be asked.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mmstudio.quiet import quiet

TIFF = frozenset({".tif", ".tiff"})
OGG = frozenset({".ogg", ".oga", ".opus"})
FORMATS: tuple[tuple[bytes, int, str, frozenset[str]], ...] = (
    (b"\x89PNG\r\n", 0, "PNG", frozenset({".png"})),
    (b"\xff\xd8\xff", 0, "JPEG", frozenset({".jpg", ".jpeg", ".jfif", ".jpe"})),
    (b"GIF8", 0, "GIF", frozenset({".gif"})),
    (b"BM", 0, "BMP", frozenset({".bmp", ".dib"})),
    (b"WEBP", 8, "WebP", frozenset({".webp"})),
    (b"II*\0", 0, "TIFF", TIFF),
    (b"MM\0*", 0, "TIFF", TIFF),
    (b"ftypheic", 4, "HEIC", frozenset({".heic", ".heics", ".heif", ".heifs", ".hif"})),
    (b"ftypavif", 4, "AVIF", frozenset({".avif", ".avifs"})),
    (b"WAVE", 8, "WAV", frozenset({".wav", ".wave"})),
    (b"fLaC", 0, "FLAC", frozenset({".flac"})),
    (b"OggS", 0, "Ogg", OGG),
    (b"AIFF", 8, "AIFF", frozenset({".aif", ".aiff"})),
    (b"AIFC", 8, "AIFF", frozenset({".aif", ".aiff", ".aifc"})),
    (b"ID3", 0, "MP3", frozenset({".mp3"})),
)
"""Bytes, where they stand, the format's name and its suffixes."""
OGG_PAGE_BYTES = 65_307
STREAMING = 0xFFFFFFFF
"""The size that writers give who don't know it yet."""


@dataclass(frozen=True)
class Header:
    """What a file says of itself.

    Attributes:
        format: Its name; "" where unknown.
        suffixes: What files of this format are called.
        channels: Of a WAV file; else 0.
        ends_early: How much is missing, as the end of a sentence; "" where nothing is.
    """

    format: str = ""
    suffixes: frozenset[str] = frozenset()
    channels: int = 0
    ends_early: str = ""


def header_of(path: Path, size: int) -> Header:
    """Read a file's header. Raises OSError.

    Args:
        path: The file.
        size: Its bytes.
    """
    with path.open("rb") as file:
        start = file.read(16)
        known = [f for f in FORMATS if start[f[1] : f[1] + len(f[0])] == f[0]]
        if not known:
            return Header()
        _, _, name, suffixes = known[0]
        if name == "WAV":
            channels, missing = _wav(file, size)
            return Header(name, suffixes, channels, missing)
        missing = ""
        if name == "AIFF":
            missing = _short(8 + int.from_bytes(start[4:8], "big"), size)
        elif name == "Ogg":
            missing = _ogg(file, size)
        elif name == "FLAC":
            missing = _flac(path)
    return Header(name, suffixes, 0, missing)


def _short(due: int, size: int) -> str:
    # a byte of padding may be left out
    return f"ends after {size:,} of {due:,} bytes" if size + 1 < due else ""


def _wav(file: BinaryIO, size: int) -> tuple[int, str]:
    """Channels, and what is missing of the samples."""
    channels, at = 0, 12
    for _ in range(64):
        file.seek(at)
        head = file.read(24)
        if len(head) < 8:
            return channels, "ends before its samples" if channels else ""
        length = int.from_bytes(head[4:8], "little")
        if head[:4] == b"fmt ":
            channels = int.from_bytes(head[10:12], "little")
        if head[:4] == b"data":
            streamed = length in (0, STREAMING, STREAMING - 1, 0x7FFFFFFF)
            return channels, "" if streamed else _short(at + 8 + length, size)
        at += 8 + length + length % 2
    return channels, ""


def _ogg(file: BinaryIO, size: int) -> str:
    """The last page must be whole and say that it is the last."""
    file.seek(max(0, size - OGG_PAGE_BYTES))
    tail = file.read()
    at = tail.rfind(b"OggS")
    page = tail[at:]
    if at >= 0 and len(page) >= 27 and page[5] & 4 and len(page) >= 27 + page[26]:
        whole = 27 + page[26] + sum(page[27 : 27 + page[26]])
        if len(page) >= whole:
            return ""
    return "ends without its last page"


def _flac(path: Path) -> str:
    """Whether the last sample that the header promises can be reached."""
    import soundfile

    try:
        with quiet(), soundfile.SoundFile(os.fspath(path)) as sound:
            if sound.frames <= 0 or sound.frames > 2**40:
                return ""
            sound.seek(sound.frames - 1)
            return "" if len(sound.read(1)) else "ends before its last sample"
    except (soundfile.LibsndfileError, RuntimeError):
        return "ends before its last sample"
