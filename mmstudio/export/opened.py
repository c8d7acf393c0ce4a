"""An exported folder, asked in the app's own terms: samples, tables, folders, requests."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mmstudio.data.input_cells import is_there
from mmstudio.data.schema import values_of
from mmstudio.data.table import Table
from mmstudio.errors import UserError
from mmstudio.experiment import Component, InputSettings
from mmstudio.export.carried.base import carried
from mmstudio.export.onnx_file import COMMAND
from mmstudio.export.shipped import predict
from mmstudio.export.shipped.predict import MOST_PIXELS, Model, PredictError
from mmstudio.inference.ensemble import open_model
from mmstudio.inference.prediction import Prediction
from mmstudio.modalities import MODALITIES
from mmstudio.tasks.base import Answer

FILE = "model.onnx"


def is_exported(place: Path) -> bool:
    """Whether a path is an exported folder, or the file in it."""
    return (place / FILE).is_file() or (place.suffix == ".onnx" and place.is_file())


class ExportedPredictor:
    """Answers of an exported model, as ``Predictor`` gives them, without what explains them.

    Args:
        place: The folder, or the ``model.onnx`` in it. Of the programs in it none is run.
        most_pixels: Of a picture.

    Raises:
        UserError: It can't be opened, or the runtime is missing.
    """

    def __init__(self, place: Path, most_pixels: int = MOST_PIXELS) -> None:
        try:
            import onnxruntime  # noqa: F401
        except ImportError as error:
            raise UserError(f"An exported model needs a package that is missing: {error.name}.",
                            f"Install it:  {COMMAND}") from None
        try:
            self.model = Model(place, most_pixels=most_pixels)
        except PredictError as error:
            raise UserError(str(error), "Give a folder that 'mmstudio export' wrote.") from None
        told = self.model.inputs
        self.inputs = {n: str(i["modality"]) for n, i in told.items()}
        self.tasks = {n: str(t["task"]) for n, t in self.model.targets.items()}
        self.separators = {n: str(t["separator"]) for n, t in self.model.targets.items()
                           if "separator" in t}
        self.schema = SimpleNamespace(targets=self.model.targets)
        self.settings = {
            n: InputSettings(
                i["column"], i["modality"], Component("auto"), folder=i.get("folder"),
                columns=tuple(c["name"] for c in i["columns"]) if "columns" in i else ())
            for n, i in told.items()}
        self.modalities = {n: MODALITIES.get(kind)() for n, kind in self.inputs.items()}

    def predict(self, inputs: Mapping[str, Any]) -> Prediction:
        """Answer for one sample. Raises UserError as ``Predictor.predict``."""
        began = time.perf_counter()
        try:
            told = self.model.answer(inputs)
        except PredictError as error:
            raise UserError(str(error)) from None
        return _prediction(told, time.perf_counter() - began)

    def predict_table(
        self, table: Table, batch_size: int = 32, rows: Sequence[int] | None = None
    ) -> Iterator[Prediction | UserError]:
        """Answer for every row of a table, as ``Predictor.predict_table``."""
        there = {n: i for n, i in self.settings.items() if is_there(table, i)}
        if not there:
            wanted = ", ".join(f"'{c}'" for i in self.settings.values() for c in i.read_columns)
            raise UserError(f"{table.path} has none of the columns {wanted}.",
                            "Name the columns as in the training table.")
        values = {n: values_of(table, i) for n, i in there.items()}
        asked = range(len(table)) if rows is None else rows
        for start in range(0, len(asked), batch_size):
            some = asked[start : start + batch_size]
            yield from self._rows([{n: v[row] for n, v in values.items()} for row in some], some)

    def _rows(
        self, rows: Sequence[Mapping[str, Any]], numbers: Sequence[int]
    ) -> Iterator[Prediction | UserError]:
        began = time.perf_counter()
        decoded: list[dict[str, Any]] = []
        errors: list[str] = []
        for number, row in zip(numbers, rows, strict=True):
            found: dict[str, Any] = {}
            told = []
            for name, value in row.items():
                try:
                    found |= self.model.decode({name: value})
                except PredictError as error:
                    told.append(f"Row {number + 1}: {error}")
            decoded.append(found)
            errors.append(" ".join(told))
        answers = self.model.told(decoded)
        seconds = (time.perf_counter() - began) / len(rows)
        for answer, found, to_plain in zip(answers, decoded, errors, strict=True):
            yield (UserError(to_plain) if to_plain and not found
                   else _prediction(answer, seconds, to_plain))


def _prediction(told: Mapping[str, Any], seconds: float, error: str = "") -> Prediction:
    """``predict.py``'s answer in the app's own type."""
    tasks = {}
    for name, answer in told["tasks"].items():
        labels = answer.get("labels")
        tasks[name] = Answer(
            label=answer.get("label"), value=answer.get("value"), scores=answer.get("scores", {}),
            labels=None if labels is None else tuple(labels), threshold=answer.get("threshold"),
            unit=answer.get("unit", ""), usual_error=answer.get("usual_error"))
    return Prediction(tasks, tuple(told["present"]), seconds, error=error)


class ServedRun:
    """A run as ``serve.py`` takes it; it needs no export before.

    Args:
        run: The run folder.
        device: As in ``training.device``.
    """

    def __init__(self, run: Path, device: str = "auto") -> None:
        self.predictor = open_model(run, device)
        self.inputs: dict[str, dict[str, Any]] = {
            n: {"modality": kind, "in_cells": self.predictor.modalities[n].in_cells}
            for n, kind in self.predictor.inputs.items()}
        for name, spec in self.predictor.schema.inputs.items():
            if name in self.inputs and "columns" in spec:
                self.inputs[name]["columns"] = [{"name": c["name"]} for c in spec["columns"]]
        self.schema: dict[str, Any] = {
            "inputs": self.inputs,
            "targets": {n: {"task": t} | {k: v for k, v in self.predictor.schema.targets[n].items()
                                          if k in ("classes", "separator")}
                        for n, t in self.predictor.tasks.items()}}

    def answer_each(self, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Per row its answer as plain data, or the PredictError that tells what is wrong."""
        answers: list[Any] = []
        for row in rows:
            try:
                given = {n: self._held(n, value) for n, value in row.items()}
                answers.append(self.predictor.predict(given).to_json())
            except (UserError, PredictError) as error:
                answers.append(PredictError(str(error)))
            except Exception as error:  # whatever odd content makes of it: the others go on
                answers.append(PredictError(f"It can't be read: {error or type(error).__name__}"))
        return answers

    def _held(self, name: str, value: Any) -> Any:
        """A request's content, as the app's modalities take what is held in memory."""
        kind = self.predictor.inputs[name]
        if isinstance(value, str):
            if not self.inputs[name]["in_cells"]:
                raise PredictError(f"Send the content of '{name}' itself: no path is opened.")
            return predict.read_text(value)
        if not isinstance(value, bytes):
            return value
        carrier = carried(kind)
        return value if carrier is None else carrier.held(
            value, self.predictor.schema.inputs[name])
