"""The Compare page, by mouse: choose, start, pause, stop, go on, look, save."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFrame,
    QLabel,
    QMessageBox,
    QPushButton,
    QSpinBox,
    QTableView,
    QWidget,
)
from pytestqt.qtbot import QtBot

from mmstudio.comparison.contest import compare
from mmstudio.comparison.plan import make_plan
from mmstudio.experiment import Experiment
from mmstudio.gui.main_window import MainWindow
from mmstudio.training.run_folder import RunFolder
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import choose, click, click_box, go_to, named, type_number
from tests.small_project import small_experiment, write_small_project

pytestmark = pytest.mark.screen

COMPARING_MS = 120_000
QUICK = {"inputs.sound.use": False, "training.epochs": 2}


def write_quick_project(folder: Path, changes: dict[str, object]) -> Path:
    write_small_project(folder)
    small_experiment(changes).save(folder / "experiment.toml")
    return folder


@pytest.fixture
def quick_project(tmp_path: Path) -> Path:
    return write_quick_project(tmp_path / "Shapes", QUICK)


@pytest.fixture(scope="module")
def compared_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a whole comparison and one that was stopped. Not to be written to."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = write_quick_project(tmp_path_factory.mktemp("compared") / "Shapes", QUICK)
    experiment = Experiment.load(folder / "experiment.toml")
    for name, most in (("whole", 99), ("cut", 1)):
        plan = make_plan(experiment, name, fusions=["concat", "sum"], seeds=1)
        scored: list[object] = []
        for event in compare(plan, folder=folder, should_stop=lambda s=scored, m=most: len(s) >= m):
            if type(event).__name__ == "RunScored":
                scored.append(event)
    torch.set_num_threads(threads)
    return folder


def choose_fusions(page: QWidget, *names: str) -> None:
    click(named(page, "None: ways to fuse", QPushButton))
    for name in names:
        box = page.findChild(QCheckBox, f"fusion {name}")
        page.choices.area.ensureWidgetVisible(box)
        click_box(box)


def texts(page: QWidget, column: int) -> list[str]:
    model = named(page, "Ranking", QTableView).model()
    return [model.index(row, column).data() for row in range(model.rowCount())]


def progress_of(page: QWidget) -> str:
    return page.findChild(QLabel, "Progress").text()


def test_from_check_boxes_to_a_sentence(
    qtbot: QtBot, start_app: Callable[..., MainWindow], quick_project: Path
) -> None:
    window = start_app(quick_project)
    page = go_to(window, "Compare")
    start = named(page, "Start comparison", QPushButton)
    qtbot.waitUntil(start.isEnabled, timeout=PATIENCE_MS)
    choose_fusions(page, "concat", "sum")
    type_number(named(page, "Trainings of each", QSpinBox), 1)
    labels = [label.text() for label in page.findChildren(QLabel) if label.isVisible()]
    assert "4 trainings: 4 methods, once each" in labels
    with qtbot.waitSignal(window.session.comparing.ended, timeout=COMPARING_MS):
        click(start)
        qtbot.waitUntil(lambda: window.session.comparing.running, timeout=PATIENCE_MS)
        qtbot.waitUntil(lambda: "of 4" in progress_of(page), timeout=COMPARING_MS)
        assert named(page, "Pause", QPushButton).isEnabled()
        assert not start.isEnabled()
    assert sorted(texts(page, 1)) == ["Concatenation", "Sum", "image alone", "words alone"]
    assert texts(page, 9) == ["1 of 1"] * 4
    assert all(text.endswith(" %") for text in texts(page, 2))
    verdict = named(page, "Verdict", QFrame).accessibleDescription()
    assert verdict.startswith(("Fusion helps", "No clear difference", "The best single"))
    assert "All 4 trainings are done" in progress_of(page)
    assert not start.isVisible()
    qtbot.waitUntil(lambda: len(window.session.runs.listed) == 4, timeout=PATIENCE_MS)
    runs = named(go_to(window, "Runs"), "Runs", QTableView).model()
    assert {runs.index(row, 0).data() for row in range(4)} == {
        f"comparison-1.{name}.seed0" for name in ("concat", "sum", "only-image", "only-words")}


def test_pause_stop_and_go_on(
    qtbot: QtBot, start_app: Callable[..., MainWindow], tmp_path: Path
) -> None:
    # long enough that no run ends by itself while it is looked at
    project = write_quick_project(tmp_path / "Shapes", QUICK | {"training.epochs": 60})
    window = start_app(project)
    comparing = window.session.comparing
    page = go_to(window, "Compare")
    start = named(page, "Start comparison", QPushButton)
    qtbot.waitUntil(start.isEnabled, timeout=PATIENCE_MS)
    choose_fusions(page, "sum")
    type_number(named(page, "Trainings of each", QSpinBox), 1)
    click(start)
    qtbot.waitUntil(lambda: "epoch" in progress_of(page), timeout=PATIENCE_MS)
    pause = named(page, "Pause", QPushButton)
    click(pause)
    assert pause.text() == "Resume"
    assert progress_of(page).endswith("paused")
    # what was under way when it was paused still arrives; then nothing more does
    job = comparing._slot.job
    qtbot.waitUntil(lambda: not job._go.is_set(), timeout=PATIENCE_MS)
    click(pause)
    assert not comparing.paused
    with qtbot.waitSignal(comparing.ended, timeout=COMPARING_MS):
        click(named(page, "Stop", QPushButton))
    assert start.text() == "Continue"
    assert "of 3 trainings are done" in progress_of(page) or "No training" in progress_of(page)
    run = project / "runs" / "comparison-1.sum.seed0"
    qtbot.waitUntil(start.isEnabled, timeout=PATIENCE_MS)
    click(start)
    qtbot.waitUntil(lambda: "epoch" in progress_of(page), timeout=PATIENCE_MS)
    assert run.is_dir()
    assert "comparison-1" == comparing.shown
    with qtbot.waitSignal(comparing.ended, timeout=COMPARING_MS):
        click(named(page, "Stop", QPushButton))


def test_no_training_beside_a_comparison_and_the_other_way_round(
    qtbot: QtBot, start_app: Callable[..., MainWindow], tmp_path: Path
) -> None:
    window = start_app(write_quick_project(tmp_path / "Shapes", QUICK | {"training.epochs": 500}))
    session = window.session
    train = go_to(window, "Train")
    click(named(train, "Start training", QPushButton))
    qtbot.waitUntil(lambda: session.runs.history.last_step is not None, timeout=PATIENCE_MS)
    page = go_to(window, "Compare")
    start = named(page, "Start comparison", QPushButton)
    qtbot.waitUntil(start.isEnabled, timeout=PATIENCE_MS)
    with qtbot.waitSignal(session.jobs.problem, timeout=PATIENCE_MS) as told:
        click(start)
    assert told.args[0] == "A model is being trained."
    assert not session.comparing.running
    go_to(window, "Train")
    with qtbot.waitSignal(session.training.ended, timeout=PATIENCE_MS):
        click(named(train, "Stop", QPushButton))
    go_to(window, "Compare")
    click(start)
    qtbot.waitUntil(lambda: session.comparing.running, timeout=PATIENCE_MS)
    go_to(window, "Train")
    with qtbot.waitSignal(session.jobs.problem, timeout=PATIENCE_MS) as told:
        click(named(train, "Start training", QPushButton))
    assert told.args[0] == "A comparison is running."
    assert not session.training.running
    with qtbot.waitSignal(session.comparing.ended, timeout=COMPARING_MS):
        session.comparing.stop()


def test_earlier_comparisons_are_shown_and_gone_on_with(
    qtbot: QtBot, start_app: Callable[..., MainWindow], compared_project: Path, tmp_path: Path
) -> None:
    import shutil

    window = start_app(Path(shutil.copytree(compared_project, tmp_path / "Shapes")))
    page = go_to(window, "Compare")
    comparing = window.session.comparing
    qtbot.waitUntil(lambda: comparing.shown == "cut", timeout=PATIENCE_MS)  # the newest
    assert texts(page, 3).count("waiting") == 3
    assert "1 of 4 trainings are done" in progress_of(page)
    chooser = named(page, "Comparison", QComboBox)
    assert [chooser.itemText(i) for i in range(chooser.count())] == [
        "New comparison", "cut (1 of 4)", "whole"]
    choose(qtbot, chooser, "whole")
    qtbot.waitUntil(lambda: comparing.shown == "whole", timeout=PATIENCE_MS)
    assert len(texts(page, 1)) == 4
    assert not [b for b in page.findChildren(QPushButton, "Start comparison") if b.isVisible()]
    choose(qtbot, chooser, "cut")
    qtbot.waitUntil(lambda: comparing.shown == "cut", timeout=PATIENCE_MS)
    with qtbot.waitSignal(comparing.ended, timeout=COMPARING_MS):
        click(named(page, "Start comparison", QPushButton))
    assert texts(page, 9) == ["1 of 1"] * 4
    choose(qtbot, chooser, "")
    assert named(page, "Each input alone", QCheckBox).isChecked()


def test_the_report_is_saved_where_one_wants(
    qtbot: QtBot, start_app: Callable[..., MainWindow], compared_project: Path, tmp_path: Path
) -> None:
    window = start_app(compared_project)
    page = go_to(window, "Compare")
    save = named(page, "Save report", QPushButton)
    qtbot.waitUntil(save.isEnabled, timeout=PATIENCE_MS)
    click(save)
    dialog = page.findChild(QFileDialog)
    dialog.fileSelected.emit(str(tmp_path / "mine.html"))
    dialog.close()
    qtbot.waitUntil((tmp_path / "mine.csv").is_file, timeout=PATIENCE_MS)
    assert "Concatenation" in (tmp_path / "mine.html").read_text(encoding="utf-8")


def test_what_to_do_is_said_where_there_is_nothing_to_fuse(
    qtbot: QtBot, start_app: Callable[..., MainWindow], tmp_path: Path
) -> None:
    one_input = {"inputs.sound.use": False, "inputs.words.use": False}
    window = start_app(write_quick_project(tmp_path / "Shapes", one_input))
    page = go_to(window, "Compare")
    assert "There is nothing to fuse" in [label.text() for label in page.findChildren(QLabel)]
    assert not page.start_button.isVisible()
    click(named(page, "Go to the Model page", QPushButton))
    assert window.current_page == "Model"


def test_closing_asks_first_and_what_was_compared_can_be_gone_on_with(
    qtbot: QtBot, start_app: Callable[..., MainWindow], tmp_path: Path
) -> None:
    project = write_quick_project(tmp_path / "Shapes", QUICK | {"training.epochs": 500})
    window = start_app(project)
    page = go_to(window, "Compare")
    start = named(page, "Start comparison", QPushButton)
    qtbot.waitUntil(start.isEnabled, timeout=PATIENCE_MS)
    click(start)
    qtbot.waitUntil(lambda: "epoch 2" in progress_of(page), timeout=PATIENCE_MS)
    window.close()
    assert window.isVisible()
    box = window.findChild(QMessageBox)
    assert "comparison is running" in box.text()
    stop = next(b for b in box.buttons() if b.text() == "Stop and close")
    click(stop)
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=PATIENCE_MS)
    first = project / "runs" / "comparison-1.bottleneck.seed0"
    assert RunFolder(first).history().finished.reason == "stopped"


def test_the_header_leads_to_what_is_compared(
    qtbot: QtBot, start_app: Callable[..., MainWindow], tmp_path: Path
) -> None:
    window = start_app(write_quick_project(tmp_path / "Shapes", QUICK | {"training.epochs": 500}))
    page = go_to(window, "Compare")
    start = named(page, "Start comparison", QPushButton)
    qtbot.waitUntil(start.isEnabled, timeout=PATIENCE_MS)
    click(start)
    qtbot.waitUntil(lambda: "epoch" in progress_of(page), timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: bool(window.session.runs.listed), timeout=PATIENCE_MS)
    runs = go_to(window, "Runs")
    status = named(runs, "Runs", QTableView).model()
    qtbot.waitUntil(lambda: status.rowCount() == 1, timeout=PATIENCE_MS)
    assert status.index(0, 2).data() == "Training …"
    click(window.header.running)
    assert window.current_page == "Compare"
    with qtbot.waitSignal(window.session.comparing.ended, timeout=COMPARING_MS):
        click(named(page, "Stop", QPushButton))


@pytest.mark.slow
def test_all_together_is_one_more_contestant_where_answers_are_combined(
    qtbot: QtBot, start_app: Callable[..., MainWindow], tmp_path: Path
) -> None:
    project = write_quick_project(tmp_path / "Shapes", QUICK | {"training.combine": True})
    window = start_app(project)
    page = go_to(window, "Compare")
    start = named(page, "Start comparison", QPushButton)
    qtbot.waitUntil(start.isEnabled, timeout=PATIENCE_MS)
    choose_fusions(page, "sum")
    box = named(page, "All together, weighed", QCheckBox)
    type_number(named(page, "Trainings of each", QSpinBox), 1)
    assert box.isChecked() and page.choices.contestants() == 4
    click_box(box)
    assert page.choices.contestants() == 3
    click_box(box)
    with qtbot.waitSignal(window.session.comparing.ended, timeout=COMPARING_MS):
        click(start)
    assert sorted(texts(page, 1)) == ["All together, weighed", "Sum", "image alone", "words alone"]
    assert page.verdict.together.text().startswith("All answers weighed together ")
    assert page.verdict.together.isVisible()
