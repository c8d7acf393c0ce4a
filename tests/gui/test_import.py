"""Data of one's own, by mouse: dropped, looked at, changed, and trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLineEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from mmstudio.experiment import Experiment
from mmstudio.gui.dialogs.new_project import NewProjectDialog
from mmstudio.gui.main_window import MainWindow
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import choose, click, drop_files, named
from tests.small_project import write_small_project, write_table

pytestmark = pytest.mark.screen

Start = Callable[..., MainWindow]


class Mouse:
    """Clicks, and counts them."""

    def __init__(self) -> None:
        self.clicked: list[str] = []

    def click(self, widget: QWidget, what: str) -> None:
        click(widget)
        self.clicked.append(what)


def dialog_of(window: MainWindow) -> NewProjectDialog:
    dialogs = [d for d in window.findChildren(NewProjectDialog) if d.isVisible()]
    assert len(dialogs) == 1
    return dialogs[0]


def proposal_on_show(qtbot: QtBot, window: MainWindow) -> NewProjectDialog:
    dialog = dialog_of(window)
    qtbot.waitUntil(lambda: dialog.view.proposal() is not None, timeout=PATIENCE_MS)
    qtbot.waitUntil(dialog.create_button.isEnabled, timeout=PATIENCE_MS)
    # the columns come a few per turn
    last = f"{dialog.view.proposal().columns[-1].name} used as"
    qtbot.waitUntil(
        lambda: any(c.isVisible() for c in dialog.findChildren(QComboBox, last)),
        timeout=PATIENCE_MS,
    )
    return dialog


def class_folders(folder: Path) -> Path:
    chance = np.random.default_rng(0)
    for number, name in enumerate(("bright", "dark", "grey")):
        (folder / name).mkdir(parents=True)
        for row in range(12):
            pixels = chance.integers(80 * number, 80 * number + 60, (16, 16)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{row}.png")
    return folder


PROPOSED = {
    "avdigits": ({"image": "image", "audio": "audio", "text": "text"}, ["digit"],
                 "split_speaker"),
    "emoji": ({"image": "image", "text": "text"}, ["group", "subgroup"], "split"),
    "class folders": ({"image": "image"}, ["label"], None),
}


@pytest.mark.parametrize("data", PROPOSED)
def test_three_clicks_from_the_drop_to_training(
    data: str, qtbot: QtBot, start_app: Start, tmp_path: Path,
    shared_data: Callable[[str], Path],
) -> None:
    source = class_folders(tmp_path / data) if data == "class folders" else shared_data(data)
    window, mouse = start_app(), Mouse()
    session = window.session
    assert drop_files(window, [source])
    dialog = proposal_on_show(qtbot, window)
    with qtbot.waitSignal(session.project.changed, timeout=PATIENCE_MS):
        mouse.click(named(dialog, "Create project", QPushButton), "Create project")
    inputs, targets, split = PROPOSED[data]
    on_disk = Experiment.load(session.project.folder / "experiment.toml")
    assert {n: i.modality for n, i in on_disk.inputs.items()} == inputs
    assert list(on_disk.targets) == targets
    assert on_disk.data.split == split or split is None
    assert "/../" not in on_disk.data.table.lstrip("./")
    mouse.click(window.rail.button("Train"), "Train")
    page = window.page("Train")
    with qtbot.waitSignal(session.training.started, timeout=2 * PATIENCE_MS):
        mouse.click(named(page, "Start training", QPushButton), "Start training")
    assert session.training.running
    assert mouse.clicked == ["Create project", "Train", "Start training"]
    with qtbot.waitSignal(session.training.changed, timeout=2 * PATIENCE_MS):
        session.training.stop()
    qtbot.waitUntil(lambda: not session.training.running, timeout=2 * PATIENCE_MS)


def test_every_part_of_the_proposal_can_be_changed(
    qtbot: QtBot, start_app: Start, tmp_path: Path
) -> None:
    write_table(tmp_path / "t.csv", [
        {"file": f"{i}.png", "said": f"number {i} of many", "marks": ("a+b", "b", "a")[i % 3],
         "length": f"{i / 7:.2f}", "part": ("train", "train", "test")[i % 3]}
        for i in range(60)])
    window = start_app()
    window.import_data(tmp_path / "t.csv")
    dialog = proposal_on_show(qtbot, window)
    choose(qtbot, named(dialog, "said used as", QComboBox), "ignore")
    choose(qtbot, named(dialog, "marks used as", QComboBox), "target multilabel")
    choose(qtbot, named(dialog, "length used as", QComboBox), "target regression")
    choose(qtbot, named(dialog, "part used as", QComboBox), "ignore")
    separator = named(dialog, "marks separator", QLineEdit)
    separator.selectAll()
    QTest.keyClicks(separator, "+")
    found = {c.name: c for c in dialog.view.proposal().columns}
    assert (found["marks"].task, found["marks"].options) == ("multilabel", {"separator": "+"})
    assert (found["length"].role, found["length"].task) == ("target", "regression")
    assert found["said"].role == found["part"].role == "ignore"
    assert found["part"].reason == "Chosen by you."
    choose(qtbot, named(dialog, "file used as", QComboBox), "ignore")
    assert not dialog.create_button.isEnabled()
    assert "Mark at least one column as an input" in dialog.view.summary.text()
    click(named(dialog, "Cancel", QPushButton))
    assert window.session.project.folder is None


def test_bad_data_is_told_in_the_dialog(qtbot: QtBot, start_app: Start, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n1,2,3\n")
    window = start_app()
    assert drop_files(window, [tmp_path / "t.csv"])
    dialog = dialog_of(window)
    problem = named(dialog, "Data problem")
    qtbot.waitUntil(lambda: "Row 2" in problem.accessibleDescription(), timeout=PATIENCE_MS)
    assert not dialog.create_button.isEnabled()
    named(dialog, "Data", QLineEdit).setText(str(class_folders(tmp_path / "fine")))
    proposal_on_show(qtbot, window)
    assert named(dialog, "Name", QLineEdit).text() == "fine"
    dialog.reject()


@pytest.mark.parametrize("page", ["Data", "Model", "Train", "Test", "Runs"])
def test_a_folder_can_be_dropped_on_any_page(
    page: str, qtbot: QtBot, start_app: Start, small_project: Path, tmp_path: Path
) -> None:
    window = start_app(small_project)
    window.go_to(page)
    assert drop_files(window.page(page), [class_folders(tmp_path / "new")])
    dialog = proposal_on_show(qtbot, window)
    before = Experiment.load(small_project / "experiment.toml")
    choose(qtbot, named(dialog, "Use it in", QComboBox), "here")
    with qtbot.waitSignal(window.session.project.changed, timeout=PATIENCE_MS):
        click(named(dialog, "Use this data", QPushButton))
    after = Experiment.load(small_project / "experiment.toml")
    assert after.data.table == "../new" and list(after.targets) == ["label"]
    assert after.training == before.training


def test_a_dropped_project_is_opened(
    qtbot: QtBot, start_app: Start, tmp_path: Path
) -> None:
    project = write_small_project(tmp_path / "Other")
    window = start_app()
    with qtbot.waitSignal(window.session.project.changed, timeout=PATIENCE_MS):
        assert drop_files(window, [project])
    assert window.session.project.folder == project


def test_yes_and_no_columns_become_one_target_and_several_again(
    qtbot: QtBot, start_app: Start, tmp_path: Path
) -> None:
    write_table(tmp_path / "t.csv", [
        {"said": f"number {i} of many", "is_red": str(i % 2), "is_big": str(i % 3 // 2),
         "is_old": str(i % 5 // 4)} for i in range(60)])
    window = start_app()
    window.import_data(tmp_path / "t.csv")
    dialog = proposal_on_show(qtbot, window)
    one = named(dialog, "As one target", QPushButton)
    assert one.isVisible() and not one.isChecked()
    click(one)
    found = {c.name: c for c in dialog.view.proposal().columns}
    assert [found[n].task for n in ("is_red", "is_big", "is_old")] == ["multilabel"] * 3
    assert "3 columns of yes and no are the labels of one target" in dialog.view.notes.text()
    click(one)
    assert dialog.view.proposal().columns[1].task == "classification"
    click(one)
    with qtbot.waitSignal(window.session.project.changed, timeout=PATIENCE_MS):
        click(named(dialog, "Create project", QPushButton))
    experiment = Experiment.load(window.session.project.folder / "experiment.toml")
    assert [t.columns for t in experiment.targets.values()] == [("is_red", "is_big", "is_old")]
    used = {c.name: (c.role, c.task) for c in window.session.project.columns}
    assert used["is_big"] == ("target", "multilabel") and used["said"][0] == "input"
    changed = [replace(c, role="ignore") if c.name == "is_old" else c
               for c in window.session.project.columns]
    window.session.project.assign_columns(changed)
    assert [t.columns for t in window.session.project.experiment.targets.values()] == [
        ("is_red", "is_big")]


def test_the_dialog_asks_which_of_several_tables_it_is(
    qtbot: QtBot, start_app: Start, tmp_path: Path
) -> None:
    for name, target in (("films", "genre"), ("books", "kind")):
        write_table(tmp_path / f"{name}.csv", [
            {"said": f"a {name[:-1]} of {i}", target: "ab"[i % 2]} for i in range(20)])
    window = start_app()
    window.import_data(tmp_path)
    dialog = dialog_of(window)
    qtbot.waitUntil(dialog.table.isVisible, timeout=PATIENCE_MS)
    tables = named(dialog, "Table", QComboBox)
    assert not dialog.create_button.isEnabled()
    assert [tables.itemData(i) for i in range(tables.count())] == [None, "books.csv", "films.csv"]
    tables.setCurrentIndex(2)
    tables.activated.emit(2)
    proposal_on_show(qtbot, window)
    assert tables.currentData() == "films.csv"
    with qtbot.waitSignal(window.session.project.changed, timeout=PATIENCE_MS):
        click(named(dialog, "Create project", QPushButton))
    experiment = Experiment.load(window.session.project.folder / "experiment.toml")
    assert list(experiment.targets) == ["genre"]
