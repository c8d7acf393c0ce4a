"""Classification, label sets and numbers learnt together in one model."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import average_precision_score, f1_score, mean_absolute_error, r2_score

from mmstudio.data.prepare import Dataset, prepare
from mmstudio.data.table import read_table
from mmstudio.errors import UserError
from mmstudio.inference.evaluate import Evaluation, evaluate
from mmstudio.inference.prediction import Prediction
from mmstudio.inference.predictor import Predictor
from mmstudio.inference.table_answers import AnswerWriter
from mmstudio.training.best import score_of
from mmstudio.training.events import EpochDone, Started, StepDone
from mmstudio.training.loop import train
from mmstudio.training.model import build_model, completed
from mmstudio.training.run_folder import RunFolder
from tests.mixed_project import mixed_experiment, train_mixed, write_mixed_project
from tests.small_project import read_rows, write_table


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_mixed_project(tmp_path / "p")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_mixed_project(tmp_path_factory.mktemp("mixed") / "p")
    train_mixed(folder, {"training.epochs": 12, "training.balancing": "uncertainty",
                         "targets.tags.class_weights": True,
                         "targets.shape.class_weights": True})
    return folder / "runs" / "first"


def test_each_task_learns_beside_the_others(trained: Path) -> None:
    run = RunFolder(trained)
    history = run.history()
    assert history.started is not None
    assert history.started.tasks == {
        "shape": "accuracy", "size": "accuracy", "tags": "macro_average_precision", "area": "r2"}
    best = history.at_best()
    assert best["shape"]["accuracy"] >= 8 / 9
    assert best["tags"]["macro_average_precision"] > 0.9
    assert best["area"]["r2"] > 0.5
    assert best["area"]["mean_absolute_error"] < 150
    spec = run.schema().targets
    assert spec["tags"] == {
        "classes": ["crossing", "line"], "counts": spec["tags"]["counts"],
        "rows": spec["tags"]["rows"], "separator": ","}
    assert spec["area"]["mean"] == pytest.approx(580, abs=30)


def test_figures_are_scikit_learns_in_own_units(trained: Path) -> None:
    folder = trained.parent.parent
    *_, result = evaluate(trained, "test", device="cpu")
    assert isinstance(result, Evaluation)
    table = read_table(folder / "metadata.csv")
    answers = list(Predictor(trained, "cpu").predict_table(table))
    truth, numbers, sets, found = [], [], [], []
    for row, answer in zip(read_rows(folder), answers, strict=True):
        assert isinstance(answer, Prediction)
        if row["split"] != "test":
            continue
        if row["area"]:
            truth.append(float(row["area"]))
            numbers.append(answer.tasks["area"].value)
        if row["tags"]:
            sets.append(["crossing" in row["tags"], "line" in row["tags"]])
            scores = answer.tasks["tags"].scores
            found.append([scores["crossing"], scores["line"]])
    assert len(truth) < 9 and len(sets) < 9  # some are unknown
    area, tags = result.tasks["area"], result.tasks["tags"]
    assert area["mean_absolute_error"] == pytest.approx(
        mean_absolute_error(truth, numbers), rel=1e-4)
    assert area["r2"] == pytest.approx(r2_score(truth, numbers), abs=1e-4)
    assert tags["macro_average_precision"] == pytest.approx(
        average_precision_score(np.array(sets), np.array(found)))
    answered = np.array(found) >= 0.5
    assert tags["micro_f1"] == pytest.approx(f1_score(np.array(sets), answered, average="micro"))
    assert tags["macro_f1"] == pytest.approx(f1_score(np.array(sets), answered, average="macro"))


def test_the_loss_is_the_weighted_sum_however_it_is_balanced(project: Path) -> None:
    weights = {"shape": 1.0, "size": 0.5, "tags": 1.0, "area": 2.0}
    for balancing in ("fixed", "uncertainty"):
        events = train_mixed(project, {"training.epochs": 1, "training.balancing": balancing},
                             run=balancing)
        done = next(e for e in events if isinstance(e, EpochDone))
        figures = done.validation
        expected = sum(w * figures[n]["loss"] for n, w in weights.items())
        assert figures["loss"] == pytest.approx(expected)
        steps = [e.loss for e in events if isinstance(e, StepDone)]
        assert done.train["loss"] == pytest.approx(np.mean(steps))


def test_one_step_of_uncertainty_is_the_one_by_hand(project: Path) -> None:
    experiment = completed(mixed_experiment({"training.balancing": "uncertainty"}))
    dataset = next(d for d in prepare(experiment, project) if isinstance(d, Dataset))
    torch.manual_seed(0)
    model = build_model(experiment, dataset.schema)
    names = [n for n, _ in model.named_parameters() if "log_variances" in n]
    assert names == ["balancing.log_variances"]
    losses = {n: torch.tensor(x) for n, x in
              {"shape": 1.0, "size": 0.7, "tags": 0.6, "area": 0.4}.items()}
    known = {n: torch.tensor([True]) for n in losses}
    weights = {"shape": 1.0, "size": 0.5, "tags": 1.0, "area": 2.0}
    # all variances begin at 1: the plain sum, smooth L1 holding its half already
    assert model.balancing(losses, known, weights).item() == pytest.approx(
        1.0 + 0.35 + 0.6 + 0.8)


def test_what_balancing_learns_is_kept_with_the_weights(trained: Path, project: Path) -> None:
    # what training itself goes on with; a model holds the mean over the epochs
    learnt = torch.load(trained / "state.pt", weights_only=True)["model"]["balancing.log_variances"]
    assert learnt.shape == (4,)
    assert bool((learnt != 0).all())
    last = [e for e in RunFolder(trained).events() if isinstance(e, EpochDone)][-1]
    assert [last.train[n]["loss_weight"] for n in ("shape", "size", "tags", "area")] == (
        pytest.approx(torch.exp(-learnt).tolist()))
    assert torch.equal(Predictor(trained, "cpu").model.balancing.log_variances,  # type: ignore[arg-type]
                       load_file(trained / "best.safetensors")["balancing.log_variances"])
    train_mixed(project, {"training.epochs": 1})
    fixed = load_file(project / "runs" / "first" / "last.safetensors")
    assert not [n for n in fixed if "balancing" in n]


def test_a_stopped_run_goes_on_as_if_never_stopped(project: Path) -> None:
    changes = {"training.epochs": 3, "training.balancing": "uncertainty"}
    train_mixed(project, changes, run="whole")
    done = 0

    def should_stop() -> bool:
        return done >= 4

    experiment, run = mixed_experiment(changes), project / "runs" / "parts"
    for event in train(experiment, run, folder=project, should_stop=should_stop):
        done += isinstance(event, StepDone)
    resumed = train_mixed(project, changes, run="parts", resume=True)
    assert [e.first_epoch for e in resumed if isinstance(e, Started)] == [2]
    for name in ("best.safetensors", "last.safetensors"):
        whole, parts = (load_file(project / "runs" / r / name) for r in ("whole", "parts"))
        assert set(whole) == set(parts)
        assert all(torch.equal(whole[n], parts[n]) for n in whole)
    whole_run, parts_run = (RunFolder(project / "runs" / r).history() for r in ("whole", "parts"))
    assert whole_run.metrics == parts_run.metrics
    assert whole_run.best_epoch == parts_run.best_epoch


@pytest.mark.parametrize(("key", "value", "named"), [
    ("training.balancing", "uncertainty", r"\[training.balancing\]"),
    ("targets.tags.separator", ";", r"\[targets\]"),
    ("targets.area.task", "classification", r"\[targets\]"),
])
def test_a_resume_that_would_learn_something_else_is_refused(
    project: Path, key: str, value: str, named: str
) -> None:
    train_mixed(project, {"training.epochs": 1})
    with pytest.raises(UserError, match=named):
        train_mixed(project, {"training.epochs": 2, key: value}, resume=True)


def test_answers_as_json(trained: Path) -> None:
    prediction = Predictor(trained, "cpu").predict({"words": "big two roads meet"})
    tasks = json.loads(json.dumps(prediction.to_json()))["tasks"]
    assert set(tasks["shape"]) == {"label", "scores"}
    assert set(tasks["tags"]["scores"]) == {"crossing", "line"}
    assert tasks["tags"]["labels"] == [
        label for label, score in tasks["tags"]["scores"].items() if score >= 0.5]
    error = RunFolder(trained).history().at_best()["area"]["mean_absolute_error"]
    assert tasks["area"] == {"value": prediction.tasks["area"].value, "unit": "cm²",
                             "usual_error": pytest.approx(error)}
    assert 100 < tasks["area"]["value"] < 1300


def test_answers_in_a_table_can_be_read_back_as_labels(trained: Path, tmp_path: Path) -> None:
    predictor = Predictor(trained, "cpu")
    table = read_table(trained.parent.parent / "metadata.csv")
    answers = list(predictor.predict_table(table))
    with AnswerWriter(tmp_path / "out.csv", table, predictor) as writer:
        for row, answer in enumerate(answers):
            writer.write(row, answer)
        writer.write(0, UserError("Row 1: not there."))
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[-8:] == [
        "shape answer", "shape score", "size answer", "size score", "tags answer", "tags score",
        "area answer", "error"]
    assert rows[-1]["error"] == "Row 1: not there." and rows[-1]["area answer"] == ""
    assert {","} <= {r["tags answer"] for r in rows[:-1]}  # none of them
    for row, answer in zip(rows, answers, strict=False):
        assert isinstance(answer, Prediction)
        labels = answer.tasks["tags"].labels or ()
        assert [part for part in row["tags answer"].split(",") if part] == list(labels)
        scores = [float(s) for s in row["tags score"].split(",") if s]
        assert scores == pytest.approx([answer.tasks["tags"].scores[x] for x in labels], abs=1e-5)
        assert float(row["area answer"]) == pytest.approx(answer.tasks["area"].value)


@pytest.mark.parametrize("target", ["shape", "tags", "area"])
def test_rows_whose_label_is_unknown_do_not_count(project: Path, target: str) -> None:
    """A target that is unknown in every second training row learns from the other rows alone."""
    rows = read_rows(project)
    table = [r | ({target: ""} if i % 2 else {}) for i, r in enumerate(rows)]
    write_table(project / "metadata.csv", table)
    experiment = completed(mixed_experiment())
    dataset = next(d for d in prepare(experiment, project) if isinstance(d, Dataset))
    labels = dataset.labels[target]
    assert not labels.known[1::2].any()
    assert not labels.values[1::2].any()
    assert labels.known[0::2].tolist() == [r[target] != "" for r in rows[0::2]]
    done = next(e for e in train_mixed(project, {"training.epochs": 1})
                if isinstance(e, EpochDone))
    assert np.isfinite(done.train[target]["loss"])


def test_a_split_without_a_known_label_has_no_figure(project: Path) -> None:
    rows = [r | ({"tags": "", "area": ""} if r["split"] == "validation" else {})
            for r in read_rows(project)]
    write_table(project / "metadata.csv", rows)
    events = train_mixed(project, {"training.epochs": 2, "training.balancing": "uncertainty"})
    done = [e for e in events if isinstance(e, EpochDone)][-1]
    assert np.isnan(done.validation["tags"]["macro_average_precision"])
    assert np.isnan(done.validation["area"]["r2"])
    assert np.isfinite(done.validation["loss"])
    predictor = Predictor(project / "runs" / "first", "cpu")
    assert predictor.predict({"words": "round"}).tasks["area"].usual_error is None


def test_options_of_another_task_are_dropped_with_it() -> None:
    experiment = mixed_experiment().replaced("targets.tags.task", "regression")
    assert completed(experiment).targets["tags"].options == {"loss": "smooth_l1", "unit": ""}
    same = mixed_experiment().replaced("targets.tags.task", "multilabel")
    assert same.targets["tags"].options == {"separator": ","}


def test_a_hopeless_number_does_not_choose_the_best_epoch() -> None:
    class Told:
        def __init__(self, main_metric: str) -> None:
            self.main_metric = main_metric

        def chance(self, figure: float, rows: int) -> float:
            return 0.0

    tasks = {"shape": Told("accuracy"), "area": Told("r2")}

    def score(accuracy: float, r2: float) -> float:
        figures = {"loss": 1.0, "shape": {"accuracy": accuracy}, "area": {"r2": r2}}
        return score_of(tasks, figures, {"shape": 9, "area": 9}).figure  # type: ignore[arg-type]

    assert score(0.9, -50.0) > score(0.8, -2.0)
    assert score(0.8, 0.6) == pytest.approx(0.7)
    assert score(0.8, float("nan")) == pytest.approx(0.8)
