"""How convolutions lie in memory: the answers stay, the run says which way, and a resume has it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from mmstudio.data.batches import make_batch
from mmstudio.data.prepare import Dataset, prepare
from mmstudio.experiment import Experiment
from mmstudio.training import measured, pace, trial
from mmstudio.training.events import Started, Tuned
from mmstudio.training.measured import apply_layout, format_on_resume
from mmstudio.training.memory_layout import convolves
from mmstudio.training.model import build_model, completed
from mmstudio.training.pace_cache import cached_pace, store_pace
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.step import gradients_of, make_run
from tests.small_project import small_experiment, train_small

CPU = torch.device("cpu")
PICTURES = {"inputs.words.use": False, "inputs.sound.use": False, "training.epochs": 60,
            "training.patience": 1000, "training.precision": "float32"}  # 180 steps


def until_epoch(events: Any, last: int) -> list[Any]:
    """The events of a run that is killed behind an epoch."""
    seen = []
    for event in events:
        seen.append(event)
        if type(event).__name__ == "CheckpointSaved" and event.epoch == last:
            break
    events.close()
    return seen


def started(project: Path, run: str, changes: dict[str, Any], last: int, **more: Any) -> list[Any]:
    from tests.small_project import start_small

    return until_epoch(start_small(project, PICTURES | changes, run=run, **more), last)


def noted(outputs: list[torch.Tensor], layer: Any, inputs: Any, output: torch.Tensor) -> None:
    outputs.append(output)


def contiguous_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the time of steps for this to be so."""
    monkeypatch.setattr(trial.Trial, "times", lambda self: {
        s: 1.0 if s.layout == "contiguous" else 2.0 for s in self._seconds})


def test_gradients_are_the_same_in_either_layout(project: Path) -> None:
    experiment = completed(small_experiment({"training.augment": False}))
    dataset = next(d for d in prepare(experiment, project) if isinstance(d, Dataset))
    rows = dataset.rows("train")[:12]
    found = []
    for layout in ("channels_last", "contiguous"):
        torch.manual_seed(0)
        model = build_model(experiment, dataset.schema)
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        run = make_run(experiment, dataset, model, CPU, torch.float32, 10)
        assert convolves(model)
        seen: list[torch.Tensor] = []
        for layer in model.modules():
            if isinstance(layer, torch.nn.Conv2d):
                layer.register_forward_hook(partial(noted, seen))
        for _ in range(2):
            torch.manual_seed(1)
            batch = make_batch(dataset, model.modalities, rows)
            gradients_of(run, batch, None, None, [slice(0, len(batch))])
            run.optimiser.step()
            apply_layout(run, layout)  # what the optimiser keeps moves too
        found.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
        usual = layout == "channels_last"
        assert seen and all(out.is_contiguous() != usual for out in seen[len(seen) // 2 :])
        for state in run.optimiser.state.values():
            if state["exp_avg"].dim() == 4 and state["exp_avg"].shape[1] > 1:
                wide = state["exp_avg"].shape[2:].numel() > 1
                assert not wide or state["exp_avg"].is_contiguous() != usual
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_the_layout_is_measured_told_written_kept_and_repeated(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contiguous_is_faster(monkeypatch)
    seen = started(project, "a", {}, 14)
    (tuned,) = [e for e in seen if isinstance(e, Tuned)]
    assert tuned.layout == "contiguous"
    assert set(tuned.step_s) == {"1 thread, float32", "1 thread, float32, contiguous"}
    run = RunFolder(project / "runs/a")
    assert run.experiment().training.memory_layout == "contiguous"
    assert run.history().tuned == tuned
    for name, last, more in (("a", 15, {"resume": True}), ("b", 1, {})):
        again = started(project, name, {}, last, **more)
        assert not [e for e in again if isinstance(e, Tuned)]
        assert RunFolder(project / f"runs/{name}").experiment().training.memory_layout == (
            "contiguous")


def test_a_run_that_goes_on_in_the_other_layout_equals_one_never_stopped(project: Path) -> None:
    laid = {"training.memory_layout": "contiguous", "training.threads": 1, "training.epochs": 4}
    train_small(project, PICTURES | laid, run="whole")
    started(project, "parts", laid, 2)
    train_small(project, PICTURES | laid | {"training.memory_layout": "auto"}, run="parts",
                resume=True)
    for name in ("best.safetensors", "last.safetensors"):
        whole, parts = (project / "runs" / r / name for r in ("whole", "parts"))
        assert whole.read_bytes() == parts.read_bytes()


@pytest.mark.parametrize("changes", [
    {"training.epochs": 2}, {"training.threads": 1},
    {"inputs.words.use": True, "inputs.image.use": False}])
def test_where_it_is_not_worth_it_the_layout_is_the_usual_one(
    project: Path, changes: dict[str, Any]
) -> None:
    seen = started(project, "a", changes, 1)
    assert [e for e in seen if isinstance(e, Started)]
    experiment = RunFolder(project / "runs/a").experiment()
    assert experiment.training.memory_layout == "channels_last"


def test_a_pace_that_was_kept_before_there_were_layouts_has_it_measured(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[str] = []
    known = measured.cached_pace
    monkeypatch.setattr(measured, "cached_pace", lambda key: keys.append(key) or known(key))
    started(project, "a", {"training.precision": "auto"}, 1)
    store_pace(keys[0], Tuned(1, "float32", {"1 thread, float32": 0.01}))
    contiguous_is_faster(monkeypatch)
    monkeypatch.setattr(pace, "LAYOUT_S", 0.01)
    seen = started(project, "b", {"training.precision": "auto"}, 14)
    (tuned,) = [e for e in seen if isinstance(e, Tuned)]
    assert (tuned.precision, tuned.layout) == ("float32", "contiguous")
    assert cached_pace(keys[0]) == tuned


def test_a_run_from_before_there_were_layouts_goes_on_as_it_was() -> None:
    base = Experiment.parse("""
        [data]
        table = "a.csv"
        [inputs.text]
        column = "text"
        modality = "text"
        [targets.label]
        task = "classification"
    """)
    before = base.replaced("training.precision", "float32")
    assert format_on_resume(base, before, CPU).training.memory_layout == "channels_last"
    assert format_on_resume(base, base, CPU).training.memory_layout == "auto"
    laid = before.replaced("training.memory_layout", "contiguous")
    assert format_on_resume(base, laid, CPU).training.memory_layout == "contiguous"
    assert format_on_resume(laid, before, CPU).training.memory_layout == "contiguous"
