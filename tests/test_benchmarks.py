"""The benchmarks, as far as reading them tells: pytest does not run them."""

from __future__ import annotations

from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent / "benchmarks"
OPENERS = ("QApplication(", "open_app(", "open_window(", "(ProjectWindow)")
WINDOWED = [p for p in sorted(FOLDER.glob("*.py")) if p.stem != "app_window"
            and any(opener in p.read_text("utf-8") for opener in OPENERS)]


@pytest.mark.parametrize("path", WINDOWED, ids=lambda p: p.stem)
def test_one_that_opens_a_window_has_a_screen_of_its_own(path: Path) -> None:
    text = path.read_text("utf-8")
    assert "from virtual_screen import screen" in text and "screen()" in text


def test_there_are_such() -> None:
    assert {"training_speed", "million_rows", "results_page", "drop_to_answer"} <= {
        p.stem for p in WINDOWED}
