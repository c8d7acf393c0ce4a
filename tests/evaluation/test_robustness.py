"""Robustness of a trained run."""

from __future__ import annotations

import pytest

from mmstudio.errors import UserError
from mmstudio.evaluation.robustness import ABSENT, Point, Robustness, robustness
from mmstudio.inference.evaluate import evaluate
from tests.evaluation.conftest import Planted


@pytest.fixture(scope="module")
def found(planted: Planted) -> Robustness:
    *_, last = robustness(planted.run, most_rows=20, device="cpu")
    assert isinstance(last, Robustness)
    return last


def test_every_input_gets_worse_in_every_way_of_its_modality(found: Robustness) -> None:
    ways = {(c.input, c.corruption) for c in found.curves}
    assert {("image", "JPEG"), ("image", ABSENT), ("sound", "speed"), ("words", "typing errors"),
            ("words", ABSENT)} <= ways
    assert found.rows == 20 and set(found.main_figures) == {"shape", "size"}


def test_an_input_that_is_absent_has_no_share(found: Robustness) -> None:
    for curve in found.curves:
        if curve.corruption == ABSENT:
            shares = [p.shares["shape"][curve.input] for p in curve.points]
            assert shares == sorted(shares, reverse=True) and shares[-1] == 0
    assert sum(found.clean.shares["shape"].values()) == pytest.approx(1)


def test_a_figure_that_is_not_known_is_null_in_json() -> None:
    point = Point(0.0, {"age": float("nan")}, {})
    told = Robustness("run", "test", 1, {"age": "r2"}, point, []).to_json()
    assert told["clean"]["figures"] == {"age": None}


def test_the_same_seed_draws_the_same(planted: Planted, found: Robustness) -> None:
    *_, again = robustness(planted.run, most_rows=20, device="cpu")
    assert again == found
    *_, other = robustness(planted.run, most_rows=20, seed=1, device="cpu")
    assert other != found


def test_rows_as_they_are_have_the_figures_of_an_evaluation(planted: Planted) -> None:
    *_, found = robustness(planted.run, split="validation", device="cpu")
    assert isinstance(found, Robustness)
    *_, known = evaluate(planted.run, "validation", device="cpu")
    for task, figure in found.clean.figures.items():
        assert figure == pytest.approx(known.tasks[task]["accuracy"], abs=1e-6)  # type: ignore[union-attr]


def test_what_is_wrong_is_told(planted: Planted) -> None:
    with pytest.raises(UserError, match="no split 'tests'"):
        list(robustness(planted.run, split="tests"))
