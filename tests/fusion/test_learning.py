"""What fusions can learn, what they can't, and what does not mislead them: trained for real."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from mmstudio.encoders.base import Features, Fused
from mmstudio.fusion import FUSIONS
from tests.fusion.learning import (
    WIDTH,
    accuracy_after_training,
    exclusive_or,
    noise,
    small_fusion,
    two_clues,
)

NAMES = FUSIONS.names()
JOINT = [n for n in NAMES if n != "late"]
POINTS = 0.02
STEPS = dict.fromkeys(NAMES, 150) | dict.fromkeys(
    ("attention", "bottleneck", "cross_attention"), 60)  # they take longer, and need fewer


class SumOfLogits(nn.Module):
    """Every input's own answer, added up."""

    width = 32

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(WIDTH, self.width), nn.GELU()) for _ in range(2))

    def forward(self, features: list[Features], present: torch.Tensor) -> Fused:
        views = torch.stack(
            [f(x.pooled()) for f, x in zip(self.layers, features, strict=True)], dim=1)
        return Fused(views, torch.ones(present.shape))


@pytest.mark.parametrize("name", JOINT)
def test_a_joint_fusion_learns_what_only_both_inputs_tell(name: str) -> None:
    accuracy = accuracy_after_training(
        partial(small_fusion, name, 2), 2, exclusive_or(512, 1), exclusive_or(500, 2),
        steps=STEPS[name])
    assert accuracy > 0.95


@pytest.mark.parametrize("mean", ["geometric", "arithmetic", None])
def test_votes_can_not_learn_what_only_both_inputs_tell(mean: str | None) -> None:
    accuracy = accuracy_after_training(
        SumOfLogits if mean is None else partial(small_fusion, "late", 2, mean=mean),
        2, exclusive_or(512, 1), exclusive_or(500, 2), steps=STEPS["late"])
    assert accuracy < 0.65


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_or_noise_beside_the_inputs_costs_no_more_than_two_points(name: str) -> None:
    train, labels = two_clues(1500, 1)
    test, truth = two_clues(2000, 2)
    found = {}
    for kind, extra in {
        "plain": ([], []),
        "copy": ([train[0]], [test[0]]),
        "noise": ([noise(1500, torch.Generator().manual_seed(3))],
                  [noise(2000, torch.Generator().manual_seed(4))]),
    }.items():
        count = 2 + len(extra[0])
        found[kind] = accuracy_after_training(
            partial(small_fusion, name, count), 4,
            ([*train, *extra[0]], labels), ([*test, *extra[1]], truth), steps=STEPS[name])
    assert found["plain"] > 0.78
    assert found["copy"] >= found["plain"] - POINTS
    assert found["noise"] >= found["plain"] - POINTS
