"""What a page without the app shows of one content: words, a small picture, an outline."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Preview:
    """A content as a report shows it; what is empty is not shown.

    Attributes:
        words: A text, or what a file is called.
        picture: A small JPEG file.
        outline: Of a sound, from its start to its end, how far it swings down and up: pairs
            between -1 and 1.
    """

    words: str = ""
    picture: bytes = b""
    outline: tuple[tuple[float, float], ...] = ()
