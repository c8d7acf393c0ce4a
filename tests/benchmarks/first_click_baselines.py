"""What scikit-learn reaches on a set: models tuned on the validation rows, scored on the test.

For each target these are tried: on each input alone, the best of several features and models;
late fusion of those, the mean of their answers; and models on the features of all inputs side by
side. All are fitted on the training rows. The one that is best on the validation rows is the
baseline, so that the test rows choose nothing.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import first_click_features
import first_click_tasks
import numpy as np
import sklearn
from first_click_features import Parts, features_of, joined
from first_click_sets.case import SPLITS, TABLE, Case, Rows
from first_click_tasks import TASKS, Task
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning


@dataclass(frozen=True)
class Baseline:
    """Of one target.

    Attributes:
        chosen: The way that is best on the validation rows.
        figures: Per way and split its figure; the splits are validation and test.
        errors: Per split the standard error of the chosen way's figure.
        rows: Per split how many rows have the target.
        seconds: That the whole search took.
    """

    chosen: str
    figures: dict[str, dict[str, float]]
    errors: dict[str, float]
    rows: dict[str, int]
    seconds: float

    def best(self, split: str) -> float:
        """The chosen way's figure."""
        return self.figures[self.chosen][split]


@dataclass(frozen=True)
class _Tried:
    """A model that was fitted, and its answers per split, as probabilities where it has any."""

    name: str
    figure: float
    loss: float
    answers: dict[str, np.ndarray]


def baselines(case: Case, kept: Path) -> dict[str, Baseline]:
    """Per target; those of an earlier run with the same data and scripts are read from ``kept``."""
    key = _key(case)
    file = kept / f"{case.name}.baselines.json"
    if file.is_file() and (found := json.loads(file.read_text()))["key"] == key:
        return {name: Baseline(**one) for name, one in found["targets"].items()}
    parts = _parts(case)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        inputs = {column: features_of(modality, _cells(parts, column), case.folder)
                  for column, modality in case.inputs.items()}
        result = {column: _baseline(case, parts, inputs, column) for column in case.targets}
    kept.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(
        {"key": key, "targets": {name: asdict(one) for name, one in result.items()}}, indent=1))
    return result


def _key(case: Case) -> str:
    """Changes with the set's files, the question, these scripts and scikit-learn."""
    digest = hashlib.sha256(sklearn.__version__.encode())
    digest.update(repr((case.inputs, case.targets, case.split)).encode())
    for module in (first_click_features, first_click_tasks, inspect.getmodule(baselines)):
        digest.update(inspect.getsource(module).encode())
    rows = case.rows()
    files = {row[c] for row in rows for c, m in case.inputs.items() if m != "text"}
    for name in (TABLE, *sorted(files - {""})):
        digest.update((case.folder / name).read_bytes())
    return digest.hexdigest()


def _parts(case: Case) -> dict[str, Rows]:
    rows = case.rows()
    return {split: [row for row in rows if row[case.split] == split] for split in SPLITS}


def _cells(parts: Mapping[str, Rows], column: str) -> dict[str, list[str]]:
    return {split: [row[column] for row in rows] for split, rows in parts.items()}


def _baseline(
    case: Case, parts: Mapping[str, Rows], inputs: Mapping[str, dict[str, Parts]], target: str
) -> Baseline:
    began = time.perf_counter()
    known = {s: np.array([bool(row[target]) for row in rows]) for s, rows in parts.items()}
    cells = {s: [row[target] for row in rows if row[target]] for s, rows in parts.items()}
    task = TASKS[case.targets[target]](cells["train"])
    truth = {s: task.truth(some) for s, some in cells.items()}
    inputs = {column: {kind: {s: part[s][known[s]] for s in SPLITS} for kind, part in kinds.items()}
              for column, kinds in inputs.items()}
    tried: dict[str, _Tried] = {}
    for column, kinds in inputs.items():
        modality = case.inputs[column]
        best = _best(_searched(task, kinds, truth, modality == "audio"))
        tried[f"{modality} alone: {best.name}"] = best
    if len(inputs) > 1:
        singles = list(tried.values())
        tried["late fusion"] = _late(task, singles, truth)
        best = _best(_searched(task, {"all": joined(list(inputs.values()))}, truth, False))
        tried[f"joined: {best.name}"] = best
    chosen = max(tried, key=lambda name: (tried[name].figure, -tried[name].loss))
    scored = ("validation", "test")
    return Baseline(
        chosen,
        {name: {s: task.figure(one.answers[s], truth[s]) for s in scored}
         for name, one in tried.items()},
        {s: task.error(tried[chosen].answers[s], truth[s]) for s in scored},
        {s: len(truth[s]) for s in scored}, round(time.perf_counter() - began, 1))


def _searched(
    task: Task, kinds: Mapping[str, Parts], truth: Mapping[str, np.ndarray], sound: bool
) -> Iterator[_Tried]:
    """Every model on every kind of features."""
    for kind, features in kinds.items():
        for name, model in task.models(features["train"], sound):
            yield _fitted(task, f"{name} of {kind}", model, features, truth)


def _fitted(
    task: Task, name: str, model: Any, features: Parts, truth: Mapping[str, np.ndarray]
) -> _Tried:
    fitted = clone(model).fit(features["train"], truth["train"])
    answers = {s: task.answers(fitted, features[s]) for s in ("validation", "test")}
    factor = task.calibrated(answers["validation"], truth["validation"])
    return _judged(task, name, {s: a * factor for s, a in answers.items()}, truth)


def _judged(
    task: Task, name: str, answers: dict[str, np.ndarray], truth: Mapping[str, np.ndarray]
) -> _Tried:
    figure = task.figure(answers["validation"], truth["validation"])
    loss = task.loss(answers["validation"], truth["validation"])
    return _Tried(name, figure, loss, answers)


def _late(task: Task, singles: Sequence[_Tried], truth: Mapping[str, np.ndarray]) -> _Tried:
    answers = {s: task.averaged([one.answers[s] for one in singles])
               for s in ("validation", "test")}
    return _judged(task, "late fusion", answers, truth)


def _best(tried: Iterator[_Tried]) -> _Tried:
    """By the figure on the validation rows; of equal ones that of the lower loss."""
    return max(tried, key=lambda one: (one.figure, -one.loss))
