"""Partial information: distributions whose parts are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmstudio.evaluation import answering
from mmstudio.evaluation.information import mutual_information, parts_of
from mmstudio.evaluation.report import Evaluated, evaluated
from tests.evaluation.conftest import Planted


def of(outcomes: list[tuple[int, int, int]]) -> np.ndarray:
    """Equally likely outcomes of (X1, X2, Y)."""
    joint = np.zeros(tuple(max(o[i] for o in outcomes) + 1 for i in range(3)))
    for outcome in outcomes:
        joint[outcome] += 1
    return joint


BITS = [(a, b) for a in (0, 1) for b in (0, 1)]
AND = [(a, b, a & b) for a, b in BITS]
KNOWN = {
    # of Bertschinger et al. 2014, table 1: shared, first, second, together
    "both are the label": ([(0, 0, 0), (1, 1, 1)], (1, 0, 0, 0)),
    "the label is a copy of both": ([(a, b, 2 * a + b) for a, b in BITS], (0, 1, 1, 0)),
    "xor": ([(a, b, a ^ b) for a, b in BITS], (0, 0, 0, 1)),
    "only the first": ([(a, b, a) for a, b in BITS], (0, 1, 0, 0)),
    "and": (AND, (0.3113, 0, 0, 0.5)),
    "nothing": ([(a, b, y) for a, b in BITS for y in (0, 1)], (0, 0, 0, 0)),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_parts(name: str) -> None:
    outcomes, wanted = KNOWN[name]
    found = parts_of(of(outcomes))
    parts = (found.shared, found.first, found.second, found.together)
    assert parts == pytest.approx(wanted, abs=2e-3)


def test_parts_add_up_and_are_never_negative() -> None:
    chance = np.random.default_rng(0)
    for _ in range(5):
        joint = chance.dirichlet(np.full(27, 0.5)).reshape(3, 3, 3)
        found = parts_of(joint)
        assert found.total == pytest.approx(mutual_information(joint.reshape(9, 3)))
        assert found.shared + found.first == pytest.approx(mutual_information(joint.sum(axis=1)))
        assert found.shared + found.second == pytest.approx(mutual_information(joint.sum(axis=0)))
        assert min(found.shared, found.first, found.second, found.together) > -1e-9


def test_a_label_that_never_occurs_changes_nothing() -> None:
    joint = of(AND)
    wider = np.concatenate([joint, np.zeros((2, 2, 1))], axis=2)
    assert parts_of(wider) == parts_of(joint)


def test_a_run_s_answers_tell_of_each_pair(planted: Planted) -> None:
    *_, found = evaluated(planted.run, "train", None, "cpu", inputs=True)
    assert isinstance(found, Evaluated)
    told = found.to_json()["tasks"]["shape"]["information"]
    assert [one["inputs"] for one in told] == [
        ["image", "words"], ["image", "sound"], ["words", "sound"]]
    first = told[0]
    assert first["rows"] > 100 and 0 <= first["by_chance"] < 0.2
    assert first["shared"] > 0.5  # the shape is seen and read
    assert set(first["right"]) == {"either", "only image", "only words", "only together"}
    assert sum(first["right"].values()) <= 1


def test_of_two_times_two_times_two_nothing_tells_less() -> None:
    """With the pairs given, one number per label is free: all of them are tried."""
    chance = np.random.default_rng(3)
    p = chance.dirichlet(np.ones(8)).reshape(2, 2, 2)
    turn = np.array([[1, -1], [-1, 1]])
    moves = [np.linspace(-min(p[0, 0, y], p[1, 1, y]), min(p[0, 1, y], p[1, 0, y]), 401)
             for y in (0, 1)]
    least = min(mutual_information((p + np.stack([turn * a, turn * b], axis=2)).reshape(4, 2))
                for a in moves[0][1:-1] for b in moves[1][1:-1][::8])
    found = parts_of(p)
    assert found.total - found.together == pytest.approx(least, abs=1e-3)


def test_many_rows_whose_inputs_did_not_answer_alone_are_evaluated(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "MOST_NUMBERS", 1)
    *_, found = evaluated(copied, "test", None, "cpu", inputs=True)
    assert isinstance(found, Evaluated) and len(found.scores.subsets) == 1
    assert found.to_json()["tasks"]["shape"]["information"] == []
