"""Forms built from options."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QLineEdit,
    QSpinBox,
    QToolButton,
)
from pytestqt.qtbot import QtBot

from mmstudio.encoders import ENCODERS
from mmstudio.experiment import training_options
from mmstudio.fusion import FUSIONS
from mmstudio.gui.forms import OptionsForm, readable
from mmstudio.modalities import MODALITIES
from mmstudio.registry import Help, Range, options_of
from mmstudio.tasks import TASKS
from tests.gui.driving import accessible_name, click, click_box, type_number


class Every:
    """One option of each kind."""

    def __init__(
        self,
        *,
        layers: Annotated[int, Range(1, 9, "stacked layers")] = 2,
        rate: Annotated[float, Range(1e-6, 1.0, "size of a step")] = 1e-3,
        deep: Annotated[bool, Help("look twice")] = False,
        cell: Annotated[Literal["gru", "lstm"], Help("kind of memory")] = "gru",
        words: Annotated[str, Help("what to look for")] = "all",
    ) -> None:
        pass


DEFAULTS = {"layers": 2, "rate": 1e-3, "deep": False, "cell": "gru", "words": "all"}
FIELDS = {"layers": QSpinBox, "rate": QDoubleSpinBox, "deep": QCheckBox, "cell": QComboBox,
          "words": QLineEdit}
COMPONENTS = {
    f"{registry.kind} {name}": options_of(component)
    for registry in (MODALITIES, ENCODERS, FUSIONS, TASKS)
    for name, component in registry.classes().items()
} | {"training": training_options()}


@pytest.fixture
def form(qtbot: QtBot) -> OptionsForm:
    form = OptionsForm(options_of(Every), {})
    qtbot.addWidget(form)
    form.show()
    return form


def sent_by(form: OptionsForm) -> list[tuple[str, object]]:
    sent: list[tuple[str, object]] = []
    form.changed.connect(lambda name, value: sent.append((name, value)))
    return sent


def reset_button(form: OptionsForm, name: str) -> QToolButton:
    return next(b for b in form.findChildren(QToolButton) if accessible_name(b) == f"Reset {name}")


@pytest.mark.parametrize("name", FIELDS)
def test_each_kind_of_option_has_its_control(form: OptionsForm, name: str) -> None:
    field = form.field(name)
    assert isinstance(field, FIELDS[name])
    assert accessible_name(field) == readable(name)
    assert field.focusPolicy() & Qt.FocusPolicy.TabFocus
    assert options_of(Every)[name].help in field.accessibleDescription()
    assert "Default: " in field.toolTip()


def test_it_starts_with_the_defaults(form: OptionsForm) -> None:
    assert form.values() == DEFAULTS


def test_numbers_keep_to_their_ranges(form: OptionsForm) -> None:
    layers, rate = form.field("layers"), form.field("rate")
    assert (layers.minimum(), layers.maximum()) == (1, 9)
    assert (rate.minimum(), rate.maximum()) == (1e-6, 1.0)
    assert "From 1 to 9." in layers.toolTip()
    layers.setValue(50)
    assert form.values()["layers"] == 9
    type_number(rate, 7)
    assert form.values()["rate"] <= 1.0


def test_a_choice_offers_its_choices(form: OptionsForm) -> None:
    combo = form.field("cell")
    assert [combo.itemData(i) for i in range(combo.count())] == ["gru", "lstm"]


def test_what_a_person_chooses_is_sent(form: OptionsForm) -> None:
    sent = sent_by(form)
    type_number(form.field("layers"), 5)
    type_number(form.field("rate"), 0.00025)
    click_box(form.field("deep"))
    form.field("cell").setCurrentIndex(1)
    form.field("words").selectAll()
    QTest.keyClicks(form.field("words"), "few")
    QTest.keyClick(form.field("words"), Qt.Key.Key_Return)
    assert sent == [("layers", 5), ("rate", 0.00025), ("deep", True), ("cell", "lstm"),
                    ("words", "few")]
    assert form.values() == dict(sent)
    assert [type(value) for _, value in sent] == [int, float, bool, str, str]


def test_a_half_typed_number_is_not_sent(form: OptionsForm) -> None:
    sent = sent_by(form)
    field = form.field("layers")
    field.selectAll()
    QTest.keyClicks(field, "7")
    assert not sent
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert sent == [("layers", 7)]


def test_values_from_outside_are_shown_and_not_sent(form: OptionsForm) -> None:
    sent = sent_by(form)
    chosen = {"layers": 4, "rate": 0.5, "deep": True, "cell": "lstm", "words": "none"}
    form.set_values(chosen)
    assert form.values() == chosen
    form.set_values({"layers": 3})
    assert form.values() == DEFAULTS | {"layers": 3}
    assert not sent


@pytest.mark.parametrize("name", FIELDS)
def test_reset_brings_the_default_back(form: OptionsForm, name: str) -> None:
    other = {"layers": 4, "rate": 0.5, "deep": True, "cell": "lstm", "words": "none"}
    button = reset_button(form, readable(name))
    assert not button.isVisible()
    form.set_values({name: other[name]})
    assert button.isVisible()
    sent = sent_by(form)
    click(button)
    assert form.values() == DEFAULTS
    assert sent == [(name, DEFAULTS[name])]
    assert not button.isVisible()


def test_the_wheel_scrolls_past_a_field_without_changing_it(form: OptionsForm) -> None:
    form.setFocus()
    for name in ("layers", "rate", "cell"):
        field = form.field(name)
        middle = QPointF(field.rect().center())
        event = QWheelEvent(
            middle, QPointF(field.mapToGlobal(middle.toPoint())), QPoint(), QPoint(0, 120),
            Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase, False,
        )
        QApplication.sendEvent(field, event)
    assert form.values() == DEFAULTS


def test_a_prefix_tells_forms_on_one_page_apart(qtbot: QtBot) -> None:
    form = OptionsForm(options_of(Every), {}, prefix="sound")
    qtbot.addWidget(form)
    assert accessible_name(form.field("layers")) == "sound Layers"
    label = next(la for la in form.findChildren(QLabel) if la.text() == "Layers")
    assert label.buddy() is form.field("layers")


def test_every_component_gets_a_form_that_gives_its_defaults_and_takes_its_ranges(
    qtbot: QtBot,
) -> None:
    for component, options in COMPONENTS.items():
        form = OptionsForm(options, {})
        qtbot.addWidget(form)
        defaults = {name: option.default for name, option in options.items()}
        assert form.values() == defaults, component
        for end in ("minimum", "maximum"):
            ends = {
                name: getattr(option, end) for name, option in options.items()
                if option.kind in ("int", "float") and option.minimum is not None
            }
            form.set_values(ends)
            shown = form.values()
            assert {n: shown[n] for n in ends} == pytest.approx(ends, rel=1e-9), component
            for name, value in shown.items():
                assert options[name].checked(value, name) == value, component


def test_names_are_readable() -> None:
    assert readable("learning_rate") == "Learning rate"
    assert readable("sample_rate_hz") == "Sample rate Hz"
    assert readable("size") == "Size"
