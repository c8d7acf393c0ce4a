"""What an exported model is asked, one sample or a table, and what it makes of odd contents."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.export import samples
from mmstudio.export.folders import file_folders
from mmstudio.export.shipped import predict
from mmstudio.modalities.image import ImageModality
from mmstudio.modalities.records import read_record
from mmstudio.tasks.multilabel import Multilabel
from mmstudio.training.model import completed

LOGITS = np.array([2.0, 0.9, 0.3, -1.0])
CLASSES = ["a", "b", "c", "d"]
TAGS = {"task": "multilabel", "output": "tags_scores", "classes": CLASSES, "threshold": 0.7,
        "separator": ";"}
TEMPERATURES = [{"inputs": ["cells"], "temperature": 2.0},
                {"inputs": ["cells", "note"], "temperature": 0.5}]


class Made(predict.Model):
    """A model that answers the same to everything, with the temperature of what is there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.most_pixels, self.agree = folder, 1000, predict.AGREE
        self.inputs = {"cells": {"modality": "tabular", "column": "cells", "columns": [
            {"name": "age", "kind": "category", "words": ["1", "2"]}]},
            "note": {"modality": "text", "column": "note", "max_tokens": 9, "empty": 0}}
        self.targets = {"tags": TAGS}
        self.schema = {"inputs": self.inputs, "targets": self.targets, "present": "present",
                       "temperatures": {"tags": TEMPERATURES}}
        self.asked = 0

    def _decoded(self, name: str, value: Any) -> np.ndarray | None:
        if name == "cells":
            return predict.read_cells(value, self.inputs[name])
        return np.array([len(predict.read_text(value).encode())])

    def run(self, rows: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        self.asked += 1
        divided = [LOGITS / self.temperature("tags", row) for row in rows]
        return {"tags": 1 / (1 + np.exp(-np.array(divided).reshape(-1, len(CLASSES))))}


@pytest.fixture
def model(tmp_path: Path) -> Made:
    return Made(tmp_path)


@pytest.mark.parametrize(("inputs", "temperature"), [
    ({"cells": {"age": 1}}, 2.0), ({"cells": {"age": 1}, "note": "x"}, 0.5),
    ({"note": "x"}, 0.5), ({}, 1.0)])
def test_the_threshold_is_divided_as_the_scores_are(
    inputs: dict[str, Any], temperature: float, model: Made
) -> None:
    task = Multilabel(4, {"classes": CLASSES}, threshold=0.7)
    own = task.calibrated_answers(torch.tensor(LOGITS[None]), np.array([temperature]))[0]
    found = model.answer(inputs)["tasks"]["tags"]
    assert found["labels"] == list(own.labels or ()) == ["a", "b"]
    assert found["threshold"] == pytest.approx(own.threshold)
    (model.folder / "rows.csv").write_text("age,note\n1,\n", encoding="utf-8")
    predict.answer_table(model, model.folder / "rows.csv", model.folder / "out.csv")
    assert ",a;b," in (model.folder / "out.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(("labels", "agrees"), [(["a", "b"], True), (["a"], False)])
def test_the_self_test_compares_the_labels(labels: list[str], agrees: bool, model: Made) -> None:
    (model.folder / "selftest").mkdir()
    scores = model.run([{"cells": np.zeros(1)}])["tags"][0].tolist()
    told = {"samples": [{"inputs": {"cells": {"content": {"age": "1"}}}, "answers": [
        {"inputs": ["cells"], "outputs": {"tags": scores}, "labels": {"tags": labels}}]}]}
    (model.folder / "selftest" / "answers.json").write_text(json.dumps(told), encoding="utf-8")
    assert predict.self_test(model)["agrees"] is agrees


def test_one_odd_request_fails_alone(model: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    surrogate, good = model.answer_each([{"note": "a\ud800"}, {"note": "a"}])
    assert isinstance(surrogate, predict.PredictError)
    assert good["present"] == ["note"]  # type: ignore[index]
    monkeypatch.setattr(predict, "read_cells", lambda value, spec: 1 / 0)
    broken, good = model.answer_each([{"cells": {}}, {"note": "a"}])
    assert "'cells' can't be read: division by zero" in str(broken)
    assert model.asked == 2 and good["present"] == ["note"]  # type: ignore[index]


def test_records_are_read_in_time_that_grows_with_them() -> None:
    columns = [{"name": n, "kind": "category", "words": []} for n in ("age", "city")]
    text = "age=30,\n\n city=Rome,;\nage = 3;city=a,"
    own = read_record(text, ["age", "city"])
    assert predict._record(text, columns) == own == {"age": "3", "city": "a,"}
    assert predict._record("age=30, \n city=a b", columns) == {"age": "30", "city": "a b"}
    for wrong in ("age=1" + "\n" * 10_000, "age=1" + " " * 10_000):
        with pytest.raises(predict.PredictError, match="10,000"):
            predict._record(wrong, columns)
        with pytest.raises(UserError, match="10,0"):
            read_record(wrong, ["age", "city"])


def test_a_table_is_not_written_over(model: Made, tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("note\nx\n", encoding="utf-8")
    (tmp_path / "same.csv").symlink_to(table)
    for output in (table, tmp_path / "same.csv"):
        with pytest.raises(predict.PredictError, match="the table itself"):
            predict.answer_table(model, table, output)
    assert table.read_text(encoding="utf-8") == "note\nx\n"
    (tmp_path / "out.csv").write_text("before", encoding="utf-8")
    (tmp_path / "bad.csv").write_bytes(b"note\n" + b"x\n" * 99_000 + b"\xff\n")
    with pytest.raises(predict.PredictError, match=r"bad\.csv can't be read as a table"):
        predict.answer_table(model, tmp_path / "bad.csv", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == "before"
    assert not list(tmp_path.glob("*.new"))


def test_odd_cells_cost_their_rows_alone(model: Made, tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text(f"note\n{'x' * 400}.txt\n{'y ' * 100_000}\n", encoding="utf-8")
    assert predict.answer_table(model, table, tmp_path / "out.csv") == (1, 2)
    table.write_text("other\nx\n", encoding="utf-8")
    with pytest.raises(predict.PredictError, match="none of the columns age, note"):
        predict.answer_table(model, table, tmp_path / "out.csv")


def test_json_is_printed_and_nothing_else(
    model: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(predict, "Model", lambda place: model)
    (tmp_path / "rows.csv").write_text("note\nx\n", encoding="utf-8")
    assert predict.main(["--table", str(tmp_path / "rows.csv"), "--output",
                         str(tmp_path / "out.csv"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["answered"] == 1


def test_files_are_looked_for_where_the_training_tables_were(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for place in ("pictures/a.png", "b.png"):
        (tmp_path / place).write_bytes(b"x")
    spec = {"modality": "image", "column": "photo", "folder": "pictures"}
    assert predict._cell(spec, {"photo": "a.png"}, tmp_path) == tmp_path / "pictures" / "a.png"
    assert predict._cell(spec, {"photo": "b.png"}, tmp_path) == tmp_path / "b.png"


def test_samples_that_cannot_be_read_stay_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project").mkdir()
    table = tmp_path / "project" / "t.csv"
    table.write_text("photo,note,kind\nnone.png,x,a\nnone.png,,b\nnone.png,y,a\n",
                     encoding="utf-8")
    experiment = completed(Experiment.from_dict({
        "data": {"table": "t.csv"}, "targets": {"kind": {"task": "classification"}}, "inputs": {
            "photo": {"column": "photo", "modality": "image"},
            "note": {"column": "note", "modality": "text"}}}))

    def decode(name: str, value: Any) -> Any:
        if isinstance(value, Path) and not value.is_file():
            raise UserError(f"{value} is missing.")
        return value

    predictor: Any = SimpleNamespace(
        experiment=experiment, decode=decode,
        run=SimpleNamespace(path=tmp_path / "project" / "runs" / "first"))
    monkeypatch.setattr(samples, "split_of", lambda *_: np.array(["train"] * 3))
    found = samples.of_data(predictor, tmp_path)
    assert [s.inputs for s in found] == [{"note": "x"}, {"note": "y"}]

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "project" / "none.png").write_bytes(b"x")
    monkeypatch.setattr(samples.shutil, "copyfile", full)
    with pytest.raises(UserError, match=r"none\.png can't be copied"):
        samples.of_data(predictor, tmp_path)


@pytest.mark.parametrize(("told", "folder"), [
    (None, "pictures"), ("elsewhere", "elsewhere"), ("/of/this/machine", None)])
def test_the_folder_of_an_inputs_files_is_known(
    told: str | None, folder: str | None, tmp_path: Path
) -> None:
    (tmp_path / "pictures").mkdir()
    names = [f"{n}.png" for n in range(9)]
    for name in names:
        (tmp_path / "pictures" / name).write_bytes(b"x")
    (tmp_path / "t.csv").write_text(
        "photo,kind\n" + "".join(f"{n},a\n" for n in names), encoding="utf-8")
    experiment = completed(Experiment.from_dict({
        "data": {"table": "t.csv"}, "targets": {"kind": {"task": "classification"}}, "inputs": {
            "photo": {"column": "photo", "modality": "image"} | (
                {"folder": told} if told else {})}}))
    predictor: Any = SimpleNamespace(
        experiment=experiment, modalities={"photo": ImageModality()},
        run=SimpleNamespace(path=tmp_path / "runs" / "first"))
    assert file_folders(predictor).get("photo") == folder
    (tmp_path / "t.csv").unlink()
    assert file_folders(predictor).get("photo") == (told and folder)
