"""Advice on whole projects: what it looks at, what it says, and that it never fails loudly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmstudio.advice import Advice, advise, sample
from mmstudio.advice.linear import Numbers
from mmstudio.data.prepare import Progress
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from tests.mixed_project import mixed_experiment, write_mixed_project
from tests.planted_project import write_planted_project
from tests.small_project import small_experiment, write_small_project


def advice_on(folder: Path, experiment: Experiment | None = None) -> Advice:
    experiment = experiment or Experiment.load(folder / "experiment.toml")
    *steps, last = advise(experiment, folder)
    assert all(isinstance(step, Progress) and step.done <= step.total for step in steps)
    assert isinstance(last, Advice)
    return last


def without_time(advice: Advice) -> dict[str, Any]:
    return {k: v for k, v in advice.to_json().items() if k != "seconds"}


def test_an_answer_in_the_combination_gets_products(tmp_path: Path) -> None:
    advice = advice_on(write_planted_project(tmp_path / "P", "xor"))
    assert (advice.fusion, advice.rule) == ("multiplicative", "joint")
    assert advice.reason.startswith("picture and words say in combination")
    assert advice.probe is not None and advice.probe.rows == 200  # without the test rows
    assert not advice.note and advice.seconds > 0


def test_an_input_that_is_noise_gets_gates(tmp_path: Path) -> None:
    advice = advice_on(write_planted_project(tmp_path / "P", "noise"))
    assert (advice.fusion, advice.rule) == ("gated", "noise")
    assert "words" in advice.reason


@pytest.mark.parametrize(("plan", "rule"), [("same", "redundant"), ("missing", "missing")])
def test_inputs_that_can_do_without_each_other_vote(
    tmp_path: Path, plan: Any, rule: str
) -> None:
    advice = advice_on(write_planted_project(tmp_path / "P", plan))
    assert (advice.fusion, advice.rule) == ("late", rule)
    assert advice.facts.present["picture"] == 1
    assert advice.facts.present["words"] == pytest.approx(1 if plan == "same" else 0.5)


def test_test_rows_are_never_looked_at(tmp_path: Path) -> None:
    one = advice_on(write_planted_project(tmp_path / "one", "xor"))
    other = advice_on(write_planted_project(tmp_path / "other", "xor", test_labels="yes"))
    assert without_time(one) == without_time(other)


def test_the_same_data_gives_the_same_advice(tmp_path: Path) -> None:
    folder = write_planted_project(tmp_path / "P", "same", rows=120)
    assert without_time(advice_on(folder)) == without_time(advice_on(folder))


def test_of_a_long_table_some_rows_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "WHOLE_ROWS", 100)
    monkeypatch.setattr(sample, "MOST_ROWS", 90)
    advice = advice_on(write_planted_project(tmp_path / "P", "same"))
    assert advice.probe is not None and advice.probe.rows == 90
    assert advice.facts.training_rows == 160  # counted in the whole table


def test_one_input_needs_no_look(tmp_path: Path) -> None:
    folder = write_planted_project(tmp_path / "P", "same", rows=12)
    experiment = Experiment.load(folder / "experiment.toml").replaced("inputs.words.use", False)
    advice = advice_on(folder, experiment)
    assert (advice.rule, advice.probe, advice.findings) == ("one_input", None, ())


def test_too_few_rows_give_advice_from_counts(tmp_path: Path) -> None:
    advice = advice_on(write_small_project(tmp_path / "Shapes"), small_experiment())
    assert advice.probe is None and "at least 60 labelled rows" in advice.note
    assert advice.rule == "few_rows" and advice.fusion == "sum"


def test_data_that_can_not_be_prepared_gives_advice_from_counts(tmp_path: Path) -> None:
    folder = write_planted_project(tmp_path / "P", "same", rows=72)
    for file in (folder / "pictures").iterdir():
        file.write_bytes(b"no picture")
    advice = advice_on(folder)
    assert advice.probe is None and "picture" in advice.note


def test_a_missing_table_is_told(tmp_path: Path) -> None:
    folder = write_planted_project(tmp_path / "P", "same", rows=12)
    (folder / "metadata.csv").unlink()
    with pytest.raises(UserError, match=r"metadata\.csv"):
        advice_on(folder)


@pytest.mark.parametrize("target", ["tags", "area"])
def test_label_sets_and_numbers_are_probed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    """Sounds, empty cells and unknown labels among them."""
    monkeypatch.setattr(sample, "LEAST_ROWS", 20)
    monkeypatch.setattr(sample, "LEAST_PER_CLASS", 5)
    experiment = mixed_experiment({
        f"targets.{t}.use": t == target for t in ("tags", "area", "shape", "size")}
        if target == "tags" else {
        "targets.area.use": True, "targets.tags.use": False, "targets.shape.use": False,
        "targets.size.use": False})
    advice = advice_on(write_mixed_project(tmp_path / "Mixed"), experiment)
    assert advice.probe is not None and not advice.note
    assert (advice.probe.target, advice.probe.kind) == (target, "numbers")
    assert advice.probe.chance == Numbers.chance
    assert advice.probe.alone["words"].value > 0.5
    assert set(advice.probe.alone) == {"image", "words", "sound"}


def test_rows_of_a_group_are_kept_together(tmp_path: Path) -> None:
    folder = write_planted_project(tmp_path / "P", "same", rows=120)
    table = folder / "metadata.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    grouped = [f"{lines[0]},who", *(f"{line},{i // 10}" for i, line in enumerate(lines[1:]))]
    table.write_text("\n".join(grouped) + "\n", encoding="utf-8")
    experiment = Experiment.load(folder / "experiment.toml").replaced("data.group", "who")
    *_, dataset = sample.decoded(experiment, folder, *sample.counted(experiment, folder)[1:])
    *_, drawn = sample.drawn(experiment, dataset)
    assert drawn.groups is not None and len(set(drawn.groups)) == 12
    for group in set(drawn.groups):
        assert len(set(drawn.question.folds[drawn.groups == group])) == 1


def test_it_can_be_stopped_between_any_two_steps(tmp_path: Path) -> None:
    folder = write_planted_project(tmp_path / "P", "same", rows=120)
    experiment = Experiment.load(folder / "experiment.toml")
    list(advise(experiment, folder))  # decoding has steps of its own
    steps = len(list(advise(experiment, folder)))
    assert steps > 10
    for most in (1, 4, steps - 2):
        work = advise(experiment, folder)
        for _ in range(most):
            assert isinstance(next(work), Progress)
        work.close()
