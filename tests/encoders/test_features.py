"""The types that travel: pooling by hand, joint views."""

from __future__ import annotations

import torch

from mmstudio.encoders.base import Features, Fused


def test_pooling_is_the_mean_of_the_real_tokens() -> None:
    tokens = torch.tensor([[[1.0, 10.0], [3.0, 20.0], [100.0, 100.0]],
                           [[5.0, 6.0], [7.0, 8.0], [9.0, 10.0]]])
    mask = torch.tensor([[True, True, False], [False, False, True]])
    assert Features(tokens, mask).pooled().tolist() == [[2.0, 15.0], [9.0, 10.0]]


def test_pooling_passes_over_nan_and_infinity_that_are_not_real() -> None:
    tokens = torch.tensor([[[1.0], [float("nan")], [float("inf")], [3.0]]], requires_grad=True)
    pooled = Features(tokens, torch.tensor([[True, False, False, True]])).pooled()
    assert pooled.tolist() == [[2.0]]
    pooled.sum().backward()
    assert tokens.grad is not None
    assert tokens.grad.flatten().tolist() == [0.5, 0.0, 0.0, 0.5]


def test_pooling_of_nothing_is_zero() -> None:
    features = Features(torch.full((1, 2, 3), 7.0), torch.zeros(1, 2, dtype=torch.bool))
    assert features.pooled().tolist() == [[0.0, 0.0, 0.0]]


def test_a_joint_representation_is_one_view_that_counts_whole() -> None:
    fused = Fused.joint(torch.arange(6.0).view(2, 3))
    assert fused.views.tolist() == [[[0.0, 1.0, 2.0]], [[3.0, 4.0, 5.0]]]
    assert fused.weights.tolist() == [[1.0], [1.0]]
