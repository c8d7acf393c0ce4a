"""What a project takes over of a run that it goes on from."""

from __future__ import annotations

from mmstudio.experiment import Component
from mmstudio.training.start_settings import continued, with_found
from tests.small_project import small_experiment


def test_the_model_is_the_runs_and_all_else_stays_the_projects() -> None:
    run = small_experiment({"inputs.image.encoder.width": 64, "fusion": {"name": "sum"},
                            "inputs.sound.use": False, "training.epochs": 9})
    project = small_experiment({"data.table": "new.csv", "training.learning_rate": 0.5,
                                "inputs.image.augment": False, "inputs.image.column": "photo"})
    found = continued(project, run, "runs/first")
    assert found.inputs["image"].encoder == run.inputs["image"].encoder
    assert found.inputs["image"].column == "photo"
    assert found.inputs["image"].augment is False
    assert list(found.active_inputs) == ["image", "words"]
    assert found.fusion == Component("sum")
    assert found.data.table == "new.csv" and found.targets == project.targets
    assert found.training.start_from == "runs/first"
    assert (found.training.epochs, found.training.learning_rate) == (3, 0.5)


def test_an_input_of_another_modality_stays_as_it_is() -> None:
    run = small_experiment({"inputs.words.modality": "image"})
    project = small_experiment()
    assert continued(project, run, "runs/a").inputs["words"] == project.inputs["words"]


def test_what_a_search_has_found_leaves_labels_data_and_inputs_alone() -> None:
    found = small_experiment({
        "inputs.image.encoder.width": 64, "fusion": {"name": "sum"}, "training.epochs": 9,
        "training.device": "cpu", "inputs.sound.use": False})
    project = small_experiment({
        "data.table": "new.csv", "targets.shape.merge": {"dot": "bar"},
        "training.device": "cuda", "training.start_from": "runs/a"})
    now = with_found(project, found)
    assert now.inputs["image"].encoder == found.inputs["image"].encoder
    assert now.fusion == Component("sum") and now.training.epochs == 9
    assert (now.training.device, now.training.start_from) == ("cuda", "runs/a")
    assert now.data == project.data and now.targets == project.targets
    assert list(now.active_inputs) == list(project.active_inputs)
