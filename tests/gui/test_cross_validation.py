"""Cross-validation in the window: added on the Train page, its figures on the Runs page."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from pytestqt.qtbot import QtBot

from mmstudio.gui.main_window import MainWindow
from mmstudio.jobs_queue.folder import JobsQueue
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import go_to, named
from tests.small_project import small_experiment

Start = Callable[..., MainWindow]


def test_a_cross_validation_is_added_to_the_queue(
    qtbot: QtBot, start_app: Start, small_project: Path
) -> None:
    window = start_app(small_project)
    page = go_to(window, "Train")
    assert named(page, "Cross-validate") is page.queue_menu
    page.queue_menu.folds[10].trigger()
    qtbot.waitUntil(lambda: not page.queued_note.isHidden(), timeout=PATIENCE_MS)
    assert "folds-1 waits in the queue" in page.queued_note.text
    [job] = JobsQueue(small_project).jobs()
    assert (job.kind, job.options) == ("folds", {"folds": 10})
    window.show_queue()
    qtbot.waitUntil(lambda: bool(window.queue_panel._rows), timeout=PATIENCE_MS)
    [row] = window.queue_panel._rows.values()
    assert row.about.text() == "Cross-validation · waits"


def with_folds(project: Path) -> Path:
    """The project's run as the two folds of a cross-validation that is done."""
    run = min(log.parent for log in project.glob("runs/*/events.jsonl"))
    for number in (1, 2):
        shutil.copytree(run, run.with_name(f"cv.fold{number}"))
    parent = run.with_name("cv")
    parent.mkdir()
    small_experiment().save(parent / "folds.toml")
    (parent / "folds.json").write_text(json.dumps({"folds": 2}))
    (parent / "result.json").write_text(json.dumps({
        "event": "cross_validation_finished", "reason": "completed", "run": "runs/cv",
        "folds": 2, "samples": 1200,
        "tasks": {"shape": {"accuracy": 0.84, "macro_f1": 0.81, "confusion": {"labels": []},
                            "interval": {"accuracy": [0.8, 0.875], "macro_f1": [None, None]}}},
        "each": [{"fold": n, "run": f"runs/cv.fold{n}", "samples": 600,
                  "tasks": {"shape": {"accuracy": value, "macro_f1": value}}}
                 for n, value in ((1, 0.82), (2, 0.86))]}))
    return run


def test_the_figures_of_all_rows_stand_below_the_folds(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    run = with_folds(project_with_run)
    window = start_app(project_with_run)
    page = go_to(window, "Runs")
    card = page.folds_card
    assert card.isHidden()
    page.select_run(run.with_name("cv.fold2"))
    qtbot.waitUntil(card.isVisible, timeout=PATIENCE_MS)
    said = card.accessibleDescription().splitlines()
    assert said[0] == "cv · 1,200 rows, each answered by the one model of 2 that had not seen it"
    assert said[1] == ("Shape · accuracy, All rows 84.0 %, 95 % interval 80.0 % to 87.5 %, "
                       "Folds 82.0 % to 86.0 %")
    assert "95 % interval –" in said[2]
    page.select_run(run)
    qtbot.waitUntil(card.isHidden, timeout=PATIENCE_MS)
    (run.with_name("cv") / "result.json").unlink()
    page.select_run(run.with_name("cv.fold1"))
    qtbot.waitUntil(card.isVisible, timeout=PATIENCE_MS)
    assert "appear once all are trained" in card.accessibleDescription()
