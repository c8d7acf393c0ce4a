"""Gradient modulation: the factors by hand, the noise, and that only encoders are scaled."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mmstudio.training import ready
from mmstudio.training.events import EpochDone
from mmstudio.training.input_monitor import InputMonitor
from mmstudio.training.modulation import Modulation, factors, scale_gradients
from tests.small_project import train_small

NAN = float("nan")


def test_of_two_inputs_the_better_one_is_slowed_as_in_the_paper() -> None:
    found = factors(torch.tensor([0.6, 0.2]), 0.5)
    assert found.tolist() == pytest.approx([1 - math.tanh(0.5 * 3.0), 1.0])
    assert factors(torch.tensor([0.3, 0.3]), 0.5).tolist() == [1.0, 1.0]


def test_of_more_inputs_each_is_compared_with_the_mean_of_the_others() -> None:
    found = factors(torch.tensor([0.6, 0.2, 0.4]), 0.3)
    assert found.tolist() == pytest.approx([1 - math.tanh(0.3 * 0.6 / 0.3), 1.0, 1.0])


def test_an_input_that_no_row_has_neither_slows_nor_is_slowed() -> None:
    assert factors(torch.tensor([0.6, NAN, 0.2]), 0.5).tolist() == pytest.approx(
        [1 - math.tanh(0.5 * 3.0), 1.0, 1.0])
    assert factors(torch.tensor([0.6, NAN]), 0.5).tolist() == [1.0, 1.0]
    assert factors(torch.tensor([0.6, 0.0]), 0.5).isfinite().all()


def parameter(gradient: torch.Tensor) -> nn.Parameter:
    made = nn.Parameter(torch.zeros_like(gradient))
    made.grad = gradient.clone()
    return made


def test_without_noise_the_gradient_is_scaled_and_nothing_else() -> None:
    gradient = torch.tensor([1.0, -2.0, 4.0])
    some, idle = parameter(gradient), nn.Parameter(torch.zeros(3))
    scale_gradients([some, idle], torch.tensor(0.25))
    assert some.grad is not None and torch.equal(some.grad, 0.25 * gradient)
    assert idle.grad is None


def test_the_noise_has_the_gradients_own_deviation() -> None:
    chance = torch.Generator().manual_seed(1)
    gradient = 3.0 + 0.2 * torch.randn(200, 200, generator=chance)
    some, single = parameter(gradient), parameter(torch.tensor([2.0]))
    scale_gradients([some, single], torch.tensor(0.5), torch.Generator().manual_seed(2))
    assert some.grad is not None and single.grad is not None
    noise = some.grad - 0.5 * gradient
    assert noise.mean().item() == pytest.approx(0.0, abs=0.005)
    assert noise.std().item() == pytest.approx(gradient.std().item(), rel=0.02)
    assert single.grad.tolist() == [1.0]


def test_the_same_epoch_draws_the_same_noise() -> None:
    def noisy(seed: int) -> torch.Tensor:
        modulation, some = Modulation(0.5, True), parameter(torch.arange(6.0))
        modulation.begin_epoch(seed, 2, torch.device("cpu"))
        modulation.take_scores(torch.tensor([0.9, 0.1]))
        modulation.apply([[some], []])
        assert some.grad is not None
        return some.grad

    assert torch.equal(noisy(1), noisy(1))
    assert not torch.equal(noisy(1), noisy(2))


@pytest.mark.parametrize("kind", ["ogm", "ogm-ge"])
def test_training_scales_the_gradients_of_the_encoders_only(
    project: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Factors are forced, so that what they touch stands out; nan where there is no gradient."""
    seen: list[tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]] = []
    held: dict[str, Any] = {}
    plain = InputMonitor.after_backward

    def gradients() -> dict[str, torch.Tensor]:
        return {n: p.grad.clone() for n, p in held["model"].named_parameters()
                if p.grad is not None}

    def after_backward(self: InputMonitor, scaler: Any) -> None:
        assert self.modulation is not None
        self.modulation.take_scores(torch.tensor([0.8, 0.2, 0.2]))
        before = gradients()
        plain(self, scaler)
        seen.append((before, gradients()))

    def build(*args: Any) -> nn.Module:
        held["model"] = original(*args)
        return held["model"]

    original = ready.build_model
    monkeypatch.setattr(ready, "build_model", build)
    monkeypatch.setattr(InputMonitor, "after_backward", after_backward)
    events = train_small(project, {"training.epochs": 1, "training.gradient_modulation": kind,
                                   "training.modulation_strength": 0.3})
    factor = 1 - math.tanh(0.3 * 4.0)
    for before, after in seen:
        for name, gradient in before.items():
            if name.startswith("encoders.0.") and kind == "ogm":
                assert torch.allclose(after[name], factor * gradient), name
            elif name.startswith("encoders.") and kind == "ogm-ge":
                changed = not torch.equal(after[name], gradient)
                assert changed or gradient.numel() == 1 or not gradient.any(), name
            else:
                assert torch.equal(after[name], gradient), name
    told = next(e for e in events if isinstance(e, EpochDone)).inputs
    assert told["image"]["modulation"] == pytest.approx(factor)
    assert told["words"]["modulation"] == 1.0
