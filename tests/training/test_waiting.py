"""A step asks the device for nothing: counted on the CPU; on a GPU, where there is one, proven."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mmstudio.data.batches import Batch, make_batch
from mmstudio.data.prepare import Dataset, prepare
from mmstudio.training import optimise
from mmstudio.training.fetched import Fetched
from mmstudio.training.model import build_model, completed
from mmstudio.training.optimise import kept_inputs
from mmstudio.training.step import Run, make_run, take_step
from tests.small_project import small_experiment

CPU = torch.device("cpu")
ASK = {"aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::is_nonzero",
       "aten::equal", "aten::_unique2", "aten::unique_consecutive", "aten::unique_dim"}
BY_MASK = {"aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_",
           "aten::_unsafe_index", "aten::_unsafe_index_put"}


class Waits(TorchDispatchMode):
    """Counts the calls for which a GPU would have to end all its work."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = func._schema.name
        if name in ASK or (name in BY_MASK and any(
                i is not None and i.dtype in (torch.bool, torch.uint8) for i in args[1])):
            self.counts[name] += 1
        return func(*args, **(kwargs or {}))


def begun(project: Path, device: torch.device, changes: dict[str, Any]) -> tuple[Run, Dataset]:
    experiment = completed(small_experiment(changes))
    *_, dataset = prepare(experiment, project)
    assert isinstance(dataset, Dataset)
    torch.manual_seed(0)
    model = build_model(experiment, dataset.schema).to(device).train()
    return make_run(experiment, dataset, model, device, torch.float32, 4), dataset


def batches(run: Run, dataset: Dataset) -> list[tuple[Batch, torch.Tensor | None]]:
    """Some with rows that lack an input, and the inputs that are hidden."""
    rows, chance, found = dataset.rows("train"), torch.Generator().manual_seed(0), []
    for begin in (0, 16, 26):
        batch = make_batch(dataset, run.model.modalities, rows[begin : begin + 16])
        present = torch.stack([i.present for i in batch.inputs.values()], dim=1)
        found.append((batch, kept_inputs(present, [0.3] * present.shape[1], chance)))
    return found


def test_the_counter_counts() -> None:
    values = torch.arange(4.0)
    with Waits() as waits:
        float(values[0])
        values[values > 1]
        values[values > 1] = 0
        (values > 1).nonzero()
        bool((values > 1).any())
        values[torch.tensor([0, 2])]
    assert waits.counts == {"aten::_local_scalar_dense": 2, "aten::nonzero": 1,
                            "aten::index": 1, "aten::index_put_": 1}


@pytest.mark.parametrize("changes", [
    {}, {"training.input_loss": 0.0}, {"inputs.words.encoder.cell": "gru"},
    {"training.balancing": "uncertainty"}, {"inputs.image.use": False, "inputs.sound.use": False}])
def test_a_step_asks_the_device_for_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    monkeypatch.setattr(optimise, "_asking_is_free", lambda _: False)  # as on a GPU
    run, dataset = begun(project, CPU, changes)
    vary = torch.Generator().manual_seed(0)
    absent = False
    for batch, keep in batches(run, dataset):
        absent |= any(not i.present.all() for i in batch.inputs.values())
        with Waits() as waits:
            taken = take_step(run, batch, keep, vary)
            Fetched(taken.loss)
        assert not waits.counts
    assert absent or len(run.model.names) == 1  # a row without any input is not learnt


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
def test_a_step_on_a_gpu_waits_for_nothing(project: Path) -> None:
    device = torch.device("cuda", 0)
    run, dataset = begun(project, device, {})
    vary = torch.Generator(device).manual_seed(0)
    ready = [(batch.ready_for(device), keep) for batch, keep in batches(run, dataset)]
    losses = [Fetched(take_step(run, *ready[0], vary).loss)]  # kernels are set up
    torch.cuda.set_sync_debug_mode("error")
    try:
        losses += [Fetched(take_step(run, batch, keep, vary).loss) for batch, keep in ready[1:]]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(torch.isfinite(torch.tensor(float(loss))) for loss in losses)


def test_a_fetched_number_is_that_of_its_moment() -> None:
    value = torch.tensor(1.5)
    assert float(Fetched(value)) == 1.5


def test_parts_know_their_rows(project: Path) -> None:
    run, dataset = begun(project, CPU, {})
    batch = make_batch(dataset, run.model.modalities, dataset.rows("train")[:16])
    for piece in (batch, batch.part(slice(3, 11)), batch.to(CPU), batch.ready_for(CPU)):
        for item in piece.inputs.values():
            assert item.there is not None
            assert item.there.tolist() == item.present.nonzero().flatten().tolist()


