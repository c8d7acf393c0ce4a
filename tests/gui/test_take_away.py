"""*Take away*: a report and an export from the window, their progress, and what goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PySide6.QtWidgets import QCheckBox, QFileDialog, QPushButton, QRadioButton
from pytestqt.qtbot import QtBot

from mmstudio.data.prepare import Progress
from mmstudio.errors import UserError
from mmstudio.export import exporting
from mmstudio.gui.dialogs.export_dialog import ExportChoices, ExportDialog
from mmstudio.gui.main_window import MainWindow
from mmstudio.gui.parts.take_away import TakeAwayLine
from mmstudio.gui.state import take_away
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import click, go_to, named

Start = Callable[..., MainWindow]


def line_of(page: Any) -> TakeAwayLine:
    found = page.findChild(TakeAwayLine)
    assert isinstance(found, TakeAwayLine)
    return found


def runs_page(window: MainWindow, project: Path) -> Any:
    page = go_to(window, "Runs")
    page.select_run(project / "runs" / "second")
    return page


def test_a_report_is_written_where_it_was_asked_for(
    qtbot: QtBot, start_app: Start, project_with_run: Path, tmp_path: Path
) -> None:
    window = start_app(project_with_run)
    page = runs_page(window, project_with_run)
    button = named(page, "Take away", QPushButton)
    qtbot.waitUntil(button.isEnabled, timeout=PATIENCE_MS)
    report = next(a for a in button.menu().actions() if "report" in a.text())
    report.trigger()
    dialog = window.findChild(QFileDialog)
    assert dialog.acceptMode() == QFileDialog.AcceptMode.AcceptSave
    assert Path(dialog.selectedFiles()[0]).name == "second.html"
    store = window.session.take_away
    with qtbot.waitSignal(store.reported, timeout=PATIENCE_MS):
        dialog.fileSelected.emit(str(tmp_path / "mine.html"))
        assert store.busy
    dialog.reject()
    assert (tmp_path / "mine.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    line = line_of(page)
    assert line.isVisible() and str(tmp_path / "mine.html") in line.note.text
    assert line.show_button.isVisible()


def test_a_report_is_printed_where_the_name_says_so(
    qtbot: QtBot, start_app: Start, project_with_run: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def printed(page: Path, pdf: Path) -> None:
        assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
        pdf.write_bytes(b"%PDF")

    monkeypatch.setattr(take_away, "print_pdf", printed)
    store = start_app(project_with_run).session.take_away
    with qtbot.waitSignal(store.reported, timeout=PATIENCE_MS) as told:
        store.report(project_with_run / "runs" / "second", tmp_path / "mine.pdf")
    assert told.args == [tmp_path / "mine.pdf"]
    assert [p.name for p in tmp_path.glob("mine*")] == ["mine.pdf"]


def test_an_export_tells_how_far_it_is_and_can_be_stopped(
    qtbot: QtBot, start_app: Start, project_with_run: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left: list[str] = []

    def endless(run: Path, folder: Path, **how: Any) -> Iterator[Any]:
        assert how == {"kind": "onnx", "quantized": False, "include_samples": False}
        try:
            while True:
                yield Progress("Tracing the model", 1, 5)
        finally:
            left.append(folder.name)

    monkeypatch.setattr(exporting, "export", endless)
    window = start_app(project_with_run)
    page = runs_page(window, project_with_run)
    line, store = line_of(page), window.session.take_away
    store.export(project_with_run / "runs" / "second", tmp_path / "out", choices=ExportChoices())
    qtbot.waitUntil(lambda: line.progress.label.text() == "Tracing the model", timeout=PATIENCE_MS)
    assert line.isVisible()
    click(line.stop_button)
    assert not store.busy and not line.isVisible()
    qtbot.waitUntil(lambda: left == ["out"], timeout=PATIENCE_MS)


def test_what_was_exported_and_what_went_wrong_are_told_on_both_pages(
    qtbot: QtBot, start_app: Start, project_with_run: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = exporting.Exported(tmp_path / "out", None, 2e-6, 64, 1.0, 5_000_000)
    answers: list[Any] = [made, UserError("That can't be exported.", "Take another encoder.")]

    def exported(run: Path, folder: Path, **_: Any) -> Iterator[Any]:
        answer = answers.pop(0)
        if isinstance(answer, UserError):
            raise answer
        yield answer

    monkeypatch.setattr(exporting, "export", exported)
    window = start_app(project_with_run)
    test, runs = line_of(window.page("Test")), line_of(runs_page(window, project_with_run))
    store = window.session.take_away
    run = project_with_run / "runs" / "second"
    with qtbot.waitSignal(store.exported, timeout=PATIENCE_MS):
        store.export(run, tmp_path / "out", choices=ExportChoices(include_samples=True))
    for line in (test, runs):
        assert "2.0e-06" in line.note.text and "5 MB" in line.note.text
    with qtbot.waitSignal(store.failed, timeout=PATIENCE_MS):
        store.export(run, tmp_path / "out", choices=ExportChoices(include_samples=True))
    assert runs.note.text == "That can't be exported. Take another encoder."
    assert not runs.show_button.isVisible()


def test_closing_the_project_leaves_it_off(
    qtbot: QtBot, start_app: Start, project_with_run: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def endless(*_: Any, **__: Any) -> Iterator[Any]:
        while True:
            yield SimpleNamespace(message="Tracing the model", done=1, total=5)

    monkeypatch.setattr(exporting, "export", endless)
    window = start_app(project_with_run)
    store = window.session.take_away
    store.export(project_with_run / "runs" / "second", tmp_path / "out", choices=ExportChoices())
    assert store.busy
    window.close_project()
    assert not store.busy


@pytest.mark.parametrize(("name", "samples", "how"), [
    ("ONNX", False, {"kind": "onnx", "quantized": False, "include_samples": False}),
    ("ONNX with weights of 8 bits", True,
     {"kind": "onnx", "quantized": True, "include_samples": True}),
    ("PyTorch", False, {"kind": "torch", "quantized": False, "include_samples": False})])
def test_the_dialog_says_how(
    qtbot: QtBot, start_app: Start, project_with_run: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, name: str, samples: bool, how: dict[str, Any],
) -> None:
    asked: list[Any] = []

    def exported(run: Path, folder: Path, **given: Any) -> Iterator[Any]:
        asked.append((run.name, folder, given))
        yield exporting.Exported(folder, None, 2e-6, 64, 1.0, 5_000_000)

    monkeypatch.setattr(exporting, "export", exported)
    window = start_app(project_with_run)
    page = runs_page(window, project_with_run)
    takes = named(page, "Take away", QPushButton)
    qtbot.waitUntil(takes.isEnabled, timeout=PATIENCE_MS)
    next(a for a in takes.menu().actions() if "model" in a.text()).trigger()
    dialog = window.findChild(ExportDialog)
    named(dialog, name, QRadioButton).setChecked(True)
    named(dialog, "Take samples along", QCheckBox).setChecked(samples)
    click(named(dialog, "Choose a place", QPushButton))
    place = window.findChild(QFileDialog)
    with qtbot.waitSignal(window.session.take_away.exported, timeout=PATIENCE_MS):
        place.fileSelected.emit(str(tmp_path / "out"))
    place.reject()
    assert asked == [("second", tmp_path / "out", how)]
