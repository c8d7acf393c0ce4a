"""The sentence that a comparison ends in, for each of its cases."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from mmstudio.comparison.ranking import tied_with_best
from mmstudio.comparison.report import about, how_to_read, tied_sentence
from mmstudio.comparison.verdict import needed_rows
from tests.comparison.made_up import YEARS, answers, ranked


def test_fusion_helps() -> None:
    right = {"fusion:gated": 460, "input:sound": 400, "input:image": 100}
    ranking = ranked({key: [answers(many, 500)] * 2 for key, many in right.items()})
    verdict = ranking.verdict
    assert verdict is not None
    assert verdict.kind == "helps"
    assert verdict.sentence.startswith(
        "Fusion helps: Gated is 12.0 points better than sound alone (95 % interval +9.")
    assert (verdict.fusion, verdict.single) == ("fusion:gated", "input:sound")
    assert verdict.difference is not None
    assert verdict.difference.mean == pytest.approx(0.12)
    assert "the same 500 test rows, 2 trainings each" in verdict.ground


def test_no_difference_can_be_told_and_what_would_help_is_said() -> None:
    chance = np.random.default_rng(5)
    ranking = ranked({"fusion:gated": [(chance.random(60) < 0.8).astype(float)],
                      "input:sound": [(chance.random(60) < 0.8).astype(float)]})
    verdict = ranking.verdict
    assert verdict is not None
    assert verdict.kind == "unclear"
    assert verdict.sentence.startswith("No clear difference: Gated is ")
    assert "that may be chance (95 % interval −" in verdict.sentence
    assert "60 test rows, 1 training each" in verdict.ground
    assert "More test rows and more than one seed would help" in verdict.ground


def test_few_rows_and_few_seeds_are_told_apart() -> None:
    sure_rows = [np.full(400, level) for level in (0.60, 0.92)]
    by_seeds = ranked({"fusion:gated": sure_rows, "input:sound": [np.full(400, 0.75)] * 2})
    assert by_seeds.verdict is not None
    assert "between seeds: more than 2 would help most" in by_seeds.verdict.ground
    rows = answers(30, 50)
    other = rows.copy()
    other[[0, 1, 2, 48, 49]] = 1 - other[[0, 1, 2, 48, 49]]
    by_rows = ranked({"fusion:gated": [rows] * 3, "input:sound": [other] * 3})
    assert by_rows.verdict is not None
    assert "more test rows would help most" in by_rows.verdict.ground


def test_the_best_single_input_does_as_well() -> None:
    one = answers(1900, 2000)
    other = one.copy()
    other[[0, 1900]] = other[[1900, 0]]  # two rows that differ, one each way
    verdict = ranked({"fusion:gated": [one], "input:sound": [other]}).verdict
    assert verdict is not None
    assert verdict.kind == "single"
    assert verdict.sentence.startswith("The best single input does as well: Gated gains no more")
    assert "on sound alone" in verdict.sentence


def test_the_best_single_input_does_better() -> None:
    verdict = ranked({"fusion:gated": [answers(400, 500)],
                      "input:sound": [answers(450, 500)]}).verdict
    assert verdict is not None
    assert verdict.kind == "single"
    assert verdict.sentence.startswith(
        "The best single input does better: sound alone is 10.0 points better than Gated")


def test_ten_equal_rows_prove_nothing() -> None:
    verdict = ranked({"fusion:gated": [answers(10, 10)], "input:sound": [answers(10, 10)]}).verdict
    assert verdict is not None
    assert verdict.kind == "unclear"
    assert verdict.sentence == ("No clear difference: Gated and sound alone are equally "
                                "good here (95 % interval −30.0 to +30.0).")


def test_the_compared_rows_do_not_choose() -> None:
    """By its test rows concat is best, by its validation rows gated: gated is the one."""
    ranking = ranked(
        {"fusion:concat": [answers(480, 500)], "fusion:gated": [answers(440, 500)],
         "input:sound": [answers(400, 500)]},
        validation={"fusion:concat": 0.8, "fusion:gated": 0.9, "input:sound": 0.7})
    assert ranking.verdict is not None
    assert ranking.verdict.fusion == ranking.best == "fusion:gated"
    assert [s.contestant.name for s in ranking.standings] == ["concat", "gated", "sound"]
    assert ranking.standings[0].difference is not None
    assert ranking.standings[0].difference.mean == pytest.approx(0.08)


def test_errors_are_told_in_their_unit() -> None:
    chance = np.random.default_rng(0)
    error = 3 + chance.random(300)
    verdict = ranked({"fusion:gated": [-error], "input:sound": [-error - 0.5]}, YEARS).verdict
    assert verdict is not None
    assert verdict.sentence.startswith(
        "Fusion helps: Gated is 0.500 years better than sound alone")


def test_without_a_test_split_it_says_so() -> None:
    verdict = ranked({"fusion:gated": [answers(460, 500)], "input:sound": [answers(400, 500)]},
                     split="validation").verdict
    assert verdict is not None
    assert "validation rows" in verdict.ground
    assert "there is no test split" in verdict.ground


def test_without_single_inputs_the_question_is_open() -> None:
    ranking = ranked({"fusion:gated": [answers(46, 50)], "fusion:concat": [answers(40, 50)]})
    assert ranking.verdict is not None
    assert ranking.verdict.kind == "open"
    assert "No input is trained alone" in ranking.verdict.ground


def test_who_ties_with_the_best() -> None:
    ranking = ranked({
        "fusion:gated": [answers(450, 500)], "fusion:concat": [answers(448, 500)[::-1]],
        "input:sound": [answers(200, 500)]})
    assert [s.contestant.name for s in tied_with_best(ranking)] == ["concat"]
    assert ranking.best == "fusion:gated"


@pytest.mark.parametrize("groups", [1, 4])
def test_no_verdict_of_rows_of_under_five_groups(groups: int) -> None:
    """However large the difference: the next speaker may be another kind of speaker."""
    of_row = np.arange(500) % groups
    ranking = ranked({"fusion:gated": [answers(460, 500)] * 2, "input:sound": [answers(100, 500)]},
                     groups=of_row)
    verdict = ranking.verdict
    assert verdict is not None
    assert verdict.kind == "few" and verdict.difference is None and verdict.together == ""
    assert verdict.sentence.startswith(
        f"No verdict: there are 500 test rows of {groups} group{'s' if groups > 1 else ''}, and")
    assert [s.contestant.name for s in tied_with_best(ranking)] == ["sound"]
    assert "so few groups don't separate any two" in tied_sentence(ranking)


def test_from_five_groups_on_it_says_how_many_there_are() -> None:
    ranking = ranked({"fusion:gated": [answers(460, 500)], "input:sound": [answers(100, 500)]},
                     groups=np.arange(500) % 12)
    assert ranking.verdict is not None
    assert ranking.verdict.kind == "helps"
    assert "the same 500 test rows of 12 groups, 1 training each" in ranking.verdict.ground
    assert about(ranking) == "shape: accuracy on 500 test rows of 12 groups, 1 training of each"
    assert "resampling groups of rows" in how_to_read(ranking)


def test_what_would_help_is_more_groups_where_there_are_groups() -> None:
    chance = np.random.default_rng(5)
    ranking = ranked({"fusion:gated": [(chance.random(60) < 0.8).astype(float)] * 2,
                      "input:sound": [(chance.random(60) < 0.8).astype(float)] * 2},
                     groups=np.arange(60) // 10)
    assert ranking.verdict is not None and ranking.verdict.kind == "unclear"
    assert "in the few groups: more test groups would help" in ranking.verdict.ground


def test_the_rows_that_are_advised_tell_the_difference_eight_times_in_ten() -> None:
    rows = needed_rows(100, 0.1, by_rows=0.04 / 100, by_seeds=0.0)  # one row's spread is 0.2
    error = 0.2 / np.sqrt(rows)
    assert norm.sf(norm.ppf(0.975) - 0.1 / error) == pytest.approx(0.8, abs=1e-3)
    more = needed_rows(100, 0.1, by_rows=0.04 / 100, by_seeds=0.0005)
    error = np.sqrt(0.04 / more + 0.0005)
    assert norm.sf(norm.ppf(0.975) - 0.1 / error) == pytest.approx(0.8, abs=1e-3)
    assert needed_rows(100, 0.1, 0.0004, by_seeds=0.01) == float("inf")  # no rows outdo the seeds


def test_how_often_the_test_rows_were_looked_at_is_told() -> None:
    one, more = (how_to_read(ranked({"fusion:gated": [answers(46, 50)]}, looks=n)) for n in (1, 3))
    assert "The test rows were looked at once." in one
    assert "looked at 3 times: figures of what was changed or chosen after the first" in more
