"""Well-known public sets in miniature, in the window for new data: ready without a hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtWidgets import QComboBox
from pytestqt.qtbot import QtBot

from mmstudio.gui.dialogs.new_project import NewProjectDialog
from mmstudio.gui.main_window import MainWindow
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
    dialog = NewProjectDialog(
        window.session.jobs, window.session.project, window.session.opener, window,
        tmp_path / "data")
    dialog.show()
    qtbot.waitUntil(dialog.create_button.isEnabled, timeout=PATIENCE_MS)
    assert dialog.view.summary.text().startswith(f"{rows:,} samples.")
    assert all(note in dialog.view.notes.text() for note in notes)
    last = f"{dialog.view.proposal().columns[-1].name} used as"
    qtbot.waitUntil(lambda: bool(dialog.findChildren(QComboBox, last)), timeout=PATIENCE_MS)
    shown = {c.name: c.modality or c.task or c.role for c in dialog.view.proposal().columns
             if c.role != "ignore"}
    assert shown == used
    dialog.reject()


def test_where_the_files_are_is_asked_once_for_all_rows(
    qtbot: QtBot, start_app: Callable[..., MainWindow], tmp_path: Path
) -> None:
    (tmp_path / "tables of mine").mkdir()
    (tmp_path / "far" / "away").mkdir(parents=True)
    for i in range(12):
        (tmp_path / "far" / "away" / f"{i}.png").write_bytes(b"x")
    (tmp_path / "tables of mine" / "t.csv").write_text("picture,label\n" + "".join(
        f"http://localhost:8080/files/{i}.png,{'ab'[i % 2]}\n" for i in range(12)))
    window = start_app()
    dialog = NewProjectDialog(
        window.session.jobs, window.session.project, window.session.opener, window,
        tmp_path / "tables of mine" / "t.csv")
    dialog.show()
    qtbot.waitUntil(lambda: dialog.view.proposal() is not None, timeout=PATIENCE_MS)
    assert dialog.where.isVisible() and not dialog.create_button.isEnabled()
    dialog.look_in(str(tmp_path / "far"))
    qtbot.waitUntil(dialog.create_button.isEnabled, timeout=PATIENCE_MS)
    picture = dialog.view.proposal().columns[0]
    assert (picture.role, picture.options) == ("input", {"folder": "../far/away"})
    dialog.reject()
