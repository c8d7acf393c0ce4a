"""What one of several processes does with its rows, held against the whole batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mmstudio.data.batches import InputBatch, make_batch
from mmstudio.data.prepare import Dataset, prepare
from mmstudio.data.schema import modality_of
from mmstudio.encoders.dropout import Dropout
from mmstudio.training.distributed.layers import RowDropout, WholeDraws
from mmstudio.training.distributed.own_rows import OwnRows, Place, _without_last, own_rows
from mmstudio.training.model import completed
from tests.small_project import small_experiment


@pytest.fixture
def dataset(project: Path) -> Dataset:
    return next(d for d in prepare(completed(small_experiment()), project)
                if isinstance(d, Dataset))


def shares(count: int, size: int) -> list[slice]:
    return [slice(count * r // size, count * (r + 1) // size) for r in range(size)]


def parts(dataset: Dataset, rows: np.ndarray, size: int) -> list[OwnRows]:
    modalities = {n: modality_of(i) for n, i in small_experiment().active_inputs.items()}
    return [own_rows(share, dataset, modalities, rows) for share in shares(len(rows), size)]


def test_the_parts_are_the_whole_batch(dataset: Dataset) -> None:
    rows = dataset.rows("train")[:14]
    modalities = {n: modality_of(i) for n, i in small_experiment().active_inputs.items()}
    whole, found = make_batch(dataset, modalities, rows), parts(dataset, rows, 3)
    assert [(p.place.before, p.place.own, len(p)) for p in found] == [
        (0, 4, 14), (4, 5, 14), (9, 5, 14)]
    for name, item in whole.inputs.items():
        own = [p.batch.inputs[name] for p in found]
        assert torch.equal(torch.cat([i.values for i in own]), item.values)
        assert torch.equal(torch.cat([i.present for i in own]), item.present)
        if item.mask is not None:
            assert torch.equal(torch.cat([i.mask for i in own if i.mask is not None]), item.mask)
    for i, item in enumerate(whole.inputs.values()):
        assert torch.equal(found[1].present[:, i], item.present)
        assert [p.places[i].count for p in found] == [int(item.present.sum())] * 3
        assert sum(p.places[i].own for p in found) == int(item.present.sum())
    for name, known in whole.known.items():
        assert torch.equal(torch.cat([p.batch.known[name] for p in found]), known)
        assert torch.equal(found[2].known[name], known)


def test_content_of_others_stands_in_where_a_process_has_none(dataset: Dataset) -> None:
    rows = np.array([6, 7])  # the first has no picture
    without, having = parts(dataset, rows, 2)
    item = without.batch.inputs["image"]
    assert not item.present.any() and item.there is not None and item.there.tolist() == [0]
    assert torch.equal(item.values[0], having.batch.inputs["image"].values[0])
    assert without.places[0] == Place(0, 0, 1)


@pytest.mark.parametrize("mark", ["encoded", "fronted"])
def test_what_its_values_are_is_not_forgotten(mark: str) -> None:
    item = InputBatch(torch.zeros(3, 2, 4), torch.ones(3, 2, dtype=torch.bool),
                      torch.ones(3, dtype=torch.bool), **{mark: True})  # type: ignore[arg-type]
    own = _without_last(item, 2, True)
    assert (own.encoded, own.fronted) == (item.encoded, item.fronted) and len(own.values) == 2


def test_a_process_without_a_row_counts_nowhere(dataset: Dataset) -> None:
    rows = dataset.rows("train")[:2]
    none = parts(dataset, rows, 3)[0]
    assert none.place == Place(0, 0, 2) and len(none.batch) == 1
    assert not any(known.any() for known in none.batch.known.values())
    assert not any(i.present.any() for i in none.batch.inputs.values())


@pytest.mark.parametrize("kind", [nn.Dropout, Dropout])
@pytest.mark.parametrize("times", [1, 3])
def test_dropout_is_that_of_the_whole_batch(kind: type[nn.Dropout], times: int) -> None:
    layer, values = kind(0.4), torch.randn(7 * times, 5)
    torch.manual_seed(3)
    whole = layer(values)
    after = torch.rand(1)
    found = []
    for share in shares(7, 3):
        place = Place(share.start, share.stop - share.start, 7)
        torch.manual_seed(3)
        found.append(RowDropout(layer, lambda place=place: place)(  # type: ignore[misc]
            values[times * share.start : times * share.stop]))
        assert torch.equal(torch.rand(1), after)
    assert torch.equal(torch.cat(found), whole) and (whole == 0).any()


def test_what_is_drawn_per_row_is_that_of_the_whole_batch() -> None:
    def drawn(rows: int) -> list[torch.Tensor]:
        chance = torch.Generator().manual_seed(1)
        return [torch.rand(rows, 3, generator=chance), torch.randn(rows, 2, generator=chance),
                torch.randint(0, 9, (rows,), generator=chance), torch.rand(11, generator=chance)]

    whole, found = drawn(7), []
    for share in shares(7, 3):
        with WholeDraws(Place(share.start, share.stop - share.start, 7)):
            found.append(drawn(share.stop - share.start))
    for i in range(3):
        assert torch.equal(torch.cat([f[i] for f in found]), whole[i])
    assert all(torch.equal(f[3], whole[3]) for f in found)
