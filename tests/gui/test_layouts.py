"""Well-known public sets in miniature, in the window for new data: ready without a hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtWidgets import QComboBox
from pytestqt.qtbot import QtBot

from mmstudio.gui.main_window import MainWindow
from mmstudio.gui.widgets.new_project import NewProjectDialog
from tests.data.test_known_layouts import LAYOUTS
from tests.gui.conftest import PATIENCE_MS

pytestmark = pytest.mark.screen


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_well_known_set_is_ready_in_the_window(
    name: str, qtbot: QtBot, start_app: Callable[..., MainWindow], tmp_path: Path
) -> None:
    make, rows, used, notes = LAYOUTS[name]
    make(tmp_path / "data")
    window = start_app()
    dialog = NewProjectDialog(window.session, window, tmp_path / "data")
    dialog.show()
    qtbot.waitUntil(dialog.create.isEnabled, timeout=PATIENCE_MS)
    assert dialog.view.summary.text().startswith(f"{rows:,} samples.")
    assert all(note in dialog.view.notes.text() for note in notes)
    last = f"{dialog.view.proposal().columns[-1].name} used as"
    qtbot.waitUntil(lambda: bool(dialog.findChildren(QComboBox, last)), timeout=PATIENCE_MS)
    shown = {c.name: c.modality or c.task or c.role for c in dialog.view.proposal().columns
             if c.role != "ignore"}
    assert shown == used
    dialog.reject()
