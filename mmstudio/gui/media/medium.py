"""How the window shows a kind of content: each modality's file in this folder has one of these."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from PySide6.QtGui import QImage


@dataclass(frozen=True)
class Medium:
    """How one kind of content looks.

    Attributes:
        icon: Its icon's name.
        shown_as: What shows it whole: a picture, a sound with its wave, or words to read and type.
        plural: What several are called, for people.
        thumbnail: A small picture of a file, in a colour; None where its cells are words.
        thumbnail_width: Of a small picture, logical pixels.
        height: Of the whole content beside the table, pixels: it does not jump from row to row.
        load: Reads a file for the screen, in a job; None where files are read as text.
        published: Which published models read it, for people.
        example: The id of one.
        single_files: Whether weights in one file of torchvision's are read too.
        marks: Makes what is drawn over a content from a map of what counted in it, in a job.
        speaks: Whether a published model knows some languages and no others.
    """

    icon: str = "mdi6.file-outline"
    shown_as: Literal["picture", "sound", "words"] = "words"
    plural: Callable[[], str] = lambda: ""
    thumbnail: Callable[[Path, str], QImage] | None = None
    thumbnail_width: int = 0
    height: int = 110
    load: Callable[[Path], Any] | None = None
    published: Callable[[], str] = lambda: ""
    example: str = ""
    single_files: bool = False
    marks: Callable[[Any], Any] = lambda shown: shown.spots
    speaks: bool = True


@functools.cache
def medium_of(modality: str | None) -> Medium:
    """The modality's; a plain one of words where the window has none for it."""
    name = f"{__package__}.{modality}"
    if not (modality or "").isidentifier() or importlib.util.find_spec(name) is None:
        return Medium()
    found: Medium = importlib.import_module(name).MEDIUM
    return found
