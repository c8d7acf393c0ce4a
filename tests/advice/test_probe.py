"""Planted knowledge is found and named; noise is not called knowledge."""

from __future__ import annotations

import numpy as np
import pytest

from mmstudio.advice.linear import Classes, fold_of_rows
from mmstudio.advice.probe import Block, Intervals, _both_know, block_of, probe
from tests.advice.conftest import blocks_of, probed, signal


def test_two_inputs_that_know_the_same(chance: np.random.Generator) -> None:
    answers = chance.integers(0, 4, 600)
    known = np.where(chance.random(600) < 0.8, answers, chance.integers(0, 4, 600))
    found = probed(answers, {"a": signal(known, chance, 0.3), "b": signal(known, chance, 0.3)})
    assert found.alone["a"].value == pytest.approx(0.85, abs=0.04)  # 0.8 and a quarter of 0.2
    # the luck is the same in both, so that it counts as known
    assert found.shared["a", "b"].value == pytest.approx(0.85, abs=0.05)
    assert found.unique["a"].high < 0.05 and found.unique["b"].high < 0.05
    assert not found.has_joint


def test_what_one_input_adds(chance: np.random.Generator) -> None:
    answers = chance.integers(0, 4, 600)
    features = {"high": signal(answers // 2, chance), "low": signal(answers % 2, chance)}
    found = probed(answers, features)
    for name in features:
        assert found.knows(name)
        assert found.unique[name].low > 0.3  # either alone halves the guess: 0.5 of 1
    assert found.together.value > 0.9
    assert not found.has_joint


@pytest.mark.parametrize("kinds", [2, 3])
def test_what_only_the_combination_tells(chance: np.random.Generator, kinds: int) -> None:
    first, answers = chance.integers(0, kinds, (2, 800))
    features = {
        "a": signal(first, chance), "b": signal((answers - first) % kinds, chance),
        "c": signal(chance.integers(0, 2, 800), chance)}
    found = probed(answers, features)
    assert not any(found.knows(name) and found.alone[name].low > 1 / kinds + 0.05
                   for name in features)
    assert found.joint.low > 0.1
    assert found.joint_pairs == (("a", "b"),)
    assert not found.is_noise("a") and not found.is_noise("b")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rows", [150, 500])
def test_inputs_that_add_up_are_not_called_joint(seed: int, rows: int) -> None:
    chance = np.random.default_rng(seed)
    answers = chance.integers(0, 3, rows)
    features = {"a": signal(answers, chance, 1.5), "b": signal(answers, chance, 2.0)}
    found = probed(answers, features)
    assert not found.has_joint
    assert found.together.value > found.alone["b"].value


def test_the_curve_of_one_input_is_not_called_joint(chance: np.random.Generator) -> None:
    """Both inputs show the same curved number: products fit it better, and tell nothing new."""
    place = chance.uniform(-1, 1, 900)
    answers = (np.abs(place) > 0.5).astype(int)

    def seen() -> np.ndarray:
        shown = place[:, None] + 0.05 * chance.normal(size=(900, 1))
        return np.hstack([3 * shown, chance.normal(size=(900, 5))]).astype(np.float32)

    assert not probed(answers, {"a": seen(), "b": seen()}).has_joint


def test_noise_is_named() -> None:
    named = []
    for seed in range(4):
        chance = np.random.default_rng(seed)
        answers = chance.integers(0, 2, 800)
        found = probed(answers, {
            "good": signal(answers, chance), "noise": signal(chance.integers(0, 2, 800), chance)})
        assert not found.knows("noise") and not found.is_noise("good")
        assert found.shared["good", "noise"].value < 0.15
        named.append(found.is_noise("noise"))
    assert sum(named) >= 3  # one seed in twenty may leave it open


def test_numbers_are_probed_too(chance: np.random.Generator) -> None:
    first, second = chance.normal(size=(2, 900))
    features = {
        name: np.hstack([3 * part[:, None], chance.normal(size=(900, 4))]).astype(np.float32)
        for name, part in (("a", first), ("b", second))}
    added = probed((first + 0.5 * second)[:, None], features)
    assert added.chance == 0 and added.kind == "numbers"
    assert added.alone["a"].value == pytest.approx(0.8, abs=0.05)
    assert added.unique["b"].value == pytest.approx(0.2, abs=0.05)
    assert not added.shared["a", "b"].is_sure or added.shared["a", "b"].value < 0.05
    assert not added.has_joint
    assert probed((first * second)[:, None], features).joint_pairs == (("a", "b"),)


def test_labels_of_several_are_probed_too(chance: np.random.Generator) -> None:
    labels = chance.integers(0, 2, (500, 2))
    features = {"a": signal(labels[:, 0], chance), "b": signal(labels[:, 1], chance)}
    found = probed(labels.astype(float), features)
    assert found.alone["a"].value == pytest.approx(0.45, abs=0.1)  # one of the two labels
    assert found.unique["a"].low > 0.3 and not found.has_joint


def test_luck_is_taken_out_of_what_both_know() -> None:
    """1/2 is guessed; both know the same 40 of 100 rows, and are right in half of the others."""
    question = Classes(np.arange(100) % 2, fold_of_rows(100, None, 0))
    one = np.array([1] * 40 + [1, 1, 0, 0] * 15, dtype=float)
    other = np.array([1] * 40 + [1, 0, 1, 0] * 15, dtype=float)
    # P(both right) = 0.4 + 0.6 / 4 = 0.55
    assert _both_know(one, other, question).mean() == pytest.approx(0.4)


def test_an_absent_input_is_zero_and_its_presence_tells_nothing() -> None:
    present = np.arange(40) % 2 == 0
    block = block_of(np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32), present, 2)
    assert not block.linear[~present].any() and not block.leading[~present].any()
    assert block.linear[present].mean(axis=0) == pytest.approx(0, abs=1e-6)
    assert (block.linear[present] ** 2).sum(axis=1).mean() == pytest.approx(1, abs=1e-5)


def test_an_input_without_content_knows_nothing(chance: np.random.Generator) -> None:
    answers = chance.integers(0, 2, 200)
    empty = Block(np.zeros((200, 0), np.float32), np.zeros((200, 0), np.float32))
    blocks = blocks_of({"a": signal(answers, chance)}) | {"b": empty}
    for kind in (Classes(answers, fold_of_rows(200, None, 0)),):
        found = list(probe("answer", kind, blocks, None, 0))[-1]
        assert not found.knows("b") and found.knows("a")


def test_groups_widen_the_interval(chance: np.random.Generator) -> None:
    values = np.repeat(chance.integers(0, 2, 20), 20).astype(float)
    groups = np.repeat(np.arange(20), 20)
    alone, grouped = (Intervals(400, g, 0).of(values) for g in (None, groups))
    assert alone.value == grouped.value == pytest.approx(values.mean())
    assert grouped.high - grouped.low > 3 * (alone.high - alone.low)
