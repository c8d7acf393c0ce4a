"""The mean of the weights over the epochs, by hand and in a training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from mmstudio.training.averaging import WeightAverage
from tests.small_project import train_small


class Fixed(nn.Module):
    """A weight, a count, and a weight that is fixed."""

    fixed = frozenset({"published"})

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))
        self.published = nn.Parameter(torch.ones(2), requires_grad=False)
        self.register_buffer("count", torch.tensor(0))


def followed(share: float, values: list[float]) -> tuple[Fixed, WeightAverage]:
    """A model whose weight had these values at the ends of its epochs."""
    model = Fixed()
    average = WeightAverage(model, share)
    for number, value in enumerate(values, 1):
        with torch.no_grad():
            model.weight.fill_(value)
            model.count.fill_(number)  # type: ignore[union-attr, operator]
        average.update()
    return model, average


@pytest.mark.parametrize(("share", "wanted"), [
    (0.5, 2.0),  # 1, 2 and 3 evenly
    (0.2, ((1 / 16 * 1 + 15 / 16 * 2) * 16 + 65 * 3) / 81),  # 1 - (2/3)^4 = 65/81 of the third
    (0.0, 3.0),
])
def test_the_mean_by_hand(share: float, wanted: float) -> None:
    model, average = followed(share, [1.0, 2.0, 3.0])
    with average.in_place():
        assert model.weight.tolist() == pytest.approx([wanted] * 2)
        assert model.count.item() == 3  # type: ignore[operator]
    assert model.weight.tolist() == [3.0, 3.0]


def test_the_own_weights_come_back_after_an_error() -> None:
    model, average = followed(0.5, [1.0, 3.0])
    with pytest.raises(RuntimeError), average.in_place():
        assert model.weight.tolist() == [2.0, 2.0]
        raise RuntimeError
    assert model.weight.tolist() == [3.0, 3.0]


def test_what_is_fixed_is_not_followed_and_the_state_goes_on() -> None:
    model, average = followed(0.2, [1.0, 2.0])
    assert set(average.state_dict()["mean"]) == {"weight", "count"}
    again = WeightAverage(model, 0.2)
    again.load_state_dict(average.state_dict())
    with torch.no_grad():
        model.weight.fill_(3.0)
    again.update()
    whole = followed(0.2, [1.0, 2.0, 3.0])[1]
    assert torch.equal(again.state_dict()["mean"]["weight"], whole.state_dict()["mean"]["weight"])


def test_a_resume_without_averaging_takes_the_weights_as_they_are(project: Path) -> None:
    train_small(project, {"training.epochs": 2})
    train_small(project, {"training.epochs": 3, "training.averaging": 0.0}, resume=True)
    run = project / "runs" / "first"
    own = torch.load(run / "state.pt", weights_only=True)["model"]
    for name, value in load_file(run / "last.safetensors").items():
        assert torch.equal(own[name], value), name


def test_epochs_of_the_alignment_alone_are_not_in_the_mean(project: Path) -> None:
    train_small(project, {"training.epochs": 3, "training.alignment": 1.0,
                          "training.alignment_epochs": 2})
    run = project / "runs" / "first"
    state = torch.load(run / "state.pt", weights_only=True)
    assert state["average"]["epochs"] == 1
    for name, value in load_file(run / "last.safetensors").items():
        assert torch.equal(state["model"][name], value), name


def test_a_run_from_before_there_was_a_mean_goes_on(project: Path) -> None:
    train_small(project, {"training.epochs": 1})
    path = project / "runs" / "first" / "state.pt"
    state = torch.load(path, weights_only=True)
    del state["average"], state["watch"]["told"], state["watch"]["last_rate"]
    best = state["counts"].pop("best")
    state["counts"] |= {"best_score": (best["figure"], -best["loss"]), "best_epoch": 1}
    torch.save(state, path)
    assert train_small(project, {"training.epochs": 2}, resume=True)[-1].epochs == 2


def test_a_run_saves_the_mean_and_trains_as_without(project: Path) -> None:
    weights, state = {}, {}
    for share in (0.0, 0.3):
        train_small(project, {"training.averaging": share, "training.epochs": 3}, run=f"a{share}")
        run = project / "runs" / f"a{share}"
        weights[share] = load_file(run / "last.safetensors")
        state[share] = torch.load(run / "state.pt", weights_only=True)
    for name, value in weights[0.0].items():
        assert torch.equal(state[0.0]["model"][name], value)
        assert torch.equal(state[0.3]["model"][name], value)  # the steps are the same
    assert any(not torch.equal(weights[0.0][n], weights[0.3][n]) for n in weights[0.0])
