"""What a column is used as: the tasks of the registry, own ones and such as are gone."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QComboBox
from pytestqt.qtbot import QtBot

from mmstudio.data.columns import Column
from mmstudio.gui.parts.columns_panel import ColumnsPanel
from mmstudio.tasks import ONE_LABEL, TASKS


def column(name: str, task: str) -> Column:
    return Column(name, "target", None, task, 3, 0, ("a", "b"))


def shown(panel: ColumnsPanel, columns: list[Column]) -> dict[str, QComboBox]:
    panel.show_columns(columns)
    return {c.name: panel.findChild(QComboBox, f"{c.name} used as") for c in columns}


@pytest.fixture
def panel(qtbot: QtBot) -> ColumnsPanel:
    made = ColumnsPanel()
    qtbot.addWidget(made)
    return made


def test_every_task_can_be_chosen_an_own_one_by_its_title(
    panel: ColumnsPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = type("Ranks", (), {"kind": ONE_LABEL, "title": "Rank"})
    monkeypatch.setattr(TASKS, "own", lambda: {"ranks": own})
    combo = shown(panel, [column("place", "ranks")])["place"]
    assert (combo.currentData(), combo.currentText()) == ("target ranks", "Predict: Rank")
    offered = {combo.itemData(i): combo.itemText(i) for i in range(combo.count())}
    assert offered["target classification"] == "Predict a label"
    assert offered["target multilabel"] == "Predict labels"
    assert offered["target regression"] == "Predict a number"


def test_a_task_that_is_gone_stays_chosen_when_another_column_changes(
    panel: ColumnsPanel, qtbot: QtBot
) -> None:
    combos = shown(panel, [column("place", "gone"), column("kind", "classification")])
    assert combos["place"].currentData() == "target gone"
    with qtbot.waitSignal(panel.changed) as told:
        combos["kind"].setCurrentIndex(combos["kind"].findData("ignore"))
    place, kind = told.args[0]
    assert (place.role, place.task, kind.role) == ("target", "gone", "ignore")
