"""An evaluation tells the same figures as scikit-learn, at once the second time, and calibrates."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from mmstudio.data.prepare import Progress
from mmstudio.data.table import read_table
from mmstudio.evaluation.calibration import calibrated_on
from mmstudio.evaluation.plain_figures import from_plain, to_plain
from mmstudio.evaluation.report import Evaluated, evaluated
from mmstudio.evaluation.scores import Scores, kept_scores
from mmstudio.inference.calibrated import FILE, Calibration, read_calibration
from mmstudio.inference.evaluate import evaluate
from mmstudio.inference.evaluation import Evaluation
from mmstudio.inference.prediction import Prediction
from mmstudio.inference.predictor import Predictor
from mmstudio.training.input_figures import InputScores
from mmstudio.training.retrieval import Retrieval
from mmstudio.training.run_folder import RunFolder
from tests.in_a_process import run_python
from tests.mixed_project import train_mixed, write_mixed_project
from tests.small_project import read_rows, train_small, write_small_project, write_table


def told(run: Path, *args: Any, **more: Any) -> Evaluated:
    *progress, last = evaluated(run, *args, **more)
    assert all(isinstance(p, Progress) for p in progress)
    assert isinstance(last, Evaluated)
    return last


@pytest.fixture(scope="module")
def mixed(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with targets of every task; it may be evaluated, and nothing else."""
    project = write_mixed_project(tmp_path_factory.mktemp("mixed") / "project")
    train_mixed(project, {"training.epochs": 6})
    return project / "runs" / "first"


@pytest.fixture(scope="module")
def combined(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that weighs its answers; it may be evaluated, and nothing else."""
    project = write_small_project(tmp_path_factory.mktemp("combined") / "project")
    train_small(project, {"training.epochs": 2, "training.combine": True})
    assert (project / "runs" / "first" / "answers.safetensors").is_file()
    return project / "runs" / "first"


@pytest.mark.parametrize("split", ["train", "test"])
def test_plain_figures_are_those_of_a_plain_evaluation(copied: Path, split: str) -> None:
    *_, plain = evaluate(copied, split, inputs=True)
    assert isinstance(plain, Evaluation)
    found = told(copied, split, inputs=True).evaluation
    assert found.tasks == {n: pytest.approx(f, abs=1e-6) for n, f in plain.tasks.items()}
    assert (found.samples, found.source) == (plain.samples, plain.source)
    assert found.inputs is not None and plain.inputs is not None
    assert found.inputs.samples == plain.inputs.samples
    for one, other in zip(found.inputs.subsets, plain.inputs.subsets, strict=True):
        assert one["inputs"] == other["inputs"] and one["samples"] == other["samples"]
        assert one["loss"] == pytest.approx(other["loss"], abs=1e-5)
    for task, of in plain.inputs.contributions.items():
        for name, means in of.items():
            assert found.inputs.contributions[task][name] == pytest.approx(means, abs=1e-4)
    again = told(copied, split, inputs=True)
    assert again.to_json()["contributions"] == to_plain(found)["inputs"]["contributions"]
    assert told(copied, split).evaluation.inputs is None


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_combination_is_asked_for_rows_that_it_has_not_learnt_from(
    combined: Path, split: str
) -> None:
    *_, plain = evaluate(combined, split)
    assert isinstance(plain, Evaluation)
    found = told(combined, split)
    assert found.evaluation.tasks == {
        n: pytest.approx(f, abs=1e-5) for n, f in plain.tasks.items()}


def test_groups_are_told_and_drawn_together(copied: Path) -> None:
    toml = copied / "experiment.toml"
    toml.write_text(toml.read_text().replace("[data]", '[data]\ngroup = "text"', 1))
    data = told(copied, "train").to_json()["tasks"]["shape"]
    rows = read_rows(copied.parent.parent)
    known = [r for r in rows if r["split"] == "train" and r["shape"]]
    empty = sum(not r["text"] for r in known)
    assert data["interval_groups"] == len({r["text"] for r in known if r["text"]}) + empty


def test_details_of_a_classification(copied: Path) -> None:
    data = told(copied, "train", inputs=True).to_json()["tasks"]["shape"]
    scores = kept_scores(copied, "train")
    assert scores is not None
    task = scores.tasks["shape"]
    truth, answers = task.values[task.known], task.answers(0)[task.known]
    assert data["confusion"]["labels"] == ["bar", "cross", "dot"]
    assert data["confusion"]["counts"] == metrics.confusion_matrix(truth, answers).tolist()
    alone = next(s for s in data["confusion"]["subsets"] if s["inputs"] == ["sound"])
    there = task.known & scores.present[:, 2]
    assert alone["counts"] == metrics.confusion_matrix(
        task.values[there], task.answers(scores.at(["sound"]))[there], labels=[0, 1, 2]).tolist()
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        truth, answers, zero_division=0)
    for c, label in enumerate(("bar", "cross", "dot")):
        one = data["per_class"][label]
        assert (one["precision"], one["recall"], one["f1"], one["support"]) == pytest.approx(
            (precision[c], recall[c], f1[c], support[c]))
        chances = task.scores(0)[task.known][:, c]
        assert one["roc_auc"] == pytest.approx(metrics.roc_auc_score(truth == c, chances))
        assert one["average_precision"] == pytest.approx(
            metrics.average_precision_score(truth == c, chances))
        for figure, (low, high) in one["interval"].items():
            assert 0 <= low <= one[figure] <= high <= 1
    for figure, (low, high) in data["interval"].items():
        assert low <= data[figure] <= high
    assert set(data["interval"]) == {"accuracy", "macro_f1", "loss"}
    calibration = data["calibration"]
    assert len(calibration["subsets"]) == 7
    assert calibration["subsets"][0]["inputs"] == ["image", "words", "sound"]
    assert set(calibration["expected_calibration_error"]) == {
        "before", "after", "by_chance"}
    assert set(calibration["coverage"]) == {"0.8", "0.9", "0.95"}
    assert isinstance(data["slices"], list)


def test_details_of_label_sets_and_numbers(mixed: Path) -> None:
    found = told(mixed, "train")
    data = json.loads(json.dumps(found.to_json(), allow_nan=False))["tasks"]
    scores = found.scores
    task = scores.tasks["tags"]
    truth, answers = task.values[task.known], task.answers(0)[task.known]
    assert data["tags"]["confusion"]["counts"] == (
        metrics.multilabel_confusion_matrix(truth, answers).tolist())
    assert set(data["tags"]["interval"]) == {
        "micro_f1", "macro_f1", "loss", "macro_average_precision"}
    assert 0 < data["tags"]["per_class"]["line"]["best_threshold"] < 1
    assert "expected_calibration_error" in data["tags"]["calibration"]
    task = scores.tasks["area"]
    truth, answers = task.values[task.known], task.answers(0)[task.known]
    rows = read_rows(mixed.parent.parent)
    assert truth == pytest.approx([float(rows[r]["area"]) for r in scores.rows[task.known]])
    assert data["area"]["residuals"]["root_mean_squared_error"] == pytest.approx(
        metrics.root_mean_squared_error(truth, answers))
    for figure in ("mean_absolute_error", "r2"):
        low, high = data["area"]["interval"][figure]
        assert low <= data["area"][figure] + 1e-6 and data["area"][figure] - 1e-6 <= high
    assert "confusion" not in data["area"]
    assert "width" in data["area"]["calibration"]["coverage"]["0.8"]


def test_rows_of_a_label_that_training_never_saw_are_wrong_everywhere(copied: Path) -> None:
    rows = read_rows(copied.parent.parent)[:30]
    for row in rows[:3]:
        row["shape"] = "star"
    other = copied.parent.parent / "other.csv"
    write_table(other, rows)
    data = told(copied, "test", other).to_json()["tasks"]["shape"]
    counts = np.array(data["confusion"]["counts"])
    assert data["confusion"]["labels"][-1] == "star"
    assert data["accuracy"] == pytest.approx(np.trace(counts) / counts.sum())
    assert data["per_class"]["star"]["support"] == 3 and data["per_class"]["star"]["recall"] == 0


def test_the_second_time_nothing_is_answered_and_torch_stays_out(copied: Path) -> None:
    first = told(copied, inputs=True).to_json()
    program = (
        "import json, sys\nfrom pathlib import Path\n"
        "from mmstudio.evaluation.report import evaluated\n"
        f"*_, last = evaluated(Path({str(copied)!r}), inputs=True)\n"
        "print(json.dumps([last.to_json(), 'torch' in sys.modules]))")
    done = run_python(program)
    second, loaded = json.loads(done.out)
    assert not loaded
    assert second.pop("test_looks") == first.pop("test_looks") + 1
    assert second == json.loads(json.dumps(first))


def predictions(run: Path, rows: int = 20) -> list[Prediction]:
    table = read_table(run.parent.parent / "metadata.csv")
    found = list(Predictor(run).predict_table(table.with_frame(table.frame.head(rows))))
    assert all(isinstance(one, Prediction) for one in found)
    return [one for one in found if isinstance(one, Prediction)]


def without_seconds(found: list[Prediction]) -> list[Any]:
    return [(one.tasks, one.present) for one in found]


def test_an_evaluation_calibrates_the_predictor(copied: Path) -> None:
    before = predictions(copied)
    told(copied)
    assert (copied / FILE).is_file()
    after = predictions(copied)
    predictor = Predictor(copied)
    assert predictor.calibration is not None
    for one, other in zip(before, after, strict=True):
        for name in one.tasks:
            plain, calibrated = one.tasks[name], other.tasks[name]
            assert plain.label == calibrated.label
            found = predictor.calibration.of(name, one.present)
            assert found is not None
            logs = np.log(list(plain.scores.values())) / found.temperature
            wanted = np.exp(logs) / np.exp(logs).sum()
            assert list(calibrated.scores.values()) == pytest.approx(wanted, abs=1e-4)
    row = read_rows(copied.parent.parent)[0]
    single = predictor.predict({"words": row["text"]})
    one = single.tasks["shape"]
    assert one.label is not None
    told_of_it = single.contributions["shape"]
    share = one.scores[one.label]
    assert told_of_it.everything == pytest.approx(np.log(share / (1 - share)), abs=1e-3)
    assert told_of_it.nothing + sum(told_of_it.inputs.values()) == pytest.approx(
        told_of_it.everything, abs=1e-4)


def tear(path: Path) -> None:
    path.write_text(path.read_text()[:200])


def of_other_weights(path: Path) -> None:
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data | {"weights": "0" * 32}))


def with_a_temperature_of_nothing(path: Path) -> None:
    data = json.loads(path.read_text())
    data["tasks"]["shape"][0]["temperature"] = 0
    path.write_text(json.dumps(data))


@pytest.mark.parametrize(
    "change", [tear, of_other_weights, with_a_temperature_of_nothing, Path.unlink])
def test_a_calibration_that_does_not_hold_is_ignored(
    copied: Path, change: Callable[[Path], None]
) -> None:
    before = without_seconds(predictions(copied))
    told(copied)
    assert without_seconds(predictions(copied)) != before
    change(copied / FILE)
    assert without_seconds(predictions(copied)) == before
    told(copied)
    assert read_calibration(RunFolder(copied), ["image", "words", "sound"]) is not None


def test_a_calibration_is_not_kept_for_weights_that_it_is_not_of(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(scores: Scores) -> Calibration:
        with (copied / "best.safetensors").open("ab") as file:  # a training finds a better epoch
            file.write(b" ")
        return calibrated_on(scores)

    monkeypatch.setattr("mmstudio.evaluation.calibrating.calibrated_on", meanwhile)
    assert told(copied, "validation").calibration is not None
    assert not (copied / FILE).exists()


def test_without_the_runs_own_data_figures_stand_and_the_reason_is_told(copied: Path) -> None:
    project = copied.parent.parent
    rows = read_rows(project)[:9]
    for row in rows:
        row |= {"file_name": "", "audio": ""}
    write_table(project / "other.csv", [r for r in rows if r["text"]])
    (project / "metadata.csv").unlink()
    found = told(copied, "test", project / "other.csv")
    assert found.calibration is None
    assert any("could not be calibrated" in w for w in found.warnings())
    assert "calibration" not in found.to_json()["tasks"]["shape"]
    assert not (copied / FILE).exists()


def test_a_validation_calibrates_by_itself(copied: Path) -> None:
    found = told(copied, "validation")
    assert found.calibration is not None
    assert not (copied / "evaluation" / "test.safetensors").exists()
    shutil.rmtree(copied / "evaluation")
    assert read_calibration(RunFolder(copied), list(found.scores.inputs)) == found.calibration


def test_told_figures_come_back_as_they_were() -> None:
    nan = float("nan")
    inputs = InputScores(3, [{"inputs": ["a"], "samples": 3, "loss": nan,
                              "tasks": {"t": {"accuracy": nan}}}],
                         {"t": {"a": {"mean": 0.5, "mean_absolute": nan, "samples": 0}}},
                         {"t": []})
    recall = Retrieval("a", "b", 3, 3, {1: 0.5, 5: 1.0}, {1: 0.3, 5: 1.0})
    one = Evaluation("test", 3, nan, {"t": {"accuracy": 0.5, "loss": nan}}, inputs,
                     {"t": "accuracy"}, [recall], {"t": 1}, ("t",), "the rows", 2,
                     ("changed",))
    back = from_plain(json.loads(json.dumps(to_plain(one))))
    assert to_plain(back) == to_plain(one)
    assert back.retrieval == [recall] and back.changed == ("changed",)
    assert back.inputs is not None and np.isnan(back.inputs.subsets[0]["loss"])
