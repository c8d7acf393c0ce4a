"""An experiment's plain data by key."""

from __future__ import annotations

from mmstudio.experiment_keys import by_key, by_path

DATA = {"data": {"table": "a.csv", "split": {"train": 0.8}}, "targets": {"x.y": {"merge": {}}}}


def test_every_value_has_one_key() -> None:
    assert by_key(DATA) == {"data.table": "a.csv", "data.split.train": 0.8}


def test_a_path_keeps_names_with_points_and_empty_tables() -> None:
    assert list(by_path(DATA, ("run",))) == [
        (("run", "data", "table"), "a.csv"), (("run", "data", "split", "train"), 0.8),
        (("run", "targets", "x.y", "merge"), {})]
