"""Integrated gradients and Grad-CAM by hand."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mmstudio.encoders.base import Layout
from mmstudio.explanation.explain import explain
from mmstudio.explanation.gradients import grad_cam, integrated_gradients
from tests.explanation.asking import CLASSES, content_of, predictor_of
from tests.tiny_models import tiny


class Scaled(nn.Module):
    """Twice its input, and something beside it that is passed on."""

    def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, str]:
        return 2 * values, "beside"


def asked_for(values: torch.Tensor, module: nn.Module, outputs: Any) -> Any:
    """A model that is ``outputs`` of what a module gives."""
    def varied(name: str, values: torch.Tensor, mask: Any, same: bool) -> dict[str, torch.Tensor]:
        assert same
        return {"answer": outputs(module(values))}

    return SimpleNamespace(
        batch={"one": SimpleNamespace(values=values, mask=None)}, varied=varied,
        encoder=lambda name: lambda values, mask: module(values))


def test_of_a_sum_of_squares_each_number_adds_its_square() -> None:
    scaled = Scaled()
    asked = asked_for(torch.tensor([[1.0, -2.0, 0.5]]), scaled, lambda given: given[0].square())
    layout = Layout(scaled, "integrated_gradients", lambda weights: weights[0])
    found, gap = integrated_gradients(
        asked, "one", layout, "answer", lambda outputs: outputs.sum(dim=1))
    assert found.tolist() == pytest.approx([4.0, 16.0, 1.0], rel=1e-5)
    assert gap < 1e-5


def test_what_is_as_the_baseline_adds_nothing() -> None:
    scaled = Scaled()
    asked = asked_for(torch.tensor([[1.0, 3.0]]), scaled, lambda given: given[0])
    layout = Layout(scaled, "integrated_gradients", lambda weights: weights[0],
                    torch.tensor([2.0, 1.0]))
    found, _ = integrated_gradients(asked, "one", layout, "answer",
                                    lambda outputs: 10 * outputs.sum(dim=1))
    assert found.tolist() == pytest.approx([0.0, 50.0])


def test_more_points_are_taken_where_few_miss() -> None:
    """A step that lies between the first points."""
    scaled, seen = Scaled(), []

    def outputs(given: Any) -> torch.Tensor:
        seen.append(len(given[0]))
        return torch.sigmoid(60 * (given[0] - 0.503))

    asked = asked_for(torch.tensor([[0.5]]), scaled, outputs)
    layout = Layout(scaled, "integrated_gradients", lambda weights: weights[0])
    found, gap = integrated_gradients(asked, "one", layout, "answer", lambda o: o[:, 0])
    assert gap <= 0.01 and found[0] == pytest.approx(1.0, abs=0.01)
    assert max(seen) > 16


def test_grad_cam_weighs_channels_by_their_mean_gradient() -> None:
    module = nn.Identity()
    maps = torch.tensor([[[[1.0, 0.0], [0.0, 2.0]], [[0.0, 5.0], [0.0, 0.0]]]])  # (1, 2, 2, 2)
    # the gradient is 3 in the first channel, and 1, 1, 1, -7 in the second: -1 on average
    slope = torch.tensor([[[3.0, 3.0], [3.0, 3.0]], [[1.0, 1.0], [1.0, -7.0]]])
    asked = asked_for(maps, module, lambda given: (given * slope).sum(dim=(1, 2, 3)).unsqueeze(1))
    layout = Layout(module, "grad_cam", lambda weights: weights[0])
    found = grad_cam(asked, "one", layout, "answer", lambda o: o[:, 0])
    assert found.tolist() == [[3.0, -5.0], [0.0, 6.0]]


def test_a_published_net_of_convolutions_is_explained_by_its_last_map() -> None:
    predictor = predictor_of("pretrained_image", model=str(tiny("resnet")))
    sample = {"one": content_of("image")}
    maps = [explain(predictor, sample, label=label).inputs["one"] for label in CLASSES]
    assert {one.method for one in maps} == {"grad_cam"}
    assert not np.allclose(maps[0].weights, maps[1].weights)
    assert all(np.isfinite(one.shown.weights).all() for one in maps)


def test_who_asks_the_same_model_meanwhile_gets_the_models_own_answer() -> None:
    scaled = Scaled()
    answers: list[torch.Tensor] = []

    def outputs(given: Any) -> torch.Tensor:
        other = threading.Thread(target=lambda: answers.append(scaled(torch.ones(1, 1))[0]))
        other.start()
        other.join()
        return given[0]

    asked = asked_for(torch.tensor([[5.0]]), scaled, outputs)
    layout = Layout(scaled, "integrated_gradients", lambda weights: weights[0])
    integrated_gradients(asked, "one", layout, "answer", lambda o: o[:, 0])
    assert answers and all(answer.tolist() == [[2.0]] for answer in answers)
    assert not scaled._forward_hooks
