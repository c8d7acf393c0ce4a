"""A run that answers with a combination: what it writes, what it answers, what misleads it not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mmstudio.data.prepare import Dataset, prepared
from mmstudio.errors import UserError
from mmstudio.inference.evaluate import Evaluation, evaluate
from mmstudio.inference.predictor import Predictor
from mmstudio.training.events import Combined, RunEvent, RunFinished
from mmstudio.training.loop import train
from mmstudio.training.run_folder import RunFolder
from tests.small_project import read_rows, small_experiment, write_small_project, write_table

pytestmark = pytest.mark.usefixtures("one_thread")


def trained(
    project: Path, changes: dict[str, Any] | None = None, name: str = "a"
) -> list[RunEvent]:
    experiment = small_experiment({"training.combine": True, "training.precision": "float32",
                                   **(changes or {})})
    return list(train(experiment, project / "runs" / name, folder=project))


def evaluated(run: Path, split: str = "test", **more: Any) -> Evaluation:
    found = list(evaluate(run, split, **more))[-1]
    assert isinstance(found, Evaluation)
    return found


def combined(events: list[RunEvent]) -> list[Combined]:
    return [e for e in events if isinstance(e, Combined)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("combined")
    write_small_project(folder)
    trained(folder)
    return folder


def test_quick_models_answer_before_the_first_step(project: Path) -> None:
    events = list(RunFolder(project / "runs" / "a").events())
    first, last = (e for e in events if isinstance(e, Combined))
    assert not first.trained and last.trained
    assert events.index(first) == 1
    assert {s["kind"] for s in first.shares["shape"]} == {"machine"}
    for told in (*first.shares.values(), *last.shares.values()):
        assert sum(s["share"] for s in told) == pytest.approx(1)
    assert isinstance(events[-1], RunFinished)


def test_the_validation_figures_are_those_of_models_without_these_rows(project: Path) -> None:
    run = project / "runs" / "a"
    told = [e for e in RunFolder(run).events() if isinstance(e, Combined)][-1]
    again = evaluated(run, "validation").tasks
    assert again["shape"]["accuracy"] == pytest.approx(told.validation["shape"]["accuracy"])
    assert again["size"]["loss"] == pytest.approx(told.validation["size"]["loss"], abs=1e-4)


def test_what_the_inputs_are_worth_is_told_of_validation_rows_that_no_answer_has_learnt(
    project: Path,
) -> None:
    run = project / "runs" / "a"
    told = RunFolder(run).history().inputs_scored
    assert told is not None and told.split == "validation"
    again = evaluated(run, "validation", inputs=True)
    assert again.inputs is not None
    by_inputs = {tuple(s["inputs"]): s["tasks"]["shape"]["loss"] for s in again.inputs.subsets}
    for subset in told.subsets:
        assert subset["tasks"]["shape"]["loss"] == pytest.approx(
            by_inputs[tuple(subset["inputs"])], abs=1e-4)
    assert again.tasks["shape"]["loss"] == pytest.approx(
        told.subsets[0]["tasks"]["shape"]["loss"], abs=1e-4)


def test_one_sample_is_answered_as_a_table_is(project: Path) -> None:
    predictor = Predictor(project / "runs" / "a", "cpu")
    rows = [r for r in read_rows(project) if r["split"] == "test" and r["file_name"]]
    sample = {"image": project / rows[0]["file_name"], "words": rows[0]["text"]}
    whole = predictor.predict(sample)
    again = predictor.predict(sample, use={"image", "words"})
    assert whole.tasks["shape"].scores == pytest.approx(again.tasks["shape"].scores)
    assert sum(whole.tasks["shape"].scores.values()) == pytest.approx(1)


def test_nothing_is_answered_with_the_shares_of_the_training_rows(project: Path) -> None:
    predictor = Predictor(project / "runs" / "a", "cpu")
    counts = predictor.schema.targets["shape"]["counts"]
    classes = predictor.schema.targets["shape"]["classes"]
    scores = predictor.predict({}).tasks["shape"].scores
    known = np.array(counts) / sum(counts)
    assert [scores[c] for c in classes] == pytest.approx(known.tolist(), abs=0.05)


def test_contributions_add_up(project: Path) -> None:
    predictor = Predictor(project / "runs" / "a", "cpu")
    row = next(r for r in read_rows(project) if r["file_name"] and r["audio"] and r["text"])
    found = predictor.predict({"image": project / row["file_name"], "words": row["text"],
                               "sound": project / row["audio"]}).contributions["shape"]
    assert found.nothing + sum(found.inputs.values()) == pytest.approx(found.everything, abs=1e-4)


def test_switched_off_a_run_is_the_fusion(project: Path) -> None:
    events = trained(project, {"training.combine": False}, "off")
    assert not combined(events)
    assert not RunFolder(project / "runs" / "off").answers.exists()
    assert Predictor(project / "runs" / "off", "cpu").model.combination is None


def test_a_misleading_input_is_not_listened_to(tmp_path: Path) -> None:
    write_small_project(tmp_path)
    rows = read_rows(tmp_path)
    chance = np.random.default_rng(0)
    for row in rows:
        row["text"] = " ".join(f"w{n}" for n in chance.integers(0, 10**6, 3))
        row["audio"] = ""
    write_table(tmp_path / "metadata.csv", rows)
    told = combined(trained(tmp_path, {"inputs.sound.use": False}))[-1].shares["shape"]
    assert sum(s["share"] for s in told if s["inputs"] == ["words"]) < 0.1
    scores = evaluated(tmp_path / "runs" / "a", inputs=True).inputs
    assert scores is not None
    figures = {tuple(s["inputs"]): s["tasks"]["shape"]["accuracy"] for s in scores.subsets}
    assert figures["image", "words"] >= figures["image",] - 1.5 / 9  # by one row of nine at most


def test_a_resumed_run_is_that_of_one_go(project: Path) -> None:
    trained(project, {"training.epochs": 2}, "whole")
    stopped = iter(train(small_experiment({
        "training.combine": True, "training.precision": "float32", "training.epochs": 2}),
        project / "runs" / "parts", folder=project, should_stop=_after_an_epoch()))
    list(stopped)
    again = small_experiment({
        "training.combine": True, "training.precision": "float32", "training.epochs": 2})
    list(train(again, project / "runs" / "parts", folder=project, resume=True))
    one, other = (Predictor(project / "runs" / n, "cpu") for n in ("whole", "parts"))
    assert one.model.combination is not None and other.model.combination is not None
    states = [p.model.combination.state_dict() for p in (one, other)]
    for name, tensor in states[0].items():
        torch.testing.assert_close(tensor, states[1][name], rtol=1e-4, atol=1e-5)


def _after_an_epoch() -> Any:
    steps = iter(range(10**6))
    return lambda: next(steps) > 60


@pytest.mark.parametrize("damage", [b"", b"not tensors", b"\xff" * 64])
def test_a_damaged_file_is_named(project: Path, tmp_path: Path, damage: bytes) -> None:
    import shutil

    run = tmp_path / "runs" / "b"
    shutil.copytree(project / "runs" / "a", run)
    (run / "answers.safetensors").write_bytes(damage)
    with pytest.raises(UserError, match=r"answers\.safetensors"):
        Predictor(run, "cpu")


def test_its_rows_are_described_once(project: Path) -> None:
    predictor = Predictor(project / "runs" / "a", "cpu")
    dataset = _last(prepared(predictor.experiment, project, schema=predictor.schema))
    described = predictor.with_features(dataset)
    rows = dataset.rows("test")
    found = described.describers["image"](rows)
    assert found.shape[0] == len(rows)
    assert torch.equal(found, described.describers["image"](rows))


def _last(work: Any) -> Dataset:
    while True:
        try:
            next(work)
        except StopIteration as end:
            found: Dataset = end.value
            return found
