"""What other programs write into the experiment file is noticed, and never written over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from mmstudio.experiment import Experiment
from mmstudio.gui.state.session import Session
from tests.gui.conftest import PATIENCE_MS

COPY = "experiment.changed-elsewhere-1.toml"


@pytest.fixture
def file(small_project: Path) -> Path:
    return small_project / "experiment.toml"


@pytest.fixture
def session_here(opened: Callable[[Path], Session], small_project: Path, qtbot: QtBot) -> Session:
    session = opened(small_project)
    qtbot.waitUntil(lambda: session.check.report is not None, timeout=PATIENCE_MS)
    return session


def changed(file: Path, old: str, new: str) -> str:
    """What another program writes: by way of a rename, as editors do."""
    text = file.read_text(encoding="utf-8").replace(old, new)
    beside = file.with_name("theirs.tmp")
    beside.write_text(text, encoding="utf-8")
    beside.replace(file)
    return text


def test_a_change_elsewhere_is_read(qtbot: QtBot, session_here: Session, file: Path) -> None:
    for epochs in (7, 8):  # the second time too, though the file was replaced
        with qtbot.waitSignal(session_here.project.experiment_changed, timeout=PATIENCE_MS):
            changed(file, f"epochs = {3 if epochs == 7 else 7}", f"epochs = {epochs}")
        assert session_here.project.experiment is not None
        assert session_here.project.experiment.training.epochs == epochs
    assert not list(file.parent.glob("*elsewhere*"))


def test_other_data_opens_the_project_anew(
    qtbot: QtBot, session_here: Session, file: Path
) -> None:
    (file.parent / "other.csv").write_bytes((file.parent / "metadata.csv").read_bytes())
    with qtbot.waitSignal(session_here.project.changed, timeout=PATIENCE_MS):
        changed(file, 'table = "metadata.csv"', 'table = "other.csv"')
    table = session_here.project.table
    assert table is not None and table.path.name == "other.csv"


def test_an_edit_that_meets_a_change_keeps_both(
    qtbot: QtBot, session_here: Session, file: Path
) -> None:
    told: list[str] = []
    session_here.jobs.problem.connect(lambda message, hint: told.append(f"{message} {hint}"))
    session_here.project.edit("training.epochs", 9)
    theirs = changed(file, "batch_size = 16", "batch_size = 32")
    session_here.project.save_pending()
    assert (file.parent / COPY).read_text(encoding="utf-8") == theirs
    assert Experiment.load(file).training.epochs == 9
    assert len(told) == 1 and COPY in told[0]
    session_here.project.edit("training.epochs", 10)  # nothing more to keep
    session_here.project.save_pending()
    assert [p.name for p in file.parent.glob("*elsewhere*")] == [COPY]


def test_a_file_that_is_no_experiment_is_told_and_kept(
    qtbot: QtBot, session_here: Session, file: Path
) -> None:
    with qtbot.waitSignal(session_here.jobs.problem, timeout=PATIENCE_MS) as told:
        theirs = changed(file, "[data]", "[data")
    assert "can't be used" in told.args[0] and "experiment.toml" in told.args[1]
    session_here.project.edit("training.epochs", 9)
    session_here.project.save_pending()
    assert (file.parent / COPY).read_text(encoding="utf-8") == theirs
    assert Experiment.load(file).training.epochs == 9


def test_the_splits_are_read_anew_after_a_change_elsewhere(
    qtbot: QtBot, session_here: Session, file: Path
) -> None:
    with qtbot.waitSignal(session_here.project.splits_changed, timeout=PATIENCE_MS):
        changed(file, "epochs = 3", "epochs = 7")
