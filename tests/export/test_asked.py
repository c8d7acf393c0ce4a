"""What an exported model is asked, one sample or a table, and what it makes of odd contents."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mmstudio.export.shipped import predict
from mmstudio.tasks.multilabel import Multilabel

LOGITS = np.array([2.0, 0.9, 0.3, -1.0])
CLASSES = ["a", "b", "c", "d"]
TAGS = {"task": "multilabel", "output": "tags_scores", "classes": CLASSES, "threshold": 0.7,
        "separator": ";"}
TEMPERATURES = [{"inputs": ["cells"], "temperature": 2.0},
                {"inputs": ["cells", "note"], "temperature": 0.5}]


class Made(predict.Model):
    """A model that answers the same to everything, with the temperature of what is there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.most_pixels = folder, 1000
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
