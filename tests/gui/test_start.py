"""The start: quick because it loads little, and clear where there is no screen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmstudio.data.store_space import stored_limit
from mmstudio.gui.settings import Settings
from mmstudio.paths import config_dir
from tests.small_project import write_small_project

HEAVY = ("torch", "pyqtgraph", "PySide6.QtMultimedia", "transformers", "sklearn", "polars")
PATIENCE_S = 60

STAND_AND_LEAVE = f"""
import sys
from mmstudio.gui import app, main_window

class Window(main_window.MainWindow):
    def __init__(self, *args):
        super().__init__(*args)
        self.stood.connect(self.tell)  # before anything that the app itself starts then

    def tell(self):
        heavy = [name for name in {HEAVY!r} if name in sys.modules]
        print("stands with", heavy, self.isVisible(), flush=True)
        self.close()

main_window.MainWindow = Window
sys.exit(app.main())
"""

SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
ON_LINUX = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="elsewhere there is always a screen"
)


def environment(**more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in SCREENS} | more


def test_when_the_window_stands_nothing_heavy_is_loaded() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STAND_AND_LEAVE],
        env=environment(QT_QPA_PLATFORM="offscreen"),
        capture_output=True, text=True, timeout=PATIENCE_S,
    )
    assert done.stdout == "stands with [] True\n", done.stderr
    assert done.returncode == 0, done.stderr


@ON_LINUX
@pytest.mark.parametrize("with_project", [False, True])
def test_without_a_screen_the_command_says_so(tmp_path: Path, with_project: bool) -> None:
    arguments = [str(write_small_project(tmp_path / "Shapes", rows=6))] if with_project else []
    done = subprocess.run(
        [sys.executable, "-m", "mmstudio", *arguments],
        env=environment(), capture_output=True, text=True, timeout=PATIENCE_S,
    )
    assert done.returncode == 1
    assert "no screen" in done.stderr and "mmstudio train" in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


@ON_LINUX
def test_a_screen_that_does_not_answer_gives_no_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mmstudio"],
        env=environment(DISPLAY=":98765"), capture_output=True, text=True, timeout=PATIENCE_S,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "display" in done.stderr.lower() or "screen" in done.stderr.lower()


def test_a_project_that_does_not_exist_is_told(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mmstudio", str(tmp_path / "nowhere")],
        env=environment(), capture_output=True, text=True, timeout=PATIENCE_S,
    )
    assert done.returncode == 1
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_limit_that_the_window_once_kept_is_handed_to_the_core() -> None:
    config_dir().mkdir(parents=True, exist_ok=True)
    place = config_dir() / "window.toml"
    place.write_text('theme = "dark"\ncache_limit_gb = 3.5\n', encoding="utf-8")
    assert stored_limit() is None
    assert Settings().text("theme") == "dark" and stored_limit() == 3.5
    assert "cache_limit_gb" not in place.read_text(encoding="utf-8")
    place.write_text("cache_limit_gb = 9\n", encoding="utf-8")
    assert Settings().get("cache_limit_gb") is None and stored_limit() == 3.5  # the newer one stays
