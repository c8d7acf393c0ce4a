"""What steps leave behind for the figures is fetched from the device now and then."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mmstudio.training import gathered
from mmstudio.training.gathered import Gathered
from tests.small_project import train_small, write_small_project


def test_rows_come_back_in_order_and_few_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathered, "MOST_BYTES", 100)
    kept, rows = Gathered(), torch.arange(60.0).reshape(20, 3)
    for start in range(0, 20, 4):
        kept.add(rows[start : start + 4])
        assert kept.waiting_bytes <= 100
    np.testing.assert_array_equal(kept.all(), rows.numpy())


def test_training_holds_no_logits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    widths: set[tuple[int, ...]] = set()
    add = Gathered.add

    def watched(self: Gathered, values: torch.Tensor) -> None:
        widths.add(tuple(values.shape[1:]))
        add(self, values)

    monkeypatch.setattr(Gathered, "add", watched)
    train_small(write_small_project(tmp_path / "p"), {"training.epochs": 1})
    assert widths == {(2,)}  # three shapes and two sizes: an answer and a loss
