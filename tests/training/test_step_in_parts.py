"""Gradient accumulation: a step in parts is the step of the whole batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mmstudio.data.batches import Batch, make_batch
from mmstudio.data.prepare import Dataset, prepare
from mmstudio.training import epoch
from mmstudio.training.events import EpochDone, RunFinished, StepDone, Warned
from mmstudio.training.model import build_model, completed
from mmstudio.training.step import Run, gradients_of, make_run, take_step
from tests.frozen_words import FrozenWords, use_frozen_words
from tests.small_project import small_experiment, train_small

CPU = torch.device("cpu")
PLAIN = {
    # no batch norm and no dropout: two inputs of the frozen kind
    "inputs.words.encoder": {"name": "frozen_words"}, "inputs.image.use": False,
    "inputs.sound.use": False, "fusion": {"name": "sum", "dropout": 0.0},
    "training.batch_size": 30, "training.input_loss": 0.0,
}


def loaded(project: Path, changes: dict[str, Any]) -> tuple[Run, Dataset, Any]:
    experiment = completed(small_experiment(PLAIN | changes).replaced(
        ("inputs", "again"), {"column": "file_name", "modality": "text",
                              "encoder": {"name": "frozen_words", "width": 8}}))
    dataset = next(d for d in prepare(experiment, project) if isinstance(d, Dataset))
    torch.manual_seed(3)
    model = build_model(experiment, dataset.schema)
    return make_run(experiment, dataset, model, CPU, torch.float32, 4), dataset, experiment


def first_batch(run: Run, dataset: Dataset) -> tuple[Batch, torch.Tensor]:
    rows = dataset.rows("train")[:30]
    batch = make_batch(dataset, run.model.modalities, rows)
    assert not batch.known["size"].all() and not batch.inputs["again"].present.all()
    keep = torch.rand(len(rows), 2, generator=torch.Generator().manual_seed(1)) > 0.3
    return batch, keep


def tell_in_part(run: Run) -> None:
    """Where own losses reach the encoders, they do so by a share."""
    if run.watch is not None:
        run.watch.told.fill_(0.08)


def parts_of(count: int, most: int) -> list[slice]:
    return [slice(i, min(i + most, count)) for i in range(0, count, most)]


def gradients(run: Run) -> dict[str, torch.Tensor]:
    found = {n: p.grad.clone() for n, p in run.model.named_parameters() if p.grad is not None}
    if run.watch is not None:
        found |= {f"own {n}": p.grad.clone() for n, p in run.watch.heads.named_parameters()
                  if p.grad is not None}
    return found


@pytest.mark.parametrize("most", [16, 7, 1])
@pytest.mark.parametrize("changes", [
    {}, {"training.balancing": "uncertainty"}, {"training.input_loss": 0.5},
    {"training.input_loss": 0.5, "training.gradient_modulation": "ogm"},
    {"training.gradient_modulation": "ogm"},
])
def test_gradients_of_the_parts_add_up_to_those_of_the_batch(
    project: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], most: int
) -> None:
    use_frozen_words(monkeypatch)
    run, dataset, _ = loaded(project, changes)
    batch, keep = first_batch(run, dataset)
    tell_in_part(run)
    whole = gradients_of(run, batch, keep, None, [slice(0, len(batch))])
    expected = gradients(run)
    factors = None if run.watch is None or run.watch.modulation is None else (
        run.watch.modulation._factors)
    tell_in_part(run)
    found = gradients_of(run, batch, keep, None, parts_of(len(batch), most))
    assert expected and gradients(run).keys() == expected.keys()
    for name, gradient in gradients(run).items():
        if name.startswith("own ") and "training.input_loss" not in changes:
            continue  # heads that only watch learn on the way
        assert torch.allclose(gradient, expected[name], atol=1e-6), name
    assert found.loss.item() == pytest.approx(whole.loss.item(), abs=1e-6)
    for name in whole.outputs:
        assert torch.allclose(found.outputs[name], whole.outputs[name], atol=1e-6)
    if factors is not None and run.watch is not None and "training.input_loss" in changes:
        again = run.watch.modulation._factors  # type: ignore[union-attr]
        assert again is not None and torch.allclose(factors, again, atol=1e-6)


def test_the_inputs_own_figures_are_those_of_the_whole_step(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_frozen_words(monkeypatch)
    told, heard = [], []
    for most in (30, 7, 1):
        run, dataset, _ = loaded(project, {"training.input_loss": 0.5})
        batch, keep = first_batch(run, dataset)
        run.parts.rows = most
        take_step(run, batch, keep)
        assert run.watch is not None
        told.append(run.watch.figures())
        heard.append(run.watch.told)
    assert heard[0].abs().max() > 0 and torch.allclose(heard[0], heard[1], atol=1e-6)
    assert torch.allclose(heard[0], heard[2], atol=1e-6)
    for name, figures in told[0].items():
        assert told[1][name] == pytest.approx(figures, abs=1e-5)


def test_where_memory_runs_out_the_run_goes_on_as_with_the_whole_batch(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = use_frozen_words(monkeypatch)
    monkeypatch.setattr(words, "key", None)  # encoded anew in every step
    hidden: list[np.ndarray] = []
    plain = epoch.kept_inputs

    def kept(*args: Any) -> Any:
        keep = plain(*args)
        hidden.append(keep.numpy())
        return keep

    monkeypatch.setattr(epoch, "kept_inputs", kept)
    changes = PLAIN | {"training.epochs": 2, "inputs.sound.use": True,
                       "inputs.sound.encoder": {"name": "crnn", "width": 16, "mel_bands": 16}}
    whole = train_small(project, changes, run="whole")
    before = [h.copy() for h in hidden]
    hidden.clear()
    monkeypatch.setattr(FrozenWords, "most_rows", 5)
    halved = train_small(project, changes, run="halved")
    warned = [e for e in halved if isinstance(e, Warned)]
    # training: 30 rows to 15, to 8, to 4; validation: 9 rows to 5
    assert ["training step" in w.message for w in warned] == [True, True, True, False]
    assert "parts of 4" in warned[2].message and "validation" in warned[3].message
    assert "batch_size" in warned[0].hint
    steps = [[e.step for e in events if isinstance(e, StepDone)] for events in (whole, halved)]
    assert steps[0] == steps[1]
    assert all(np.array_equal(a, b) for a, b in zip(before, hidden, strict=True))
    assert [e.epoch for e in halved if isinstance(e, EpochDone)] == [1, 2]
    assert isinstance(halved[-1], RunFinished)


def test_a_step_in_parts_is_the_step_of_the_whole_run(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over several epochs, with nothing that looks at a batch as a whole."""
    words = use_frozen_words(monkeypatch)
    monkeypatch.setattr(words, "key", None)
    changes = PLAIN | {"training.epochs": 3}
    whole = train_small(project, changes, run="whole")
    monkeypatch.setattr(FrozenWords, "most_rows", 8)
    halved = train_small(project, changes, run="halved")
    losses = [[e.loss for e in events if isinstance(e, StepDone)] for events in (whole, halved)]
    # Adam makes much of the last digits of gradients that are nearly nothing
    assert losses[1] == pytest.approx(losses[0], abs=2e-3)
