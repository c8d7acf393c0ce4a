"""Sizes, durations and signed numbers, as people read them."""

from __future__ import annotations

import pytest

from mmstudio.tasks.kinds import metric_named
from mmstudio.units import (
    duration_text,
    signed,
    size_of_text,
    size_text,
    time_left_text,
    with_sign,
)


@pytest.mark.parametrize(("count", "text", "compared"), [
    (0, "0 B", "0 B"), (999, "999 B", "999 B"), (300_000, "300 KB", "300 KB"),
    (1_234_567, "1 MB", "1.2 MB"), (45_000_000, "45 MB", "45.0 MB"),
    (999_600_000, "1.0 GB", "1.0 GB"), (1_340_000_000, "1.3 GB", "1.3 GB"),
    (140e9, "140 GB", "140 GB"),
])
def test_sizes(count: float, text: str, compared: str) -> None:
    assert size_text(count) == text
    assert size_text(count, compared=True) == compared


def test_how_much_of_a_size_is_there_names_the_unit_once() -> None:
    assert size_of_text(12_000_000, 45_000_000) == "12 of 45 MB"
    assert size_of_text(300_000, 45_000_000) == "300 KB of 45 MB"


@pytest.mark.parametrize(("seconds", "text", "left"), [
    (0.423, "0.42 s", "1 s"), (3.21, "3.2 s", "3 s"), (25, "25 s", "25 s"),
    (89.6, "90 s", "90 s"), (95, "2 min", "2 min"), (4000, "67 min", "67 min"),
    (8000, "2 h 13 min", "2 h 13 min"),
])
def test_durations(seconds: float, text: str, left: str) -> None:
    assert (duration_text(seconds), time_left_text(seconds)) == (text, left)


def test_signs() -> None:
    assert [signed(v) for v in (2.13, -0.3, 0.04)] == ["+2.1", "−0.3", "0.0"]
    assert with_sign(-12.0, "12") == "−12" and with_sign(0.0001, "0") == "0"


@pytest.mark.parametrize(("name", "title", "short", "text"), [
    ("accuracy", "accuracy", "accuracy", "50.0 %"), ("macro_f1", "macro F1", "macro F1", "50.0 %"),
    ("macro_average_precision", "macro average precision", "macro AP", "50.0 %"),
    ("r2", "R²", "R²", "0.5"), ("mean_absolute_error", "mean absolute error", "MAE", "0.5"),
    ("loss", "loss", "loss", "0.5"), ("one_of_another_version", "one of another version",
                                      "one of another version", "0.5"),
])
def test_figures(name: str, title: str, short: str, text: str) -> None:
    metric = metric_named(name)
    assert (metric.title, metric.short, metric.text(0.5)) == (title, short, text)
    assert metric.higher_is_better is (name not in ("mean_absolute_error", "loss"))
