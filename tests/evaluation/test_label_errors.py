"""Confident learning against numbers worked out by hand and against cleanlab's."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from mmstudio.evaluation.label_errors import (
    Suspicion,
    confident_classes,
    confident_joint,
    contradicts,
    likely_errors,
    normalised_margins,
    order_of,
    self_confidences,
    suspect_classes,
    suspect_numbers,
    suspect_sets,
    suspected,
    thresholds_of,
)

SCORES = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.3, 0.7], [0.2, 0.8], [0.55, 0.45]])
LABELS = np.array([0, 0, 0, 1, 1, 1])


def oracle() -> Any:
    """cleanlab, which is no part of the test environment: it brings pandas."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("cleanlab", reason="cleanlab, the oracle, is not installed")


def made(seed: int, classes: int, rows: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Scores of a model that is often right, and labels some of which are wrong."""
    chance = np.random.default_rng(seed)
    truth = chance.integers(0, classes, rows)
    logits = chance.normal(size=(rows, classes)) + 2.5 * np.eye(classes)[truth]
    powers = np.exp(logits)
    wrong = chance.random(rows) < 0.15
    labels = np.where(wrong, chance.integers(0, classes, rows), truth)
    return powers / powers.sum(axis=1, keepdims=True), labels


def test_by_hand() -> None:
    # (0.9 + 0.8 + 0.1) / 3 and (0.7 + 0.8 + 0.45) / 3
    assert thresholds_of(SCORES, LABELS) == pytest.approx([0.6, 0.65])
    assert confident_classes(SCORES, LABELS).tolist() == [0, 0, 1, 1, 1, -1]
    # line 0: two of class 0, one of class 1; line 1: its one unsure row is spread
    assert confident_joint(SCORES, LABELS).tolist() == [[2, 1], [0, 3]]
    assert likely_errors(SCORES, LABELS).tolist() == [False, False, True, False, False, False]
    assert normalised_margins(SCORES, LABELS) == pytest.approx([0.9, 0.8, 0.1, 0.7, 0.8, 0.45])
    assert self_confidences(SCORES, LABELS) == pytest.approx([0.9, 0.8, 0.1, 0.7, 0.8, 0.45])
    assert suspect_classes(SCORES, LABELS).suggested[2] == 1


def test_of_nothing_nothing_is_wrong() -> None:
    assert not len(likely_errors(np.zeros((0, 3)), np.zeros(0, dtype=int)))
    assert not len(suspect_numbers(np.zeros(0), np.zeros(0)).wrong)


def test_a_class_without_rows_takes_none() -> None:
    scores = np.column_stack([SCORES * 0.5, np.full(6, 0.5)])
    assert not (confident_classes(scores, LABELS) == 2).any()


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("seed", range(4))
def test_errors_and_their_order_are_cleanlabs(seed: int, classes: int) -> None:
    oracle()
    from cleanlab.count import compute_confident_joint
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    scores, labels = made(seed, classes)
    joint, theirs = confident_joint(scores, labels), compute_confident_joint(labels, scores)
    # of ten classes, equal counts have equal remainders: which is rounded up is nobody's rule
    assert (joint == theirs).all() if classes < 10 else np.abs(joint - theirs).max() <= 1
    ours = suspect_classes(scores, labels)
    found = find_label_issues(labels, scores, n_jobs=1, confident_joint=joint)
    assert ours.wrong.any() and (ours.wrong == found).all()
    for method, quality in (("normalized_margin", normalised_margins(scores, labels)),
                            ("self_confidence", self_confidences(scores, labels))):
        wanted = get_label_quality_scores(labels, scores, method=method)
        assert np.abs(quality - wanted).max() < 1e-12
    ranked = find_label_issues(labels, scores, n_jobs=1, confident_joint=joint,
                               return_indices_ranked_by="normalized_margin")
    order = order_of(ours, np.zeros(len(labels), dtype=int))
    assert order[: len(ranked)].tolist() == ranked.tolist()


@pytest.mark.parametrize("seed", range(3))
def test_errors_in_label_sets_are_cleanlabs(seed: int) -> None:
    oracle()
    from cleanlab.multilabel_classification.filter import find_multilabel_issues_per_class

    chance = np.random.default_rng(seed)
    truth = chance.random((300, 4)) < 0.4
    scores = 1 / (1 + np.exp(-chance.normal(size=truth.shape) - 4 * (truth - 0.5)))
    labels = (truth ^ (chance.random(truth.shape) < 0.08)).astype(np.uint8)
    found = suspect_sets(scores, labels)
    theirs = find_multilabel_issues_per_class(
        [np.flatnonzero(line).tolist() for line in labels], scores, n_jobs=1)
    assert found.wrong.any() and (found.wrong == theirs.any(axis=1)).all()
    assert ((found.suggested != labels) == theirs).all()


def test_a_number_far_beside_its_estimate_is_wrong() -> None:
    chance = np.random.default_rng(0)
    numbers = chance.normal(size=500)
    estimates = numbers + 0.1 * chance.normal(size=500)
    numbers[7] += 3
    found = suspect_numbers(estimates, numbers)
    assert found.wrong[7] and found.wrong.sum() <= 2
    assert found.quality.argmin() == 7 and found.suggested[7] == estimates[7]


def test_where_estimates_are_exact_what_is_off_is_far_off() -> None:
    numbers = np.arange(5.0)
    found = suspect_numbers(numbers, numbers + np.array([0, 0, 0, 1, 0]))
    assert found.wrong.tolist() == [False, False, False, True, False]


def test_what_two_inputs_contradict_stands_first() -> None:
    wrong = np.array([True, True, False, False, False])
    suspicion = Suspicion(wrong, np.array([True, True, True, False, True]),
                          np.array([0.1, 0.3, 0.05, 0.0, 0.2]), np.zeros(5))
    # row 4 by its witnesses, then the likely errors, then row 2; row 3 is not doubted
    assert order_of(suspicion, np.array([1, 0, 1, 3, 2])).tolist() == [4, 0, 1, 2]


def test_an_input_contradicts_where_it_is_sure_of_what_is_suggested() -> None:
    suggested = SCORES.argmax(axis=1)
    assert contradicts(SCORES, LABELS, suggested).tolist() == [False] * 2 + [True] + [False] * 3
    # whatever its scores, it does not contradict a label that is what all inputs suggest
    assert not contradicts(SCORES, suggested, suggested).any()


def test_inputs_contradict_label_sets_and_numbers() -> None:
    chance = np.random.default_rng(0)
    truth = chance.random((200, 3)) < 0.5
    scores = np.where(truth, 0.9, 0.1) + 0.05 * chance.random(truth.shape)
    labels = truth.astype(np.uint8)
    labels[3, 1] = 1 - labels[3, 1]
    suggested = suspected(scores, labels).suggested
    assert np.flatnonzero(contradicts(scores, labels, suggested)).tolist() == [3]
    assert not contradicts(np.full(scores.shape, 0.5), labels, suggested).any()
    numbers = chance.normal(size=200).astype(np.float32)
    estimates = numbers + 0.05 * chance.normal(size=200)
    numbers[9] += 2
    assert np.flatnonzero(contradicts(estimates, numbers, estimates)).tolist() == [9]
    assert not contradicts(estimates, numbers, numbers + 1)[9]  # the other side
