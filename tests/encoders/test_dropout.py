"""Dropout by shared random bits: its share, its mean, its independence, its gradient."""

from __future__ import annotations

import pytest
import torch

from mmstudio.encoders.dropout import Dropout


@pytest.mark.parametrize("chance", [0.1, 0.3, 0.75])
def test_the_share_hidden_and_the_mean_are_those_of_dropout(chance: float) -> None:
    torch.manual_seed(0)
    ones = torch.ones(4001, 499)
    got = Dropout(chance)(ones)
    kept = got != 0
    spread = (chance * (1 - chance) / got.numel()) ** 0.5
    assert (~kept).float().mean().item() == pytest.approx(chance, abs=4 * spread)
    assert got.mean().item() == pytest.approx(1, abs=4 * spread / (1 - chance))
    assert got[kept].unique().tolist() == pytest.approx([1 / (1 - chance)], rel=1e-4)
    # neighbours share the bits of one draw, and must not know of each other
    for apart in (1, 2, 3, 4):
        both = torch.stack([kept[:, :-apart].flatten(), kept[:, apart:].flatten()]).float()
        assert abs(torch.corrcoef(both)[0, 1].item()) < 0.005


def test_the_same_seed_hides_the_same_and_evaluation_hides_nothing() -> None:
    layer, values = Dropout(0.5), torch.randn(7, 5)
    torch.manual_seed(1)
    first = layer(values)
    torch.manual_seed(1)
    assert torch.equal(layer(values), first)
    assert not torch.equal(layer(values), first)
    assert torch.equal(layer.eval()(values), values)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_gradient_reaches_what_was_kept(dtype: torch.dtype) -> None:
    values = torch.randn(64, 9, dtype=dtype, requires_grad=True)
    got = Dropout(0.25)(values)
    assert got.dtype is dtype
    got.sum().backward()
    assert values.grad is not None
    assert torch.equal(values.grad != 0, got != 0)


@pytest.mark.parametrize("shape", [(), (0, 3), (1,), (2, 3, 4, 5)])
def test_any_shape_does(shape: tuple[int, ...]) -> None:
    assert Dropout(0.3)(torch.ones(shape)).shape == shape
