"""Each fusion against its docstring's equation, computed with numpy from weights set here."""

from __future__ import annotations

import math
from itertools import combinations, product

import numpy as np
import pytest
import torch

from mmstudio.fusion.concat import Concat
from mmstudio.fusion.film import Film
from mmstudio.fusion.gated import Gated
from mmstudio.fusion.late import Late
from mmstudio.fusion.low_rank import LowRank
from mmstudio.fusion.mean import Mean
from mmstudio.fusion.multiplicative import Multiplicative
from mmstudio.fusion.product_of_experts import ProductOfExperts
from mmstudio.fusion.sum import Sum
from mmstudio.fusion.tensor import TensorFusion
from mmstudio.fusion.weighted_sum import WeightedSum
from mmstudio.tasks.classification import Classification
from tests.fusion.equations import (
    HIDDEN,
    WIDTHS,
    contents,
    drawn,
    gelu,
    linear,
    norm,
    normed,
    result,
    sigmoid,
    softmax,
)

PRESENT = [[True], [True, True], [True, False], [False, True], [True, True, True],
           [False, True, False], [True, False, True], [False, False, False]]
EACH_PATTERN = pytest.mark.parametrize("present", PRESENT, ids=str)


@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_concat_is_one_layer_over_the_inputs_side_by_side(inputs: int) -> None:
    fusion = Concat(WIDTHS[:inputs], hidden=HIDDEN)
    w = drawn(fusion)
    vectors, features = contents(inputs)
    together = np.concatenate(normed(w, vectors, [True] * inputs))
    expected = gelu(linear(w, "linear", together))
    np.testing.assert_allclose(result(fusion, features, [True] * inputs), expected, atol=1e-5)


@EACH_PATTERN
def test_sum_adds_the_present_inputs_and_scales(present: list[bool]) -> None:
    inputs = len(present)
    fusion = Sum(WIDTHS[:inputs], hidden=HIDDEN)
    w = drawn(fusion)
    vectors, features = contents(inputs)
    total = sum((linear(w, f"linears.{i}", norm(w, f"norms.{i}", v))
                 for i, v in enumerate(vectors) if present[i]), np.zeros(HIDDEN))
    expected = gelu(total * math.sqrt(inputs / max(1, sum(present))))
    np.testing.assert_allclose(result(fusion, features, present), expected, atol=1e-5)


@EACH_PATTERN
def test_mean_averages_the_present_inputs(present: list[bool]) -> None:
    inputs = len(present)
    fusion = Mean(WIDTHS[:inputs], hidden=HIDDEN)
    w = drawn(fusion)
    vectors, features = contents(inputs)
    parts = [linear(w, f"linears.{i}", norm(w, f"norms.{i}", v))
             for i, v in enumerate(vectors) if present[i]]
    expected = gelu(np.mean(parts, axis=0) if parts else np.zeros(HIDDEN))
    np.testing.assert_allclose(result(fusion, features, present), expected, atol=1e-5)


@EACH_PATTERN
def test_weighted_sum_shares_out_among_the_present_inputs(present: list[bool]) -> None:
    inputs = len(present)
    fusion = WeightedSum(WIDTHS[:inputs], hidden=HIDDEN)
    w = drawn(fusion)
    vectors, features = contents(inputs)
    there = [i for i in range(inputs) if present[i]]
    shares = softmax(w.get("scores", np.zeros(1))[there]) if there else []
    total = sum((a * linear(w, f"linears.{i}", norm(w, f"norms.{i}", vectors[i]))
                 for i, a in zip(there, shares, strict=True)), np.zeros(HIDDEN))
    np.testing.assert_allclose(result(fusion, features, present), gelu(total), atol=1e-5)


@EACH_PATTERN
def test_gated_weighs_each_state_by_its_gate(present: list[bool]) -> None:
    inputs = len(present)
    fusion = Gated(WIDTHS[:inputs], hidden=HIDDEN)
    w = drawn(fusion)
    vectors, features = contents(inputs)
    # a gate reads what stands where an input is absent: here as ever its content
    together = normed(w, vectors, [True] * inputs)
    gates = sigmoid(linear(w, "gate", np.concatenate(together))).reshape(-1, HIDDEN)
    if inputs == 2:
        # equation 4 of the paper: one gate, its complement for the other input
        assert len(gates) == 1
        gates = np.stack([gates[0], 1 - gates[0]])
    expected = sum((gates[i] * np.tanh(linear(w, f"linears.{i}", x))
                    for i, x in enumerate(together) if present[i]), np.zeros(HIDDEN))
    np.testing.assert_allclose(result(fusion, features, present), expected, atol=1e-5)


@EACH_PATTERN
def test_multiplicative_adds_a_bilinear_form_per_pair(present: list[bool]) -> None:
    inputs = len(present)
    fusion = Multiplicative(WIDTHS[:inputs], hidden=HIDDEN, input_width=3)
    w = drawn(fusion)
    vectors, features = contents(inputs)
    x = normed(w, vectors, present)
    expected = w["bias"] + sum(linear(w, f"linears.{i}", x[i]) for i in range(inputs))
    for pair, (i, j) in enumerate(combinations(range(inputs), 2)):
        left, right = linear(w, f"squeezes.{i}", x[i]), linear(w, f"squeezes.{j}", x[j])
        for unit in range(HIDDEN):
            expected[unit] += left @ w["products"][pair, :, :, unit] @ right
    np.testing.assert_allclose(result(fusion, features, present), expected, rtol=1e-5, atol=1e-5)


@EACH_PATTERN
def test_tensor_is_one_layer_over_all_products(present: list[bool]) -> None:
    inputs = len(present)
    fusion = TensorFusion(WIDTHS[:inputs], hidden=HIDDEN, input_width=2)
    w = drawn(fusion)
    vectors, features = contents(inputs)
    z = [[*np.tanh(linear(w, f"squeezes.{i}", norm(w, f"norms.{i}", v))) * present[i], 1.0]
         for i, v in enumerate(vectors)]
    products = np.array([math.prod(cell) for cell in product(*z)])
    assert len(products) == 3**inputs
    expected = gelu(linear(w, "linear", products))
    np.testing.assert_allclose(result(fusion, features, present), expected, atol=1e-5)


@EACH_PATTERN
def test_low_rank_multiplies_within_each_rank(present: list[bool]) -> None:
    inputs = len(present)
    fusion = LowRank(WIDTHS[:inputs], hidden=HIDDEN, rank=2)
    w = drawn(fusion)
    vectors, features = contents(inputs)
    z = [np.append(x, 1.0) for x in normed(w, vectors, present)]
    expected = w["bias"].copy()
    for rank in range(2):
        factors = [z[i] @ w[f"factors.{i}"][rank] for i in range(inputs)]
        expected += np.prod(factors, axis=0)
    np.testing.assert_allclose(result(fusion, features, present), expected, rtol=1e-5, atol=1e-5)


def test_low_rank_equals_the_tensor_that_its_factors_span() -> None:
    """Equation 5 of the paper: the same answer by the whole weight tensor."""
    fusion = LowRank(WIDTHS, hidden=HIDDEN, rank=3)
    w = drawn(fusion)
    vectors, features = contents(3)
    z = [np.append(x, 1.0) for x in normed(w, vectors, [True] * 3)]
    tensor = sum(np.einsum("ah,bh,ch->abch", *(w[f"factors.{i}"][rank] for i in range(3)))
                 for rank in range(3))
    expected = np.einsum("a,b,c,abch->h", *z, tensor) + w["bias"]
    np.testing.assert_allclose(
        result(fusion, features, [True] * 3), expected, rtol=1e-5, atol=1e-5)


@EACH_PATTERN
def test_film_lets_each_input_be_modulated_by_the_others(present: list[bool]) -> None:
    inputs = len(present)
    fusion = Film(WIDTHS[:inputs], hidden=HIDDEN)
    w = drawn(fusion)
    vectors, features = contents(inputs)
    x = normed(w, vectors, present)
    parts = []
    for i in range(inputs):
        state = linear(w, f"linears.{i}", x[i])
        if inputs > 1:
            others = np.concatenate([x[j] for j in range(inputs) if j != i])
            both = linear(w, f"modulations.{i}", others)
            state = (1 + both[:HIDDEN]) * state + both[HIDDEN:]
        if present[i]:
            parts.append(gelu(state))
    expected = np.mean(parts, axis=0) if parts else np.zeros(HIDDEN)
    np.testing.assert_allclose(result(fusion, features, present), expected, rtol=1e-5, atol=1e-5)


@EACH_PATTERN
def test_product_of_experts_weighs_means_by_precision(present: list[bool]) -> None:
    inputs = len(present)
    fusion = ProductOfExperts(WIDTHS[:inputs], hidden=HIDDEN)
    w = drawn(fusion)
    vectors, features = contents(inputs)
    weighed, total = np.zeros(HIDDEN), np.ones(HIDDEN)  # the prior: mean 0, precision 1
    for i, v in enumerate(vectors):
        if present[i]:
            expert = linear(w, f"experts.{i}", norm(w, f"norms.{i}", v))
            precision = np.exp(expert[HIDDEN:].clip(-6, 6))
            weighed += precision * expert[:HIDDEN]
            total += precision
    expected = gelu(linear(w, "linear", weighed / total))
    np.testing.assert_allclose(result(fusion, features, present), expected, rtol=1e-5, atol=1e-5)


@EACH_PATTERN
@pytest.mark.parametrize("mean", ["geometric", "arithmetic"])
def test_late_averages_the_inputs_own_answers(mean: str, present: list[bool]) -> None:
    inputs = len(present)
    fusion = Late(WIDTHS[:inputs], hidden=HIDDEN, mean=mean).eval()
    head = Classification(HIDDEN, {"classes": ["a", "b", "c"]})
    w, h = drawn(fusion), drawn(head, 2)
    vectors, features = contents(inputs)
    # with nothing at all, every input votes from a view of zeros
    counted = [i for i in range(inputs) if present[i] or not any(present)]
    shares = softmax(w.get("scores", np.zeros(1))[counted])
    views = [gelu(linear(w, f"linears.{i}", norm(w, f"norms.{i}", vectors[i]))) * present[i]
             for i in counted]
    votes = np.stack([softmax(linear(h, "linear", view)) for view in views])
    if mean == "arithmetic":
        expected = shares @ votes
    else:
        expected = np.prod(votes ** shares[:, None], axis=0)
        expected /= expected.sum()
    with torch.no_grad():
        outputs = head(fusion(features, torch.tensor([present])))
    np.testing.assert_allclose(outputs.softmax(-1)[0].numpy(), expected, atol=1e-5)
