"""What a file holds, by its first bytes, where its name says nothing or the wrong thing."""

from __future__ import annotations

from pathlib import Path

from mmstudio.reading import opened

MOST_BYTES = 1 << 50

_STARTS = {
    "image": (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM", b"II*\0",
              b"MM\0*"),
    "audio": (b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b".snd"),
}
_INSIDE = {b"RIFF": {b"WAVE": "audio", b"WEBP": "image"}, b"FORM": {b"AIFF": "audio",
           b"AIFC": "audio"}}


def modality_of_content(path: Path) -> str | None:
    """The modality that a file's first bytes tell; None for texts, and where it can't be read."""
    try:
        with opened(path, MOST_BYTES) as file:
            head = file.read(16)
    except (OSError, ValueError):
        return None
    if head[:4] in _INSIDE:
        return _INSIDE[head[:4]].get(head[8:12])
    return next((m for m, starts in _STARTS.items() if head.startswith(starts)), None)
