"""Curves and matrices as SVG: what is drawn, and the words beside it."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from mmstudio.report.svg import MOST_POINTS, curves, matrix, outline


def test_curves_are_whole_and_say_what_they_show() -> None:
    drawn = curves({"training": [2.0, 1.0], "a < b": [3.0, 0.5]}, [1, 2], "Loss", "epoch")
    page = ElementTree.fromstring(drawn)
    svg = page.find("svg")
    assert svg is not None
    assert svg.get("aria-label") == (
        "Loss over epoch: training from 2 to 1; a < b from 3 to 0.5")
    lines = svg.findall("polyline")
    assert len(lines) == 2
    # the highest value is at the top of the plot, the lowest at its bottom
    assert lines[1].get("points") == "52.0,12.0 508.0,192.0"


def test_what_is_not_a_number_is_left_out_and_one_point_is_no_curve() -> None:
    nan = float("nan")
    assert curves({"a": [nan, 1.0]}, [1, 2], "Loss", "epoch") == ""
    drawn = curves({"a": [nan, 1.0, 1.0]}, [1, 2, 3], "Loss", "epoch")
    assert drawn.count("polyline") == 1 and "nan" not in drawn


def test_a_long_curve_keeps_its_ends_in_few_points() -> None:
    drawn = curves({"a": list(range(10_000))}, range(10_000), "Loss", "step")
    points = re.search(r'points="([^"]*)"', drawn)
    assert points is not None
    each = points[1].split()
    assert len(each) <= 2 * MOST_POINTS and each[0] == "52.0,192.0" and each[-1] == "508.0,12.0"


def test_a_matrix_says_how_many_are_right() -> None:
    drawn = ElementTree.fromstring(matrix([[3, 1], [0, 6]], ["yes", "<no>"], "Confusion of x"))
    assert drawn.get("aria-label") == "Confusion of x: 9 of 10 rows on the diagonal"
    shades = [float(r.get("fill-opacity", "")) for r in drawn.findall("rect")]
    assert shades == pytest.approx([0.75, 0.25, 0.0, 1.0])
    assert matrix([[1] * 41] * 41, [str(i) for i in range(41)], "many") == ""


def test_an_outline_is_as_high_as_its_loudest_moment() -> None:
    drawn = ElementTree.fromstring(outline([(-0.5, 0.5), (-0.25, 0.0)]))
    path = drawn.find("path")
    assert path is not None
    assert path.get("d") == "M0.0,0.0V48.5M72.0,24.0V36.5"
    assert "path" in outline([])
