"""How often the intervals of a comparison hold the truth, and how often equals are told apart.

Answers are made up with a known truth: rows, groups of rows (speakers) and seeds each have their
own luck. Prints a table; a 95 % interval should hold the truth in 94 to 96 % of the trials, and of
equal contestants "fusion helps" should be said in at most 2.5 %.

    python tests/trials/interval_coverage.py [--trials 1000] [--verdicts 1000]
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from mmstudio.comparison.figure import Figure
from mmstudio.comparison.plan import COMBINATION, Contestant
from mmstudio.comparison.statistics import Resampled
from mmstudio.comparison.verdict import judge

SKILL = 0.8
"""The true accuracy of all."""
DRAWS = 1000
"""Of the bootstrap, fewer than in a comparison: there are many trials."""


@dataclass(frozen=True)
class Design:
    """What a trial's answers are like; spreads are standard deviations of the accuracy.

    Attributes:
        groups: How many, of ``rows`` each.
        seeds: Trainings.
        by_group: How far groups lie apart, for all contestants alike.
        by_own: How far a contestant's accuracy in a group lies off that, beside it.
        by_seed: How far trainings lie apart.
    """

    title: str
    groups: int
    rows: int
    seeds: int
    by_group: float
    by_own: float
    by_seed: float


DESIGNS = (
    Design("12 groups x 40 rows, 1 seed", 12, 40, 1, 0.08, 0.04, 0.0),
    Design("12 groups x 40 rows, 3 seeds", 12, 40, 3, 0.08, 0.04, 0.02),
    Design("300 rows, 3 seeds far apart", 300, 1, 3, 0.0, 0.0, 0.05),
    Design("300 rows, 3 seeds", 300, 1, 3, 0.0, 0.0, 0.02),
    Design("300 rows, 1 seed", 300, 1, 1, 0.0, 0.0, 0.0),
)


def made_answers(design: Design, many: int, chance: np.random.Generator) -> np.ndarray:
    """``(C, S, N)`` right or wrong, of contestants that are equally good."""
    shape = (many, design.seeds, design.groups, design.rows)
    level = np.full(shape, SKILL)
    level += chance.normal(0, 1, shape[2:3])[:, None] * design.by_group
    level += chance.normal(0, 1, (many, 1, design.groups, 1)) * design.by_own
    level += chance.normal(0, 1, (many, design.seeds, 1, 1)) * design.by_seed
    # half of the luck of a row is the row's, the other a training's own
    row = chance.normal(0, 1, shape[2:]) + chance.normal(0, 1, shape)
    from scipy.special import ndtri

    right = row / np.sqrt(2) < ndtri(np.clip(level, 0.001, 0.999))
    return right.reshape(many, design.seeds, -1).astype(float)


def groups_of(design: Design) -> np.ndarray:
    """``(N,)`` group of each row."""
    return np.repeat(np.arange(design.groups), design.rows)


def coverage(design: Design, trials: int) -> tuple[float, float, float]:
    """How often the truth lies within: of a mean, of a difference, of a mean without groups."""
    chance, groups = np.random.default_rng(1), groups_of(design)
    held = np.zeros(3)
    for trial in range(trials):
        scores = dict(zip("ab", made_answers(design, 2, chance), strict=True))
        drawn = Resampled(scores, groups=groups, resamples=DRAWS, seed=trial)
        alone = Resampled(scores, resamples=DRAWS, seed=trial)
        found = drawn.mean("a"), drawn.difference("a", "b"), alone.mean("a")
        held += [i.low <= truth <= i.high
                 for i, truth in zip(found, (SKILL, 0.0, SKILL), strict=True)]
    mean, difference, without = held / trials
    return float(mean), float(difference), float(without)


def said_to_help(design: Design, trials: int, fusions: int = 5, inputs: int = 3) -> float:
    """How often fusion is said to help, of equals, the best chosen by as many validation rows."""
    contestants = {c.key: c for c in (
        *(Contestant("fusion", str(i), "") for i in range(fusions)),
        *(Contestant("input", str(i), "") for i in range(inputs)), COMBINATION)}
    chance, groups, said = np.random.default_rng(2), groups_of(design), 0
    for trial in range(trials):
        seen = made_answers(design, len(contestants), chance).mean(axis=(1, 2))
        scores = dict(zip(contestants, made_answers(design, len(contestants), chance),
                          strict=True))
        drawn = Resampled(scores, groups=groups, resamples=DRAWS, seed=trial)
        verdict = judge(
            contestants, dict(zip(contestants, seen.tolist(), strict=True)), drawn, scores,
            list(contestants), Figure("accuracy"), "test")
        said += verdict.kind == "helps"
    return said / trials


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--verdicts", type=int, default=1000)
    given = parser.parse_args()
    began = time.perf_counter()
    print(f"{'':30} {'mean':>8} {'difference':>11} {'rows drawn singly':>18} {'helps':>7}")
    for design in DESIGNS:
        mean, difference, without = coverage(design, given.trials)
        helps = said_to_help(design, given.verdicts)
        print(f"{design.title:30} {100 * mean:6.1f} % {100 * difference:9.1f} % "
              f"{100 * without:16.1f} % {100 * helps:5.1f} %", flush=True)
    print(f"{given.trials} and {given.verdicts} trials each, {time.perf_counter() - began:.0f} s; "
          f"one standard error is {100 * (0.05 * 0.95 / given.trials) ** 0.5:.1f} points")


if __name__ == "__main__":
    main()
