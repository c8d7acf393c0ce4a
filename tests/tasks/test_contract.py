"""What every task promises; a new one needs its spec and targets here, and nothing more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mmstudio.encoders.base import Fused
from mmstudio.tasks import TASKS, Task
from tests.components import calm, copied_through_file, extremes, stir, without_gradient

NAMES = TASKS.names()
WIDTH, ROWS = 6, 12
SPECS: dict[str, dict[str, Any]] = {
    "classification": {"classes": ["a", "b", "c", "d"], "counts": [5, 1, 2, 4]},
    "multilabel": {"classes": ["a", "b", "c", "d"], "counts": [5, 1, 2, 12], "rows": 12,
                   "separator": ";"},
    "regression": {"mean": 40.0, "deviation": 7.5},
}


def make(name: str, **options: object) -> Task:
    torch.manual_seed(0)
    cls = TASKS.get(name)
    return cls(WIDTH, SPECS[name], **(calm(cls) | options))


def targets_of(name: str, seed: int = 0) -> torch.Tensor:
    chance = torch.Generator().manual_seed(seed)
    return {
        "classification": torch.randint(0, 4, (ROWS,), generator=chance),
        "multilabel": torch.randint(0, 2, (ROWS, 4), generator=chance).byte(),
        "regression": torch.randn(ROWS, generator=chance),
    }[name]


def fused_of(views: int, seed: int = 0) -> Fused:
    chance = torch.Generator().manual_seed(seed)
    weights = torch.rand(ROWS, views, generator=chance)
    return Fused(torch.randn(ROWS, views, WIDTH, generator=chance),
                 weights / weights.sum(dim=1, keepdim=True))


@pytest.mark.parametrize("name", NAMES)
def test_says_what_it_is(name: str) -> None:
    cls = TASKS.get(name)
    assert cls.name == name
    assert cls.title and cls.source and cls.main_metric
    assert cls.summary.endswith(".")


@pytest.mark.parametrize("views", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_gives_outputs_loss_figures_and_answers(name: str, views: int) -> None:
    task = make(name).eval()
    outputs = task(fused_of(views))
    assert len(outputs) == ROWS
    loss = task.loss(outputs, targets_of(name), torch.ones(ROWS, dtype=torch.bool))
    assert loss.shape == ()
    figures = task.metrics(outputs.detach().numpy(), targets_of(name).numpy())
    assert {"loss", task.main_metric} <= set(figures)
    assert all(type(v) is float for v in figures.values())
    assert figures["loss"] == pytest.approx(loss.detach().item(), rel=1e-5)
    answers = task.answers(outputs.detach())
    assert len(answers) == ROWS
    for answer in answers:
        scores = list(answer.scores.values())
        assert scores == sorted(scores, reverse=True)
        assert all(type(v) is float for v in scores)
        assert set(answer.scores) == set(SPECS[name].get("classes", ()))
        given = [answer.label, answer.value, answer.labels]
        assert sum(g is not None for g in given) == 1
        assert json.loads(json.dumps(answer.to_json())) == answer.to_json()


@pytest.mark.parametrize("name", NAMES)
def test_a_view_that_weighs_nothing_does_not_count(name: str) -> None:
    task = make(name).eval()
    one, other = fused_of(2, seed=0), fused_of(2, seed=1)
    weights = torch.tensor([[1.0, 0.0]]).expand(ROWS, 2)
    mixed = torch.stack([one.views[:, 0], other.views[:, 1]], dim=1)
    assert torch.equal(task(Fused(one.views, weights)), task(Fused(mixed, weights)))
    torch.testing.assert_close(task(Fused(mixed, weights)), task(Fused.joint(mixed[:, 0])))


@pytest.mark.parametrize("name", NAMES)
def test_a_gradient_reaches_every_parameter(name: str) -> None:
    task = make(name).train()
    stir(task)
    task.loss(task(fused_of(2)), targets_of(name), torch.ones(ROWS, dtype=torch.bool)).backward()
    assert without_gradient(task) == []


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_rows_with_unknown_labels_do_not_count(name: str, training: bool) -> None:
    task = make(name).train(training)
    known = torch.arange(ROWS) % 3 != 0
    outputs, targets = task(fused_of(2)), targets_of(name)
    loss = task.loss(outputs, targets, known)
    torch.testing.assert_close(
        loss, task.loss(outputs[known], targets[known], known[known]))
    changed = targets.clone()
    changed[~known] = 0
    other = torch.where(known.unsqueeze(-1), outputs, outputs.flip(0) * 3)
    assert torch.equal(loss, task.loss(other, changed, known))


@pytest.mark.parametrize("name", NAMES)
def test_no_known_label_gives_no_loss_and_no_nan(name: str) -> None:
    task = make(name).train()
    fused = fused_of(2)
    views = fused.views.requires_grad_()
    loss = task.loss(task(Fused(views, fused.weights)), targets_of(name),
                     torch.zeros(ROWS, dtype=torch.bool))
    assert loss.detach().item() == 0.0
    loss.backward()
    gradients = [views.grad, *(p.grad for p in task.parameters())]
    assert all(g is not None and bool((g == 0).all()) for g in gradients)
    figures = task.metrics(task(fused).detach().numpy()[:0], targets_of(name).numpy()[:0])
    assert task.main_metric in figures


@pytest.mark.parametrize("name", NAMES)
def test_weights_survive_a_file(name: str, tmp_path: Path) -> None:
    task = make(name)
    stir(task)
    torch.manual_seed(1)
    fresh = TASKS.get(name)(WIDTH, SPECS[name])
    fresh = copied_through_file(task, fresh, tmp_path / "weights.safetensors")
    assert torch.equal(task.eval()(fused_of(2)), fresh(fused_of(2)))


@pytest.mark.parametrize(
    ("name", "options"), [(n, o) for n in NAMES for o in extremes(TASKS.get(n))], ids=str)
def test_options_work_to_the_ends_of_their_ranges(name: str, options: dict[str, object]) -> None:
    task = make(name, **options).train()
    loss = task.loss(task(fused_of(1)), targets_of(name), torch.ones(ROWS, dtype=torch.bool))
    assert loss.isfinite()


@pytest.mark.parametrize("name", NAMES)
def test_one_batch_can_be_learnt_by_heart(name: str) -> None:
    task = make(name)
    chance = torch.Generator().manual_seed(0)
    fused = Fused.joint(torch.randn(6, WIDTH, generator=chance))
    targets, known = targets_of(name)[:6], torch.ones(6, dtype=torch.bool)
    learner = torch.optim.Adam(task.parameters(), lr=0.1)
    first = loss = task.loss(task(fused), targets, known)
    for _ in range(150):
        loss = task.loss(task(fused), targets, known)
        learner.zero_grad()
        loss.backward()
        learner.step()
    assert loss.detach().item() < 0.05 * first.detach().item()


@pytest.mark.parametrize("name", NAMES)
def test_the_truth_is_held_the_more_probable_the_nearer_the_outputs_come(name: str) -> None:
    task, targets = make(name).eval(), targets_of(name)
    if name == "classification":
        right = 8.0 * torch.nn.functional.one_hot(targets, 4).float()
    elif name == "multilabel":
        right = 8.0 * (2 * targets.float() - 1)
    else:
        right = targets.unsqueeze(1)
    wrong = task(fused_of(1)).detach()
    scores = task.truth_scores(right, targets)
    assert scores.shape == (ROWS,)
    assert (scores > 0.99).all() and (scores <= 1).all()
    others = task.truth_scores(wrong, targets)
    assert (others <= scores + 1e-6).all() and (others > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_support_is_per_row_in_float64_whatever_stands_before_the_rows(name: str) -> None:
    task = make(name).eval()
    outputs = task(fused_of(2)).detach().numpy()
    alone = task.support(outputs, outputs)
    assert alone.shape == (ROWS,) and alone.dtype == np.float64
    stacked = task.support(np.stack([outputs, 2 * outputs]), outputs)
    assert stacked.shape == (2, ROWS)
    assert stacked[0] == pytest.approx(alone)
