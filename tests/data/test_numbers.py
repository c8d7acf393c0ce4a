"""Numbers as they stand in cells: gaps, units, thousands, slips of the comma."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mmstudio.data.checks import Report, check
from mmstudio.data.labels import fit_labels, read_labels
from mmstudio.data.mend import mended
from mmstudio.data.split import split_rows
from mmstudio.data.table import Table
from mmstudio.experiment import Experiment, SplitShares
from mmstudio.numbers import far_off, read_numbers
from mmstudio.project.proposal import propose, write_project

PLAIN = [f"{5 + i / 10:g}" for i in range(60)]


def with_odd(*odd: str) -> list[str]:
    return [*PLAIN[:9], *odd, *PLAIN[9:]]


@pytest.mark.parametrize("odd", [
    "N/A", "NaN", "nan", "inf", "-inf", "-", "?", "NULL", "12.5 kg", "1,250", "5%", "about 7",
])
def test_a_column_is_what_most_of_its_cells_are(odd: str, tmp_path: Path) -> None:
    numbers = read_numbers(with_odd(odd))
    assert numbers.usual and numbers.odd.tolist() == [9]
    assert math.isnan(numbers.values[9]) and numbers.values[0] == 5
    lines = [f'{("light", "heavy")[i % 2]} thing {i},"{cell}"'
             for i, cell in enumerate(with_odd(odd))]
    (tmp_path / "t.csv").write_text("\n".join(["text,weight", *lines]))
    proposal = propose(tmp_path / "t.csv")
    weight = proposal.columns[1]
    assert weight.task == "regression"
    assert f"1 cell (row 10: '{odd}') is not a number" in weight.reason
    path = write_project(tmp_path / "p", proposal)
    report = list(check(Experiment.load(path), path.parent))[-1]
    assert isinstance(report, Report)
    assert [(p.row, p.kind) for p in report.problems if p.kind != "new_words"] == [
        (9, "no_number")]


@pytest.mark.parametrize(("cells", "values", "unit"), [
    (["12.5 kg", "3kg", "1,250 kg", "4"], [12.5, 3, 1250, 4], "kg"),
    (["5%", "7.5 %", "0%"], [5, 7.5, 0], "%"),
    (["$1,250.50", "$3", "$10,000"], [1250.5, 3, 10000], "$"),
    (["1,250", "3", "12,000,000", "900"], [1250, 3, 12e6, 900], ""),
    (["1'250", "3'000.5", "2"], [1250, 3000.5, 2], ""),
    (["-3", "+4", "1e3", ".5", " 7.0 "], [-3, 4, 1000, 0.5, 7], ""),
])
def test_how_a_whole_column_is_written_is_understood(
    cells: list[str], values: list[float], unit: str
) -> None:
    numbers = read_numbers(cells)
    assert numbers.values.tolist() == values
    assert (numbers.unit, len(numbers.odd), numbers.usual) == (unit, 0, True)


@pytest.mark.parametrize("cells", [
    ["a", "b", "3"], ["2024-01-02", "2024-02-03"], ["v1.2", "v1.3"], ["N/A", "-", "3"], [],
    ["1.2.3.4", "5.6.7.8"], ["x1", "x2", "x3"], ["1,5", "2,7"],
])
def test_words_are_no_numbers(cells: list[str]) -> None:
    numbers = read_numbers(cells)
    assert not numbers.usual or numbers.unit  # codes like x1 are as good as numbers of a unit


def test_numbers_far_from_all_others_are_named_and_long_tails_are_not() -> None:
    values = np.array([5.0 + i / 50 for i in range(50)] + [50 + i / 50 for i in range(50)])
    assert far_off(values).tolist() == []
    assert far_off(np.append(values, 1e12)).tolist() == [100]
    assert far_off(np.append(values, [np.nan, -1e9])).tolist() == [101]
    tail = np.exp(np.random.default_rng(0).normal(0, 2, 1000))
    assert far_off(tail).tolist() == []


def test_one_slip_does_not_drown_the_rest() -> None:
    cells = with_odd("1e12")
    spec = fit_labels("regression", {}, cells, np.arange(len(cells)), "weight")
    known = np.array([float(c) for c in PLAIN])
    assert spec["mean"] == pytest.approx(known.mean())
    assert spec["deviation"] == pytest.approx(known.std())
    labels = read_labels("regression", spec, cells, np.ones(len(cells), bool), "weight")
    assert labels.known.all() and labels.values[0] == pytest.approx(
        (5 - known.mean()) / known.std(), rel=1e-6)


def test_large_numbers_keep_their_differences() -> None:
    cells = [str(1_700_000_000 + i % 2) for i in range(40)]
    spec = fit_labels("regression", {}, cells, np.arange(40), "when")
    labels = read_labels("regression", spec, cells, np.ones(40, bool), "when")
    assert sorted(set(labels.values.tolist())) == pytest.approx([-1, 1], abs=1e-6)


def test_odd_cells_are_left_out_by_mending_and_equal_texts_stay(tmp_path: Path) -> None:
    cells = with_odd("N/A")
    lines = [f"{('light', 'heavy')[i % 2]} thing number {i % 9},{c}" for i, c in enumerate(cells)]
    (tmp_path / "t.csv").write_text("\n".join(["text,weight", *lines]))
    path = write_project(tmp_path / "p", propose(tmp_path / "t.csv"))
    experiment = Experiment.load(path)
    report = list(check(experiment, path.parent))[-1]
    assert isinstance(report, Report)
    odd = [p for p in report.problems if p.kind == "no_number"]
    assert len(odd) == 1
    result = mended(experiment, path.parent, odd)
    assert result.left_out is not None and len(result.left_out.splitlines()) == 2
    result.write(path.parent)
    again = list(check(result.experiment, path.parent))[-1]
    assert isinstance(again, Report)
    assert not [p for p in again.problems if p.kind == "no_number"]


def test_a_stratified_number_with_one_odd_cell_is_still_a_number() -> None:
    cells = [str(i / 7) for i in range(200)]
    cells[150] = "N/A"
    table = Table(Path("t.csv"), Path(), pl.DataFrame({"id": list(map(str, range(200))),
                                                       "y": cells}))
    splits = split_rows(table, SplitShares(0.8, 0.1, 0.1, stratify="y"), keys=["id"])
    for tenth in range(10):  # each range of the numbers has its share in every split
        parts = set(splits[20 * tenth : 20 * tenth + 20])
        assert parts == {"train", "validation", "test"}


def test_the_only_row_of_a_class_trains() -> None:
    labels = ["a"] * 30 + ["b"] * 30 + [f"lone {i}" for i in range(12)]
    table = Table(Path("t.csv"), Path(), pl.DataFrame({"id": list(map(str, range(72))),
                                                       "y": labels}))
    splits = split_rows(table, SplitShares(0.8, 0.1, 0.1, stratify="y"), keys=["id"])
    assert set(splits[60:]) == {"train"}


def test_a_million_words_are_no_numbers_at_once() -> None:
    words = pl.Series("text", ["some word"] * 1_000_000)
    began = time.perf_counter()
    assert not read_numbers(words).usual
    assert time.perf_counter() - began < 2
