"""Scores as people read them."""

from __future__ import annotations

import pytest

from mmstudio.comparison.figure import Figure
from mmstudio.units import plain_number as number
from tests.comparison.made_up import ACCURACY, YEARS


def test_shares_are_percent_and_their_differences_points() -> None:
    assert ACCURACY.title == "Accuracy"
    assert ACCURACY.text(0.9714) == "97.1 %"
    assert ACCURACY.size(-0.031) == "3.1 points"
    assert [ACCURACY.signed(d) for d in (0.031, -0.004, 0.0002)] == ["+3.1", "−0.4", "0.0"]
    assert Figure("samples_f1").title == "Row F1"


def test_errors_lose_their_sign_and_keep_their_unit() -> None:
    assert YEARS.title == "Mean absolute error, years"
    assert YEARS.text(-3.2) == "3.20 years"
    assert YEARS.size(0.4) == "0.400 years"
    assert YEARS.signed(-0.4) == "−0.400"
    assert YEARS.equal_up_to(-5.0) == pytest.approx(0.05)


def test_numbers_have_three_digits() -> None:
    assert [number(v) for v in (0, 0.3123, 3.14159, 42.0, 1234.5)] == [
        "0", "0.312", "3.14", "42.00", "1234"]
