"""Each fusion against its docstring's equation, computed with numpy from weights set here."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from mmstudio.encoders.base import Features
from mmstudio.fusion.concat import Concat
from mmstudio.fusion.gated import Gated
from mmstudio.fusion.sum import Sum

HIDDEN = 8
WIDTHS = [2, 3, 4]


def norm(x: np.ndarray) -> np.ndarray:
    return (x - x.mean()) / np.sqrt(x.var() + 1e-5)


def gelu(x: np.ndarray) -> np.ndarray:
    return np.array([0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x])


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def set_linear(layer: nn.Module, seed: int) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    weight = chance.integers(-4, 5, tuple(layer.weight.shape)) / 4
    bias = chance.integers(-4, 5, tuple(layer.bias.shape)) / 4
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
        layer.bias.copy_(torch.from_numpy(bias))
    return weight, bias


def contents(inputs: int) -> tuple[list[np.ndarray], list[Features]]:
    """One row: vectors, and features whose real tokens have them as their mean."""
    vectors = [np.array([1.0, -2.0]), np.array([0.5, 4.0, -1.0]),
               np.array([3.0, 1.0, 0.0, -2.0])][:inputs]
    features = []
    for vector in vectors:
        tokens = np.stack([vector + 1, vector - 1, np.full_like(vector, 99.0)])
        features.append(Features(torch.tensor(tokens, dtype=torch.float32)[None],
                                 torch.tensor([[True, True, False]])))
    return vectors, features


def result(fusion: nn.Module, features: list[Features], present: list[bool]) -> np.ndarray:
    fused = fusion.eval()(features, torch.tensor([present]))
    assert fused.views.shape == (1, 1, HIDDEN)
    assert fused.weights.tolist() == [[1.0]]
    return fused.views[0, 0].detach().numpy()


@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_concat_is_one_layer_over_the_inputs_side_by_side(inputs: int) -> None:
    fusion = Concat(WIDTHS[:inputs], hidden=HIDDEN)
    weight, bias = set_linear(fusion.linear, 1)
    vectors, features = contents(inputs)
    expected = gelu(weight @ np.concatenate([norm(v) for v in vectors]) + bias)
    np.testing.assert_allclose(result(fusion, features, [True] * inputs), expected, atol=1e-5)


@pytest.mark.parametrize(
    "present", [[True], [True, True], [True, False], [True, True, True], [False, True, False],
                [True, False, True], [False, False, False]], ids=str)
def test_sum_adds_the_present_inputs_and_scales(present: list[bool]) -> None:
    inputs = len(present)
    fusion = Sum(WIDTHS[:inputs], hidden=HIDDEN)
    layers = [set_linear(layer, seed) for seed, layer in enumerate(fusion.linears)]
    vectors, features = contents(inputs)
    total = sum((w @ norm(v) + b for (w, b), v, there in
                 zip(layers, vectors, present, strict=True) if there), np.zeros(HIDDEN))
    expected = gelu(total * math.sqrt(inputs / max(1, sum(present))))
    np.testing.assert_allclose(result(fusion, features, present), expected, atol=1e-5)


@pytest.mark.parametrize(
    "present", [[True], [True, True], [True, False], [False, True], [True, True, True],
                [True, False, True], [False, False, False]], ids=str)
def test_gated_weighs_each_state_by_its_gate(present: list[bool]) -> None:
    inputs = len(present)
    fusion = Gated(WIDTHS[:inputs], hidden=HIDDEN)
    layers = [set_linear(layer, seed) for seed, layer in enumerate(fusion.linears)]
    weight, bias = set_linear(fusion.gate, 9)
    vectors, features = contents(inputs)
    gates = sigmoid(weight @ np.concatenate([norm(v) for v in vectors]) + bias)
    gates = gates.reshape(-1, HIDDEN)
    if inputs == 2:
        # equation 4 of the paper: one gate, its complement for the other input
        assert len(gates) == 1
        gates = np.stack([gates[0], 1 - gates[0]])
    expected = sum((z * np.tanh(w @ norm(v) + b) for z, (w, b), v, there in
                    zip(gates, layers, vectors, present, strict=True) if there),
                   np.zeros(HIDDEN))
    np.testing.assert_allclose(result(fusion, features, present), expected, atol=1e-5)
