"""Rows to tensors, and the thread that makes them ahead."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from mmstudio.data.batches import make_batch, prefetched, row_batches
from mmstudio.data.prepare import Dataset, prepare
from mmstudio.data.schema import modality_of
from tests.small_project import read_rows, small_experiment, write_small_project


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    *_, last = prepare(small_experiment(), write_small_project(tmp_path / "p"))
    assert isinstance(last, Dataset)
    return last


def test_a_batch_holds_what_the_table_says(dataset: Dataset) -> None:
    experiment = small_experiment()
    modalities = {n: modality_of(i) for n, i in experiment.active_inputs.items()}
    rows = np.array([6, 10, 12, 0, 8])
    batch = make_batch(dataset, modalities, rows)
    table = [read_rows(dataset.table.folder)[r] for r in rows]
    for name, settings in experiment.inputs.items():
        item = batch.inputs[name]
        assert item.present.tolist() == [t[settings.column] != "" for t in table]
        assert len(item.values) == 5
        if item.mask is not None:
            assert item.mask.shape == item.values.shape
            assert torch.equal(item.mask.any(dim=1), item.present)
        assert (item.values[~item.present] == 0).all()
    assert batch.inputs["image"].values.shape == (5, 1, 16, 16)
    assert batch.inputs["sound"].values.shape == (5, 2400)
    for target in ("shape", "size"):
        classes = dataset.schema.targets[target]["classes"]
        assert batch.known[target].tolist() == [t[target] != "" for t in table]
        assert [classes[i] for i, t in zip(batch.targets[target], table, strict=True)
                if t[target]] == [t[target] for t in table if t[target]]
        assert (batch.targets[target] >= 0).all()
    same = batch.to(torch.device("cpu"))
    assert torch.equal(same.inputs["sound"].values, batch.inputs["sound"].values)


@pytest.mark.parametrize(("rows", "size", "sizes"), [
    (10, 4, [4, 4, 2]), (9, 4, [4, 5]), (8, 4, [4, 4]), (3, 4, [3]), (1, 4, [1]), (5, 4, [5]),
])
def test_no_batch_is_left_with_one_row(rows: int, size: int, sizes: list[int]) -> None:
    batches = row_batches(np.arange(rows), size)
    assert [len(b) for b in batches] == sizes
    assert np.concatenate(batches).tolist() == list(range(rows))


def test_shuffling_keeps_every_row_and_follows_its_generator() -> None:
    def shuffled(seed: int) -> list[int]:
        return np.concatenate(
            row_batches(np.arange(50), 8, np.random.default_rng(seed))).tolist()

    assert sorted(shuffled(0)) == list(range(50))
    assert shuffled(0) == shuffled(0) != shuffled(1)


def test_prefetching_changes_nothing_and_ends_its_thread() -> None:
    before = threading.active_count()
    assert list(prefetched(iter(range(20)))) == list(range(20))
    assert list(prefetched(iter([None, False, 0]))) == [None, False, 0]
    assert list(prefetched(iter([]))) == []
    assert threading.active_count() == before


def test_closing_ends_the_thread_though_more_would_come() -> None:
    before = threading.active_count()

    def endless() -> Iterator[int]:
        while True:
            yield 1

    items = prefetched(endless())
    assert [next(items), next(items)] == [1, 1]
    items.close()
    assert threading.active_count() == before


def test_never_started_means_no_thread() -> None:
    before = threading.active_count()
    prefetched(iter(range(3))).close()
    assert threading.active_count() == before


def test_errors_pass_through_after_the_items_before_them() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise KeyError("made in the thread")

    items = prefetched(failing())
    assert next(items) == 1
    with pytest.raises(KeyError, match="made in the thread"):
        next(items)


def test_it_runs_no_further_ahead_than_told() -> None:
    made: list[int] = []

    def counting() -> Iterator[int]:
        for i in range(100):
            made.append(i)
            yield i

    items = prefetched(counting(), ahead=2)
    next(items)
    items.close()
    assert len(made) <= 5
