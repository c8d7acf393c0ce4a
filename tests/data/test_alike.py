"""Batches of like length: as fair as those that are drawn freely."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmstudio.data.alike import lengths_of, training_batches
from mmstudio.data.batches import row_batches
from mmstudio.data.prepare import Dataset, prepare
from tests.small_project import small_experiment, write_small_project

ROWS, SIZE = 1501, 32
LENGTHS = np.random.default_rng(5).lognormal(0, 0.7, 2 * ROWS)
PLACES = np.arange(2 * ROWS)[::2]  # some of a table's rows


def drawn(seed: int, lengths: np.ndarray | None = LENGTHS) -> list[np.ndarray]:
    return training_batches(PLACES, SIZE, np.random.default_rng(seed), lengths)


def padded(batches: list[np.ndarray]) -> float:
    return sum(len(b) * LENGTHS[b].max() for b in batches) / LENGTHS[PLACES].sum()


def test_without_lengths_batches_are_those_of_before() -> None:
    free = row_batches(PLACES, SIZE, np.random.default_rng(3))
    for one, other in zip(drawn(3, None), free, strict=True):
        assert np.array_equal(one, other)


def test_each_row_comes_once_an_epoch() -> None:
    for seed in range(3):
        batches = drawn(seed)
        assert np.array_equal(np.sort(np.concatenate(batches)), PLACES)
        assert len(batches) == len(row_batches(PLACES, SIZE))
        assert sorted({len(b) for b in batches}) == sorted(
            {len(b) for b in row_batches(PLACES, SIZE)})


@pytest.mark.parametrize("rows", [1, 2, 32, 33, 65, 256, 257])
def test_no_batch_is_left_with_one_row(rows: int) -> None:
    batches = training_batches(np.arange(rows), SIZE, np.random.default_rng(0), LENGTHS)
    assert min(len(b) for b in batches) > 1 or rows == 1
    assert sum(len(b) for b in batches) == rows


def test_padding_is_bounded() -> None:
    assert padded(drawn(0)) < 1.7
    assert padded(row_batches(PLACES, SIZE, np.random.default_rng(0))) > 2.5


def test_short_rows_come_no_earlier_than_long_ones() -> None:
    """The mean place of the shortest, and of the longest, quarter: the middle, but for chance."""
    places: dict[str, list[float]] = {"short": [], "long": []}
    low, high = np.quantile(LENGTHS[PLACES], [0.25, 0.75])
    for seed in range(60):
        batches = drawn(seed)
        for at, batch in enumerate(batches):
            lengths = LENGTHS[batch]
            places["short"] += [at / (len(batches) - 1)] * int((lengths <= low).sum())
            places["long"] += [at / (len(batches) - 1)] * int((lengths >= high).sum())
    for found in places.values():
        # of some 700 batches of their kind in all: a standard error of about 0.01
        assert np.mean(found) == pytest.approx(0.5, abs=0.05)


def test_batches_vary_from_epoch_to_epoch() -> None:
    """A row meets most others of its length over the epochs, and not the same ones."""
    row = PLACES[0]
    met: list[set[int]] = []
    for seed in range(20):
        (own,) = (b for b in drawn(seed) if row in b)
        met.append(set(own.tolist()) - {row})
    assert len(set.union(*met)) > 200
    assert not set.intersection(*met)
    assert [b.tolist() for b in drawn(1)] == [b.tolist() for b in drawn(1)]


def test_few_rows_vary_too() -> None:
    """All in one window: without blur, the same rows would meet in every epoch."""
    rows = np.arange(4 * SIZE)
    met = []
    for seed in range(10):
        batches = training_batches(rows, SIZE, np.random.default_rng(seed), LENGTHS)
        (own,) = (b for b in batches if 0 in b)
        met.append(frozenset(own.tolist()))
    assert len(set(met)) == 10


def dataset_of(folder: Path, changes: dict[str, Any] | None = None) -> Dataset:
    *_, last = prepare(small_experiment(changes), folder)
    assert isinstance(last, Dataset)
    return last


def test_only_long_content_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = dataset_of(write_small_project(tmp_path / "p"))
    assert lengths_of(dataset) is None
    monkeypatch.setattr("mmstudio.data.alike.LONG_SOUND_S", 0.1)
    lengths = lengths_of(dataset)
    assert lengths is not None
    there = np.diff(dataset.decoded["sound"].starts) > 0
    assert lengths[there] == pytest.approx(3.0)  # sounds of 0.3 s
    assert not lengths[~there].any()
    monkeypatch.setattr("mmstudio.data.alike.LONG_TEXT_TOKENS", 1)
    more = lengths_of(dataset)
    assert more is not None
    assert more - lengths == pytest.approx(np.diff(dataset.decoded["words"].starts))
