"""What the known answers are worked out with: numpy alone, one row at a time."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from mmstudio.encoders.base import Features

HIDDEN = 8
WIDTHS = [2, 3, 4]
Weights = dict[str, np.ndarray]


def drawn(module: nn.Module, seed: int = 1) -> Weights:
    """Give every parameter values that are easily written down, and tell them by name."""
    chance = np.random.default_rng(seed)
    values = {}
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            values[name] = chance.integers(-4, 5, tuple(parameter.shape)) / 4
            parameter.copy_(torch.from_numpy(values[name]))
    return values


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
    """The one view of a joint fusion."""
    fused = fusion.eval()(features, torch.tensor([present]))
    assert fused.views.shape == (1, 1, HIDDEN)
    assert fused.weights.tolist() == [[1.0]]
    return fused.views[0, 0].detach().numpy()


def linear(w: Weights, name: str, x: np.ndarray) -> np.ndarray:
    return x @ w[f"{name}.weight"].T + w.get(f"{name}.bias", 0.0)


def norm(w: Weights, name: str, x: np.ndarray) -> np.ndarray:
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5) * w[f"{name}.weight"] + w[
        f"{name}.bias"]


def normed(w: Weights, vectors: list[np.ndarray], present: list[bool]) -> list[np.ndarray]:
    """Each input's layer norm, zeros where it is absent."""
    return [norm(w, f"norms.{i}", v) * there
            for i, (v, there) in enumerate(zip(vectors, present, strict=True))]


def gelu(x: np.ndarray) -> np.ndarray:
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def softmax(x: np.ndarray) -> np.ndarray:
    risen = np.exp(x - x.max(axis=-1, keepdims=True))
    return risen / risen.sum(axis=-1, keepdims=True)


def block(
    w: Weights, name: str, queries: np.ndarray, tokens: np.ndarray, heads: int
) -> np.ndarray:
    """One transformer layer: ``queries (Q, D)`` read ``tokens (T, D)``."""
    q = linear(w, f"{name}.attend.query", norm(w, f"{name}.norm_queries", queries))
    seen = norm(w, f"{name}.norm_tokens", tokens)
    k, v = linear(w, f"{name}.attend.key", seen), linear(w, f"{name}.attend.value", seen)
    width = q.shape[1] // heads
    read = []
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        read.append(softmax(q[:, part] @ k[:, part].T / math.sqrt(width)) @ v[:, part])
    states = queries + linear(w, f"{name}.attend.out", np.concatenate(read, axis=1))
    inner = gelu(linear(w, f"{name}.feed.0", norm(w, f"{name}.norm_states", states)))
    return states + linear(w, f"{name}.feed.2", inner)
