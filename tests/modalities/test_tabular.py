"""Numbers and categories: what is learnt of a column, and how a cell is placed."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from mmstudio.errors import UserError
from mmstudio.modalities.records import plain_record, read_record, record_of
from mmstudio.modalities.tabular import PLACE, RANK, SIZE, TabularModality, number_of, placed
from mmstudio.numbers import read_numbers

TABULAR = TabularModality()
COLUMNS = ["age", "home town", "id=x"]


def fitted(**columns: list[str | None]) -> dict[str, Any]:
    rows = [json.dumps(dict(zip(columns, cells, strict=True)))
            for cells in zip(*columns.values(), strict=True)]
    spec = TABULAR.fit(rows)
    return {c["name"]: c for c in spec["columns"]} | {"spec": spec}


def test_a_number_is_placed_by_median_and_quartiles_and_by_its_rank() -> None:
    # 0 to 100: median 50, quartiles 25 and 75
    found = fitted(x=[str(i) for i in range(101)])["x"]
    assert (found["kind"], found["middle"], found["missing"]) == ("number", 50.0, False)
    assert found["width"] == pytest.approx(50 / 1.349)
    known, size, rank, place = placed("75", found)
    assert (known, place) == (1.0, 0.0)
    assert size == pytest.approx(1.349 / 2)
    assert rank == pytest.approx(12**0.5 / 4)  # three quarters of the rows are below
    # far off: both ends are held
    assert placed("1e300", found)[SIZE] == 6.0 and placed("-1e300", found)[SIZE] == -6.0
    assert placed("1e300", found)[RANK] == pytest.approx(3**0.5)


def test_large_numbers_keep_their_differences() -> None:
    found = fitted(time=[f"{1_700_000_000_000 + i}" for i in range(101)])["time"]
    near = [placed(f"{1_700_000_000_000 + i}", found)[SIZE] for i in (50, 51)]
    assert near[0] == 0.0 and near[1] == pytest.approx(1.349 / 50)


def test_mostly_one_number_is_placed_by_mean_and_deviation() -> None:
    found = fitted(x=["0"] * 90 + ["10"] * 10)["x"]
    assert found["middle"] == pytest.approx(1.0) and found["width"] == pytest.approx(3.0)
    assert fitted(x=["7"] * 9)["x"]["width"] == 1.0
    huge = fitted(x=["1e308", "-1e308"] * 10)["x"]
    assert all(np.isfinite(placed(c, huge)).all() for c in ("1e308", "0", "-1e308"))


def test_equal_numbers_have_the_rank_of_the_middle_of_their_rows() -> None:
    found = fitted(x=["1"] * 50 + ["2"] * 50)["x"]
    low, high = placed("1", found), placed("2", found)
    assert low[RANK] == pytest.approx(-high[RANK])
    assert low[RANK] == pytest.approx(12**0.5 * -0.25, abs=0.03)
    assert (found["levels"], low[PLACE], high[PLACE]) == ([1.0, 2.0], 1.0, 2.0)
    assert placed("3", found)[PLACE] == 0.0


def test_categories_that_are_rare_or_new_share_one_place() -> None:
    found = fitted(town=["Rome"] * 3 + ["Oslo"] * 5 + ["Lima"])["town"]
    assert (found["kind"], found["words"], found["counts"]) == (
        "category", ["Oslo", "Rome"], [5, 3])
    assert [placed(c, found)[PLACE] for c in ("Oslo", "Rome", "Lima", "Bonn")] == [1, 2, 0, 0]


def test_codes_with_a_leading_zero_are_categories_and_units_are_read() -> None:
    found = fitted(zip=["01234", "99999"] * 10, w=[f"{i} kg" for i in range(20)])
    assert found["zip"]["kind"] == "category"
    assert (found["w"]["kind"], found["w"]["unit"]) == ("number", "kg")
    assert placed("5 kg", found["w"]) == placed("5", found["w"])
    assert placed("5 lb", found["w"]) == placed("heavy", found["w"]) == (0, 0, 0, 0)
    assert placed("nan", found["w"]) == placed("inf", found["w"]) == (0, 0, 0, 0)


def test_a_few_padded_numbers_are_no_codes() -> None:
    numbers = [str(i) for i in range(10, 109)]
    padded = fitted(day=["05", *numbers])["day"]
    assert padded["kind"] == "number" and padded["knots"][0] == 5.0
    assert fitted(day=["05", *numbers[:18], None])["day"]["kind"] == "category"  # 1 of 19


class NAType:
    """As pandas' NA: it is neither equal nor unequal to anything."""

    def __ne__(self, other: object) -> Any:
        return self

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")

    def __str__(self) -> str:
        return "<NA>"


NOTHING = [None, float("nan"), np.float32("nan"), np.datetime64("NaT"), NAType()]


@pytest.mark.parametrize("nothing", NOTHING, ids=str)
def test_what_says_that_nothing_is_there_is_a_missing_cell(nothing: Any) -> None:
    spec = fitted(age=["1", "2", None, "4"], town=["a", "a", "b", "b"])["spec"]
    assert TABULAR.decode_held({"town": nothing, "age": 2}, spec)[1].tolist() == [0, 0, 0, 0]
    assert TABULAR.decode_held({"town": nothing, "age": nothing}, spec).shape == (0, 4)


def test_cells_in_memory_are_read_as_those_of_the_table() -> None:
    spec = fitted(**{"sold": ["True", "False"] * 2, "7": ["1", "0"] * 2, "day": [
        "2024-01-02"] * 2 + ["2024-01-03"] * 2})["spec"]
    expected = TABULAR.decode('{"sold": "True", "7": "1", "day": "2024-01-02"}', spec).tolist()
    for yes in (True, np.bool_(True), "true", "TRUE"):
        held = {"sold": yes, 7: True, "day": np.datetime64("2024-01-02")}
        assert TABULAR.decode_held(held, spec).tolist() == expected
    assert TABULAR.decode_held({"sold": False}, spec)[0, PLACE] == 1
    for several in ([1], np.ones(2), {"a": 1}, b"1"):
        with pytest.raises(UserError, match="'sold' holds more than one"):
            TABULAR.decode_held({"sold": several}, spec)
    with pytest.raises(UserError, match="not a column"):
        TABULAR.decode_held({("a", 1): 3}, spec)


def test_a_missing_cell_is_zeros_and_the_batch_holds_absent_rows() -> None:
    spec = fitted(age=["1", "2", None, "4"], town=["a", "a", "b", "b"])["spec"]
    array = TABULAR.decode('{"town": "a", "age": null}', spec)
    assert array.dtype == np.float32 and array.tolist() == [[0, 0, 0, 0], [1, 0, 0, 1]]
    held = TABULAR.decode_held({"town": "a", "age": float("nan")}, spec)
    assert held.tolist() == array.tolist()
    with pytest.raises(UserError, match="as a record"):
        TABULAR.decode_held(3, spec)
    assert TABULAR.decode('{"town": " "}', spec).shape == (0, 4)
    values, mask = TABULAR.collate([None, array.ravel()], spec)
    assert values.shape == (2, 2, 4) and mask is None
    assert not values[0].any() and values[1].tolist() == array.tolist()


def test_what_can_not_be_read_is_told() -> None:
    spec = fitted(age=["1", "2"])["spec"]
    for wrong in ("[1", "nothing", '{"agee": 3}', "agee=3", '{"age": [1]}'):
        with pytest.raises(UserError):
            TABULAR.decode(wrong, spec)
    with pytest.raises(UserError, match="Not one row"):
        TABULAR.fit(["no json"])


@pytest.mark.parametrize(("text", "cells"), [
    ("age=3, home town=Rome", {"age": "3", "home town": "Rome"}),
    ("age=3,home town=New York, NY", {"age": "3", "home town": "New York, NY"}),
    ("id=x=7\nage= 4 ", {"id=x": "7", "age": "4"}),
    ("age=", {}),
    ('{"age": 3, "home town": null, "id=x": true}', {"age": "3", "id=x": "true"}),
    ('{"age": " 3.5 "}', {"age": "3.5"}),
])
def test_records_are_read_as_people_write_them(text: str, cells: dict[str, str]) -> None:
    assert read_record(text, COLUMNS) == cells


def test_records_and_back() -> None:
    assert record_of({"age": None, "town": " "}) is None
    record = record_of({"age": "3", "town": None})
    assert record == '{"age": "3"}' and plain_record(record) == "age 3"
    assert plain_record("{not json") == "{not json" and plain_record("a text") == "a text"
    with pytest.raises(UserError, match=r"'agee' is not a column.*age"):
        read_record("age=3, agee=4", COLUMNS)


def test_settings_from_a_file_are_whole_or_not() -> None:
    spec = fitted(age=["1", "2", "3"], town=["a", "a", "b"])["spec"]
    assert TabularModality.is_whole(spec)
    assert not TabularModality.is_whole({}) and not TabularModality.is_whole({"columns": []})
    for place, key in ((0, "knots"), (0, "ranks"), (0, "width"), (0, "levels"), (1, "words")):
        columns = [dict(column) for column in spec["columns"]]
        del columns[place][key]
        assert not TabularModality.is_whole({"columns": columns})


MANNERS = ["12", "-3.5", "+4", "5.", ".5", "1e3", " 7 ", "1,234", "1'234", "1 234", "12,5", "5 kg",
           "$5", "1_000", "0x10", "inf", "nan", "N/A", "1e400", "12", "1,234,567.5 kg", "red"]


@pytest.mark.parametrize("plain", [
    ["12"] * 400, ["1,234", "56"] * 200, ["5 kg"] * 400, ["$1,250.50", "$3"] * 200])
def test_a_cell_is_read_for_the_model_as_it_was_learnt(plain: list[str]) -> None:
    column = fitted(x=plain)["x"]
    read = read_numbers([*plain, *MANNERS]).values[len(plain):]
    found = [number_of(cell, column) for cell in MANNERS]
    assert [math.nan if n is None else n for n in found] == pytest.approx(read, nan_ok=True)


def test_a_comma_among_plain_numbers_is_missing_in_learning_and_in_the_model() -> None:
    cells = [str(i) for i in range(100)]
    column = fitted(x=[*cells, "1,234"])["x"]
    assert column["thousands"] is False and max(column["knots"]) == 99
    assert placed("1,234", column) == (0, 0, 0, 0)
    assert fitted(x=["1,234", "999"])["x"]["thousands"] is True
    # a run of before holds no such note and reads as it did
    old = {k: v for k, v in column.items() if k != "thousands"}
    assert number_of("1,234", old) == 1234 and number_of("5 kg", old) is None


def test_a_cell_that_is_no_plain_number_costs_hardly_more_than_one(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    column = fitted(x=[f"{i} kg" for i in range(50)])["x"]
    monkeypatch.setattr("mmstudio.numbers.read_numbers", None)  # reads columns: 300 µs a call
    assert placed("5 kg", column) == placed("5", column) != placed("heavy", column)
