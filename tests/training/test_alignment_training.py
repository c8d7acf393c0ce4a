"""Training with alignment: beside the tasks, alone at first, alone throughout."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from mmstudio.errors import UserError
from mmstudio.inference.evaluate import Evaluation, evaluate
from mmstudio.training.events import EpochDone, InputsScored, RunFinished, Started, StepDone, Warned
from mmstudio.training.run_folder import RunFolder
from tests.small_project import read_rows, small_experiment, train_small, write_table

ON = {"training.alignment": 1.0, "training.augment": False}
NAMES = ["image", "words", "sound"]


def of(events: list[Any], kind: type) -> list[Any]:
    return [e for e in events if isinstance(e, kind)]


def weights(project: Path, run: str, which: str = "last") -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(project / "runs" / run / f"{which}.safetensors")


def test_epochs_tell_the_alignments_loss_and_recall(project: Path) -> None:
    events = train_small(project, {**ON, "training.epochs": 12})
    epochs = of(events, EpochDone)
    told = [e.alignment for e in epochs]
    assert told[-1]["train"]["loss"] < told[0]["train"]["loss"]
    assert {(r["from"], r["to"]) for r in told[0]["retrieval"]} == {
        (a, b) for a in NAMES for b in NAMES if a != b}
    assert all(0 <= r["recall@1"] <= r["recall@5"] <= r["recall@10"] <= 1
               for t in told for r in t["retrieval"])
    assert 0.01 <= told[-1]["temperature"] < 0.2
    # the tasks are learnt beside it, and what is told of their loss is as ever
    assert epochs[-1].validation["shape"]["accuracy"] > 0.8
    one = epochs[-1].validation
    assert one["loss"] == pytest.approx(one["shape"]["loss"] + 0.5 * one["size"]["loss"])
    history = RunFolder(project / "runs" / "first").history()
    assert history.alignment_loss["train"] == pytest.approx([t["train"]["loss"] for t in told])
    assert len(history.recall["image", "words"]["recall@10"]) == len(epochs)


def test_what_belongs_together_is_found_above_chance(project: Path) -> None:
    train_small(project, {**ON, "training.epochs": 20, "training.patience": 100})
    found = evaluated(project / "runs" / "first", "train")
    assert len(found.retrieval) == 6
    # the shape and the size are all that the inputs share, so a sixth of the rows is as near
    assert all(r.recall[5] > 1.8 * r.chance[5] for r in found.retrieval)
    data = found.to_json()
    assert data["retrieval"][0]["from"] == "image" and data["retrieval"][0]["to"] == "words"
    assert {"rows", "recall@1", "recall@5", "recall@10", "chance@10"} <= set(data["retrieval"][0])


def test_evaluation_of_the_validation_is_the_epochs(project: Path) -> None:
    events = train_small(project, ON)
    best = of(events, RunFinished)[0].best_epoch
    told = of(events, EpochDone)[best - 1].alignment["retrieval"]
    again = [r.to_json() for r in evaluated(project / "runs" / "first", "validation").retrieval]
    assert again == told


def test_alone_at_first_then_beside_the_tasks(project: Path) -> None:
    events = train_small(project, {**ON, "training.alignment_epochs": 2, "training.epochs": 4})
    epochs, finished = of(events, EpochDone), of(events, RunFinished)[0]
    for epoch in epochs[:2]:
        assert epoch.inputs == {}
        assert epoch.train["loss"] == pytest.approx(epoch.alignment["train"]["loss"], rel=1e-5)
        assert epoch.validation["loss"] == epoch.alignment["validation"]["loss"]
    assert all(epoch.inputs for epoch in epochs[2:])
    assert epochs[2].validation["loss"] != epochs[2].alignment["validation"]["loss"]
    assert finished.best_epoch > 2  # before that, no answer was learnt
    assert of(events, InputsScored) and not of(events, Warned)


def test_patience_begins_when_the_heads_do(project: Path) -> None:
    """A recall that no longer rises must not end a training before anything is answered."""
    events = train_small(project, {**ON, "training.alignment_epochs": 6, "training.epochs": 9,
                                   "training.patience": 1, "training.learning_rate": 1e-6})
    epochs, finished = of(events, EpochDone), of(events, RunFinished)[0]
    assert len(epochs) > 6 and finished.best_epoch > 6
    assert epochs[-1].inputs


def test_without_labels_in_the_validation_the_latest_epoch_is_kept(project: Path) -> None:
    rows = [row | ({"shape": "", "size": ""} if row["split"] == "validation" else {})
            for row in read_rows(project)]
    write_table(project / "metadata.csv", rows)
    events = train_small(project, {**ON, "training.alignment_epochs": 1, "training.epochs": 4,
                                   "training.patience": 1})
    assert of(events, RunFinished)[0].best_epoch == 4
    assert "No validation row has a label" in of(events, Warned)[0].message


def test_alone_leaves_fusion_and_heads_as_they_were(project: Path) -> None:
    events = train_small(project, {**ON, "training.alignment_epochs": 9})
    train_small(project, {**ON, "training.alignment_epochs": 9, "training.epochs": 1,
                          "training.learning_rate": 1e-6}, run="still")
    moved, still = weights(project, "first"), weights(project, "still")
    for name in moved:
        if name.startswith(("fusion", "heads", "absent")):
            assert torch.equal(moved[name], still[name]), name
    for part in ("encoders.0.", "encoders.1.", "encoders.2.", "alignment."):
        assert any(not torch.allclose(moved[n], still[n], atol=1e-4)
                   for n in moved if n.startswith(part))
    epochs = of(events, EpochDone)
    means = [sum(r[f"recall@{k}"] for r in e.alignment["retrieval"] for k in (1, 5, 10))
             for e in epochs]
    best = of(events, RunFinished)[0].best_epoch
    assert means[best - 1] == max(means)
    assert "answers mean nothing" in of(events, Warned)[0].message
    assert not of(events, InputsScored)


def test_a_stopped_run_goes_on_as_if_it_never_stopped(project: Path) -> None:
    changes = {**ON, "training.alignment_epochs": 1, "training.epochs": 3}
    train_small(project, changes, run="whole")
    count = 0

    def stop() -> bool:
        nonlocal count
        count += 1
        return count > 10

    train_small(project, changes, run="halves", should_stop=stop)
    assert RunFolder(project / "runs" / "halves").history().finished.reason == "stopped"
    train_small(project, changes, run="halves", resume=True)
    whole, halves = weights(project, "whole"), weights(project, "halves")
    assert all(torch.equal(whole[n], halves[n]) for n in whole)
    with pytest.raises(UserError, match=r"training\.alignment"):
        train_small(project, changes | {"training.alignment": 0.0}, run="halves", resume=True)
    train_small(project, changes | {"training.alignment": 0.5, "training.epochs": 4},
                run="halves", resume=True)


def test_the_rest_of_the_model_begins_the_same(project: Path) -> None:
    tiny = {"training.epochs": 1, "training.learning_rate": 1e-6, "training.warm_up": 0.9}
    train_small(project, tiny, run="off")
    train_small(project, {**tiny, "training.alignment": 1.0}, run="on")
    off, on = weights(project, "off"), weights(project, "on")
    assert set(on) - set(off) == {
        "alignment.log_scale", *(f"alignment.projections.{i}.weight" for i in range(3))}
    # batch statistics aside, which the step moves
    learnt = [n for n in off if "running" not in n and "num_batches" not in n]
    assert all(torch.allclose(off[n], on[n], atol=1e-4) for n in learnt)


def test_rows_without_a_label_are_aligned_and_not_counted(project: Path) -> None:
    rows = read_rows(project)
    bare = [r | {"shape": "", "size": ""} if i % 2 else r for i, r in enumerate(rows)]
    write_table(project / "metadata.csv", bare)
    labelled = sum(bool(r["shape"] or r["size"]) for r in bare if r["split"] == "test")
    learnt = sum(bool(r["shape"] or r["size"]) for r in bare if r["split"] == "train")
    off = of(train_small(project, {"training.epochs": 1}, run="off"), Started)[0]
    on = of(train_small(project, {**ON, "training.epochs": 1}, run="on"), Started)[0]
    assert (off.samples["train"], on.samples["train"]) == (learnt, 42)
    found = evaluated(project / "runs" / "on", "test")
    assert found.samples == labelled
    both = [r for r in bare if r["split"] == "test" and r["file_name"] and r["audio"]]
    assert next(r.rows for r in found.retrieval
                if (r.source, r.target) == ("image", "sound")) == len(both)


def test_one_input_or_no_weight_is_told(project: Path) -> None:
    alone = {"inputs.words.use": False, "inputs.sound.use": False, "training.epochs": 1}
    events = train_small(project, {**ON, **alone}, run="one")
    assert "needs two inputs" in of(events, Warned)[0].message
    assert evaluated(project / "runs" / "one", "test").retrieval == []
    assert "retrieval" not in evaluated(project / "runs" / "one", "test").to_json()
    events = train_small(project, {"training.alignment_epochs": 2, "training.epochs": 1}, run="no")
    assert "alignment is off" in of(events, Warned)[0].message


def test_steps_in_parts_learn_too(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mmstudio.training import step

    before = step.gradients_of

    def narrow(run: Any, batch: Any, keep: Any, vary: Any, parts: list[slice]) -> Any:
        if len(parts) == 1:
            raise RuntimeError("out of memory")
        return before(run, batch, keep, vary, parts)

    monkeypatch.setattr(step, "gradients_of", narrow)
    events = train_small(project, ON)
    assert all(math.isfinite(e.loss) for e in of(events, StepDone))
    told = [e.alignment["train"]["loss"] for e in of(events, EpochDone)]
    assert told[-1] < told[0]


def evaluated(run: Path, split: str) -> Evaluation:
    *_, last = evaluate(run, split)
    assert isinstance(last, Evaluation)
    return last


def test_the_options_are_checked() -> None:
    for key, value in (("training.alignment", -1.0), ("training.alignment_epochs", -1)):
        with pytest.raises(UserError, match=key):
            small_experiment({key: value})
