"""What a plan makes of an experiment."""

from __future__ import annotations

import pytest

from mmstudio.comparison.plan import (
    Plan,
    changes_between,
    fusion_for,
    make_plan,
    sensible_fusions,
)
from mmstudio.errors import UserError
from mmstudio.fusion import FUSIONS
from tests.small_project import small_experiment


def test_every_contestant_is_trained_with_every_seed() -> None:
    plan = make_plan(small_experiment({"training.seed": 5}), "trial", fusions=["concat", "gated"],
                     seeds=2)
    runs = plan.runs()
    assert [r.run for r in runs[:5]] == [
        "trial.concat.seed5", "trial.gated.seed5", "trial.only-image.seed5",
        "trial.only-words.seed5", "trial.only-sound.seed5"]
    assert [r.seed for r in runs] == [5] * 5 + [6] * 5
    gated, alone = plan.experiment_of(runs[6]), plan.experiment_of(runs[7])
    assert (gated.fusion.name, gated.training.seed) == ("gated", 6)
    assert list(gated.active_inputs) == ["image", "words", "sound"]
    assert list(alone.active_inputs) == ["image"]
    assert alone.fusion.name == "concat"
    assert alone.inputs["image"] == plan.experiment.inputs["image"]


def test_a_width_that_was_chosen_holds_for_all_that_have_one() -> None:
    experiment = small_experiment({"fusion.hidden": 48})
    assert fusion_for("gated", experiment).options["hidden"] == 48
    assert fusion_for("concat", experiment) == experiment.fusion
    wide = small_experiment({"fusion.hidden": 2000})
    for name in FUSIONS.names():
        from mmstudio.registry import options_of

        for key, value in fusion_for(name, wide).options.items():
            options_of(FUSIONS.get(name))[key].checked(value, key)  # raises where out of range


def test_a_plan_comes_back_from_its_file() -> None:
    plan = make_plan(small_experiment(), "trial", fusions=["sum"], target="size")
    assert Plan.from_dict("trial", plan.to_dict(), plan.experiment) == plan


def test_fusions_that_need_a_word_of_caution_are_left_out_unless_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gated = FUSIONS.get("gated")
    monkeypatch.setattr(gated, "caution", classmethod(lambda cls, inputs, options: "Costly."))
    assert "gated" not in sensible_fusions(small_experiment())
    assert "concat" in sensible_fusions(small_experiment())
    plan = make_plan(small_experiment(), "trial", fusions=["gated"])
    assert plan.contestants[0].name == "gated"


@pytest.mark.parametrize(("options", "changes", "message"), [
    ({"fusions": ["gatet"]}, {}, "'gatet' is not a known fusion"),
    ({"target": "shap"}, {}, "There is no target 'shap'"),
    ({"seeds": 0}, {}, "0 seeds are out of range"),
    ({"name": "a/b"}, {}, "'a/b' is not a name"),
    ({"fusions": ["sum"], "single": False}, {}, "at least two to compare"),
    ({}, {"inputs.words.use": False, "inputs.sound.use": False}, "nothing to fuse"),
])
def test_what_can_not_be_compared_is_refused(
    options: dict[str, object], changes: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        make_plan(small_experiment(changes), **({"name": "trial"} | options))  # type: ignore[arg-type]


def test_more_contestants_and_seeds_can_be_added() -> None:
    old = make_plan(small_experiment(), "trial", fusions=["gated"], seeds=2)
    more = make_plan(small_experiment(), "trial", fusions=["concat"], seeds=1)
    joined = old.joined(more)
    assert [c.name for c in joined.contestants] == ["gated", "concat", "image", "words", "sound"]
    assert joined.seeds == 2
    assert {r.run for r in old.runs()} < {r.run for r in joined.runs()}


def test_names_that_would_be_one_are_kept_apart() -> None:
    experiment = small_experiment()
    inputs = {"a b": experiment.inputs["image"], "a_b": experiment.inputs["words"]}
    import dataclasses

    plan = make_plan(dataclasses.replace(experiment, inputs=inputs), "trial", fusions=["sum"])
    names = [r.run for r in plan.runs()]
    assert len(set(names)) == len(names) == 9


def test_changes_are_named_and_device_and_fusion_are_none() -> None:
    before = small_experiment()
    assert changes_between(before, small_experiment({"training.device": "auto",
                                                     "fusion.name": "gated"})) == []
    assert changes_between(before, small_experiment({"training.epochs": 9})) == ["training.epochs"]
    assert changes_between(before, small_experiment({"inputs.words.use": False})) == [
        "inputs.words.use"]


def test_one_of_each_kind_is_compared_by_default() -> None:
    from mmstudio.comparison.plan import usual_fusions

    experiment = small_experiment().replaced("fusion.name", "sum")
    assert set(usual_fusions(experiment)) == {
        "concat", "gated", "low_rank", "bottleneck", "late", "sum"}
