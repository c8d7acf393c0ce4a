"""Cells to labels: classes, label sets and numbers, each with what is not known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmstudio.data.labels import fit_labels, read_labels
from mmstudio.errors import UserError
from mmstudio.tasks.kinds import Labels
from mmstudio.tasks.kinds.label_set import split_cell
from mmstudio.units import number_text

ALL = np.array([0, 1, 2, 3])


def fitted(task: str, cells: list[str | None], rows: np.ndarray = ALL, **options: Any) -> Any:
    return fit_labels(task, options, cells, rows, "kind")


def read(task: str, spec: Any, cells: list[str | None], used: list[bool] | None = None) -> Labels:
    return read_labels(task, spec, cells, np.array(used or [True] * len(cells)), "kind")


def test_classes_with_their_counts() -> None:
    spec = fitted("classification", ["10", "b", "9", "b", None, "z"], np.arange(5))
    assert spec == {"classes": ["9", "10", "b"], "counts": [1, 1, 2]}
    labels = read("classification", spec, ["b", "z", None, "9"])
    assert labels.values.tolist() == [2, 0, 0, 0]
    assert labels.known.tolist() == [True, False, False, True]
    assert labels.values.dtype == np.int64


def test_label_sets() -> None:
    spec = fitted("multilabel", ["cat; dog", ";", "dog;dog;", None, "owl"])
    assert spec == {"classes": ["cat", "dog"], "counts": [1, 2], "rows": 3, "separator": ";"}
    labels = read("multilabel", spec, ["dog;cat", ";", None, "owl;cat", "owl"])
    assert labels.values.tolist() == [[1, 1], [0, 0], [0, 0], [1, 0], [0, 0]]
    assert labels.known.tolist() == [True, True, False, True, True]
    assert labels.values.dtype == np.uint8


@pytest.mark.parametrize(("separator", "cell", "found"), [
    (";", "a;b", ["a", "b"]), (",", " a , b ,a", ["a", "b"]), (" ", "a  b", ["a", "b"]),
    ("|", "|", []), (", ", "a, b,c", ["a", "b,c"]), (";", "one label", ["one label"]),
])
def test_separators(separator: str, cell: str, found: list[str]) -> None:
    assert split_cell(cell, separator) == found
    spec = fitted("multilabel", [cell, f"x{separator}y"], np.array([0, 1]), separator=separator)
    assert set(spec["classes"]) == {"x", "y", *found}


def test_numbers_in_deviations_from_the_training_rows() -> None:
    spec = fitted("regression", ["1", "3", None, "1e0", "100"])
    assert spec == pytest.approx({"mean": 5 / 3, "deviation": np.std([1, 3, 1])})
    labels = read("regression", spec, ["1", None, "NaN", "-2.5"])
    assert labels.known.tolist() == [True, False, False, True]
    assert labels.values.dtype == np.float32
    own = labels.values.astype(float) * spec["deviation"] + spec["mean"]
    assert own[[0, 3]] == pytest.approx([1, -2.5])
    assert own[[1, 2]] == pytest.approx(spec["mean"])


@pytest.mark.parametrize(("cells", "mean", "deviation"), [
    (["1700000000000", "1700000000001"], 1700000000000.5, 0.5), (["1e300", "-1e300"], 0, 1e300),
    (["1e-200", "3e-200"], 2e-200, 1e-200),
])
def test_numbers_of_any_size(cells: list[str], mean: float, deviation: float) -> None:
    spec = fitted("regression", list(cells), np.array([0, 1]))
    assert spec["mean"] == pytest.approx(mean, rel=1e-12)
    assert spec["deviation"] == pytest.approx(deviation, rel=1e-3)
    assert sorted(abs(read("regression", spec, list(cells)).values)) == pytest.approx(
        [1, 1], rel=1e-3)


def test_what_a_row_that_is_left_out_says_does_not_matter() -> None:
    spec = fitted("regression", ["1", "2"], np.array([0, 1]))
    labels = read("regression", spec, ["1", "many"], [True, False])
    assert labels.known.tolist() == [True, False]


def test_some_rows_of_labels() -> None:
    labels = Labels(np.array([4, 5, 6]), np.array([True, False, True])).of(np.array([2, 1]))
    assert labels.values.tolist() == [6, 5]
    assert labels.known.tolist() == [True, False]
    assert len(labels) == 2


@pytest.mark.parametrize(("number", "digits", "text"), [
    (3.14159, 4, "3.142"), (40123.4, 4, "40123"), (-0.0123456, 2, "-0.012"), (0.0, 2, "0"),
    (999.9, 2, "1000"), (1999.6, 4, "2000"), (1.5e12, 4, "1.5e+12"), (99.96, 3, "100"),
    (99.6, 2, "100"), (-123456.0, 2, "-123456"),
])
def test_numbers_for_people(number: float, digits: int, text: str) -> None:
    assert number_text(number, digits) == text


BAD: dict[str, tuple[str, list[str | None], dict[str, Any], str, str]] = {
    "no label": ("multilabel", [None] * 4, {}, "no label in any training row", "another column"),
    "never a label": ("multilabel", [";"] * 4, {}, "no label in any training row", "column"),
    "no separator": ("multilabel", ["a"] * 4, {"separator": ""}, "separator is empty", ";"),
    "nothing repeats": ("multilabel", [f"a{i} b{i}" for i in range(60)], {}, "60 classes in 60",
                        "targets.kind.separator"),
    "a word": ("regression", ["1", "2", "three", "4"], {}, "'kind', row 3: 'three'", "3.5"),
    "a comma": ("regression", ["1,5", "2", "3", "4"], {}, "row 1: '1,5' is not a number", "3.5"),
    "endless": ("regression", ["1", "2", "3", "inf"], {}, "row 4: 'inf' is not a number", "3.5"),
    "always the same": ("regression", ["0.1"] * 4, {}, "one value only, 0.1", "vary"),
    "only nan": ("regression", ["nan"] * 4, {}, "no number in any", "another column"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_learnt_is_refused_with_a_remedy(case: str) -> None:
    task, cells, options, message, hint = BAD[case]
    with pytest.raises(UserError) as caught:
        fitted(task, cells, np.arange(len(cells)), **options)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_more_labels_than_memory_holds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmstudio.tasks.kinds.label_set.MOST_LABEL_BYTES", 8)
    assert fitted("multilabel", ["a;b", "a", "b", ";"])["classes"] == ["a", "b"]
    with pytest.raises(UserError, match="3 classes in 4 rows") as caught:
        fitted("multilabel", ["a;b", "a;c", "b", ";"])
    assert "2 classes are possible" in caught.value.hint


def test_a_cell_that_is_no_number_is_named_outside_the_training_rows_too() -> None:
    spec = fitted("regression", ["1", "2"], np.array([0, 1]))
    with pytest.raises(UserError, match="'kind', row 2: 'ten' is not a number"):
        read("regression", spec, ["1", "ten"])
