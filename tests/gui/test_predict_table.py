"""*Predict a table or folder* on the Test page: answers, drift, and where they are saved."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from mmstudio.gui.main_window import MainWindow
from mmstudio.gui.pages.testing.page import TestPage
from mmstudio.gui.parts.dropped import Dropped
from mmstudio.inference.answer_sheet import AnswerSheet
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import go_to
from tests.small_project import read_rows, write_table

Start = Callable[..., MainWindow]


def table_of(project: Path, count: int = 200) -> Path:
    """Rows as the project's own, the second one broken."""
    few = read_rows(project)
    rows = [few[i % len(few)] for i in range(count)]
    rows[1] = rows[1] | {"file_name": "none.png", "text": "", "audio": ""}
    write_table(project / "new.csv", rows)
    return project / "new.csv"


@pytest.fixture
def page(qtbot: QtBot, start_app: Start, project_with_run: Path) -> Any:
    """The Test page with a model."""
    window = start_app(project_with_run)
    page = go_to(window, "Test")
    assert isinstance(page, TestPage)
    qtbot.waitUntil(lambda: window.session.testing.predictor is not None, timeout=PATIENCE_MS)
    return page


def predict(qtbot: QtBot, page: Any, source: Path) -> Any:
    """Drop something, and wait until it is answered; the store."""
    tables = page.window().session.tables
    page.take(Dropped(files=(source,)))
    qtbot.waitUntil(lambda: tables.status in ("done", "failed"), timeout=PATIENCE_MS)
    return tables


def test_a_dropped_table_is_answered_filtered_sorted_and_saved(
    qtbot: QtBot, page: Any, project_with_run: Path, tmp_path: Path
) -> None:
    tables = predict(qtbot, page, table_of(project_with_run))
    panel, model = page.panel, page.panel.model
    assert panel.isVisible() and tables.status == "done"
    assert model.rowCount() == 200
    heads = [model.headerData(i, Qt.Orientation.Horizontal) for i in range(model.columnCount())]
    assert heads == ["Row", "image", "words", "sound", "shape", "Confidence", "size", "Confidence",
                     "Error"]
    assert "none.png" in model.text(1, "error", "")
    # the least sure first; the row without an answer stays last
    with qtbot.waitSignal(tables.listed, timeout=PATIENCE_MS):
        panel.table.sortByColumn(5, Qt.SortOrder.AscendingOrder)
    sure = [tables.sheet.sure["shape"][model.row_at(i)] for i in range(199)]
    assert sure == sorted(sure) and model.row_at(199) == 1
    with qtbot.waitSignal(tables.listed, timeout=PATIENCE_MS):
        panel.answer_box.setCurrentIndex(panel.answer_box.findText("dot"))
        panel.answer_box.activated.emit(panel.answer_box.currentIndex())
    assert 0 < model.rowCount() < 199
    assert {tables.sheet.answers["shape"][model.row_at(i)]
            for i in range(model.rowCount())} == {"dot"}
    assert f"{model.rowCount()} of 200" in panel.table.accessibleDescription()
    for suffix in (".csv", ".parquet"):
        panel.save_button.click()
        dialog = page.window().findChildren(QFileDialog)[-1]
        with qtbot.waitSignal(tables.written, timeout=PATIENCE_MS):
            dialog.fileSelected.emit(str(tmp_path / f"out{suffix}"))
        dialog.reject()
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["shape answer"] for row in rows] == tables.sheet.answers["shape"]
    assert pl.read_parquet(tmp_path / "out.parquet").height == 200
    assert "out.parquet" in panel.note.text


def test_the_note_counts_the_rows_that_were_written(
    qtbot: QtBot, page: Any, project_with_run: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tables = predict(qtbot, page, table_of(project_with_run, 20))
    usual = AnswerSheet.write

    def answered_meanwhile(self: AnswerSheet, path: Path) -> Iterator[int]:
        yield from usual(self, path)
        self.cells.append(self.cells[-1])

    monkeypatch.setattr(AnswerSheet, "write", answered_meanwhile)
    with qtbot.waitSignal(tables.written, timeout=PATIENCE_MS):
        tables.write(tmp_path / "out.csv")
    assert "answers to 20 rows" in page.panel.note.text
    with qtbot.waitSignal(tables.not_written, timeout=PATIENCE_MS):
        tables.write(project_with_run / "new.csv")
    assert "it is the table that is answered" in page.panel.note.text


def test_a_click_shows_the_sample_and_the_answers_stay(
    qtbot: QtBot, page: Any, project_with_run: Path
) -> None:
    tables = predict(qtbot, page, table_of(project_with_run, 20))
    with qtbot.waitSignal(page.window().session.testing.predicted, timeout=PATIENCE_MS):
        page.panel.table.opened.emit(3)
    assert not page.panel.isVisible()
    assert "row 4" in page.sample_line.text()
    row = read_rows(project_with_run)[3]
    values = page.board.values()
    assert values["words"] == row["text"]
    assert str(values["image"]).endswith(row["file_name"])
    page.table_button.click()
    assert page.panel.isVisible() and page.panel.model.rowCount() == 20
    assert tables.status == "done"


def test_drift_is_told_and_its_rows_are_marked(
    qtbot: QtBot, page: Any, project_with_run: Path
) -> None:
    (project_with_run / "new").mkdir()
    rows = read_rows(project_with_run)[:24]
    for at, row in enumerate(rows):  # pictures like no other in the first six rows
        row["text"] = f"something else {at}"
        row["audio"] = ""
        place = f"new/{at}.png"
        with Image.open(project_with_run / (row["file_name"] or rows[0]["file_name"])) as picture:
            grey = np.asarray(picture.convert("L")).astype(int)
        turned = 255 - grey if at < 6 else np.clip(grey + at % 3, 0, 255)
        Image.fromarray(turned.astype(np.uint8)).save(project_with_run / place)
        row["file_name"] = place
    write_table(project_with_run / "odd.csv", rows)
    tables, panel = predict(qtbot, page, project_with_run / "odd.csv"), page.panel
    qtbot.waitUntil(lambda: not tables.comparing, timeout=PATIENCE_MS)
    assert tables.drift is not None
    assert "like those that the model learned from" in panel.drift_note.text
    assert "image: " in panel.drift_note.text and "All together: " in panel.drift_note.text
    odd = {one.row for one in tables.drift.rows if one.stands_out}
    assert odd >= {0, 1, 2, 3, 4, 5}
    assert ("odd", "") in panel.model.columns
    assert "×" in panel.model.text(0, "odd", "")
    with qtbot.waitSignal(tables.listed, timeout=PATIENCE_MS):
        panel.rows_box.setCurrentIndex(panel.rows_box.findData("odd"))
        panel.rows_box.activated.emit(panel.rows_box.currentIndex())
    assert {panel.model.row_at(i) for i in range(panel.model.rowCount())} == odd


def test_other_columns_are_refused_by_name_and_a_missing_one_is_told(
    qtbot: QtBot, page: Any, project_with_run: Path
) -> None:
    (project_with_run / "other.csv").write_text("picture,said\na.png,round\n")
    tables = predict(qtbot, page, project_with_run / "other.csv")
    assert tables.status == "failed"
    assert "none of the columns 'file_name', 'text', 'audio'" in page.panel.note.text
    assert "it has picture, said" in page.panel.note.text
    (project_with_run / "some.csv").write_text("texts,audio\nround,sounds/001.wav\n")
    tables = predict(qtbot, page, project_with_run / "some.csv")
    assert tables.status == "done" and len(tables.notes) == 2
    assert "no column 'text': its rows are answered without the input 'words'" in tables.notes[1]
    assert "Did you mean 'texts'?" in tables.notes[1]


def test_it_can_be_stopped_and_goes_on(
    qtbot: QtBot, page: Any, project_with_run: Path
) -> None:
    tables = page.window().session.tables
    tables.answered.connect(lambda _: tables.stop())
    page.take(Dropped(files=(table_of(project_with_run, 3000),)))
    qtbot.waitUntil(lambda: tables.status == "stopped", timeout=PATIENCE_MS)
    done = len(tables.sheet)
    assert 0 < done < 3000
    assert page.panel.go_on_button.isVisible() and page.panel.save_button.isEnabled()
    assert page.panel.model.rowCount() == done
    tables.answered.disconnect()
    tables.answered.connect(page.panel._grow)
    page.panel.go_on_button.click()
    qtbot.waitUntil(lambda: tables.status == "done", timeout=PATIENCE_MS)
    assert len(tables.sheet) == page.panel.model.rowCount() == 3000


def test_a_folder_is_answered_and_another_model_has_no_table(
    qtbot: QtBot, page: Any, project_with_run: Path
) -> None:
    tables = predict(qtbot, page, project_with_run / "images")
    assert tables.status == "done" and len(tables.sheet) == 60
    testing = page.window().session.testing
    with qtbot.waitSignal(testing.changed, timeout=PATIENCE_MS):
        testing.load(project_with_run / "runs" / "first"
                     if testing.run.name == "second" else project_with_run / "runs" / "second")
    assert tables.status == "none" and tables.sheet is None
    assert not page.panel.isVisible()
    page.window().session.opener.close()
    assert tables.status == "none"


def test_a_model_that_can_not_be_loaded_stops_the_table_and_leaves_its_answers(
    qtbot: QtBot, page: Any, project_with_run: Path
) -> None:
    tables, testing = page.window().session.tables, page.window().session.testing
    page.take(Dropped(files=(table_of(project_with_run, 3000),)))
    qtbot.waitUntil(lambda: tables.sheet is not None and len(tables.sheet) > 0,
                    timeout=PATIENCE_MS)
    with qtbot.waitSignal(testing.changed, timeout=PATIENCE_MS):
        testing.load(project_with_run / "runs" / "none")
    assert tables.status == "stopped" and 0 < len(tables.sheet) < 3000
    assert page.panel.go_on_button.isVisible()


def test_tables_are_taken_but_no_projects(page: Any, project_with_run: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(project_with_run / "metadata.csv"))])
    assert page.takes(mime)
    mime.setUrls([QUrl.fromLocalFile(str(project_with_run))])
    assert not page.takes(mime)
