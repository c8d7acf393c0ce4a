"""Which rows are chosen to be labelled."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mmstudio.errors import UserError
from mmstudio.evaluation.choose_to_label import _told, choose_to_label, chosen, uncertainties
from mmstudio.evaluation.representation import Represented
from tests.evaluation.conftest import Planted
from tests.small_project import read_rows, write_table


def test_uncertainty_by_hand() -> None:
    classes = np.zeros(1, dtype=np.int64)
    scores = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.6, 0.3, 0.1]])
    assert uncertainties(scores, classes) == pytest.approx([1.0, 0.0, 0.7])
    sets = np.zeros((1, 2), dtype=np.uint8)
    assert uncertainties(np.array([[0.9, 0.5], [1.0, 0.0]]), sets) == pytest.approx([1.0, 0.0])
    # what tells nothing must not drown what does
    assert uncertainties(np.array([3.0, 4.0]), np.zeros(1, np.float32)) is None
    assert uncertainties(np.ones((2, 1)), classes) is None


def test_one_row_of_each_kind_the_widest_doubt_first() -> None:
    chance = np.random.default_rng(0)
    kinds = np.repeat([0.0, 10.0, 20.0], [30, 20, 10])
    vectors = np.stack([kinds, np.zeros(60)], axis=1) + 0.1 * chance.normal(size=(60, 2))
    unsure = np.full(60, 0.9)
    found = chosen(vectors, unsure, 3)
    assert kinds[found].tolist() == [0, 10, 20]  # by how many rows are in doubt
    unsure[kinds == 20] = 0.0
    assert set(kinds[chosen(vectors, unsure, 2)]) == {0, 10}


def test_rows_are_chosen_once_and_no_more_than_there_are() -> None:
    copies = np.zeros((7, 3))
    assert len(set(chosen(copies, np.ones(7), 5).tolist())) == 5
    assert sorted(chosen(copies, np.zeros(7), 99).tolist()) == list(range(7))
    assert not len(chosen(np.zeros((0, 3)), np.zeros(0), 4))


def test_of_equally_unsure_rows_not_the_first_ones_are_looked_at() -> None:
    vectors = np.repeat([0.0, 10.0], [300, 100])[:, None]
    found = chosen(vectors, np.ones(400), 2)  # of 40 candidates
    assert sorted(vectors[found, 0].tolist()) == [0, 10]
    assert chosen(vectors, np.ones(400), 2).tolist() == found.tolist()


def test_too_many_are_refused_before_anything_is_opened(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="1,001 rows are too many"):
        list(choose_to_label(tmp_path, 1001))


def test_a_number_does_not_drown_what_a_class_tells() -> None:
    rows = Represented(
        np.array([3, 5]), np.ones((2, 1), bool), np.array([[0.0], [1.0]]), {},
        {"kind": np.array([[9.0, 0.0], [0.0, 0.0]]), "size": np.array([1.0, 2.0])}, {})
    labels = {"kind": SimpleNamespace(values=np.zeros(1, np.int64)),
              "size": SimpleNamespace(values=np.zeros(1, np.float32))}
    schema = SimpleNamespace(targets={"kind": {"classes": ["a", "b"]},
                                      "size": {"mean": 0.0, "deviation": 1.0}})
    predictor = SimpleNamespace(
        schema=schema, tasks={"kind": "classification", "size": "regression"})
    found = _told(predictor, SimpleNamespace(labels=labels), rows, 2)
    assert {one.row: round(one.uncertainty, 2) for one in found} == {3: 0.0, 5: 1.0}


def test_rows_of_a_run_s_table_without_a_label(planted: Planted, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(planted.project, project)
    table = read_rows(project)
    for row in table:
        row["size"] = row["size"] or "big"
    write_table(project / "metadata.csv", table)
    with pytest.raises(UserError, match="Every row that has an input has a label"):
        list(choose_to_label(project / "runs" / "first", 3, "cpu"))
    for row in (4, 22, 40, 61):
        table[row]["shape"] = table[row]["size"] = ""
    table[61]["split"] = ""  # in no split: it can be labelled all the same
    write_table(project / "metadata.csv", table)
    *_, found = choose_to_label(project / "runs" / "first", 100, "cpu")
    assert isinstance(found, list)
    rows = {one.row for one in found}
    assert rows == {4, 22, 40, 61}
    assert set(found[0].suggested) == {"shape", "size"}
    assert all(0 <= one.uncertainty <= 1 for one in found)
    *_, few = choose_to_label(project / "runs" / "first", 2, "cpu")
    assert isinstance(few, list) and len(few) == 2 and {o.row for o in few} < rows
