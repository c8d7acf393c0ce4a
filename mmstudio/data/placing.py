"""Which dropped file goes to which input: by its kind, then to the first empty one."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmstudio.data.sniff import modality_of_content
from mmstudio.modalities import MODALITIES, modality_of_file
from mmstudio.reading import opened

_LISTED_SUFFIXES = 5
_LOOKED_AT_BYTES = 4096
_MOST_BYTES = 1 << 50


@dataclass
class Placement:
    """Where the files go, and what could not be placed.

    Attributes:
        placed: input name -> file.
        unknown: files of a kind that no modality reads.
        unwanted: files whose kind the model does not take, with that kind.
        surplus: files for which every input of their kind has one already.
        missing: what is not a file (a folder, or gone).
    """

    placed: dict[str, Path] = field(default_factory=dict)
    unknown: list[Path] = field(default_factory=list)
    unwanted: list[tuple[Path, str]] = field(default_factory=list)
    surplus: list[Path] = field(default_factory=list)
    missing: list[Path] = field(default_factory=list)


def kind_of_file(path: Path) -> str | None:
    """The modality of a file by its suffix; by its content where the suffix says nothing."""
    modality = modality_of_file(path)
    if modality is not None:
        return modality
    if path.suffix and len(path.suffix) <= 5:
        return None
    return modality_of_content(path) or (modality_of_file("a.txt") if _is_words(path) else None)


def _is_words(path: Path) -> bool:
    """Whether a file begins like a text: characters of UTF-8, and none that only machines write."""
    try:
        with opened(path, _MOST_BYTES) as file:
            head = file.read(_LOOKED_AT_BYTES)
        text = codecs.getincrementaldecoder("utf-8")().decode(head)  # the last one may be cut
    except (OSError, ValueError):
        return False
    return bool(text.strip()) and all(c.isprintable() or c.isspace() for c in text)


def place_files(
    files: Sequence[Path],
    inputs: Mapping[str, str],
    is_empty: Callable[[str], bool],
    onto: str | None = None,
) -> Placement:
    """Find an input for each file.

    Args:
        files: what was dropped.
        inputs: input name -> modality.
        is_empty: whether an input has nothing yet.
        onto: the input whose card was hit; it comes first for a file of its kind.
    """
    result = Placement()
    for path in files:
        if not path.is_file():
            result.missing.append(path)
            continue
        kind = kind_of_file(path)
        if kind is None:
            result.unknown.append(path)
            continue
        fitting = [name for name, modality in inputs.items() if modality == kind]
        if not fitting:
            result.unwanted.append((path, kind))
            continue
        free = [name for name in fitting if name not in result.placed]
        if not free:
            result.surplus.append(path)
            continue
        # False sorts first: the card that was hit, then an empty one, then the table's order.
        free.sort(key=lambda name: (name != onto, not is_empty(name)))
        result.placed[free[0]] = path
    return result


def accepted_suffixes(kinds: Sequence[str]) -> str:
    """What files of these modalities are called: "Picture (.png .jpg …), Sound (.wav …)"."""
    parts = []
    for kind in kinds:
        modality = MODALITIES.get(kind)
        suffixes = modality.suffixes
        listed = " ".join(suffixes[:_LISTED_SUFFIXES])
        more = " …" if len(suffixes) > _LISTED_SUFFIXES else ""
        parts.append(f"{modality.title} ({listed}{more})" if suffixes else modality.title)
    return ", ".join(parts)


def file_patterns(kinds: Sequence[str]) -> str:
    """All suffixes of these modalities as a file dialog wants them: "*.png *.wav"."""
    suffixes = [suffix for kind in kinds for suffix in MODALITIES.get(kind).suffixes]
    return " ".join(f"*{suffix}" for suffix in suffixes)
