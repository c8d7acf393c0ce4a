"""Optimiser, schedule and modality dropout, by their numbers."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from mmstudio.experiment import TrainingSettings
from mmstudio.fusion.attention import Attention
from mmstudio.training.optimise import (
    Rate,
    clip_gradients,
    kept_inputs,
    make_optimiser,
    make_schedule,
)


def settings(**changes: object) -> TrainingSettings:
    return dataclasses.replace(TrainingSettings(), **changes)


def rates(steps: int, **changes: object) -> list[float]:
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = make_schedule(optimiser, settings(epochs=1, **changes), steps)
    found = []
    for _ in range(steps):
        found.append(schedule.get_last_lr()[0])
        optimiser.step()
        schedule.step()
    return found


def test_the_rate_rises_in_a_line_and_falls_in_half_a_cosine() -> None:
    found = rates(100, warm_up=0.1)
    assert found[:10] == pytest.approx([0.1 * i for i in range(1, 11)])
    assert found[10] == pytest.approx(1.0)
    assert found[55] == pytest.approx(0.505)
    assert found[-1] < 0.012
    assert all(a >= b for a, b in pairwise(found[10:]))


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("warm_up", [0.0, 0.1, 0.9])
def test_few_steps_are_no_trouble(steps: int, warm_up: float) -> None:
    assert all(0 < rate <= 1 for rate in rates(steps, warm_up=warm_up))


def test_biases_and_norms_do_not_decay() -> None:
    model = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 4), nn.LayerNorm(4))
    decaying, free, rare = make_optimiser(model, settings(weight_decay=0.3), 1000).param_groups
    assert [p is model[1].weight for p in decaying["params"]] == [True]
    assert decaying["weight_decay"] == 0.3
    assert free["weight_decay"] == 0.0
    assert len(free["params"]) == 3
    assert [p is model[0].weight for p in rare["params"]] == [True]


@pytest.mark.parametrize("steps", [100, 1000])
def test_an_embedding_fades_by_the_epoch_however_many_steps_it_has(steps: int) -> None:
    embedding = nn.Embedding(3, 4)
    before = embedding.weight.detach().clone()
    optimiser = make_optimiser(embedding, settings(weight_decay=0.01, learning_rate=1.0), steps)
    for _ in range(steps):
        embedding.weight.grad = torch.zeros_like(embedding.weight)
        optimiser.step()
    left = (embedding.weight / before).detach()
    torch.testing.assert_close(left, torch.full_like(left, math.exp(-0.42)), rtol=3e-3, atol=0)


def test_an_embedding_never_turns_over_in_a_step() -> None:
    rare = make_optimiser(nn.Embedding(3, 4), settings(weight_decay=1.0, learning_rate=1.0), 1
                          ).param_groups[2]
    assert rare["weight_decay"] == pytest.approx(0.1)


def test_attention_learns_more_slowly_than_what_is_around_it() -> None:
    model = nn.ModuleDict({"encoder": nn.Linear(4, 4), "fusion": Attention([4, 4])})
    groups = make_optimiser(model, settings(learning_rate=0.01), 100).param_groups
    rate = {id(p): group["lr"] for group in groups for p in group["params"]}
    assert {rate[id(p)] for p in model["encoder"].parameters()} == {0.01}
    assert all(rate[id(p)] == pytest.approx(0.003) for p in model["fusion"].parameters())


def test_modality_dropout_keeps_at_least_one_input_of_every_row() -> None:
    chance = torch.Generator().manual_seed(0)
    present = torch.rand(5000, 3, generator=chance) < 0.6
    for share in (0.1, 0.5, 0.9):
        keep = kept_inputs(present, share, chance)
        assert keep is not None
        some = present.any(dim=1)
        assert (keep & present).any(dim=1)[some].all()


def test_modality_dropout_hides_about_its_share() -> None:
    present = torch.ones(20_000, 3, dtype=torch.bool)
    keep = kept_inputs(present, 0.15, torch.Generator().manual_seed(0))
    assert keep is not None
    assert 1 - keep.float().mean().item() == pytest.approx(0.15, abs=0.01)


@pytest.mark.parametrize(("inputs", "share"), [(1, 0.5), (3, 0.0)])
def test_modality_dropout_leaves_a_lone_input_alone(inputs: int, share: float) -> None:
    present = torch.ones(10, inputs, dtype=torch.bool)
    assert kept_inputs(present, share, torch.Generator()) is None


def test_modality_dropout_can_differ_by_input() -> None:
    present = torch.ones(20_000, 3, dtype=torch.bool)
    keep = kept_inputs(present, [0.0, 0.4, 0.1], torch.Generator().manual_seed(0))
    assert keep is not None
    shares = (~keep).float().mean(dim=0).tolist()
    assert shares == pytest.approx([0.0, 0.4, 0.1], abs=0.01)
    assert shares[0] == 0.0
    assert kept_inputs(present, [0.0, 0.0, 0.0], torch.Generator()) is None


def test_equal_rates_hide_what_one_rate_hides() -> None:
    present = torch.rand(100, 3, generator=torch.Generator().manual_seed(1)) < 0.7
    one, other = (kept_inputs(present, rate, torch.Generator().manual_seed(0))
                  for rate in (0.3, [0.3] * 3))
    assert one is not None and other is not None and torch.equal(one, other)


@pytest.mark.parametrize("largest", [0.5, 1e3])
def test_gradients_are_clipped_as_torch_does_to_the_last_bit(largest: float) -> None:
    def model() -> nn.Sequential:
        torch.manual_seed(0)
        made = nn.Sequential(nn.Linear(5, 7), nn.Linear(7, 3), nn.Linear(3, 2))
        made[1](made[0](torch.randn(4, 5))).square().sum().backward()  # the last has none
        return made

    one, other = model(), model()
    moved, norms = clip_gradients(one.parameters(), largest)
    nn.utils.clip_grad_norm_(other.parameters(), largest)
    assert [p is q for p, q in zip(moved, one.parameters(), strict=False)] == [True] * 4
    for p, q, norm, before in zip(moved, list(other.parameters()), norms, model().parameters(),
                                  strict=False):
        assert p.grad is not None and q.grad is not None and before.grad is not None
        assert torch.equal(p.grad, q.grad)
        assert norm.item() == pytest.approx(before.grad.norm().item())


def test_without_any_gradient_nothing_is_clipped() -> None:
    assert clip_gradients(nn.Linear(2, 2).parameters(), 1.0)[0] == []


def test_a_shortened_training_still_falls_to_its_end() -> None:
    rate = Rate(1000, 0.1)
    rate.shorten(400, 20)
    assert rate.rising == 40
    assert rate(39) == pytest.approx(1.0)
    assert rate(399) == pytest.approx(0.01, abs=1e-3)
    late = Rate(1000, 0.1)
    before = late(60)
    late.shorten(120, 60)
    assert late(60) == pytest.approx(before)
    assert late(119) == pytest.approx(0.01, abs=2e-3)
    again = Rate(1000, 0.1)
    again.load_state_dict(late.state_dict())
    assert [again(s) for s in (60, 90, 119)] == [late(s) for s in (60, 90, 119)]
