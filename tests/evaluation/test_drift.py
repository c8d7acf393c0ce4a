"""Drift of new rows from those of a trained run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmstudio.errors import UserError
from mmstudio.evaluation.drift import Drift, _views, drift
from mmstudio.evaluation.representation import Represented
from tests.evaluation.conftest import Planted
from tests.small_project import read_rows, write_table


def table_of(planted: Planted, folder: Path, *, dark: int = 0) -> Path:
    """The held-out rows as a table of new ones, without labels; some pictures turned to negatives.

    Half of them by chance, so that others are left to compare with.
    """
    rows = [r for r in read_rows(planted.project) if r["split"] in ("validation", "test")]
    order = np.random.default_rng(0).permutation(len(rows))[: len(rows) // 2]
    rows = [rows[i] for i in order]
    for i, row in enumerate(rows):
        row.pop("shape")
        for column in ("file_name", "audio"):
            row[column] = str(planted.project / row[column]) if row[column] else ""
        if i < dark and row["file_name"]:
            picture = 255 - np.asarray(Image.open(row["file_name"], formats=("PNG",)))
            row["file_name"] = str(folder / f"{i}.png")
            Image.fromarray(picture).save(row["file_name"])
    write_table(folder / "new.csv", rows)
    return folder / "new.csv"


def compared(planted: Planted, table: Path) -> Drift:
    *_, last = drift(planted.run, table, "cpu")
    assert isinstance(last, Drift)
    return last


def test_rows_of_the_same_kind_have_not_drifted(planted: Planted, tmp_path: Path) -> None:
    found = compared(planted, table_of(planted, tmp_path))
    assert not found.drifted and [v.input for v in found.views] == ["", "image", "words", "sound"]
    # the rows that are in the new table are not compared with themselves
    assert found.views[0].known_rows <= 40 < 80


def test_negatives_of_pictures_are_seen_and_told_of_the_picture(
    planted: Planted, tmp_path: Path
) -> None:
    found = compared(planted, table_of(planted, tmp_path, dark=99))
    views = {v.input: v for v in found.views}
    assert found.drifted and views["image"].drifted
    assert not views["words"].drifted and not views["sound"].drifted
    assert views["image"].auc is not None and views["image"].auc > 0.8


def test_the_odd_rows_stand_first(planted: Planted, tmp_path: Path) -> None:
    found = compared(planted, table_of(planted, tmp_path, dark=6))
    first = [odd for odd in found.rows[:6] if odd.row < 6]
    assert len(first) >= 4 and all(odd.input in ("image", "") for odd in first)
    data = found.to_json()
    assert set(data) == {"drifted", "compared_with", "views", "rows", "warnings"}
    assert data["rows"][0]["share"] <= data["rows"][-1]["share"]


def test_a_short_table_is_refused(planted: Planted, tmp_path: Path) -> None:
    table = table_of(planted, tmp_path)
    lines = table.read_text("utf-8").splitlines()
    table.write_text("\n".join(lines[:6]), encoding="utf-8")
    with pytest.raises(UserError, match="5 rows with an input; 10 are needed"):
        list(drift(planted.run, table, "cpu"))


def test_of_many_inputs_one_is_not_said_to_drift_by_chance() -> None:
    chance = np.random.default_rng(0)
    alarms = 0
    for _ in range(40):
        rows = [chance.normal(size=(60, 5)).astype(np.float32) for _ in range(6)]
        present = np.ones((60, 5), dtype=bool)
        both = Represented(np.arange(60), present, rows[0],
                           {f"input {i}": r for i, r in enumerate(rows[1:])}, {}, {})
        known, new = (Represented(
            both.rows[part], present[part], both.shared[part],
            {n: x[part] for n, x in both.inputs.items()}, {}, {})
            for part in (slice(0, 40), slice(40, 60)))
        alarms += any(view.drifted for view in _views(known, new))
    assert alarms <= 5  # two are expected; without Holm's correction ten
