"""Before a training: what an epoch takes, a batch size that fits, and never in the way."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from mmstudio.data.prepare import Progress
from mmstudio.gui.main_window import MainWindow
from mmstudio.training import fit as fitting
from mmstudio.training.fit import Fit
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import click, named

Start = Callable[..., MainWindow]
FITS = Fit(True, 64, 1_300_000_000, 8_000_000_000, 12.2, encode_seconds=40.0)


def on_train_page(start_app: Start, project: Path) -> Any:
    window = start_app(project)
    window.go_to("Train")
    return window.page("Train")


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Fit]:
    """What `fit` finds, one after the other; the last one stays."""
    results: list[Fit] = []

    def fit(*_: Any, **__: Any) -> Iterator[Progress | Fit]:
        yield Progress("Trying a step", 0, 1)
        yield results.pop(0) if len(results) > 1 else results[0]

    monkeypatch.setattr(fitting, "fit", fit)
    return results


def test_the_page_tells_by_itself_what_an_epoch_takes(
    qtbot: QtBot, start_app: Start, small_project: Path
) -> None:
    page = on_train_page(start_app, small_project)
    qtbot.waitUntil(lambda: "per epoch" in page.fit.text.text(), timeout=PATIENCE_MS)
    words = page.fit.text.text()
    assert re.fullmatch(r"About \d+ s per epoch, \d+ MB of memory for the model", words)
    assert not page.fit.use.isVisible() and not page.fit.ask.isVisible()
    assert not page.window().session.runs.listed


def test_encoding_once_is_told_apart(
    qtbot: QtBot, start_app: Start, small_project: Path, found: list[Fit]
) -> None:
    found.append(FITS)
    page = on_train_page(start_app, small_project)
    qtbot.waitUntil(lambda: bool(page.fit.text.text()), timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: "epoch," in page.fit.text.text(), timeout=PATIENCE_MS)
    assert page.fit.text.text() == (
        "About 12 s per epoch, 1.3 GB of memory for the model · first 40 s to send all samples "
        "through the published model once")


def test_a_batch_that_does_not_fit_is_mended_by_one_click(
    qtbot: QtBot, start_app: Start, small_project: Path, found: list[Fit]
) -> None:
    found += [Fit(False, 4, 14_000_000_000, 6_200_000_000, 30.0), replace(FITS, batch_size=4)]
    page = on_train_page(start_app, small_project)
    session = page.window().session
    qtbot.waitUntil(page.fit.use.isVisible, timeout=PATIENCE_MS)
    size = session.project.experiment.training.batch_size
    assert page.fit.text.text() == (
        f"Batches of {size} need about 14.0 GB of memory; 6.2 GB are free.")
    click(named(page, "Use batch size 4", QPushButton))
    assert session.project.experiment.training.batch_size == 4
    qtbot.waitUntil(lambda: page.fit.text.text().startswith("About 12 s"), timeout=PATIENCE_MS)
    assert not page.fit.use.isVisible()


def test_what_never_fits_says_what_to_take_instead(
    qtbot: QtBot, start_app: Start, small_project: Path, found: list[Fit]
) -> None:
    nothing = float("nan")
    found.append(Fit(False, 16, 9_000_000_000, 6_200_000_000, nothing, too_large=True))
    page = on_train_page(start_app, small_project)
    qtbot.waitUntil(page.fit.hint.isVisible, timeout=PATIENCE_MS)
    assert "one sample at a time" in page.fit.text.text()
    assert "Frozen" in page.fit.hint.text()
    assert page.start_button.isEnabled()


def test_other_settings_are_looked_at_anew_and_epochs_are_none(
    qtbot: QtBot, start_app: Start, small_project: Path, found: list[Fit]
) -> None:
    found.append(FITS)
    page = on_train_page(start_app, small_project)
    session = page.window().session
    qtbot.waitUntil(lambda: session.fit.fit is not None, timeout=PATIENCE_MS)
    session.project.edit("training.epochs", 7)
    assert session.fit.fit is not None
    session.project.edit("fusion.name", "sum")
    assert session.fit.fit is None


def test_a_training_stops_the_look_and_waits_for_its_end(
    qtbot: QtBot, start_app: Start, small_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mmstudio.training import loop

    begun, order = threading.Event(), []
    train = loop.train

    def slow(*_: Any, should_stop: Callable[[], bool], **__: Any) -> Iterator[Progress]:
        yield Progress("Trying a step", 0, 1)
        begun.set()
        while not should_stop():
            yield Progress("Trying a step", 0, 1)
        order.append("left off")

    def watched(*args: Any, **more: Any) -> Iterator[Any]:
        order.append("training")
        return train(*args, **more)

    monkeypatch.setattr(fitting, "fit", slow)
    monkeypatch.setattr(loop, "train", watched)
    page = on_train_page(start_app, small_project)
    session = page.window().session
    session.project.edit("training.epochs", 1)
    qtbot.waitUntil(begun.is_set, timeout=PATIENCE_MS)
    with qtbot.waitSignal(session.training.ended, timeout=PATIENCE_MS) as ended:
        click(named(page, "Start training", QPushButton))
        assert not session.fit.is_asking and not page.fit.isVisible()
    assert ended.args == ["completed"]
    assert order == ["left off", "training"]
