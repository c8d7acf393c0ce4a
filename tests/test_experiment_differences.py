"""In which settings experiments differ."""

from __future__ import annotations

from mmstudio.experiment_differences import Difference, differing_settings
from tests.small_project import small_experiment


def test_equal_experiments_differ_in_nothing() -> None:
    assert differing_settings([]) == []
    assert differing_settings([small_experiment()]) == []
    assert differing_settings([small_experiment()] * 3) == []


def test_each_setting_that_differs_is_told_with_all_values() -> None:
    first = small_experiment()
    second = small_experiment({"training.epochs": 9, "inputs.image.encoder.width": 32})
    third = small_experiment({"training.epochs": 9, "training.seed": 5})
    assert differing_settings([first, second, third]) == [
        Difference("inputs.image.encoder.width", (16, 32, 16)),
        Difference("training.epochs", (3, 9, 9)),
        Difference("training.seed", (0, 0, 5)),
    ]


def test_a_default_that_is_written_out_is_no_difference() -> None:
    assert differing_settings([small_experiment(), small_experiment(
        {"training.weight_decay": 0.02})]) == []


def test_an_input_that_one_lacks_is_one_difference() -> None:
    whole, part = small_experiment(), small_experiment({"inputs.sound.use": False})
    assert differing_settings([whole, part]) == [Difference("inputs.sound", (True, None))]


def test_another_fusion_shows_its_name_and_the_options_that_one_of_them_has() -> None:
    found = {d.key: d.values for d in differing_settings(
        [small_experiment(), small_experiment({"fusion": {"name": "sum"}})])}
    assert found == {"fusion.name": ("concat", "sum"), "fusion.hidden": (32, None)}


def test_other_data_and_another_way_to_split() -> None:
    other = small_experiment({"data.table": "other.csv", "data.split": {"train": 0.9,
                              "validation": 0.05, "test": 0.05}})
    found = {d.key: d.values for d in differing_settings([small_experiment(), other])}
    assert found["data.table"] == ("metadata.csv", "other.csv")
    assert found["data.split"] == ("split", None)
    assert found["data.split.train"] == (None, 0.9)
