"""What is drawn at random for one purpose tells nothing of what is drawn for another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from mmstudio.training import epoch
from mmstudio.training.epoch import streams
from mmstudio.training.modulation import Modulation
from tests.small_project import train_small


def test_an_epochs_streams_differ_and_come_again() -> None:
    found = [number for seed in range(20) for e in range(20) for number in streams(seed, e)]
    assert len({number % 2**32 for number in found}) == len(found) == 1200  # all that a CPU takes
    assert streams(3, 4) == streams(3, 4)
    draws = torch.stack([torch.rand(4000, generator=torch.Generator().manual_seed(s))
                         for s in streams(0, 0)])
    assert (torch.corrcoef(draws) - torch.eye(3)).abs().max() < 0.06  # 4 deviations of chance


def test_dropout_augmentation_and_modulation_draw_from_streams_of_their_own(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[tuple[str, int]] = []
    hide, step, begin = epoch.kept_inputs, epoch.take_step, Modulation.begin_epoch

    def hidden(present: torch.Tensor, chance: Any, generator: torch.Generator) -> Any:
        seeds.append(("dropout", generator.initial_seed()))
        return hide(present, chance, generator)

    def taken(run: Any, batch: Any, keep: Any, vary: torch.Generator) -> Any:
        seeds.append(("augmentation", vary.initial_seed()))
        return step(run, batch, keep, vary)

    def begun(self: Modulation, seed: int, *rest: Any) -> None:
        if seed:  # before the first epoch it is made ready with none
            seeds.append(("modulation", seed))
        begin(self, seed, *rest)

    monkeypatch.setattr(epoch, "kept_inputs", hidden)
    monkeypatch.setattr(epoch, "take_step", taken)
    monkeypatch.setattr(Modulation, "begin_epoch", begun)
    train_small(project, {"training.epochs": 2, "training.augment": True,
                          "training.gradient_modulation": "ogm-ge"})
    of = {what: {seed for name, seed in seeds if name == what} for what, _ in seeds}
    assert {what: len(numbers) for what, numbers in of.items()} == {
        "dropout": 2, "augmentation": 2, "modulation": 2}
    assert len(set.union(*of.values())) == 6
