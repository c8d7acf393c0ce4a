"""A column's cells, and the words in its name that say what it holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


LOOKED_AT = 2000
"""Different cells per column that a guess rests on."""

ID_NAMES = {"id", "ids", "index", "idx", "uid", "uuid", "guid", "row", "key", "hash", "unnamed"}
GROUP_NAMES = {
    "speaker", "person", "patient", "subject", "family", "author", "user", "participant",
    "client", "customer", "session", "recording", "writer", "singer", "actor", "artist",
    "household", "donor", "volunteer", "student", "animal", "individual", "scene", "site",
    "hospital", "case", "visit", "conversation", "dialogue", "dialog", "video", "slide",
}
ORIGIN_NAMES = {"src", "source", "origin", "original", "parent"}
"""Of what a sample was cut: two cuts of one recording should not be in two splits."""
TEXT_NAMES = {
    "text", "texts", "caption", "captions", "sentence", "description", "comment", "review",
    "transcript", "transcription", "title", "question", "utterance", "message", "note", "notes",
    "report", "words", "tweet", "abstract", "summary", "prompt",
}
TARGET_NAMES = {
    "label", "labels", "class", "classes", "target", "targets", "category", "categories", "y",
    "tag", "tags", "genre", "genres", "topic", "topics", "emotion", "sentiment", "diagnosis",
}
NUMBER_NAMES = {"score", "rating", "age", "price", "value", "year", "weight", "height", "count"}
SELDOM_NAMES = {
    "votes", "vote", "upvotes", "downvotes", "likes", "dislikes", "views", "shares", "clicks",
    "downloads", "start", "end", "begin", "offset", "onset", "duration", "length", "time", "times",
    "timestamp", "seconds", "sec", "secs", "ms", "created", "updated", "modified", "elapsed",
    "bytes", "filesize", "size", "width", "channels", "samplerate", "fps", "bitrate", "latitude",
    "longitude", "lat", "lon", "lng", "take", "version", "page", "line", "position", "rank",
    "order",
}
"""Words for times, places, sizes and counts of votes: measured with a sample, and seldom asked."""
SWITCHES = ({"0", "1"}, {"-1", "1"}, {"true", "false"}, {"yes", "no"}, {"y", "n"}, {"t", "f"})
"""The two values of a column that says whether something is so."""


@dataclass(frozen=True)
class Cells:
    """A column's cells, and what is asked of them more than once."""

    name: str
    column: pl.Series
    """Every row's cell, None where it is empty."""
    known: pl.Series
    distinct: int
    some: list[str]
    """The first different values, at most ``LOOKED_AT``."""

    @property
    def repeated(self) -> float:
        """Rows per different value."""
        return len(self.known) / max(1, self.distinct)

    @property
    def is_switch(self) -> bool:
        """Whether there are two values, as yes and no."""
        return {v.lower() for v in self.some} in SWITCHES

    @property
    def words(self) -> float:
        """Words per different value."""
        return sum(len(v.split()) for v in self.some) / max(1, len(self.some))

    def named(self, names: set[str]) -> bool:
        """Whether a word of the column's name is among these."""
        spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", self.name)
        return any(w in names for w in re.split(r"[^a-z]+", spaced.lower()) if w)
