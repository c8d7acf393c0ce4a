"""The counted peak, against sums by hand."""

from __future__ import annotations

import torch
from torch import nn

from mmstudio.training.device import free_bytes
from mmstudio.training.peak_memory import Peak, bytes_of, measured

CPU = torch.device("cpu")
MB = 4 * 1000 * 250


def test_what_a_forward_and_a_backward_pass_hold_at_once_is_counted() -> None:
    first, last = nn.Linear(500, 500, bias=False), nn.Linear(500, 1, bias=False)
    layers = nn.Sequential(first, nn.ReLU(), last)
    weights = list(layers.parameters())
    held = bytes_of(weights)
    assert held == MB + 2000
    values, peak = torch.randn(500, 500), Peak()
    with measured(CPU, weights, peak), torch.no_grad():
        layers(values)
    # two activations of 1 MB, and the next one only where the first is gone
    assert peak.bytes == held + 2 * MB
    with measured(CPU, weights, peak):
        layers(values).sum().backward()
    gradients = held
    assert held + gradients + MB <= peak.bytes <= held + gradients + 3.1 * MB
    with measured(CPU, weights, peak):
        pass
    assert peak.bytes == held


def test_a_shared_storage_counts_once_and_what_is_gone_no_more() -> None:
    x = torch.zeros(250_000)
    assert bytes_of([x, x[:10], x.view(500, 500)]) == MB
    peak = Peak()
    with measured(CPU, [x], peak):
        for _ in range(5):
            x + 1
    assert peak.bytes == 2 * MB


def test_some_memory_is_free() -> None:
    assert 10**7 < free_bytes(CPU) < 2**50
