"""Planted groups of errors are found, and where none is planted none is told beyond chance."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import hypergeom

from mmstudio.data.table import Table
from mmstudio.evaluation.scores import Scores, TaskScores
from mmstudio.evaluation.slices import (
    Trait,
    errors_of,
    slices_of,
    traits_of,
    upper_tail,
    worst_slices,
)


def traits(rows: int, chance: np.random.Generator) -> list[Trait]:
    return [Trait("label", tuple("abcde"), chance.integers(0, 5, rows), True),
            Trait("voice", ("absent", "present"), (chance.random(rows) < 0.8).astype(int), True),
            Trait("town", ("Oslo", "Rome", "Lima"), chance.integers(0, 3, rows)),
            Trait("length", ("short", "middle", "long"), chance.integers(-1, 3, rows))]


def test_chances_are_those_of_the_hypergeometric_distribution() -> None:
    wrong, rows = np.array([3, 5, 10, 0, 9, 40]), np.array([10, 20, 10, 15, 60, 50])
    found = upper_tail(wrong, rows, 60, 400)
    for at in range(6):
        exact = hypergeom.sf(wrong[at] - 1, 400, 60, rows[at])
        if wrong[at] > rows[at] * 60 / 400:
            assert found[at] == pytest.approx(exact, rel=1e-9)
        else:
            assert found[at] == 1.0 and exact > 0.4


def test_a_planted_group_is_found_and_told_once() -> None:
    chance = np.random.default_rng(0)
    of = traits(2000, chance)
    bad = (of[0].numbers == 2) & (of[2].numbers == 1)
    errors = chance.random(2000) < np.where(bad, 0.6, 0.1)
    first, *others = worst_slices(errors, of)
    assert first.conditions == {"label": "c", "town": "Rome"}
    assert np.array_equal(first.places, np.flatnonzero(bad))
    assert first.errors == errors[bad].sum() and first.rows == bad.sum()
    assert first.error_rate == pytest.approx(errors[bad].mean())
    assert first.others == pytest.approx(errors[~bad].mean())
    assert first.p_value < 1e-6
    assert not others, "what holds the group, or lies in it, says no more"


def test_a_whole_trait_is_told_in_place_of_its_parts() -> None:
    chance = np.random.default_rng(1)
    of = traits(2000, chance)
    errors = chance.random(2000) < np.where(of[1].numbers == 0, 0.5, 0.1)
    assert [s.conditions for s in worst_slices(errors, of)] == [{"voice": "absent"}]
    twice = [*of, Trait("sound file", ("no", "yes"), of[1].numbers)]
    assert len(worst_slices(errors, twice)) == 1


def test_nothing_planted_is_told_in_one_of_twenty_at_most() -> None:
    told = 0
    for seed in range(200):
        chance = np.random.default_rng(seed)
        of = traits(400, chance)
        told += bool(worst_slices(chance.random(400) < 0.2, of))
    assert told <= 0.05 * 200


def test_small_groups_and_no_errors_are_not_told() -> None:
    of = [Trait("label", ("a", "b"), np.array([0] * 9 + [1] * 91))]
    errors = np.array([True] * 9 + [False] * 91)
    assert not worst_slices(errors, of)
    assert worst_slices(errors, of, least=9)
    assert not worst_slices(np.zeros(100, bool), of, least=1)
    assert not worst_slices(errors, [])


def scores(kind: str, outputs: np.ndarray, values: np.ndarray, classes: str = "") -> Scores:
    rows = len(values)
    present = np.ones((rows, 2), bool)
    present[::4, 1] = False
    loud = np.linspace(0, 1, rows).astype(np.float32)
    loud[::4] = np.nan
    return Scores(Path("run"), "test", None, ("face", "voice"), np.ones((1, 2), bool),
                  np.arange(rows) + 1, present,
                  {"who": TaskScores(kind, tuple(classes), (), outputs[None], values,
                                     np.ones(rows, bool))},
                  traits={"voice loudness": loud})


def test_rows_are_grouped_by_label_absence_columns_and_content() -> None:
    rows = 280
    answers = np.zeros((rows, 3), np.float32)
    truth = np.arange(rows) % 3
    answers[np.arange(rows), truth] = 1
    frame = pl.DataFrame({
        "town": ["Oslo" if r % 2 else None for r in range(rows + 1)],
        "file": [f"{r}.png" for r in range(rows + 1)], "who": [None] * (rows + 1),
        "age": [str(r % 70) for r in range(rows + 1)], "split": ["test"] * (rows + 1)},
        schema_overrides={"who": pl.String})
    table = Table(Path("t.csv"), Path(), frame)
    one = scores("classification", answers, truth, "xyz")
    found = {t.name: t for t in traits_of(one, "who", table, np.arange(rows))}
    assert list(found) == ["label", "voice", "voice loudness", "town", "age"]
    assert found["town"].values == ("Oslo", "(empty)")
    assert found["age"].values[0] == "up to 23"
    assert (found["voice loudness"].numbers == -1).sum() == rows // 4
    bad = (one.rows % 70 > 46) & (truth == 1)
    one.tasks["who"].outputs[0][bad] = (1, 0, 0)
    first = slices_of(one, "who", table)[0]
    assert first.conditions == {"label": "y", "age": "above 46"}
    assert first.error_rate == 1.0
    assert np.array_equal(first.places, np.flatnonzero(bad))


def test_the_worst_fifth_of_numbers_and_label_sets_counts_as_wrong() -> None:
    values = np.arange(100.0)
    off = np.where(np.arange(100) < 15, 5.0, 0.1) + np.arange(100) / 1000
    one = scores("regression", (values + off)[:, None].astype(np.float32), values)
    assert errors_of(one.tasks["who"], 0).sum() == 20
    assert errors_of(one.tasks["who"], 0)[:15].all()
    sets = np.zeros((100, 4), np.uint8)
    logits = np.full((100, 4), -1.0, np.float32)
    logits[:10] = 1
    many = scores("multilabel", logits, sets, "abcd")
    assert np.array_equal(np.flatnonzero(errors_of(many.tasks["who"], 0)), np.arange(10))


def test_a_hundred_thousand_rows_take_about_a_second() -> None:
    chance = np.random.default_rng(0)
    of = [*traits(100_000, chance), *(
        Trait(f"column {c}", tuple(map(str, range(20))), chance.integers(0, 20, 100_000))
        for c in range(10))]
    began = time.perf_counter()
    worst_slices(chance.random(100_000) < 0.2, of)
    assert time.perf_counter() - began < 3
