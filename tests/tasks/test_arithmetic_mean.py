"""Views whose probabilities are averaged, against numpy; the geometric mean is tested per task."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit, logit
from scipy.special import softmax as softmax_of

from mmstudio.encoders.base import Fused
from mmstudio.tasks import TASKS, Task
from mmstudio.tasks.base import log_mean

ROWS, VIEWS, WIDTH = 5, 3, 6
SPECS = {
    "classification": {"classes": ["a", "b", "c", "d"]},
    "multilabel": {"classes": ["a", "b", "c", "d"], "counts": [5, 1, 2, 12], "rows": 12},
    "regression": {"mean": 40.0, "deviation": 7.5},
}


def task_of(name: str) -> Task:
    torch.manual_seed(0)
    return TASKS.get(name)(WIDTH, SPECS[name]).eval()


def fused_of(scale: float = 1.0) -> Fused:
    chance = torch.Generator().manual_seed(0)
    weights = torch.rand(ROWS, VIEWS, generator=chance)
    weights[0, 1] = 0.0  # an absent input
    return Fused(scale * torch.randn(ROWS, VIEWS, WIDTH, generator=chance),
                 weights / weights.sum(dim=1, keepdim=True), "arithmetic")


def heads(task: Task, fused: Fused) -> np.ndarray:
    """The head's outputs per view: ``(B, K, C)``."""
    weight, bias = (p.detach().double().numpy() for p in task.parameters())
    return fused.views.double().numpy() @ weight.T + bias


def test_classification_averages_the_softmax() -> None:
    task, fused = task_of("classification"), fused_of()
    shares = fused.weights.double().numpy()[..., None]
    expected = (shares * softmax_of(heads(task, fused), axis=-1)).sum(axis=1)
    outputs = task(fused).detach().numpy()
    np.testing.assert_allclose(outputs, np.log(expected), atol=1e-5)
    np.testing.assert_allclose(np.exp(outputs).sum(axis=1), 1.0, atol=1e-5)


def test_multilabel_averages_the_sigmoid() -> None:
    task, fused = task_of("multilabel"), fused_of()
    shares = fused.weights.double().numpy()[..., None]
    expected = (shares * expit(heads(task, fused))).sum(axis=1)
    np.testing.assert_allclose(task(fused).detach().numpy(), logit(expected), atol=1e-5)


def test_of_numbers_there_is_one_mean() -> None:
    task, fused = task_of("regression"), fused_of()
    shares = fused.weights.double().numpy()[..., None]
    expected = (shares * heads(task, fused)).sum(axis=1)
    np.testing.assert_allclose(task(fused).detach().numpy(), expected, atol=1e-5)
    assert torch.equal(task(fused), task(Fused(fused.views, fused.weights)))


@pytest.mark.parametrize("name", TASKS.names())
def test_sure_views_stay_finite_and_one_that_weighs_nothing_has_no_gradient(name: str) -> None:
    task, fused = task_of(name), fused_of(scale=300.0)
    views = fused.views.requires_grad_()
    weights = fused.weights.requires_grad_()
    outputs = task(Fused(views, weights, "arithmetic"))
    assert outputs.isfinite().all()
    outputs.square().sum().backward()
    assert views.grad is not None and views.grad.isfinite().all()
    assert weights.grad is not None and weights.grad.isfinite().all()
    assert (views.grad[0, 1] == 0).all()


@pytest.mark.parametrize("name", TASKS.names())
def test_one_view_means_the_same_either_way(name: str) -> None:
    task = task_of(name)
    one = Fused.joint(torch.randn(ROWS, WIDTH, generator=torch.Generator().manual_seed(1)))
    same = Fused(one.views, one.weights, "arithmetic")
    plain, other = (task.answers(task(fused).detach()) for fused in (one, same))
    for a, b in zip(plain, other, strict=True):
        assert a.label == b.label and a.labels == b.labels
        assert a.scores == pytest.approx(b.scores, abs=1e-6)


def test_log_mean_by_hand() -> None:
    logs = torch.tensor([[[0.5], [0.25]]]).log()
    mean = log_mean(logs, torch.tensor([[0.8, 0.2]]))
    assert mean.exp().item() == pytest.approx(0.45)
