"""Where the cost of a fusion explodes with the inputs, it says so before training."""

from __future__ import annotations

import pytest
import torch

from mmstudio.errors import UserError
from mmstudio.fusion import FUSIONS
from mmstudio.fusion.tensor import TensorFusion, features_alone


def weights_of(inputs: int, **options: int) -> int:
    fusion = TensorFusion([64] * inputs, **options)
    return fusion.linear.weight.numel()


@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_few_inputs_need_no_caution(inputs: int) -> None:
    assert TensorFusion.caution(inputs, {}) is None


@pytest.mark.parametrize(("inputs", "options"), [
    (3, {"input_width": 32, "hidden": 128}), (4, {"input_width": 15}), (5, {"input_width": 7})])
def test_many_weights_are_counted_and_another_fusion_is_named(
    inputs: int, options: dict[str, int]
) -> None:
    caution = TensorFusion.caution(inputs, options)
    assert caution is not None
    assert f"{weights_of(inputs, **options):,} weights" in caution
    assert f"{inputs} inputs" in caution
    assert "low_rank" in caution and "low_rank" in FUSIONS.names()


@pytest.mark.parametrize(("inputs", "width"), [(1, 32), (2, 32), (3, 19), (4, 8), (5, 5), (6, 3)])
def test_an_automatic_width_keeps_the_weights_few(inputs: int, width: int) -> None:
    fusion = TensorFusion([64] * inputs)
    assert fusion.squeezes[0].out_features == width
    assert fusion.linear.in_features == (width + 1) ** inputs <= 8192
    assert weights_of(inputs) < 1_100_000


def test_an_automatic_width_is_no_wider_than_the_narrowest_input() -> None:
    assert TensorFusion([64, 5]).squeezes[0].out_features == 5
    assert TensorFusion([64, 5], input_width=9).squeezes[0].out_features == 9


def test_features_alone_begin_larger_than_products() -> None:
    fusion = TensorFusion([64, 64, 64], input_width=4)
    alone = features_alone(3, 4)
    z = torch.tensor([[2.0, 3.0, 5.0, 7.0, 1.0], [11.0, 13.0, 17.0, 19.0, 1.0],
                      [23.0, 29.0, 31.0, 37.0, 1.0]])
    products = torch.einsum("a,b,c->abc", *z).flatten()
    assert sorted(products[alone].tolist()) == sorted(z[:, :4].flatten().tolist())
    size = fusion.linear.weight.detach().abs().mean(dim=0)
    others = torch.ones(len(size), dtype=torch.bool)
    others[alone] = False
    assert size[alone].mean() > 3 * size[others].mean()


@pytest.mark.parametrize("inputs", [4, 5, 6])
def test_narrowed_inputs_are_told_with_both_counts_of_weights(inputs: int) -> None:
    caution = TensorFusion.caution(inputs, {"input_width": 0, "hidden": 64})
    assert caution is not None
    assert f"{17**inputs * 64:,} weights" in caution
    assert f"{weights_of(inputs, hidden=64):,}" in caution
    assert "low_rank" in caution


def test_a_giant_is_counted_without_being_built() -> None:
    caution = TensorFusion.caution(6, {"input_width": 16})
    assert caution is not None
    assert f"{17**6 * 128:,} weights" in caution and "GB" in caution
    with pytest.raises(UserError) as refused:
        TensorFusion([64] * 6, input_width=16)
    assert f"{17**6 * 128:,} weights" in refused.value.message
    assert "low_rank" in refused.value.hint and "0" in refused.value.hint


@pytest.mark.parametrize("name", [n for n in FUSIONS.names() if n != "tensor"])
def test_the_cost_of_the_others_does_not_explode(name: str) -> None:
    cls = FUSIONS.get(name)
    assert cls.caution(6, {}) is None
    few, many = (sum(p.numel() for p in cls([128] * n).parameters()) for n in (3, 6))
    assert many < 6 * few
