"""The pool: who knows more counts more, and who misleads counts nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmstudio.combining.pool import first_weights, fit_weights, pooled
from mmstudio.combining.scaling import scale_answers
from mmstudio.tasks import TASKS, Task

ROWS, CLASSES = 300, 3


def task(kind: str = "classification") -> Task:
    spec = {"classes": ["a", "b", "c"], "counts": [1, 1, 1], "rows": 3, "mean": 0.0,
            "deviation": 1.0, "separator": ";"}
    made: Task = TASKS.get(kind)(4, spec)
    return made.eval()


def answers(labels: np.ndarray, right: float, sure: float, seed: int) -> torch.Tensor:
    """Logits that are right in a share of the rows."""
    chance = np.random.default_rng(seed)
    said = np.where(chance.random(len(labels)) < right, labels,
                    chance.integers(0, CLASSES, len(labels)))
    return sure * torch.nn.functional.one_hot(torch.from_numpy(said), CLASSES).float()


@pytest.fixture
def labels() -> np.ndarray:
    return np.random.default_rng(5).integers(0, CLASSES, ROWS)


def test_a_misleading_answer_loses_its_vote(labels: np.ndarray) -> None:
    outputs = torch.stack([answers(labels, 0.9, 3.0, 0), answers(labels, 0.0, 6.0, 1)])
    begin = first_weights(task(), outputs, labels)
    assert begin[1] < 1e-3 and begin.sum() == pytest.approx(1)
    assert fit_weights(task(), outputs, labels, np.full(2, 0.5))[1] < 0.1


def test_two_that_know_different_things_both_count(labels: np.ndarray) -> None:
    outputs = torch.stack([answers(labels, 0.8, 2.0, 0), answers(labels, 0.8, 2.0, 1)])
    weights = fit_weights(task(), outputs, labels, first_weights(task(), outputs, labels))
    assert weights[0] == pytest.approx(weights[1], rel=0.3) and weights.min() > 0.3
    together = pooled(outputs, torch.from_numpy(weights).float()[:, None].expand(-1, ROWS))
    losses = [float(task().loss(o, torch.from_numpy(labels), torch.ones(ROWS, dtype=torch.bool)))
              for o in (*outputs, together)]
    assert losses[2] < min(losses[:2])


def test_few_rows_leave_the_weights_where_they_begin(labels: np.ndarray) -> None:
    outputs = torch.stack([answers(labels, 0.9, 3.0, 0), answers(labels, 0.7, 3.0, 1)])[:, :3]
    begin = np.array([0.5, 0.5])
    near = fit_weights(task(), outputs, labels[:3], begin)
    far = fit_weights(task(), torch.stack([answers(labels, 0.9, 3.0, 0),
                                           answers(labels, 0.7, 3.0, 1)]), labels, begin)
    assert abs(near - begin).sum() < abs(far - begin).sum()


def test_no_row_tells_nothing() -> None:
    empty = torch.zeros(2, 0, CLASSES)
    none = np.zeros(0, dtype=np.int64)
    assert first_weights(task(), empty, none).tolist() == [0.5, 0.5]
    assert fit_weights(task(), empty, none, np.full(2, 0.5)).tolist() == [0.5, 0.5]


def test_scaled_answers_are_as_sure_as_they_are_right(labels: np.ndarray) -> None:
    raw = answers(labels, 0.7, 1.0, 2).numpy().astype(np.float64)
    factor, summand = scale_answers(task(), raw, labels)
    share = torch.softmax(torch.from_numpy(factor * raw + summand), dim=1).amax(dim=1).mean()
    assert float(share) == pytest.approx(np.mean(raw.argmax(axis=1) == labels), abs=0.02)


def test_numbers_are_outputs_already() -> None:
    values = np.random.default_rng(0).normal(size=(20, 1))
    assert scale_answers(task("regression"), values, values[:, 0].astype(np.float32)) == (1.0, 0.0)
