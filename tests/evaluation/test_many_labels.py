"""Very large label sets are judged in parts, which come to the same and hold no more at once."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mmstudio.evaluation import label_scores, representation
from mmstudio.evaluation.cross_validation.out_of_fold import label_scores_of
from mmstudio.evaluation.label_errors import contradicts, suspected
from mmstudio.evaluation.label_scores import ALL, LabelScores, crossed, parts_of
from mmstudio.evaluation.representation import Represented, room_for
from mmstudio.evaluation.scores import CLASSIFICATION, Scores, TaskScores
from mmstudio.tasks.kinds import Labels

ROWS, CLASSES = 400, 25
NAMES = ("picture", "sound")


def scored() -> tuple[Any, Any, list[Represented]]:
    """A model's answers to two splits, of which every ninth label is wrong."""
    chance = np.random.default_rng(1)
    truth = chance.integers(0, CLASSES, ROWS)
    sure = 4 * np.eye(CLASSES)[truth]
    outputs = {view: (sure + chance.normal(size=(ROWS, CLASSES))).astype(np.float32)
               for view in (ALL, *NAMES)}
    labels = np.where(np.arange(ROWS) % 9 == 4, (truth + 1) % CLASSES, truth)
    present = chance.random((ROWS, 2)) < 0.8
    splits = [Represented(
        np.arange(ROWS)[part], present[part], np.zeros((0, 1)), {},
        {"kind": outputs[ALL][part]}, {"kind": {n: outputs[n][part] for n in NAMES}})
        for part in (slice(0, 150), slice(150, ROWS))]
    known = np.arange(ROWS) % 11 != 0
    dataset = SimpleNamespace(labels={"kind": Labels(labels, known)})
    return SimpleNamespace(model=SimpleNamespace(names=NAMES)), dataset, splits


def judged(parts: list[LabelScores]) -> dict[int, tuple[Any, ...]]:
    """Per row what is said of its label, from all inputs and by each witness."""
    found = {}
    for one in parts:
        doubt = suspected(one.together, one.labels, one.thresholds.get(ALL))
        against = {n: contradicts(one.alone[n], one.labels, doubt.suggested,
                                  one.thresholds.get(n)) & one.present[n] for n in NAMES}
        if not one.thresholds:  # what is absent has no say in the thresholds
            for name, there in one.present.items():
                against[name][:] = False
                against[name][there] = contradicts(
                    one.alone[name][there], one.labels[there], doubt.suggested[there])
        for at, row in enumerate(one.rows.tolist()):
            found[row] = (bool(doubt.wrong[at]), float(doubt.quality[at]),
                          *(bool(against[n][at]) for n in NAMES))
    return found


def test_parts_come_to_what_the_whole_does(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor, dataset, splits = scored()
    whole = list(label_scores._answered(predictor, dataset, splits, "kind"))
    assert len(whole) == 1 and not whole[0].thresholds
    monkeypatch.setattr(label_scores, "MOST_CELLS", 60 * CLASSES)
    parts = list(label_scores._answered(predictor, dataset, splits, "kind"))
    assert len(parts) > 5
    assert all(one.together.size <= 60 * CLASSES for one in parts)
    assert judged(parts) == judged(whole)
    assert sum(wrong for wrong, *_ in judged(parts).values()) > 20


def test_answers_of_folds_are_judged_in_parts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    _, dataset, splits = scored()
    labels = dataset.labels["kind"]
    outputs = np.stack([
        np.concatenate([s.together["kind"] for s in splits]),
        *(np.concatenate([s.alone["kind"][n] for s in splits]) for n in NAMES)])
    task = TaskScores(CLASSIFICATION, tuple(map(str, range(CLASSES))), (), outputs, labels.values,
                      labels.known)
    scores = Scores(
        Path("cv"), "out of fold", None, NAMES, np.array([[1, 1], [1, 0], [0, 1]], bool),
        np.arange(ROWS), np.concatenate([s.present for s in splits]), {"kind": task})
    whole = list(label_scores_of(scores))
    assert len(whole) == 1 and not whole[0].thresholds
    monkeypatch.setattr(label_scores, "MOST_CELLS", 60 * CLASSES)
    parts = list(label_scores_of(scores))
    assert len(parts) > 5
    assert all(one.together.size <= 60 * CLASSES for one in parts)
    assert judged(parts) == judged(whole)


def test_rows_of_a_class_stay_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_scores, "MOST_CELLS", 40)
    labels = np.array([0, 1, 2, 2, 2, 2, 2, 2, 0, 3])
    parts = parts_of(labels, np.zeros((1, 10)))
    assert [p.tolist() for p in parts] == [[0, 1, 8], [2, 3, 4, 5, 6, 7], [9]]
    assert len(parts_of(np.zeros((10, 10)), np.zeros((1, 10)))) == 3  # label sets, by rows
    assert len(parts_of(np.zeros(1000), np.zeros(1000))) == 1  # numbers have one score each


def test_cross_validation_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_scores, "MOST_CROSSED", 1000)
    labels = np.repeat([0, 1, 2, 3], [4, 5, 1, 3])
    assert crossed(labels, 100).tolist() == list(range(9))  # the next class would be too many
    assert len(crossed(np.zeros((50, 100)), 100)) == 10
    assert len(crossed(np.zeros(5000), 0)) == 5000


def test_large_arrays_lie_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(representation, "MOST_IN_MEMORY", 800)
    small, large = (room_for((rows, 10), np.dtype(np.float32)) for rows in (20, 21))
    assert not isinstance(small, np.memmap) and isinstance(large, np.memmap)
    large[20, 9] = 5
    assert large.shape == (21, 10) and large.sum() == 5
