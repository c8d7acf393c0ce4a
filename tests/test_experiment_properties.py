"""Whatever an experiment says, its file says it too."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from mmstudio.experiment import (
    Component,
    DataSettings,
    Experiment,
    InputSettings,
    SplitShares,
    TargetSettings,
    TrainingSettings,
)
from mmstudio.experiment_settings import training_options
from mmstudio.modalities import MODALITIES
from mmstudio.registry import Option, options_of
from mmstudio.tasks.kinds import known_tasks
from tests.properties import steady

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1,
               max_size=12)
NAME = TEXT.filter(lambda name: name.strip() == name and name != "loss")
VALUE = st.one_of(st.booleans(), st.integers(-99, 99), TEXT,
                  st.floats(-1e6, 1e6, allow_nan=False))


def value_of(option: Option) -> st.SearchStrategy:
    if option.kind == "choice":
        return st.sampled_from(option.choices)
    if option.kind == "bool":
        return st.booleans()
    if option.kind == "text":
        return TEXT
    if option.kind == "int":
        return st.integers(int(option.minimum), int(option.maximum))
    return st.floats(option.minimum, option.maximum)


@st.composite
def components(draw) -> Component:
    options = draw(st.dictionaries(st.from_regex("[a-z]{3,8}", fullmatch=True).filter(
        lambda key: key != "name"), VALUE, max_size=2))
    return Component(draw(st.from_regex("[a-z]{1,8}", fullmatch=True)), options)


@st.composite
def inputs(draw) -> InputSettings:
    modality = draw(st.sampled_from(MODALITIES.names()))
    cls = MODALITIES.get(modality)
    options = {name: draw(value_of(option)) for name, option in options_of(cls).items()}
    several = tuple(draw(st.lists(TEXT, min_size=1, max_size=3, unique=True))) \
        if cls.several_columns else ()
    return InputSettings(
        "" if several else draw(TEXT), modality, draw(components()), use=draw(st.booleans()),
        options=options, modality_dropout=draw(st.none() | st.floats(0, 0.9)),
        augment=draw(st.none() | st.booleans()), columns=several,
        folder=None if several else draw(st.none() | TEXT))


@st.composite
def targets(draw) -> TargetSettings:
    return TargetSettings(
        draw(st.sampled_from(sorted(known_tasks()))), draw(TEXT),
        weight=draw(st.floats(0.01, 100)), merge=draw(st.dictionaries(TEXT, TEXT, max_size=2)))


@st.composite
def experiments(draw) -> Experiment:
    split = draw(st.one_of(TEXT, st.builds(
        SplitShares, st.just(0.7), st.just(0.2), st.just(0.1), group=st.none() | TEXT,
        stratify=st.none() | TEXT)))
    group = draw(st.none() | TEXT) if isinstance(split, str) else None
    names = draw(st.lists(NAME, min_size=2, max_size=4, unique=True))
    ins = {name: draw(inputs()) for name in names[1:]}
    first = names[1]
    ins[first] = dataclasses.replace(ins[first], use=True)
    training = {name: draw(value_of(option)) for name, option in training_options().items()
                if name not in ("device", "alignment_epochs")}
    return Experiment(
        DataSettings(draw(TEXT), split, group=group), ins, {names[0]: draw(targets())},
        fusion=draw(components()), training=TrainingSettings(**training))


@steady
@given(experiments())
def test_an_experiment_comes_back_from_its_file(experiment) -> None:
    assert Experiment.parse(experiment.to_toml()) == experiment
    assert Experiment.parse(experiment.to_toml(full=False)) == experiment
