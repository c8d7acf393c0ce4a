"""The bidirectional recurrent layer against torch's own on packed sequences."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mmstudio.encoders.recurrent import BidirectionalRNN

LENGTHS = torch.tensor([7, 1, 4, 6])
MASK = torch.arange(7) < LENGTHS.unsqueeze(1)


def packed(layer: BidirectionalRNN, kind: type[nn.LSTM] | type[nn.GRU]) -> nn.Module:
    """torch's bidirectional layers with the same weights."""
    peer = kind(6, 5, num_layers=len(layer.ahead), batch_first=True, bidirectional=True)
    weights = {}
    for number in range(len(layer.ahead)):
        for ending, part in (("", layer.ahead[number]), ("_reverse", layer.back[number])):
            for name, value in part.state_dict().items():
                weights[f"{name[:-1]}{number}{ending}"] = value
    peer.load_state_dict(weights)
    return peer


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize(("cell", "kind"), [("lstm", nn.LSTM), ("gru", nn.GRU)])
def test_outputs_and_gradients_are_those_of_packed_sequences(
    cell: str, kind: type[nn.LSTM] | type[nn.GRU], layers: int
) -> None:
    torch.manual_seed(0)
    layer = BidirectionalRNN(cell, 6, 10, layers, dropout=0.0)
    peer = packed(layer, kind)
    tokens = torch.randn(4, 7, 6)
    ours, theirs = tokens.clone().requires_grad_(), tokens.clone().requires_grad_()
    got = layer(ours, MASK)
    pack = nn.utils.rnn.pack_padded_sequence(
        theirs, LENGTHS, batch_first=True, enforce_sorted=False)
    wanted, _ = nn.utils.rnn.pad_packed_sequence(peer(pack)[0], batch_first=True)
    assert torch.allclose(got, wanted, atol=1e-6)
    weight = torch.randn_like(got)
    (got * weight).sum().backward()
    (wanted * weight).sum().backward()
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-6)
    for name, value in layer.ahead[0].named_parameters():
        assert torch.allclose(value.grad, getattr(peer, name).grad, atol=1e-5), name
    for name, value in layer.back[0].named_parameters():
        assert torch.allclose(value.grad, getattr(peer, f"{name}_reverse").grad, atol=1e-5), name


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_it_runs_in_float32_where_the_cpu_runs_in_bfloat16(cell: str) -> None:
    layer = BidirectionalRNN(cell, 6, 10, 1, dropout=0.0)
    with torch.autocast("cpu", torch.bfloat16):
        got = layer(torch.randn(4, 7, 6, dtype=torch.bfloat16), MASK)
    assert got.dtype is torch.float32
