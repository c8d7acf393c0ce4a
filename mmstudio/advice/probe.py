"""The probe: what each input knows alone, what inputs share, add, and tell only in combination.

In the words of partial information (Williams & Beer 2010; for fusion, Liang et al. 2023) these
are redundant, unique and synergistic information. Here they are measured as what quick linear
models can use of it, out of fold, in scores that people can read: rows that are right in a
hundred, or the explained share. A probe sees what is plain; a network may find more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from mmstudio.advice.features import leading_components
from mmstudio.advice.linear import Classes, Numbers, Question
from mmstudio.threads import one_thread

DRAWS = 1000
"""Of the bootstrap."""
MOST_PRODUCTS = 200
"""Products of components of two inputs, over all pairs."""
MOST_LEADING = 8
LEAST_KNOWN = 0.03
"""Of what can be known: an input that surely knows no more than this knows nothing."""
LEAST_JOINT = 0.02
"""What products add must be surely more than this to be called joint information."""
BINS = 10

Pair = tuple[str, str]


@dataclass(frozen=True)
class Figure:
    """A mean over the rows with its 95 % interval by bootstrap, of groups where rows have them."""

    value: float
    low: float
    high: float

    @property
    def is_sure(self) -> bool:
        """Whether it lies above 0 beyond chance."""
        return self.low > 0


@dataclass(frozen=True)
class Probe:
    """What was found out for one target.

    Attributes:
        target: Its name.
        kind: ``classes`` or ``numbers``; says what a score is (see ``linear``).
        rows: How many rows were looked at.
        chance: The score of guessing.
        alone: Per input the score of it alone.
        together: The score of all inputs, side by side.
        unique: Per input the score that is lost without it.
        shared: Per pair the share of what can be known that each of the two knows alone.
        joint: The score that products of two inputs add, beyond what products add to inputs
            that tell nothing in combination.
        joint_pairs: The pairs in which it lies, where it is sure.
    """

    target: str
    kind: str
    rows: int
    chance: float
    alone: dict[str, Figure]
    together: Figure
    unique: dict[str, Figure]
    shared: dict[Pair, Figure]
    joint: Figure
    joint_pairs: tuple[Pair, ...] = ()

    @property
    def has_joint(self) -> bool:
        """Whether the inputs tell in combination what they don't tell side by side."""
        return bool(self.joint_pairs)

    def knows(self, name: str) -> bool:
        """Whether an input alone does better than guessing, beyond chance and worth a word."""
        return self.alone[name].low > self.chance + LEAST_KNOWN * (1 - self.chance)

    def is_noise(self, name: str) -> bool:
        """Whether an input surely knows next to nothing, alone and beside the others."""
        little = 0.05 * (1 - self.chance)
        return (not self.knows(name) and self.alone[name].high < self.chance + 3 * little
                and self.unique[name].value < little and not self.unique[name].is_sure
                and not any(name in pair for pair in self.joint_pairs))


class Intervals:
    """Means over rows with their intervals; every figure is drawn from the same samples."""

    def __init__(self, rows: int, groups: np.ndarray | None, seed: int) -> None:
        """Draw rows, or whole groups, with replacement."""
        chance = np.random.default_rng(seed)
        members = np.arange(rows)
        if groups is not None and len(np.unique(groups)) > 1:
            members = np.unique(groups, return_inverse=True)[1]
        count = int(members.max()) + 1
        drawn = chance.multinomial(count, np.full(count, 1 / count), size=DRAWS)
        weights = drawn[:, members].astype(np.float32)
        self._weights = weights / weights.sum(axis=1, keepdims=True)

    def of(self, values: np.ndarray) -> Figure:
        """The figure of ``(N,)`` values."""
        low, high = np.quantile(self._weights @ values.astype(np.float32), (0.025, 0.975))
        return Figure(float(values.mean()), float(low), float(high))


@dataclass(frozen=True)
class Block:
    """One input's features of all rows, 0 where it is absent.

    Attributes:
        linear: ``(N, k)`` components whose variances add up to 1.
        leading: ``(N, q)`` the strongest of them, each of variance 1.
    """

    linear: np.ndarray
    leading: np.ndarray

    def squares(self) -> np.ndarray:
        """Products within the input: ``(N, q (q + 1) / 2)``."""
        first, second = np.triu_indices(self.leading.shape[1])
        return _level(self.leading[:, first] * self.leading[:, second])

    def times(self, other: Block) -> np.ndarray:
        """Products with another input: ``(N, q²)``."""
        products = self.leading[:, :, None] * other.leading[:, None, :]
        return _level(products.reshape(len(products), -1))

    def of(self, rows: np.ndarray) -> Block:
        """The same of other rows, or in another order."""
        return Block(self.linear[rows], self.leading[rows])


def block_of(features: np.ndarray, present: np.ndarray, inputs: int) -> Block:
    """Features ``(P, D)`` of the rows that are ``present (N,)`` to a block of all rows."""
    pairs = max(1, inputs * (inputs - 1) // 2)
    most = max(2, min(MOST_LEADING, int((MOST_PRODUCTS / pairs) ** 0.5)))
    with one_thread():
        found = (leading_components(features) if len(features) > 1
                 else np.zeros((len(features), 0), dtype=np.float32))
    deviation = found.std(axis=0) + 1e-9
    # half way to equal variances: weak components count, and yet less than strong ones
    linear = np.zeros((len(present), found.shape[1]), dtype=np.float32)
    linear[present] = _level(found / np.sqrt(deviation))
    leading = np.zeros((len(present), min(most, found.shape[1])), dtype=np.float32)
    leading[present] = (found / deviation)[:, :most].clip(-3, 3)
    return Block(linear, leading)


def _level(x: np.ndarray) -> np.ndarray:
    """Centred columns whose variances add up to 1."""
    centred = x - x.mean(axis=0) if len(x) else x
    total = float((centred**2).sum(axis=1).mean()) if centred.size else 0.0
    result: np.ndarray = (centred / np.sqrt(total or 1.0)).astype(np.float32)
    return result


def probe(
    target: str,
    question: Classes | Numbers,
    blocks: Mapping[str, Block],
    groups: np.ndarray | None,
    seed: int,
) -> Iterator[str | Probe]:
    """Ask the question of each input, of all, and of all but one.

    Args:
        target: The target's name.
        question: With its rows.
        blocks: Per input its features of these rows; two inputs or more.
        groups: ``(N,)`` what keeps rows together, or None.
        seed: Of the bootstrap and the control.

    Yields:
        What is done next, in words, then the probe.
    """
    intervals = Intervals(len(question), groups, seed)
    names = list(blocks)
    asked: dict[frozenset[str], np.ndarray] = {}

    def scores(*chosen: str) -> np.ndarray:
        key = frozenset(chosen)
        if key not in asked:
            with one_thread():
                asked[key] = question.scores([blocks[n].linear for n in names if n in key])
        return asked[key]

    for name in names:
        yield f"Asking {name} alone"
        scores(name)
    yield "Asking all inputs together"
    together = scores(*names)
    unique = {}
    for name in names:
        yield f"Asking all but {name}"
        unique[name] = intervals.of(together - scores(*(n for n in names if n != name)))
    shared = {}
    for pair in combinations(names, 2):
        yield f"Comparing {pair[0]} and {pair[1]}"
        rows = (_both_know(scores(pair[0]), scores(pair[1]), question)
                if isinstance(question, Classes)
                else scores(pair[0]) + scores(pair[1]) - scores(*pair))
        shared[pair] = intervals.of(rows)
    yield "Asking for combinations"
    joint, gain = _joint(question, blocks, list(combinations(names, 2)), intervals, seed)
    pairs: list[Pair] = []
    if joint.low > LEAST_JOINT:
        for pair in combinations(names, 2):
            yield f"Asking {pair[0]} with {pair[1]}"
            if len(names) == 2 or _gain(question, blocks, [pair]).mean() > gain / 3:
                pairs.append(pair)
    yield Probe(
        target, "classes" if isinstance(question, Classes) else "numbers", len(question),
        question.chance, {n: intervals.of(scores(n)) for n in names}, intervals.of(together),
        unique, shared, joint, tuple(pairs))


def _both_know(one: np.ndarray, other: np.ndarray, question: Classes) -> np.ndarray:
    """``(N,)`` whose mean is the share of rows that both inputs know, luck taken out.

    Of what is not known, a share c is right by luck. With k₁, k₂ known and k₁₂ known to both,
    both are right in ``k₁₂ (1 − c)² + (k₁ + k₂) c (1 − c) + c²`` of the rows; this is solved.
    """
    c = question.chance
    both = np.minimum(one, other)
    known = (one + other - 2 * c) / (1 - c)
    rows: np.ndarray = (both - known * c * (1 - c) - c**2) / (1 - c) ** 2
    return rows


def _gain(question: Question, blocks: Mapping[str, Block], pairs: Sequence[Pair]) -> np.ndarray:
    """``(N,)`` what products between inputs add to inputs that have products of their own."""
    own = [part for block in blocks.values() for part in (block.linear, block.squares())]
    between = [blocks[a].times(blocks[b]) for a, b in pairs]
    with one_thread():
        gain: np.ndarray = question.scores([*own, *between]) - question.scores(own)
    return gain


def _joint(
    question: Classes | Numbers,
    blocks: Mapping[str, Block],
    pairs: Sequence[Pair],
    intervals: Intervals,
    seed: int,
) -> tuple[Figure, float]:
    """The gain by products beyond that of a control, and the gain itself.

    In the control the inputs of rows with one label are shuffled among each other: each input
    tells as much as before, and they tell nothing in combination. What products still add there
    comes from a better fit, not from the combination.
    """
    gain = _gain(question, blocks, pairs)
    found = intervals.of(gain)
    if found.low <= LEAST_JOINT:
        return found, found.value
    strata = _strata(question)
    chance = np.random.default_rng(seed)
    shuffled = {name: block.of(_shuffled(strata, chance)) for name, block in blocks.items()}
    control = _gain(question, shuffled, pairs)
    return intervals.of(gain - max(0.0, float(control.mean()))), found.value


def _strata(question: Classes | Numbers) -> np.ndarray:
    """``(N,)`` rows with like labels in one fold have one number."""
    if isinstance(question, Classes):
        like = question.numbers
    else:
        order = leading_components(question.values.astype(np.float32), 1)[:, 0].argsort()
        like = np.empty(len(question), dtype=int)
        like[order] = np.arange(len(question)) * BINS // len(question)
    result: np.ndarray = like * (int(question.folds.max()) + 1) + question.folds
    return result


def _shuffled(strata: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """``(N,)`` row numbers, in another order within each stratum."""
    order = np.arange(len(strata))
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        order[rows] = chance.permutation(rows)
    return order
