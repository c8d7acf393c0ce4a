"""Robustness of a trained run."""

from __future__ import annotations

import json

import pytest

from mmstudio.errors import UserError
from mmstudio.evaluation.kept_robustness import kept_robustness
from mmstudio.evaluation.robustness import growing_robustness, robustness
from mmstudio.evaluation.robustness_curves import ABSENT, Curve, Point, Robustness
from mmstudio.inference.evaluate import evaluate
from mmstudio.training.looks import count_looks
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
    place = planted.run / "evaluation" / "robustness of test.json"
    place.unlink()  # else it would be read
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


def test_curves_are_kept_one_by_one_and_found_once(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [("image", "JPEG"), ("words", ABSENT), ("image", "blur")]
    steps = growing_robustness(planted.run, "validation", 10, only=asked, device="cpu")
    first = next(step for step in steps if isinstance(step, Robustness))
    steps.close()  # type: ignore[attr-defined]
    assert [(c.input, c.corruption) for c in first.curves] == [("image", "blur")]
    assert kept_robustness(planted.run, "validation", 10) == first
    assert kept_robustness(planted.run, "validation", 11) is None  # of other rows
    begun, *_, whole = [s for s in growing_robustness(
        planted.run, "validation", 10, only=asked, device="cpu") if isinstance(s, Robustness)]
    assert begun == first
    assert [(c.input, c.corruption) for c in whole.curves] == [
        ("image", "blur"), ("image", "JPEG"), ("words", ABSENT)]
    assert whole.curves[0] == first.curves[0] and whole.clean == first.clean
    monkeypatch.setattr("mmstudio.evaluation.robustness.Predictor", None)  # nothing is asked
    again, = growing_robustness(planted.run, "validation", 10, only=asked, device="cpu")
    assert again == whole
    place = planted.run / "evaluation" / "robustness of validation.json"
    place.write_text(place.read_text(encoding="utf-8").replace('"curves": [{', '"curves": [7, {'),
                     encoding="utf-8")
    assert kept_robustness(planted.run, "validation", 10) is None


def test_a_kept_curve_of_an_unknown_way_is_passed_over(planted: Planted) -> None:
    def curves(*asked: tuple[str, str]) -> list[tuple[str, str]]:
        *_, last = growing_robustness(planted.run, "validation", 8, only=asked, device="cpu")
        assert isinstance(last, Robustness)
        return [(c.input, c.corruption) for c in last.curves]

    assert curves(("words", ABSENT)) == [("words", ABSENT)]
    place = planted.run / "evaluation" / "robustness of validation.json"
    kept = json.loads(place.read_text(encoding="utf-8"))
    kept["curves"].append(kept["curves"][0] | {"corruption": "rain"})
    place.write_text(json.dumps(kept), encoding="utf-8")
    assert curves(("words", ABSENT), ("image", ABSENT)) == [
        ("image", ABSENT), ("words", ABSENT)]


def test_the_step_from_which_another_input_counts_more() -> None:
    def point(strength: float, image: float) -> Point:
        return Point(strength, {}, {"shape": {"image": image, "words": 1 - image}})

    curve = Curve("image", "noise", "", [point(0.1, 0.6), point(0.2, 0.4), point(0.4, 0.1)])
    assert curve.taken_over("shape", point(0, 0.8)) == (2, "words")
    assert curve.taken_over("shape", point(0, 0.3)) == (0, "words")
    assert Curve("words", "x", "", [point(0.1, 0.2)]).taken_over("shape", point(0, 0.3)) is None
    assert curve.taken_over("size", point(0, 0.8)) is None  # more than six inputs: not known


def test_what_is_wrong_is_told(planted: Planted) -> None:
    with pytest.raises(UserError, match="no split 'tests'"):
        list(robustness(planted.run, split="tests"))


def test_a_look_at_test_rows_is_counted_once_per_question(planted: Planted) -> None:
    before = count_looks(planted.run)
    asked = [("words", ABSENT)]
    list(growing_robustness(planted.run, most_rows=9, only=asked, device="cpu"))
    assert count_looks(planted.run) == before + 1
    list(growing_robustness(planted.run, most_rows=9, only=asked, device="cpu"))
    assert count_looks(planted.run) == before + 1  # shown once more, not asked once more
    list(robustness(planted.run, most_rows=9, device="cpu"))
    list(robustness(planted.run, most_rows=9, device="cpu"))
    assert count_looks(planted.run) == before + 3
