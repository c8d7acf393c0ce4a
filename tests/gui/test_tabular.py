"""An input of numbers and categories in the window: its columns, its fields, its answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit
from pytestqt.qtbot import QtBot

from mmstudio.data.columns import Column
from mmstudio.experiment import Experiment
from mmstudio.gui.dialogs.import_preview import ImportPreview
from mmstudio.gui.main_window import MainWindow
from mmstudio.gui.media.tabular import FieldsEditor
from mmstudio.gui.pages.data.sample_detail import SampleDetail
from mmstudio.gui.parts.dropped import Dropped
from mmstudio.gui.state.session import Session
from mmstudio.project.columns import columns_as_used, experiment_with_columns
from mmstudio.project.proposal import propose
from mmstudio.project.rows import inputs_of
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import go_to, named
from tests.table_project import train_table, write_table_project

Start = Callable[..., MainWindow]
SPEC = {"columns": [
    {"name": "age", "kind": "number", "unit": "y", "usual": [20.0, 60.0]},
    {"name": "town", "kind": "category", "words": ["Oslo", "Rome"]}]}


@pytest.fixture
def fields(qtbot: QtBot) -> FieldsEditor:
    editor = FieldsEditor("person", SPEC)
    qtbot.addWidget(editor)
    return editor


def test_fields_show_and_give_a_record(fields: FieldsEditor, qtbot: QtBot) -> None:
    assert fields.record() is None and "answers without it" in fields.remarks()
    fields.show_record('{"age": "30 y", "town": "Rome"}')
    assert fields.record() == '{"age": "30 y", "town": "Rome"}' and fields.remarks() == ""
    with qtbot.waitSignal(fields.edited):
        box = fields.fields["town"]
        assert isinstance(box, QComboBox)
        box.setEditText("Bonn")
    assert fields.remarks() == "New to the model: town"
    line = fields.fields["age"]
    assert isinstance(line, QLineEdit) and "20 to 60 y" in line.toolTip()
    line.selectAll()
    with qtbot.waitSignal(fields.edited):
        QTest.keyClicks(line, "old")
    assert fields.remarks() == "Not a number, counts as missing: age"
    assert line.property("invalid") == "true"
    fields.show_record("town=Oslo")
    assert fields.record() == '{"town": "Oslo"}' and fields.remarks() == "Missing: age"
    assert line.property("invalid") == "false"


def test_a_sample_fills_the_fields_and_editing_asks_again(
    qtbot: QtBot, start_app: Start, tmp_path: Path
) -> None:
    project = write_table_project(tmp_path / "Moths")
    train_table(project)
    window = start_app(project)
    page = go_to(window, "Test")
    session = window.session
    qtbot.waitUntil(lambda: session.testing.predictor is not None, timeout=PATIENCE_MS)
    with qtbot.waitSignal(session.testing.predicted, timeout=PATIENCE_MS):
        page.next_sample()
    card = page.board.cards["person"]
    assert card.fields is not None and list(card.fields.fields) == ["age", "town", "grade"]
    assert card.value == card.fields.record() is not None
    with qtbot.waitSignal(session.testing.predicted, timeout=PATIENCE_MS) as asked:
        page.take(Dropped(text="age=35, town=Rome"))
    assert asked.args[0].tasks["kind"].label == "fish"
    assert card.fields.record() == '{"age": "35", "town": "Rome"}'
    line = named(card, "person: age", QLineEdit)
    line.selectAll()
    with qtbot.waitSignal(session.testing.predicted, timeout=PATIENCE_MS) as asked:
        QTest.keyClicks(line, "20")
    assert '"age": "20"' in str(card.value)
    words = page.board.cards["words"].value
    page.take(Dropped(text="a text, and no record"))
    assert page.board.cards["words"].value == "a text, and no record" != words
    with qtbot.waitSignal(session.testing.predicted, timeout=PATIENCE_MS):
        card.removed.emit()
    assert card.value is None and card.fields.record() is None


def test_the_preview_and_the_detail_show_the_cells(
    qtbot: QtBot, opened: Callable[[Path], Session], tmp_path: Path
) -> None:
    session = opened(write_table_project(tmp_path / "Moths"))
    preview = ImportPreview(session.jobs.small_things)
    qtbot.addWidget(preview)
    preview.show_samples(session.project.table, list(session.project.columns))
    shown = [one.text() for one in preview.findChildren(QLabel)]
    assert any("town: Oslo" in text and "grade: 0" in text for text in shown)
    detail = SampleDetail(session.jobs, session.project)
    qtbot.addWidget(detail)
    detail.show_row(0, [])
    shown = [one.text() for one in detail.findChildren(QLabel)]
    assert {"age", "town", "Oslo"} <= set(shown)


def test_columns_keep_what_was_chosen_of_their_input(tmp_path: Path) -> None:
    project = write_table_project(tmp_path / "Moths")
    experiment = Experiment.load(project / "experiment.toml")
    proposal = propose(project / "table.csv")
    columns = columns_as_used(proposal.columns, experiment)
    used = {c.name: (c.role, c.modality) for c in columns}
    assert used["age"] == used["town"] == used["grade"] == ("input", "tabular")
    assert experiment_with_columns("table.csv", experiment, columns) == experiment
    fewer = [c if c.name != "town" else _left(c) for c in columns]
    changed = experiment_with_columns("table.csv", experiment, fewer)
    assert changed.inputs["person"].columns == ("age", "grade")
    assert changed.inputs["person"].encoder == experiment.inputs["person"].encoder
    assert inputs_of(proposal.table, experiment, 7)["person"] is None  # every cell is empty
    assert inputs_of(proposal.table, experiment, 4)["person"] is not None


def _left(column: Column) -> Column:
    from dataclasses import replace

    return replace(column, role="ignore", modality=None, options={})
