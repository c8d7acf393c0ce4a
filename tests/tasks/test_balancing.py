"""Bringing losses together: by weights, and by learned uncertainty."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from mmstudio.tasks import Task
from mmstudio.tasks.balancing import FixedBalancing, UncertaintyBalancing, make_balancing
from mmstudio.tasks.classification import Classification
from mmstudio.tasks.multilabel import Multilabel
from mmstudio.tasks.regression import Regression

WEIGHTS = {"kind": 1.0, "tags": 0.5, "age": 2.0}


def tasks() -> dict[str, Task]:
    return {
        "kind": Classification(3, {"classes": ["a", "b"]}),
        "tags": Multilabel(3, {"classes": ["a"], "counts": [1], "rows": 2}),
        "age": Regression(3, {"mean": 0.0, "deviation": 1.0}, loss="squared"),
    }


def losses() -> dict[str, torch.Tensor]:
    return {"kind": torch.tensor(0.7), "tags": torch.tensor(0.3), "age": torch.tensor(4.0)}


def known(**changes: bool) -> dict[str, torch.Tensor]:
    return {n: torch.tensor([False, changes.get(n, True)]) for n in WEIGHTS}


def uncertain(values: list[float]) -> Any:
    balancing = make_balancing("uncertainty", tasks())
    assert isinstance(balancing, UncertaintyBalancing)
    with torch.no_grad():
        balancing.log_variances.copy_(torch.tensor(values))
    return balancing


def test_fixed_is_the_weighted_sum_and_has_nothing_to_learn() -> None:
    balancing = make_balancing("fixed", tasks())
    assert isinstance(balancing, FixedBalancing)
    assert balancing(losses(), known(), WEIGHTS).item() == pytest.approx(0.7 + 0.15 + 8.0)
    assert not balancing.state_dict()


def test_uncertainty_by_hand() -> None:
    total = uncertain([0.2, -0.4, 1.0])(losses(), known(), WEIGHTS)
    expected = (
        1.0 * (math.exp(-0.2) * 0.7 + 0.1)
        + 0.5 * (math.exp(0.4) * 0.3 - 0.2)
        + 2.0 * (0.5 * math.exp(-1.0) * 4.0 + 0.5)
    )
    assert total.item() == pytest.approx(expected)


def test_the_gradient_by_hand() -> None:
    balancing = uncertain([0.2, -0.4, 1.0])
    balancing(losses(), known(), WEIGHTS).backward()
    assert balancing.log_variances.grad.tolist() == pytest.approx([
        1.0 * (0.5 - math.exp(-0.2) * 0.7),
        0.5 * (0.5 - math.exp(0.4) * 0.3),
        2.0 * (0.5 - 0.5 * math.exp(-1.0) * 4.0),
    ])


def test_at_its_best_the_variance_is_the_loss() -> None:
    # d/ds = 0 at exp(s) = L for squared errors, and at 2 L for the others
    balancing = uncertain([math.log(2 * 0.7), math.log(2 * 0.3), math.log(4.0)])
    balancing(losses(), known(), WEIGHTS).backward()
    assert balancing.log_variances.grad.tolist() == pytest.approx([0, 0, 0], abs=1e-6)


def test_the_weights_that_it_came_to() -> None:
    assert uncertain([0.2, -0.4, 1.0]).loss_weights() == pytest.approx(
        {"kind": math.exp(-0.2), "tags": math.exp(0.4), "age": 0.5 * math.exp(-1.0)})


def test_a_batch_without_a_label_leaves_its_variance_alone() -> None:
    balancing = uncertain([0.2, -0.4, 1.0])
    balancing(losses() | {"tags": torch.tensor(0.0)}, known(tags=False), WEIGHTS).backward()
    first, second, third = balancing.log_variances.grad.tolist()
    assert second == 0.0
    assert first != 0.0 != third


def test_smooth_l1_holds_the_half_of_squared_errors_already() -> None:
    spec = {"mean": 0.0, "deviation": 1.0}
    error, target = torch.tensor([[0.1]]), torch.tensor([0.0])
    given = torch.ones(1, dtype=torch.bool)
    shares = []
    for task in (Regression(3, spec), Regression(3, spec, loss="squared")):
        balancing = UncertaintyBalancing({"age": task})
        shares.append(balancing({"age": task.loss(error, target, given)}, {"age": given},
                                {"age": 1.0}).item())
    assert shares[0] == pytest.approx(shares[1])


def test_the_same_as_a_tensor_that_nothing_learns_through() -> None:
    scales = uncertain([0.2, -0.4, 1.0]).scales()
    assert scales.tolist() == pytest.approx([math.exp(-0.2), math.exp(0.4), 0.5 * math.exp(-1.0)])
    assert not scales.requires_grad
