"""What a search may vary, and what becomes of an experiment with a trial's values."""

from __future__ import annotations

import json

import pytest

from mmstudio.errors import UserError
from mmstudio.experiment import Component
from mmstudio.search.space import Dimension, applied, chosen, space_of, values_of
from mmstudio.training.choose import without_auto
from tests.small_project import small_experiment


def test_ranges_come_from_the_registries() -> None:
    space = {d.key: d for d in space_of(without_auto(small_experiment()))}
    assert {"concat", "gated", "late"} <= set(space["fusion"].choices)
    assert {"cnn", "descriptors"} <= set(space["inputs.image.encoder"].choices)
    rate = space["training.learning_rate"]
    assert rate.log and rate.low == pytest.approx(rate.high / 25)
    assert space["width"].whole and (space["width"].low, space["width"].high) == (
        16, 512)  # down to what the experiment has
    assert space["training.gradient_modulation"].choices == ("off", "ogm", "ogm-ge")
    assert not {"training.seed", "training.device", "training.tensorboard"} & set(space)


def test_one_input_has_no_fusion_to_vary() -> None:
    experiment = small_experiment({"inputs.sound.use": False, "inputs.words.use": False})
    space = {d.key for d in space_of(without_auto(experiment))}
    assert "fusion" not in space and "training.input_loss" not in space


def test_what_varies_can_be_added_to_and_taken_from() -> None:
    space = space_of(without_auto(small_experiment()))
    usual = {d.key for d in chosen(space)}
    more = {d.key for d in chosen(space, ["training.weight_decay"], ["fusion"])}
    assert more == usual - {"fusion"} | {"training.weight_decay"}
    assert {d.key for d in chosen(space, ["all"])} == {d.key for d in space}
    with pytest.raises(UserError, match="fusoin") as raised:
        chosen(space, ["fusoin"])
    assert "fusion" in raised.value.hint
    with pytest.raises(UserError, match="Nothing is left"):
        chosen(space, fix=[d.key for d in space])


def test_values_are_set_and_found_again() -> None:
    start = without_auto(small_experiment({"inputs.image.encoder": {"name": "cnn", "width": 16}}))
    space = space_of(start)
    values = {"fusion": "gated", "inputs.image.encoder": "descriptors", "width": 64,
              "dropout": 0.25, "training.learning_rate": 0.005}
    found = applied(start, values)
    assert found.fusion.name == "gated"
    assert found.inputs["image"].encoder == Component("descriptors", {"width": 64, "dropout": 0.25})
    assert found.inputs["words"].encoder.options["width"] == 64
    assert values_of(found, space) | values == values_of(found, space)
    # an encoder that stays keeps what was set for it
    assert applied(start, {"inputs.image.encoder": "cnn"}) == start


def test_what_the_experiment_has_is_always_in_the_space() -> None:
    start = without_auto(small_experiment({"training.input_loss": 8.0}))
    space = {d.key: d for d in space_of(start)}
    assert space["training.input_loss"].high == 8.0
    assert values_of(start, tuple(space.values()))["training.input_loss"] == 8.0


def test_values_outside_take_the_nearest_place() -> None:
    start = without_auto(small_experiment())
    space = space_of(start)
    far = start.replaced("training.learning_rate", 1.0)
    rate = next(d for d in space if d.key == "training.learning_rate")
    assert values_of(far, space)["training.learning_rate"] == rate.high


def test_a_dimension_is_kept_whole() -> None:
    for dimension in space_of(without_auto(small_experiment())):
        plain = json.loads(json.dumps(dimension.to_dict()))
        assert Dimension.of(plain) == dimension
    with pytest.raises(ValueError):
        Dimension.of({**plain, "low": "much"})
