"""Content that a model never sees: ends of texts and sounds, and the finer parts of pictures."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from mmstudio.data.checks.examined import Examined, Input
from mmstudio.data.checks.problem import Problem, problem
from mmstudio.data.schema import modality_of
from mmstudio.data.store import AT_ONCE, WORKERS
from mmstudio.modalities.content_limit import ContentLimit
from mmstudio.pretrained.preprocessing import PREFIX

MOST_LOOKED_AT = 20_000
"""Contents that are measured; of more, so many, spread."""
MUCH = 0.1
"""Of a row's content: what loses less is of no interest where it is seldom."""
MUCH_OF_ALL = 0.01
"""Of all content of an input."""
LITTLE = 1e-3


@dataclass(frozen=True)
class Lengths:
    """How much there is of each row that was looked at, and how much of it is taken.

    Attributes:
        rows: ``(n,)`` their numbers.
        whole: ``(n,)`` in the unit of the limit.
        taken: ``(n,)`` what of that the model gets to see.
        needed: ``(n,)`` how large the limit would have to be.
        all_rows: How many rows these stand for.
    """

    rows: np.ndarray
    whole: np.ndarray
    taken: np.ndarray
    needed: np.ndarray
    all_rows: int


def cut_problems(examined: Examined) -> Iterator[Problem]:
    """One problem per input of which much is cut off or reduced; it names the option."""
    for name, content in examined.inputs.items():
        limit = modality_of(content.settings).content_limit()
        there = (np.diff(content.decoded.starts) > 0) & (examined.splits != "")
        rows = np.flatnonzero(there)
        if len(rows) and limit is not None:
            yield from _told(name, content, limit, _lengths(content, limit, rows))


def _told(name: str, content: Input, limit: ContentLimit, found: Lengths) -> Iterator[Problem]:
    lost = found.whole - found.taken
    share = lost / np.maximum(found.whole, 1e-9)
    much = (share >= MUCH) & (lost >= limit.least)
    of_all = lost.sum() / max(found.whole.sum(), 1e-9)
    if of_all >= MUCH_OF_ALL and not _is_the_datas_own(content, limit):
        much = share >= (MUCH if limit.reduces else LITTLE)
    if not much.any():
        return
    every = found.all_rows / len(found.rows)
    count = round(int(much.sum()) * every)
    about = "about " if every > 1 else ""
    low, high = (_percent(s) for s in (share[much].min(), share[much].max()))
    each = low if low == high else f"{low} to {high}"
    words = limit.limit_words(content.spec)
    subject = (f"{about}{count:,} of {found.all_rows:,} {modality_of(content.settings).plural} "
               f"{'is' if count == 1 else 'are'}")
    if limit.reduces:
        message = (f"{subject} larger than the {words} that the encoder is given: each is reduced, "
                   f"by {each} of its pixels.")
    else:
        message = (f"{subject} longer than {words}, and what comes after is cut off: {each} of "
                   f"each, {_percent(of_all)} of all.")
    # where most rows are like that it is a matter of the whole table
    rows = found.rows[much].tolist() if count <= found.all_rows / 2 else []
    yield problem(-1, content.settings.column, "cut", message[0].upper() + message[1:],
                  _remedy(name, content, limit, found), rows=rows)


def _is_the_datas_own(content: Input, limit: ContentLimit) -> bool:
    """Whether the limit is what nearly all of the training rows keep to."""
    settings = content.settings
    return (not settings.options.get(limit.option) and limit.limit(content.spec) < limit.cap
            and not settings.encoder.name.startswith(PREFIX))


def _remedy(name: str, content: Input, limit: ContentLimit, found: Lengths) -> str:
    """The option that takes more, and for how much it would have to be set."""
    own, kept, needed = _is_the_datas_own(content, limit), "99 of 100", found.needed
    if limit.reduces and not own:
        value, kept = float(np.quantile(needed, 0.5)), "the middle one"
    elif not limit.reduces and own and needed.max() <= limit.largest:
        value, kept = float(needed.max()), "all of them"
    else:
        value = float(np.quantile(needed, 0.99))
    key = f"inputs.{name}.{limit.option} = {min(int(limit.largest), int(np.ceil(value)))}"
    costs = ("the time grows with the square of it" if limit.reduces
             else "longer ones take more time and memory")
    limited = (" A published model may have a limit of its own; then choose another one."
               if content.settings.encoder.name.startswith(PREFIX) else "")
    return f"{key} would keep {kept} whole; {costs}.{limited}"


def _percent(share: float) -> str:
    return "under 1 %" if share < 0.01 else f"{min(99, round(100 * share))} %"


def _lengths(content: Input, limit: ContentLimit, rows: np.ndarray) -> Lengths:
    """Rows at the limit are measured, all of them or some; the others are as their arrays are."""
    lengths = np.diff(content.decoded.starts)[rows]
    taken = limit.taken(lengths, content.spec)
    full = np.flatnonzero(limit.at_limit(lengths, content.spec))
    some = full if len(full) <= MOST_LOOKED_AT else (
        full[np.linspace(0, len(full) - 1, MOST_LOOKED_AT).astype(np.int64)])
    measured = _measured(content, limit, rows[some])
    if limit.reduces:
        whole, seen, needed = measured.T
        return Lengths(rows[some], whole, seen, needed, len(rows))
    whole = taken.copy()
    whole[some] = measured[:, 0]
    if len(some) < len(full):
        whole[np.setdiff1d(full, some)] = whole[some].mean()
    whole = np.maximum(whole, taken)
    return Lengths(rows, whole, taken, whole, len(rows))


def _measured(content: Input, limit: ContentLimit, rows: np.ndarray) -> np.ndarray:
    """``(n, 3)`` as ``ContentLimit.measured`` gives it."""
    groups = np.array_split(rows, max(1, len(rows) // AT_ONCE))
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="check") as pool:
        found = pool.map(lambda some: limit.measured(
            [content.values[row] or "" for row in some.tolist()], content.spec), groups)
        return np.concatenate([np.zeros((0, 3)), *found])
