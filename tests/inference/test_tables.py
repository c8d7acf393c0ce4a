"""A run that reads numbers and categories: trained, evaluated, asked, checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmstudio.advice.features import cheap_features
from mmstudio.data.checks import Report, check
from mmstudio.data.prepare import prepared
from mmstudio.data.table import read_table
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.inference.evaluate import Evaluation, evaluate
from mmstudio.inference.prediction import Prediction
from mmstudio.inference.predictor import Predictor
from tests.small_project import write_table
from tests.table_project import KINDS, table_rows, train_table, write_table_project


@pytest.fixture(scope="module")
def run(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_table(write_table_project(tmp_path_factory.mktemp("tables") / "project"))


@pytest.fixture(scope="module")
def predictor(run: Path) -> Predictor:
    return Predictor(run)


def test_the_schema_is_learnt_from_the_training_rows_only(predictor: Predictor) -> None:
    age, town, grade = predictor.schema.inputs["person"]["columns"]
    assert (age["name"], age["kind"], age["unit"], age["missing"]) == ("age", "number", "y", True)
    trained = [row for row in table_rows() if row["split"] == "train"]
    numbers = sorted(float(r["age"].split()[0]) for r in trained if r["age"])
    assert (age["knots"][0], age["knots"][-1]) == (numbers[0], numbers[-1])
    assert set(town["words"]) == {"Oslo", "Rome", "Lima"}
    assert grade["levels"] == [0.0, 1.0, 2.0, 3.0]


def test_its_figures_are_told_per_subset(run: Path) -> None:
    found = next(s for s in evaluate(run, "test", inputs=True) if isinstance(s, Evaluation))
    assert found.inputs is not None
    data = found.to_json()
    scores = {tuple(s["inputs"]): s["tasks"]["kind"]["accuracy"] for s in data["subsets"]}
    assert set(scores) == {("person",), ("words",), ("person", "words")}
    assert scores["person",] >= 0.8 and scores["person", "words"] >= 0.8
    assert set(data["contributions"]["kind"]) == {"person", "words"}


def test_one_sample_is_answered_however_it_is_written(predictor: Predictor) -> None:
    written = "age=35 y, town=Rome, grade=1"
    said = predictor.predict({"person": written})
    same = predictor.predict({"person": '{"grade": 1, "age": 35.0, "town": "Rome"}'})
    assert said.present == ("person",)
    assert said.tasks["kind"].label == "fish"
    assert said.tasks["kind"].scores == pytest.approx(same.tasks["kind"].scores)
    both = predictor.predict({"person": written, "words": "fins in deep water"})
    assert set(both.contributions["kind"].inputs) == {"person", "words"}


def test_new_and_missing_cells_are_answered(predictor: Predictor) -> None:
    for record in ("age=35, town=Atlantis", "town=Rome", "age=heavy, town=Rome", "age=1e300"):
        answer = predictor.predict({"person": record}).tasks["kind"]
        assert sum(answer.scores.values()) == pytest.approx(1.0, abs=1e-4)
    one = predictor.predict({"person": "town=Atlantis"}).tasks["kind"].scores
    other = predictor.predict({"person": "town=Xanadu"}).tasks["kind"].scores
    assert one == pytest.approx(other)
    for nothing in ("{}", "age=", '{"age": null, "town": " "}'):
        assert predictor.predict({"person": nothing}).present == ()
    with pytest.raises(UserError, match="'wage' is not a column"):
        predictor.predict({"person": "age=3, wage=4"})


def test_a_table_of_some_columns_is_answered(predictor: Predictor, tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", [
        {"town": "Rome", "age": "36"}, {"town": "", "age": ""}, {"town": "Oslo", "age": ""}])
    table = read_table(tmp_path / "t.csv")
    answers = list(predictor.predict_table(table))
    assert [a.present for a in answers if isinstance(a, Prediction)] == [
        ("person",), (), ("person",)]
    assert isinstance(answers[0], Prediction) and answers[0].tasks["kind"].label == "fish"


def test_rows_without_any_cell_lack_the_input(run: Path) -> None:
    experiment = Experiment.load(run / "experiment.toml")
    steps = prepared(experiment, run.parent.parent)
    try:
        while True:
            next(steps)
    except StopIteration as stop:
        dataset = stop.value
    empty = [i for i, row in enumerate(table_rows()) if not any(
        row[c] for c in ("age", "town", "grade"))]
    assert [i for i, v in enumerate(dataset.values["person"]) if v is None] == empty
    assert dataset.decoded["person"].row(empty[0]) is None
    arrays = [a for i in range(20) if (a := dataset.decoded["person"].row(i)) is not None]
    spec = dataset.schema.inputs["person"]
    features = cheap_features("tabular", arrays, [], spec)
    assert features.shape[0] == len(arrays)


def test_the_check_tells_what_columns_say(tmp_path: Path) -> None:
    rows = [row | {"same": "7", "empty": "x" if i % 9 == 0 else "", "code": KINDS.index(
        row["kind"])} for i, row in enumerate(table_rows())]
    rows[4]["age"], rows[5]["age"] = "old", "9000 y"
    for i, row in enumerate(rows):
        if row["split"] == "test":
            row["town"] = f"Town {i}"
    write_table(tmp_path / "t.csv", [{k: str(v) for k, v in row.items()} for row in rows])
    experiment = Experiment.from_dict({
        "data": {"table": "t.csv", "split": "split"},
        "inputs": {"person": {"columns": ["age", "town", "same", "empty", "code"],
                              "modality": "tabular"}},
        "targets": {"kind": {}}})
    report = list(check(experiment, tmp_path))[-1]
    assert isinstance(report, Report)
    found = {(p.kind, p.column, p.row) for p in report.problems}
    assert {("odd_cell", "age", 4), ("far_off_input", "age", 5), ("constant", "same", -1),
            ("mostly_empty", "empty", -1), ("tells_label", "code", -1),
            ("new_category", "town", -1)} <= found
    assert not [p for p in report.problems if p.kind == "duplicate"]
    json.dumps(report.to_json())


def test_columns_are_read_and_written(tmp_path: Path) -> None:
    folder = write_table_project(tmp_path / "p")
    text = (folder / "experiment.toml").read_text()
    assert 'columns = ["age", "town", "grade"]' in text
    experiment = Experiment.load(folder / "experiment.toml")
    assert experiment.inputs["person"].read_columns == ("age", "town", "grade")
    one = experiment.replaced("inputs.person.columns", ["age"])
    assert one.inputs["person"].read_columns == ("age",)
    single = {"data": {"table": "t"}, "targets": {"y": {}},
              "inputs": {"a": {"column": "age", "modality": "tabular"}}}
    assert Experiment.from_dict(single).inputs["a"].columns == ("age",)
    as_text = experiment.replaced("inputs.person.modality", "text")
    assert (as_text.inputs["person"].column, as_text.inputs["person"].columns) == ("age", ())


@pytest.mark.parametrize(("table", "message"), [
    ({"columns": [], "modality": "tabular"}, "not a list of columns"),
    ({"columns": ["a", 3], "modality": "tabular"}, "not a list of columns"),
    ({"columns": "a", "modality": "tabular"}, "not a list of columns"),
    ({"columns": ["a", "a"], "modality": "tabular"}, "names a column twice"),
    ({"columns": ["a"], "column": "a", "modality": "tabular"}, "both column and columns"),
    ({"columns": ["a", "b"], "modality": "image"}, "reads one column"),
    ({"modality": "tabular"}, "column is missing"),
])
def test_columns_that_can_not_be_are_refused(table: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Experiment.from_dict({"data": {"table": "t"}, "targets": {"y": {}},
                              "inputs": {"person": table}})
