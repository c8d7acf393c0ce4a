"""Classification's figures are those of scikit-learn's functions of the same names."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.metrics import accuracy_score, f1_score, log_loss
from sklearn.utils.class_weight import compute_class_weight

from mmstudio.encoders.base import Fused
from mmstudio.tasks import classification
from mmstudio.tasks.classification import Classification, balanced_weights
from tests.in_a_process import run_python


def task_of(count: int) -> Classification:
    return Classification(3, {"classes": [str(i) for i in range(count)]})


@pytest.mark.parametrize("seed", range(20))
def test_figures_equal_scikit_learns(seed: int) -> None:
    chance = np.random.default_rng(seed)
    count, rows = int(chance.integers(2, 9)), int(chance.integers(1, 60))
    outputs = chance.normal(size=(rows, count)).astype(np.float32) * chance.choice([0.1, 1, 3])
    # some classes never occur, as labels, as answers or as either
    labels = chance.choice(chance.permutation(count)[: max(1, count - 2)], rows)
    if seed % 3 == 0:
        outputs[:, 0] = -15
    figures = task_of(count).metrics(outputs, labels)
    answers = outputs.argmax(axis=1)
    assert figures["accuracy"] == pytest.approx(accuracy_score(labels, answers), abs=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of classes without a figure
        macro_f1 = f1_score(labels, answers, average="macro")
        chances = softmax(outputs.astype(np.float64), axis=1)
        cross_entropy = log_loss(labels, chances, labels=np.arange(count))
    assert figures["macro_f1"] == pytest.approx(macro_f1, abs=1e-9)
    # scikit-learn takes the logarithm of shares: those near 0 have lost digits
    assert figures["loss"] == pytest.approx(cross_entropy, rel=1e-9)
    task = task_of(count)
    kept = task.kept(torch.from_numpy(outputs), torch.from_numpy(labels))
    assert kept.shape == (rows, 2)
    assert task.metrics_of_stored(kept.numpy(), labels) == pytest.approx(figures, rel=1e-6)


def test_many_classes_take_little_time_and_memory() -> None:
    ended = run_python("""
import time
import numpy as np, torch
from mmstudio.tasks import classification
from mmstudio.tasks.classification import Classification
task = Classification(3, {"classes": [str(i) for i in range(10_000)]})
chance = np.random.default_rng(0)
targets = chance.integers(0, 10_000, 10_000)
kept = np.stack([chance.integers(0, 10_000, 10_000), chance.random(10_000)], axis=1)
took = []
for _ in range(5):
    began = time.perf_counter()
    figures = task.metrics_of_stored(kept.astype(np.float32), targets)
    took.append(time.perf_counter() - began)
before = _peak_mb()
usual = np.broadcast_to(task.usual_outputs(task.usual(targets)), (2000, 10_000))
task.metrics(usual, targets[:2000])
print(min(took), _peak_mb() - before)
""")
    assert ended.code == 0, ended.err
    seconds, more_mb = map(float, ended.out.split())
    assert seconds < 0.1
    assert more_mb < 100  # a matrix of all pairs has 800


def test_figures_in_parts_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(3)
    outputs = chance.normal(size=(50, 7)).astype(np.float32)
    labels = chance.integers(0, 7, 50)
    whole = task_of(7).metrics(outputs, labels)
    monkeypatch.setattr(classification, "VALUES_AT_ONCE", 20)
    assert task_of(7).metrics(outputs, labels) == pytest.approx(whole, rel=1e-12)


def test_what_is_usual_is_the_mean_of_what_is_regressed() -> None:
    task, labels = task_of(5), np.array([0, 1, 1, 4])
    np.testing.assert_allclose(task.usual(labels), task.regressed(labels).mean(axis=0))
    assert task.regressed(labels).tolist() == np.eye(5)[labels].tolist()


def test_figures_of_huge_outputs_are_finite() -> None:
    outputs = np.array([[1e4, -1e4], [1e4, -1e4]], dtype=np.float32)
    figures = task_of(2).metrics(outputs, np.array([0, 1]))
    assert figures["accuracy"] == 0.5
    assert figures["loss"] == pytest.approx(1e4)


def test_figures_of_no_row_are_no_numbers() -> None:
    figures = task_of(2).metrics(np.zeros((0, 2), np.float32), np.zeros(0, np.int64))
    assert all(np.isnan(v) for v in figures.values())


def test_the_answer_is_the_weighted_sum_over_the_views() -> None:
    task = task_of(2)
    with torch.no_grad():
        task.linear.weight.copy_(torch.tensor([[1.0, 0.0, 2.0], [0.0, -1.0, 1.0]]))
        task.linear.bias.copy_(torch.tensor([0.5, -0.5]))
    views = torch.tensor([[[1.0, 2.0, 3.0], [0.0, 1.0, -1.0]]])
    # head of the first view: (7.5, 0.5), of the second: (-1.5, -2.5)
    answer = task(Fused(views, torch.tensor([[0.25, 0.75]])))
    torch.testing.assert_close(answer, torch.tensor([[0.75, -1.75]]))


def test_smoothing_is_for_training_only() -> None:
    task = Classification(3, {"classes": ["a", "b"]}, label_smoothing=0.2)
    outputs, known = torch.tensor([[2.0, 0.0]]), torch.tensor([True])
    target = torch.tensor([0])
    plain, other = np.log1p(np.exp(-2.0)), np.log1p(np.exp(2.0))
    assert task.eval().loss(outputs, target, known).detach().item() == pytest.approx(plain)
    assert task.train().loss(outputs, target, known).detach().item() == pytest.approx(
        0.9 * plain + 0.1 * other)


def test_rare_classes_weigh_more_in_training_only() -> None:
    task = Classification(3, {"classes": ["a", "b"], "counts": [6, 2]}, label_smoothing=0.0,
                          class_weights=True)
    outputs, known = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.ones(2, dtype=torch.bool)
    targets = torch.tensor([0, 1])
    right, wrong = np.log1p(np.exp(-1.0)), np.log1p(np.exp(1.0))
    # 8 rows over 2 classes: 8 / (2 * 6) and 8 / (2 * 2), scikit-learn's "balanced"
    weighted = (2 / 3 * right + 2 * wrong) / 2
    assert task.train().loss(outputs, targets, known).item() == pytest.approx(weighted)
    assert task.eval().loss(outputs, targets, known).item() == pytest.approx((right + wrong) / 2)


def test_weights_are_scikit_learns_balanced_ones_and_1_on_average() -> None:
    labels = np.repeat([0, 1, 2], [10, 3, 47])
    weights = balanced_weights([10, 3, 47]).numpy()
    assert weights == pytest.approx(
        compute_class_weight("balanced", classes=np.arange(3), y=labels))
    assert weights[labels].mean() == pytest.approx(1)


def test_a_spec_of_a_run_from_before_there_were_counts_will_do() -> None:
    assert task_of(3).train().loss(
        torch.zeros(1, 3), torch.tensor([1]), torch.ones(1, dtype=torch.bool)).isfinite()


def test_answers_are_probabilities_by_class_name() -> None:
    task = Classification(3, {"classes": ["cat", "dog", "owl"]})
    answer = task.answers(torch.log(torch.tensor([[0.2, 0.5, 0.3]])))[0]
    assert answer.label == "dog"
    assert list(answer.scores) == ["dog", "owl", "cat"]
    assert answer.scores == pytest.approx({"dog": 0.5, "owl": 0.3, "cat": 0.2})
    assert answer.to_json() == {"label": "dog", "scores": answer.scores}
