"""Drawing aside: torch's random state stays as it is, whatever other threads draw meanwhile."""

from __future__ import annotations

import threading

import pytest
import torch
from torch import nn

from mmstudio.rng import DrawnAside


def in_another_thread(found: list[torch.Tensor]) -> None:
    thread = threading.Thread(target=lambda: found.append(torch.rand(3)))
    thread.start()
    thread.join()


def test_what_another_thread_draws_meanwhile_is_not_taken_back() -> None:
    torch.manual_seed(4)
    expected = [torch.rand(3), torch.rand(3)]
    torch.manual_seed(4)
    found: list[torch.Tensor] = []
    with DrawnAside():
        torch.rand(7)
        in_another_thread(found)
        nn.Linear(4, 4)
    found.append(torch.rand(3))

    assert torch.equal(torch.stack(found), torch.stack(expected))


@pytest.mark.parametrize("draw", [
    lambda: torch.rand(3), lambda: torch.randn(3), lambda: torch.randint(9, (3,)),
    lambda: torch.randint(2, 9, (3,)), lambda: torch.randperm(5),
    lambda: torch.rand_like(torch.zeros(3)), lambda: torch.normal(torch.zeros(3), 1.0),
    lambda: torch.empty(3).normal_(), lambda: torch.bernoulli(torch.full((9,), 0.5)),
    lambda: nn.init.trunc_normal_(torch.empty(3)), lambda: nn.Linear(3, 3).weight.detach(),
])
def test_every_way_to_draw_follows_the_seed_and_leaves_no_trace(draw: object) -> None:
    assert callable(draw)
    found = []
    for _ in range(2):
        torch.manual_seed(6)
        before = torch.get_rng_state()
        with DrawnAside():
            found.append(draw())
        assert torch.equal(torch.get_rng_state(), before)

    assert torch.equal(found[0], found[1])


def test_nothing_is_drawn_without_memory_and_the_outputs_of_eval_are_the_same() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, batch_first=True).eval()
    plain = layer(torch.ones(1, 3, 8))
    with DrawnAside():
        with torch.device("meta"):
            assert nn.Linear(2, 2).weight.is_meta
        assert torch.equal(layer(torch.ones(1, 3, 8)), plain)
