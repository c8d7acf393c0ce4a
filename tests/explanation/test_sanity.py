"""Maps must depend on what was learnt (Adebayo et al. 2018)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mmstudio.explanation.explain import explain
from mmstudio.inference.predictor import Predictor
from mmstudio.training.model import build_model
from tests.small_project import read_rows, train_small, write_table

LEAST_ALIKE = 0.5
"""Rank correlation of two maps that show the same; those of one model with itself have 1."""
LABELS = ("bar", "cross", "dot")


def samples(run: Path) -> list[dict[str, Any]]:
    folder = run.parent.parent
    rows = [row for row in read_rows(folder) if row["file_name"] and row["text"] and row["audio"]]
    return [{"image": folder / row["file_name"], "words": row["text"],
             "sound": folder / row["audio"]} for row in rows[:10]]


def maps(predictor: Predictor, some: list[dict[str, Any]], method: Any) -> dict[str, np.ndarray]:
    """Per input, of all samples and labels side by side, how strongly each piece counted."""
    found: dict[str, list[np.ndarray]] = {}
    for sample in some:
        for label in LABELS:
            told = explain(predictor, sample, "shape", label, method=method, change=False)
            for name, one in told.inputs.items():
                found.setdefault(name, []).append(one.weights.ravel())
    return {name: np.concatenate(each) for name, each in found.items()}


def alike(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's rank correlation."""
    ranks = [np.argsort(np.argsort(values)) for values in (one, other)]
    return float(np.corrcoef(*ranks)[0, 1])


@pytest.mark.parametrize("method", ["gradients", "occlusion"])
def test_random_weights_give_other_maps(trained: Path, method: str) -> None:
    predictor, some = Predictor(trained), samples(trained)
    before = maps(predictor, some, method)
    again = maps(predictor, some, method)
    torch.manual_seed(5)
    fresh = build_model(predictor.experiment, predictor.schema).eval()
    predictor.model.load_state_dict(fresh.state_dict())
    after = maps(predictor, some, method)
    assert set(before) == {"image", "words", "sound"}
    for name in before:
        assert alike(before[name], again[name]) > 0.99
        assert abs(alike(before[name], after[name])) < LEAST_ALIKE, name


def test_a_model_of_shuffled_labels_gives_other_maps(trained: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(trained.parent.parent, project, ignore=shutil.ignore_patterns("runs"))
    rows = read_rows(project)
    order = np.random.default_rng(3).permutation(len(rows))
    shuffled = [row | {"shape": rows[other]["shape"]} for row, other in
                zip(rows, order, strict=True)]
    write_table(project / "metadata.csv", shuffled)
    train_small(project, {"training.epochs": 8})
    some = samples(trained)
    right = maps(Predictor(trained), some, "gradients")
    wrong = maps(Predictor(project / "runs" / "first"), some, "gradients")
    for name in right:
        assert abs(alike(right[name], wrong[name])) < LEAST_ALIKE, name
