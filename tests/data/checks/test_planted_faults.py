"""Faults planted in a copy of real data are found, and the clean copy gives no alarm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.planted_faults import measure

MOST_FALSE = 0.02


def test_planted_faults_are_found_in_real_data(
    shared_data: Callable[[str], Path], tmp_path: Path
) -> None:
    outcome = measure(shared_data("avdigits"), tmp_path)
    assert outcome.planted == {
        "duplicate": (20, 20), "straddling_group": (10, 10), "similar_label": (5, 5),
        "silent": (10, 10), "name_holds_label": (10, 10)}
    assert outcome.alarmed <= MOST_FALSE * outcome.clean_rows
    assert outcome.others <= MOST_FALSE * outcome.clean_rows
