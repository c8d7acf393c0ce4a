"""Does fusion help? One plain sentence, and what it rests on.

The best fusion and the best single input are chosen by their validation rows, and only then
compared on the test rows: were they chosen by those, the luck of the winner would count as skill.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mmstudio.comparison.figure import Figure
from mmstudio.comparison.plan import Contestant
from mmstudio.comparison.statistics import LEVEL, Interval, Resampled

MOST_ROWS_ADVISED = 1_000_000
LEAST_GROUPS = 5
"""Below, what lies between groups is not known well enough for any verdict."""
POWER = 0.8
"""How often so many rows as are advised would tell a difference of the size that was seen."""


@dataclass(frozen=True)
class Verdict:
    """The answer.

    Attributes:
        kind: ``helps``, ``unclear`` or ``single`` (the best single input does as well or better);
            ``few`` where the rows are of too few groups to say; ``open`` where no input, or no
            fusion, has a score yet.
        sentence: The answer for people.
        ground: What it rests on, and what would make it surer.
        fusion: Key of the best fusion by validation; "" where there is none.
        single: Likewise of the best input alone.
        difference: Fusion less single, on the compared rows.
        together: What weighing all answers gains on the best of the others, as a sentence; ""
            where that was not trained. Both differences are wide enough for the two of them.
    """

    kind: Literal["helps", "unclear", "single", "few", "open"]
    sentence: str
    ground: str
    fusion: str = ""
    single: str = ""
    difference: Interval | None = None
    together: str = ""


def judge(
    contestants: Mapping[str, Contestant], validation: Mapping[str, float], drawn: Resampled,
    scores: Mapping[str, np.ndarray], order: Sequence[str], figure: Figure, split: str,
    group: str = "",
) -> Verdict:
    """Compare the best fusion with the best single input.

    Args:
        contestants: By key.
        validation: Per contestant with a score its mean validation score.
        drawn: The resampled scores.
        scores: Per contestant ``(S, N)``, on the compared rows.
        order: Their keys; of equals by validation the first one is taken.
        figure: What the scores are.
        split: What the rows are of.
        group: The column that names the rows' groups, where one does.
    """
    fusion, single, combined = (
        best_of({k: v for k, v in validation.items() if contestants[k].kind == kind},
                order) for kind in ("fusion", "input", "combination"))
    others = {k: v for k, v in validation.items() if k != combined}
    asked = {"verdict": (fusion, single), "together": (combined, best_of(others, order))}
    asked = {name: pair for name, pair in asked.items() if all(pair)}
    found = dict(zip(asked, drawn.corrected(list(asked.values())), strict=True))
    if "verdict" in found and drawn.groups is not None and too_few(drawn.groups):
        return _few(drawn.groups, group, scores[fusion].shape[1], split, fusion, single)
    together = "" if "together" not in found or too_few(drawn.groups) else _together(
        found["together"], contestants[asked["together"][1]].title, figure)
    if not fusion or not single:
        return dataclasses.replace(_open(contestants, fusion, single), together=together)
    difference = found["verdict"]
    rows, seeds = scores[fusion].shape[1], (len(scores[fusion]), len(scores[single]))
    one, other = contestants[fusion].title, contestants[single].title
    alike = figure.equal_up_to(float(scores[single].mean()))
    size, interval = figure.size(difference.mean), interval_text(difference, figure)
    ground = _ground(rows_text(rows, split, drawn.groups, group), seeds, split)
    kind: Literal["helps", "unclear", "single"]
    if difference.low > 0:
        kind = "helps"
        sentence = f"Fusion helps: {one} is {size} better than {other} ({interval})."
    elif difference.high < 0:
        kind = "single"
        sentence = (f"The best single input does better: {other} is {size} better than {one} "
                    f"({interval} for the fusion).")
    elif difference.high < alike:
        kind = "single"
        sentence = (f"The best single input does as well: {one} gains no more than "
                    f"{figure.size(max(difference.high, 0.0))} on {other} ({interval}).")
    else:
        kind = "unclear"
        sentence = _unclear(one, other, difference, figure)
        ground += " " + _advice(drawn, fusion, single, difference, rows, min(seeds), split, group)
    return Verdict(kind, sentence, ground, fusion, single, difference, together)


def too_few(groups: int | None) -> bool:
    """Whether so many groups tell nothing of groups; None are no groups."""
    return groups is not None and groups < LEAST_GROUPS


def rows_text(rows: int, split: str, groups: int | None, group: str) -> str:
    """``480 test rows of 12 groups (speaker)``."""
    text = f"{rows:,} {split} rows"
    if groups is None:
        return text
    return f"{text} of {groups:,} group{'' if groups == 1 else 's'}{f' ({group})' * bool(group)}"


def _few(
    groups: int, group: str, rows: int, split: str, fusion: str, single: str
) -> Verdict:
    """The answer where nothing can be said of groups that were not seen."""
    return Verdict(
        "few", f"No verdict: there are {rows_text(rows, split, groups, group)}, and what holds of "
        "so few may not hold of others.",
        f"With {LEAST_GROUPS} groups or more a verdict can be given; more rows of the same ones "
        "would not help.", fusion, single)


def _together(difference: Interval, title: str, figure: Figure) -> str:
    """What weighing all answers gains on the best of the others."""
    size, interval = figure.size(difference.mean), interval_text(difference, figure)
    if difference.low <= 0 <= difference.high:
        return f"All answers weighed together can't be distinguished from {title} ({interval})."
    how = "better" if difference.low > 0 else "worse"
    return f"All answers weighed together are {size} {how} than {title} ({interval})."


def _unclear(one: str, other: str, difference: Interval, figure: Figure) -> str:
    interval, size = interval_text(difference, figure), figure.size(difference.mean)
    if size == figure.size(0.0):
        return f"No clear difference: {one} and {other} are equally good here ({interval})."
    how = "better" if difference.mean > 0 else "worse"
    return (f"No clear difference: {one} is {size} {how} than {other}, and that may be "
            f"chance ({interval}).")


def interval_text(interval: Interval, figure: Figure) -> str:
    """``95 % interval 1.2 to 5.0``, of a difference."""
    return f"95 % interval {figure.signed(interval.low)} to {figure.signed(interval.high)}"


def best_of(validation: Mapping[str, float], order: Sequence[str]) -> str:
    """The key with the best validation score, among equals the first in ``order``; "" of none.

    The compared rows must not decide, not even between equals; their order is that of the
    models' sizes.
    """
    return max(validation, key=lambda k: (validation[k], -order.index(k)), default="")


def _open(contestants: Mapping[str, Contestant], fusion: str, single: str) -> Verdict:
    planned = {c.kind for c in contestants.values()}
    if "input" not in planned:
        ground = "No input is trained alone here, so there is nothing to hold the fusions against."
    elif "fusion" not in planned:
        ground = "No fusion is trained here."
    else:
        ground = "At least one fusion and one input alone must be trained first."
    return Verdict("open", "Whether fusion helps is not known yet." if len(planned) > 1
                   else "Whether fusion helps is not asked here.", ground, fusion, single)


def _ground(rows: str, seeds: tuple[int, int], split: str) -> str:
    few, many = sorted(seeds)
    trainings = f"{many} training{'s' if many > 1 else ''}"
    each = trainings if few == many else f"{few} to {trainings}"
    text = f"Both were chosen by their validation rows and compared on the same {rows}, {each} each"
    text += "." if split == "test" else (
        ": there is no test split, so all figures are somewhat too good.")
    if few == 1:
        text += " One training says nothing about the luck of another seed."
    return text


def _advice(
    drawn: Resampled, fusion: str, single: str, difference: Interval, rows: int, seeds: int,
    split: str, group: str,
) -> str:
    """What would help most: more rows or more seeds."""
    by_rows, by_seeds = drawn.variances(fusion, single)
    groups, what = drawn.groups, "rows"
    if groups is not None:  # further rows of the same ones would not do
        rows, what = groups, f"groups ({group})" if group else "groups"
    kind = "test" if split == "test" else "validation"
    if by_seeds > by_rows:
        return f"Most of the doubt is between seeds: more than {seeds} would help most."
    needed = needed_rows(rows, difference.mean, by_rows, by_seeds)
    more = f"Most of the doubt is in the few {what}: more {kind} {what} would help most"
    if seeds == 1:
        more = f"More {kind} {what} and more than one seed would help"
    if rows < needed <= MOST_ROWS_ADVISED:
        return f"{more}; to detect a difference of this size, about {_rounded(needed):,}."
    return f"{more}."


def needed_rows(rows: int, difference: float, by_rows: float, by_seeds: float) -> float:
    """How many rows would tell a difference, eight times in ten; infinite where none would.

    Args:
        rows: That there are.
        difference: Its size, taken for the true one.
        by_rows: The variance that comes from so many rows.
        by_seeds: That which comes from the seeds, and stays.
    """
    from scipy.special import ndtri

    allowed = (difference / (ndtri(1 - LEVEL / 2) + ndtri(POWER))) ** 2 - by_seeds
    return float(rows * by_rows / allowed) if allowed > 0 else float("inf")


def _rounded(number: float) -> int:
    """Up to two digits that count."""
    step = 10 ** max(0, int(np.log10(number)) - 1)
    return int(np.ceil(number / step) * step)
