"""*Why* on the Test page: what of the sample counted, drawn over it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint
from PySide6.QtGui import QColor, QHelpEvent, QImage
from PySide6.QtWidgets import QApplication, QCheckBox, QPushButton, QToolButton, QToolTip
from pytestqt.qtbot import QtBot

from mmstudio.gui import style
from mmstudio.gui.main_window import MainWindow
from mmstudio.gui.media.tabular import FieldsEditor
from mmstudio.gui.media.views.heat import ground_of, heat_image, strongest
from mmstudio.gui.media.views.picture_view import PictureView
from mmstudio.gui.media.views.sound_picture import sound_picture
from mmstudio.gui.media.views.wave_view import SoundHeat, WaveView
from mmstudio.gui.pages.testing.text_box import TextBox
from mmstudio.modalities.pieces import Spot
from tests.components import spec_of
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import click, click_box, go_to, named
from tests.gui.test_pages import cut_texts


def spot(name: str, weight: float, begin: int, end: int) -> Spot:
    return Spot(name, weight, {"begin": begin, "end": end})


def grounds(box: TextBox) -> dict[str, QColor]:
    return {one.cursor.selectedText(): one.format.background().color()
            for one in box.extraSelections()}


def ready(qtbot: QtBot, page: Any) -> None:
    """Wait until the whole explanation is on the screen."""
    explaining = page._explaining
    qtbot.waitUntil(lambda: not explaining.busy and "What speaks for" in page.why.words.text(),
                    timeout=PATIENCE_MS)


def with_sample(
    qtbot: QtBot, start_app: Callable[..., MainWindow], project: Path
) -> tuple[MainWindow, Any]:
    """The Test page with a test sample that has all three inputs, answered."""
    window = start_app(project)
    page: Any = go_to(window, "Test")
    qtbot.waitUntil(lambda: window.session.testing.predictor is not None, timeout=PATIENCE_MS)
    while not all(page.board.values().values()):
        with qtbot.waitSignal(window.session.testing.predicted, timeout=PATIENCE_MS):
            click(named(page, "Next test sample", QPushButton))
    return window, page


def test_why_is_drawn_over_the_sample_and_goes_with_it(
    qtbot: QtBot, start_app: Callable[..., MainWindow], project_with_run: Path
) -> None:
    window, page = with_sample(qtbot, start_app, project_with_run)
    cards = page.board.cards
    button = named(page, "Why", QToolButton)
    assert button.isCheckable() and not page.why.words.isVisible()
    assert cards["image"].picture._heat is None
    click(button)
    ready(qtbot, page)
    answer = page.why._prediction.tasks["shape"].label
    assert f"“{answer}”" in page.why.words.text()
    assert "Without" in page.why.words.text() or "Nothing was found" in page.why.words.text()
    assert isinstance(cards["image"].picture._heat, QImage)
    assert isinstance(cards["sound"].wave._heat, SoundHeat)
    assert grounds(cards["words"].text_box)
    for name, view in (("image", cards["image"].picture), ("sound", cards["sound"].wave),
                       ("words", cards["words"].text_box)):
        assert "Counted the most" in view.accessibleDescription(), name
    assert not cut_texts(page.why)
    # a click on another bar explains that label
    scores = page.answers.cards["shape"].scores
    other = scores.model().index(1, 0)
    label = other.data().rpartition(", ")[0]
    scores.clicked.emit(other)
    qtbot.waitUntil(lambda: f"“{label}”" in page.why.words.text(), timeout=PATIENCE_MS)
    ready(qtbot, page)
    assert "Without" not in page.why.words.text()  # only of what is answered
    # the other target's
    page.answers.cards["size"].scores.clicked.emit(
        page.answers.cards["size"].scores.model().index(0, 0))
    qtbot.waitUntil(lambda: any(f"“{s}”" in page.why.words.text() for s in ("big", "small")),
                    timeout=PATIENCE_MS)
    # an input that does not count has no map
    with qtbot.waitSignal(window.session.explaining.found, timeout=PATIENCE_MS):
        click_box(named(page, "Use sound", QCheckBox))
    ready(qtbot, page)
    assert cards["sound"].wave._heat is None and cards["image"].picture._heat is not None
    # another sample has other maps, and none before they are there
    page.board.clear()
    assert cards["image"].picture._heat is None and not grounds(cards["words"].text_box)
    assert not window.session.explaining.busy
    assert "once there is an answer" in page.why.words.text()
    click(button)
    assert not page.why.words.isVisible()


def test_a_map_never_arrives_late(
    qtbot: QtBot, start_app: Callable[..., MainWindow], project_with_run: Path
) -> None:
    window, page = with_sample(qtbot, start_app, project_with_run)
    click(named(page, "Why", QToolButton))
    assert window.session.explaining.busy
    page.board.clear()
    assert not window.session.explaining.busy
    click(named(page, "Next test sample", QPushButton))
    ready(qtbot, page)
    click(named(page, "Why", QToolButton))
    click(named(page, "Why", QToolButton))
    assert window.session.explaining.busy
    window.session.testing.forget()
    assert not window.session.explaining.busy


def test_words_are_marked_where_they_stand(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Qt counts an emoji as two; blanks before the text are not the model's."""
    box = TextBox()
    qtbot.addWidget(box)
    box.resize(400, 100)
    box.setPlainText("  😀 nine apples")
    box.show_weights([spot("😀", 1.0, 0, 1), spot("nine", -0.5, 2, 6),
                      spot("apples", 0.01, 7, 13)])
    found = grounds(box)
    assert set(found) == {"😀", "nine"}
    assert found["😀"].alpha() > found["nine"].alpha() > 0
    assert found["😀"].rgb() & 0xFFFFFF == style.series(1).rgb() & 0xFFFFFF
    assert box.accessibleDescription() == "Counted the most: 😀 +1.00; nine −0.50"
    box.show()
    marked = box.extraSelections()
    place = box.cursorRect(marked[1].cursor).center() - QPoint(3, 0)
    tip = QHelpEvent(QEvent.Type.ToolTip, place, box.viewport().mapToGlobal(place))
    told: list[str] = []
    monkeypatch.setattr(QToolTip, "showText", lambda place, text, widget: told.append(text))
    QApplication.sendEvent(box.viewport(), tip)
    assert told == ["nine −0.50"]
    box.show_weights([])
    assert not box.extraSelections() and not box.accessibleDescription()


def test_columns_tell_their_weights_beside_their_fields(qtbot: QtBot) -> None:
    fields = FieldsEditor("facts", spec_of("tabular"))
    qtbot.addWidget(fields)
    fields.show()
    fields.show_weights([Spot("age", 2.0, {}), Spot("city", -1.0, {})], in_units=False)
    shown = {name: shown.text() for name, shown in fields._weights.items() if shown.isVisible()}
    assert shown == {"age": "+100%", "city": "−50%"}
    assert fields.fields["age"].accessibleDescription() == "Counted +100%"
    fields.show_weights([])
    assert not any(shown.isVisible() for shown in fields._weights.values())


def test_the_map_of_a_sound_lies_over_what_the_model_heard(qtbot: QtBot) -> None:
    view = WaveView()
    qtbot.addWidget(view)
    view.resize(400, 206)
    view.show_sound(sound_picture(np.zeros(32_000, dtype=np.float32), 32_000))
    heat = heat_image(np.ones((4, 4)))
    view.show_heat(SoundHeat(heat, 0.5, 4000))
    picture = view.grab().toImage()

    def warm(x: int, y: int) -> bool:
        colour = picture.pixelColor(x, y)
        return colour.red() > colour.blue() + 40

    assert warm(100, 190) and not warm(300, 190)  # half a second of one
    assert not warm(100, 95)  # above the highest pitch


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_strongest_word_is_still_read(theme: str) -> None:
    style.set_theme(theme)
    ground, surface = ground_of(1.0), style.color("surface")
    assert ground is not None and ground_of(0.01) is None
    share = ground.alphaF()
    mixed = [share * g + (1 - share) * s for g, s in zip(
        ground.getRgbF()[:3], surface.getRgbF()[:3], strict=True)]

    def light(colour: list[float]) -> float:
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dim = sorted((light(mixed), light(list(style.color("text").getRgbF()[:3]))),
                         reverse=True)
    assert (bright + 0.05) / (dim + 0.05) > 4.5
    style.set_theme("system")


def test_the_strongest_places_come_first_in_words() -> None:
    spots = [Spot("a", 0.5, {}), Spot("b", -2.0, {}), Spot("c", 0.01, {})]
    assert strongest(spots, in_units=True) == "b −2.00; a +0.50"
    assert strongest([], in_units=True) == ""


def test_a_map_keeps_its_shape() -> None:
    image = heat_image(np.arange(32.0).reshape(4, 8))
    assert (image.width(), image.height()) == (256, 128)




def test_an_answer_to_a_sample_that_was_cleared_explains_nothing(
    qtbot: QtBot, start_app: Callable[..., MainWindow], project_with_run: Path
) -> None:
    window, page = with_sample(qtbot, start_app, project_with_run)
    click(named(page, "Why", QToolButton))
    prediction = page.why._prediction
    assert prediction is not None
    page.board.clear()
    window.session.testing.predicted.emit(prediction)
    assert page.why._prediction is None and not window.session.explaining.busy


def test_a_map_outlives_content_that_comes_after_it(qtbot: QtBot) -> None:
    picture, wave = PictureView(), WaveView()
    qtbot.addWidget(picture)
    qtbot.addWidget(wave)
    image = QImage(4, 4, QImage.Format.Format_RGB32)
    heat = SoundHeat(image, 1.0, 4000.0)
    picture.show_heat(image)
    picture.show_image(image)
    assert picture._heat is image
    wave.show_heat(heat)
    wave.show_sound(sound_picture(np.zeros(8000, np.float32), 8000))
    assert wave._heat is heat
    picture.show_image(None)
    wave.show_sound(None)
    assert picture._heat is None and wave._heat is None
