"""Content that a model never sees: ends of texts and sounds, and the finer parts of pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmstudio.data.checks.examined import Examined, Input
from mmstudio.data.checks.problem import Problem, problem
from mmstudio.data.store import AT_ONCE, WORKERS
from mmstudio.errors import UserError
from mmstudio.modalities.audio import LARGEST_AUTO_SECONDS
from mmstudio.modalities.base import Value
from mmstudio.modalities.image import LARGEST_AUTO_SIDE
from mmstudio.modalities.text import MOST_AUTO_TOKENS
from mmstudio.pretrained.preprocessing import PREFIX

MOST_LOOKED_AT = 20_000
"""Files whose header is asked, and texts whose pieces are counted; of more, so many, spread."""
MOST_CHARACTERS = 20_000
"""Of a text whose pieces are counted; the rest is taken to be like these."""
MUCH = 0.1
"""Of a row's content: what loses less is of no interest where it is seldom."""
MUCH_OF_ALL = 0.01
"""Of all content of an input."""
LEAST = {"text": 32, "audio": 1.0, "image": 4096}
"""Tokens, seconds, pixels: what loses less is of no interest where the limit is the data's own."""
CAPS = {"text": MOST_AUTO_TOKENS, "audio": LARGEST_AUTO_SECONDS, "image": LARGEST_AUTO_SIDE}
LARGEST = {"text": 10_000, "audio": 600, "image": 1024}
OPTIONS = {"text": "max_tokens", "audio": "max_seconds", "image": "size"}


@dataclass(frozen=True)
class Lengths:
    """How much there is of each row that was looked at, and how much of it is taken.

    Attributes:
        rows: ``(n,)`` their numbers.
        whole: ``(n,)`` tokens, seconds, or pixels of the file.
        taken: ``(n,)`` what of that the model gets to see.
        all_rows: How many rows these stand for.
        sides: ``(n,)`` the longer side of each picture, pixels.
    """

    rows: np.ndarray
    whole: np.ndarray
    taken: np.ndarray
    all_rows: int
    sides: np.ndarray | None = None


def cut_problems(examined: Examined) -> Iterator[Problem]:
    """One problem per input of which much is cut off or reduced; it names the option."""
    for name, content in examined.inputs.items():
        there = (np.diff(content.decoded.starts) > 0) & (examined.splits != "")
        rows = np.flatnonzero(there)
        measure = _MEASURES.get(content.settings.modality)
        if len(rows) and measure is not None:
            yield from _told(name, content, measure(content, rows))


def _told(name: str, content: Input, found: Lengths) -> Iterator[Problem]:
    modality = content.settings.modality
    lost = found.whole - found.taken
    share = lost / np.maximum(found.whole, 1e-9)
    much = (share >= MUCH) & (lost >= LEAST[modality])
    of_all = lost.sum() / max(found.whole.sum(), 1e-9)
    if of_all >= MUCH_OF_ALL and not _is_the_datas_own(content):
        much = share >= (MUCH if modality == "image" else 1e-3)
    if not much.any():
        return
    every = found.all_rows / len(found.rows)
    count = round(int(much.sum()) * every)
    about = "about " if every > 1 else ""
    low, high = (_percent(s) for s in (share[much].min(), share[much].max()))
    each = low if low == high else f"{low} to {high}"
    subject = f"{about}{count:,} of {found.all_rows:,} {_PLURALS[modality]}"
    if modality == "image":
        message = (f"{subject} {_are(count)} larger than the {_limit(content)} that the encoder is "
                   f"given: each is reduced, by {each} of its pixels.")
    else:
        message = (f"{subject} {_are(count)} longer than {_limit(content)}, and what comes after "
                   f"is cut off: {each} of each, {_percent(of_all)} of all.")
    # where most rows are like that it is a matter of the whole table
    rows = found.rows[much].tolist() if count <= found.all_rows / 2 else []
    yield problem(-1, content.settings.column, "cut", message[0].upper() + message[1:],
                  _remedy(name, content, found), rows=rows)


def _is_the_datas_own(content: Input) -> bool:
    """Whether the limit is what nearly all of the training rows keep to."""
    settings, spec = content.settings, content.spec
    modality = settings.modality
    limit = max(spec["size"]) if modality == "image" else spec[OPTIONS[modality]]
    return (not settings.options.get(OPTIONS[modality]) and limit < CAPS[modality]
            and not settings.encoder.name.startswith(PREFIX))


def _remedy(name: str, content: Input, found: Lengths) -> str:
    """The option that takes more, and for how much it would have to be set."""
    modality = content.settings.modality
    kept = "99 of 100"
    if found.sides is not None:
        needed = float(np.quantile(found.sides, 0.99 if _is_the_datas_own(content) else 0.5))
        kept = kept if _is_the_datas_own(content) else "the middle one"
    elif found.whole.max() <= LARGEST[modality] and _is_the_datas_own(content):
        needed, kept = float(found.whole.max()), "all of them"
    else:
        needed = float(np.quantile(found.whole, 0.99))
    value = min(LARGEST[modality], int(np.ceil(needed)))
    key = f"inputs.{name}.{OPTIONS[modality]}"
    own = (" A published model may have a limit of its own; then choose another one."
           if content.settings.encoder.name.startswith(PREFIX) else "")
    if modality == "image":
        return (f"{key} = {value} would keep {kept} whole; the time grows with the square of "
                f"it.{own}")
    return (f"{key} = {value} would keep {kept} whole; longer ones take more time and "
            f"memory.{own}")


def _limit(content: Input) -> str:
    spec = content.spec
    if content.settings.modality == "image":
        return f"{spec['size'][1]} × {spec['size'][0]} pixels"
    if content.settings.modality == "audio":
        return f"{spec['max_seconds']:g} s"
    return f"{spec['max_tokens']:,} tokens"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _percent(share: float) -> str:
    return "under 1 %" if share < 0.01 else f"{min(99, round(100 * share))} %"


# How long contents are --------------------------------------------------------------------------


def _text_lengths(content: Input, rows: np.ndarray) -> Lengths:
    """In tokens: those of rows that are as long as can be are counted anew, without the limit."""
    from tokenizers import Tokenizer

    from mmstudio.modalities.text import read_text

    taken = np.diff(content.decoded.starts)[rows].astype(np.float64)
    whole = taken.copy()
    full = np.flatnonzero(taken >= content.spec["max_tokens"])
    tokenizer = Tokenizer.from_str(content.spec["tokenizer"])
    tokenizer.no_truncation()
    counted = _some(full)
    for begin in range(0, len(counted), AT_ONCE):
        places = counted[begin : begin + AT_ONCE]
        texts = []
        for row in rows[places].tolist():
            try:
                texts.append(read_text(content.values[row] or ""))
            except UserError:  # gone since it was read
                texts.append("")
        parts = tokenizer.encode_batch_fast([t[:MOST_CHARACTERS] for t in texts])
        whole[places] = [len(part.ids) * max(1.0, len(text) / MOST_CHARACTERS)
                         for part, text in zip(parts, texts, strict=True)]
    if len(counted) < len(full):
        others = np.setdiff1d(full, counted)
        whole[others] = whole[counted].mean()
    return Lengths(rows, np.maximum(whole, taken), taken, len(rows))


def _sound_lengths(content: Input, rows: np.ndarray) -> Lengths:
    """In seconds: the headers of sounds that are as long as can be tell their whole length."""
    rate_hz, most = content.spec["sample_rate_hz"], content.spec["max_seconds"]
    taken = np.diff(content.decoded.starts)[rows] / rate_hz
    whole = taken.copy()
    full = np.flatnonzero(taken >= most - 1.5 / rate_hz)
    counted = _some(full)
    whole[counted] = _asked(content, rows[counted], _seconds)
    if len(counted) < len(full):
        whole[np.setdiff1d(full, counted)] = whole[counted].mean()
    return Lengths(rows, np.maximum(whole, taken), taken, len(rows))


def _picture_sizes(content: Input, rows: np.ndarray) -> Lengths:
    """In pixels, of files and of what they are reduced to."""
    height, width = content.spec["size"]
    some = rows[_some(np.arange(len(rows)))]
    sizes = np.array(_asked(content, some, _size)).reshape(-1, 2)
    scale = np.minimum(1.0, np.maximum(
        np.minimum(width / sizes[:, 0], height / sizes[:, 1]),
        np.minimum(height / sizes[:, 0], width / sizes[:, 1])))  # it may be turned by its EXIF
    whole = sizes.prod(axis=1)
    return Lengths(some, whole, whole * scale**2, len(rows), sizes.max(axis=1))


def _some(places: np.ndarray) -> np.ndarray:
    """At most ``MOST_LOOKED_AT`` of these, evenly spread."""
    if len(places) <= MOST_LOOKED_AT:
        return places
    return places[np.linspace(0, len(places) - 1, MOST_LOOKED_AT).astype(np.int64)]


def _asked(content: Input, rows: np.ndarray, ask: Callable[[Value | None], Any]) -> list[Any]:
    """What the headers of some rows' files say."""
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="check") as pool:
        return list(pool.map(lambda row: ask(content.values[row]), rows.tolist()))


def _seconds(path: Value | None) -> float:
    from mmstudio.modalities.audio import sound_seconds

    try:
        return sound_seconds(path or "")
    except UserError:
        return 0.0


def _size(path: Value | None) -> Sequence[float]:
    from mmstudio.modalities.image import picture_size

    try:
        return [float(max(1, side)) for side in picture_size(path or "")]
    except UserError:
        return [1.0, 1.0]


_PLURALS = {"text": "texts", "audio": "sounds", "image": "pictures"}
_MEASURES: dict[str, Callable[[Input, np.ndarray], Lengths]] = {
    "text": _text_lengths, "audio": _sound_lengths, "image": _picture_sizes}
