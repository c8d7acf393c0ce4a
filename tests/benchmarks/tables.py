"""Tables of numbers and categories alone: a run with default settings beside scikit-learn.

Each set is split once, by a fixed seed; scikit-learn's models are fitted on training and
validation rows together, which a run uses too. Prints one line per set and model.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from sklearn import datasets
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mmstudio.experiment import Experiment
from mmstudio.inference.evaluate import evaluate
from mmstudio.training.loop import train

Set = tuple[np.ndarray, np.ndarray, bool]


def main() -> None:
    """Run the sets that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", default=[], help=f"of {', '.join(SETS)}")
    parser.add_argument("--epochs", type=int, default=0, help="0 takes the default")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    for name in given.sets or SETS:
        numbers, labels, is_class = SETS[name]()
        chance = np.random.default_rng(0)
        splits = chance.choice(["train", "validation", "test"], len(labels), p=[0.6, 0.15, 0.25])
        found = {"run": _run(numbers, labels, is_class, splits, given.epochs)}
        found |= _others(numbers, labels, is_class, splits)
        if given.json:
            print(json.dumps({"set": name, "rows": len(labels)} | found), flush=True)
        else:
            figures = "  ".join(f"{model} {figure:.3f}" for model, figure in found.items())
            print(f"{name:12} {len(labels):6,} rows  {figures}", flush=True)


def _run(
    numbers: np.ndarray, labels: np.ndarray, is_class: bool, splits: np.ndarray, epochs: int
) -> float:
    """Accuracy, or R², of a run on the test rows."""
    columns = [f"x{i}" for i in range(numbers.shape[1])]
    with TemporaryDirectory() as place:
        folder = Path(place)
        with (folder / "table.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*columns, "answer", "split"])
            for row, label, split in zip(numbers, labels, splits, strict=True):
                cells = ["" if isinstance(c, float) and np.isnan(c) else c for c in row.tolist()]
                writer.writerow([*cells, label, split])
        task = "classification" if is_class else "regression"
        experiment = Experiment.from_dict({
            "data": {"table": "table.csv", "split": "split"},
            "inputs": {"table": {"columns": columns, "modality": "tabular"}},
            "targets": {"answer": {"task": task}},
            "training": {"epochs": epochs}})
        for _ in train(experiment, folder / "runs" / "a", folder=folder):
            pass
        return _figure(folder / "runs" / "a", "accuracy" if is_class else "r2")


def _figure(run: Path, name: str) -> float:
    for step in evaluate(run, "test"):
        if hasattr(step, "tasks"):
            return float(step.tasks["answer"][name])
    raise RuntimeError("no evaluation")


def _others(
    numbers: np.ndarray, labels: np.ndarray, is_class: bool, splits: np.ndarray
) -> dict[str, float]:
    """The same figure of scikit-learn's models."""
    known, asked = splits != "test", splits == "test"
    filled = np.where(np.isnan(numbers), np.nanmedian(numbers, axis=0), numbers)
    if is_class:
        models = {"boosting": (HistGradientBoostingClassifier(random_state=0), numbers),
                  "logistic": (make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
                               filled)}
    else:
        models = {"boosting": (HistGradientBoostingRegressor(random_state=0), numbers),
                  "ridge": (make_pipeline(StandardScaler(), Ridge()), filled)}
    return {name: float(model.fit(rows[known], labels[known]).score(rows[asked], labels[asked]))
            for name, (model, rows) in models.items()}


def _of(load: Callable[..., tuple[np.ndarray, np.ndarray]], is_class: bool) -> Callable[[], Set]:
    def loaded() -> Set:
        numbers, labels = load(return_X_y=True)
        return numbers.astype(np.float64), labels, is_class
    return loaded


def _steps() -> Set:
    """Labels by thresholds and their combinations, as trees like them; some numbers missing."""
    chance = np.random.default_rng(1)
    numbers = chance.normal(size=(2000, 8))
    numbers[:, 0] = np.exp(2 * numbers[:, 0])
    labels = ((numbers[:, 0] > 1) ^ (numbers[:, 1] > 0.3)).astype(int) + (numbers[:, 2] > 1)
    numbers[chance.random(numbers.shape) < 0.05] = np.nan
    return numbers, labels, True


def _friedman() -> Set:
    numbers, labels = datasets.make_friedman1(1500, noise=1.0, random_state=0)
    return numbers, labels, False


SETS: dict[str, Callable[[], Set]] = {
    "cancer": _of(datasets.load_breast_cancer, True),
    "wine": _of(datasets.load_wine, True),
    "diabetes": _of(datasets.load_diabetes, False),
    "steps": _steps,
    "friedman": _friedman,
}


if __name__ == "__main__":
    main()
