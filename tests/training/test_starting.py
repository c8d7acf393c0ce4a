"""A new run that starts from an earlier one's weights."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch

from mmstudio.errors import UserError
from mmstudio.inference.evaluate import Evaluation, evaluate
from mmstudio.training.checkpoint import load_tensors
from mmstudio.training.choose import with_encoders_of
from mmstudio.training.events import EpochDone, Started, WeightsTaken
from mmstudio.training.model import completed
from mmstudio.training.ready import Ready, make_ready
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.scored import validated
from mmstudio.training.starting import Origin
from tests.small_project import read_rows, small_experiment, train_small, write_table

START = {"training.start_from": "runs/first"}


def made_ready(project: Path, changes: dict[str, Any]) -> Ready:
    """A new training before its first step."""
    steps = make_ready(completed(small_experiment(changes)), RunFolder(project / "runs" / "new"),
                       project, torch.device("cpu"), False, lambda: False)
    try:
        while True:
            next(steps)
    except StopIteration as end:
        assert isinstance(end.value, Ready)
        return end.value


def figures(ready: Ready) -> dict[str, Any]:
    """Of the model as it is, on the validation rows."""
    rows = ready.rows["validation"]
    labels = {n: labels.of(rows) for n, labels in ready.dataset.labels.items()}
    ready.run.model.eval()
    return validated(ready.run, ready.dataset, rows, labels, 16)[0]


@pytest.fixture
def trained(project: Path) -> Path:
    """The small project with a run."""
    train_small(project, {"training.epochs": 2}, run="first")
    return project


def test_with_the_same_classes_it_begins_with_the_old_models_figures(trained: Path) -> None:
    old = RunFolder(trained / "runs" / "first").history().at_best()
    ready = made_ready(trained, START | {"training.seed": 7})
    assert ready.taken is not None
    assert ready.taken.taken == ready.taken.total > 10_000
    assert ready.taken.fresh == []
    found = figures(ready)
    for task in ("shape", "size"):
        assert found[task] == pytest.approx(old[task], rel=1e-4)
    anew = figures(made_ready(trained, {"training.seed": 7}))
    assert anew["loss"] > 1.2 * found["loss"]


def test_the_weights_are_told_of_before_the_first_step(trained: Path) -> None:
    events = train_small(trained, START | {"training.epochs": 1}, run="second")
    kinds = [type(event) for event in events]
    assert kinds.index(Started) < kinds.index(WeightsTaken) < kinds.index(EpochDone)
    second = RunFolder(trained / "runs" / "second")
    told = second.history().weights_taken
    assert told is not None and told.run == "runs/first"
    assert second.experiment().training.start_from == "runs/first"
    # the run that it came from may go: the new one goes on by itself
    (trained / "runs" / "first").rename(trained / "first")
    events = train_small(trained, START | {"training.epochs": 2}, run="second", resume=True)
    assert not any(isinstance(event, WeightsTaken) for event in events)


def test_a_new_class_keeps_the_old_rows(trained: Path) -> None:
    rows = read_rows(trained)
    for i, row in enumerate(rows):
        if row["shape"] == "bar" and i % 2:
            row["shape"] = "beam"  # before "cross" and "dot": the numbers of these change
    write_table(trained / "metadata.csv", rows)
    old = load_tensors(trained / "runs" / "first" / "best.safetensors")
    ready = made_ready(trained, START)
    assert ready.dataset.schema.targets["shape"]["classes"] == ["bar", "beam", "cross", "dot"]
    new = ready.run.model.state_dict()
    for name in ("heads.0.linear.weight", "heads.0.linear.bias"):
        assert torch.equal(new[name][[0, 2, 3]], old[name])
        assert not any(torch.equal(new[name][1], row) for row in old[name])
    assert torch.equal(new["heads.1.linear.weight"], old["heads.1.linear.weight"])
    assert ready.taken is not None and ready.taken.fresh == ["head shape"]
    assert ready.taken.total - ready.taken.taken == old["heads.0.linear.weight"].shape[1] + 1


def test_as_many_other_classes_take_the_rows_of_their_own_names(trained: Path) -> None:
    rows = read_rows(trained)
    for row in rows:
        row["shape"] = {"bar": "zebra"}.get(row["shape"], row["shape"])
    write_table(trained / "metadata.csv", rows)
    old = load_tensors(trained / "runs" / "first" / "best.safetensors")["heads.0.linear.weight"]
    new = made_ready(trained, START).run.model.state_dict()["heads.0.linear.weight"]
    assert torch.equal(new[:2], old[1:])  # cross and dot
    assert not torch.equal(new[2], old[0])


def test_words_keep_their_numbers_on_other_texts(trained: Path) -> None:
    rows = read_rows(trained)
    for row in rows:
        row["text"] = f"quite {row['text']} indeed" if row["text"] else ""
    write_table(trained / "metadata.csv", rows)
    ready = made_ready(trained, START)
    assert ready.dataset.schema.inputs == RunFolder(
        trained / "runs" / "first").schema().inputs


def test_another_fusion_takes_the_encoders_alone(trained: Path) -> None:
    old = load_tensors(trained / "runs" / "first" / "best.safetensors")
    ready = made_ready(trained, START | {"fusion": {"name": "sum"}})
    new = ready.run.model.state_dict()
    encoders = [name for name in new if name.startswith(("encoders.", "absent."))]
    assert encoders and all(torch.equal(new[name], old[name]) for name in encoders)
    assert ready.taken is not None
    assert ready.taken.fresh == ["fusion", "head shape", "head size"]


def test_an_input_that_the_run_does_not_have_begins_anew(project: Path) -> None:
    train_small(project, {"training.epochs": 1, "inputs.image.use": False}, run="first")
    old = load_tensors(project / "runs" / "first" / "best.safetensors")
    ready = made_ready(project, START)
    new = ready.run.model.state_dict()
    assert torch.equal(new["absent.1"], old["absent.0"])
    assert torch.equal(new["absent.2"], old["absent.1"])
    assert ready.taken is not None
    assert ready.taken.fresh == ["encoder image", "fusion", "head shape", "head size"]


def test_rows_that_the_run_learnt_from_are_told_where_they_are_tested_on(trained: Path) -> None:
    rows = read_rows(trained)
    moved = [row for row in rows if row["split"] == "train"][:3]
    for row in moved:
        row["split"] = "test"
    write_table(trained / "metadata.csv", rows)
    train_small(trained, START | {"training.epochs": 1}, run="second")
    found = next(e for e in evaluate(trained / "runs" / "second") if isinstance(e, Evaluation))
    assert found.trained_on == 3
    assert any("were trained on by the run that this one started from" in t for t in found.changed)
    # its own rows have not changed since: it goes on
    train_small(trained, START | {"training.epochs": 2}, run="second", resume=True)
    found = next(e for e in evaluate(trained / "runs" / "second") if isinstance(e, Evaluation))
    assert found.trained_on == 3


def test_an_encoder_left_open_is_not_taken_from_an_input_of_another_kind(trained: Path) -> None:
    experiment = small_experiment({
        "inputs.words.encoder": {"name": "auto"}, "inputs.sound.encoder": {"name": "auto"},
        "inputs.sound.modality": "text"} | START)
    origin = Origin.of(experiment, trained)
    assert origin is not None
    inputs = with_encoders_of(origin.experiment, experiment).inputs
    assert inputs["words"].encoder.name == "rnn" and inputs["sound"].encoder.name == "auto"


def test_a_run_that_is_not_there_or_fits_in_nothing_is_refused(trained: Path) -> None:
    with pytest.raises(UserError, match=r"training.start_from = 'runs/none'.* not a run folder"):
        made_ready(trained, {"training.start_from": "runs/none"})
    train_small(trained, run="empty", should_stop=lambda: True)
    with pytest.raises(UserError, match="holds no model"):
        made_ready(trained, {"training.start_from": "runs/empty"})
    with pytest.raises(UserError, match="none of its weights fits"):
        made_ready(trained, START | {
            "inputs.words.use": False, "inputs.sound.use": False,
            "inputs.image.encoder": {"name": "descriptors"}, "fusion": {"name": "sum"}})


def test_a_number_keeps_the_scale_that_its_head_has_learnt(project: Path) -> None:
    rows = read_rows(project)
    for i, row in enumerate(rows):
        row["area"] = str(10 + i % 7)
    write_table(project / "metadata.csv", rows)
    target = {"targets.area": {"task": "regression"}}
    with (project / "metadata.csv").open() as file:
        assert "area" in csv.DictReader(file).fieldnames  # type: ignore[operator]
    train_small(project, target | {"training.epochs": 1}, run="first")
    before = RunFolder(project / "runs" / "first").schema().targets["area"]
    for row in rows:
        row["area"] = str(100 + float(row["area"]))
    write_table(project / "metadata.csv", rows)
    ready = made_ready(project, target | START)
    assert ready.dataset.schema.targets["area"] == before
