"""The fusions by attention against their docstrings' equations, computed with numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmstudio.encoders.base import Features, grouped
from mmstudio.fusion.attention import Attention
from mmstudio.fusion.bottleneck import Bottleneck
from mmstudio.fusion.cross_attention import CrossAttention
from tests.fusion.equations import (
    HIDDEN,
    WIDTHS,
    Weights,
    block,
    contents,
    drawn,
    gelu,
    linear,
    norm,
    result,
)

PRESENT = [[True], [True, True], [False, True], [True, True, True], [True, False, True],
           [False, False, False]]
EACH_PATTERN = pytest.mark.parametrize("present", PRESENT, ids=str)


def tokens_of(w: Weights, features: list[Features]) -> list[np.ndarray]:
    """The two real tokens of each input, brought to one width."""
    return [linear(w, f"tokens.linears.{i}",
                   norm(w, f"tokens.norms.{i}", f.tokens[0, :2].double().numpy()))
            for i, f in enumerate(features)]


@EACH_PATTERN
def test_attention_reads_all_tokens_by_one_query(present: list[bool]) -> None:
    fusion = Attention(WIDTHS[: len(present)], hidden=HIDDEN, heads=2)
    w = drawn(fusion)
    features = contents(len(present))[1]
    query = w["query"]
    readable = [t for t, there in zip(tokens_of(w, features), present, strict=True) if there]
    read = block(w, "block", query, np.concatenate([query, *readable]), heads=2)
    expected = gelu(linear(w, "linear", norm(w, "norm", read[0])))
    np.testing.assert_allclose(result(fusion, features, present), expected, rtol=1e-4, atol=1e-5)


@EACH_PATTERN
def test_cross_attention_reads_every_other_input(present: list[bool]) -> None:
    inputs = len(present)
    fusion = CrossAttention(WIDTHS[:inputs], hidden=HIDDEN, heads=2)
    w = drawn(fusion)
    features = contents(inputs)[1]
    tokens = tokens_of(w, features)
    pairs = [(i, j) for i in range(inputs) for j in range(inputs) if i != j]
    pooled = []
    for i in range(inputs):
        read = [block(w, f"crossings.{pairs.index((i, j))}", tokens[i], tokens[j], heads=2)
                for j in range(inputs) if j != i and present[j]]
        states = np.mean(read, axis=0) if read else tokens[i]
        states = block(w, f"selves.{i}", states, states, heads=2)
        pooled.append(norm(w, f"norms.{i}", states.mean(axis=0)) * present[i])
    expected = gelu(linear(w, "linear", np.concatenate(pooled)))
    np.testing.assert_allclose(result(fusion, features, present), expected, rtol=1e-4, atol=1e-5)


@EACH_PATTERN
def test_bottleneck_passes_only_its_shared_tokens_on(present: list[bool]) -> None:
    inputs = len(present)
    fusion = Bottleneck(WIDTHS[:inputs], hidden=HIDDEN, heads=2, bottlenecks=2, layers=2)
    w = drawn(fusion)
    features = contents(inputs)[1]
    tokens, shared = tokens_of(w, features), w["shared"]
    for layer in range(2):
        told = []
        for i in range(inputs):
            both = np.concatenate([tokens[i], shared])
            both = block(w, f"layers.{layer}.{i}", both, both, heads=2)
            tokens[i] = both[:-2]
            if present[i]:
                told.append(both[-2:])
        shared = np.mean(told, axis=0) if told else shared
    expected = gelu(linear(w, "linear", norm(w, "norm", shared).ravel()))
    np.testing.assert_allclose(result(fusion, features, present), expected, rtol=1e-4, atol=1e-5)


def test_heads_need_not_divide_the_width() -> None:
    fusion = Attention(WIDTHS, hidden=10, heads=4).eval()
    fused = fusion(contents(3)[1], torch.tensor([[True] * 3]))
    assert fused.views.shape == (1, 1, 10)


def test_tokens_are_averaged_in_even_groups_where_there_are_many() -> None:
    tokens = torch.arange(7.0).view(1, 7, 1).repeat(4, 1, 1)
    mask = torch.tensor([[True] * 7, [True] * 5 + [False] * 2, [True] * 2 + [False] * 5,
                         [False, True, False, True, True, True, True]])
    few = grouped(Features(tokens, mask), 3)
    assert few.tokens.squeeze(-1).tolist() == [
        [1.0, 3.5, 5.5], [0.5, 2.5, 4.0], [0.0, 1.0, 0.0], [2.0, 4.5, 6.0]]
    assert few.mask.tolist() == [[True] * 3, [True] * 3, [True, True, False], [True] * 3]
