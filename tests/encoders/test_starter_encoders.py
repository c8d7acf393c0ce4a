"""The encoders on the starter pack: their features, kept once, and a training on a few samples."""

from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmstudio.encoders.image_pretrained import PretrainedImage
from mmstudio.encoders.text_pretrained import PretrainedText
from mmstudio.errors import UserError
from mmstudio.experiment import Component, Experiment, InputSettings
from mmstudio.modalities.image import ImageModality
from mmstudio.pretrained import starter
from mmstudio.pretrained.preprocessing import wanted
from mmstudio.training.events import EpochDone, Preparing, RunFinished
from mmstudio.training.loop import train

IMAGE, TEXT = "starter/efficientnet-lite0", "starter/minilm"


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both packages are here, and nothing may ask for an address."""
    if not all(starter.place(model) for model in (IMAGE, TEXT)):
        pytest.skip("the starter pack is not installed")

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("something asked for the network")

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setattr(socket.socket, "connect", refused)


def settings(modality: str, model: str) -> InputSettings:
    return InputSettings("c", modality, Component(f"pretrained_{modality}", {"model": model}))


def test_pictures_give_their_pooled_features_and_a_coarse_grid(tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)).save(
        tmp_path / "a.png")
    modality = ImageModality()
    spec = modality.fit([tmp_path / "a.png"], wanted(settings("image", IMAGE)))
    assert spec["size"] == [224, 224]
    encoder = PretrainedImage(spec, model=IMAGE, tokens=16).eval()
    values, mask = modality.collate([modality.decode(tmp_path / "a.png", spec)], spec)

    with torch.no_grad():
        features = encoder.encode(modality.prepare(values), mask)
        cells = encoder.published.cells((values.float() - 127) / 128)

    assert cells.shape == (1, 1280, 7, 7)
    assert features.tokens.shape == (1, 1 + 16, 1280)  # the summary stands first
    torch.testing.assert_close(features.tokens[0, 0], cells[0].mean(dim=(1, 2)), rtol=0, atol=1e-3)
    # the grid's first cell is the mean of the map's upper left ones
    torch.testing.assert_close(features.tokens[0, 1], cells[0, :, :2, :2].mean(dim=(1, 2)),
                               rtol=0, atol=1e-3)
    assert not any(n.startswith("published._fc") for n in encoder.state_dict())


def test_a_text_is_read_as_by_the_packages_folder() -> None:
    folder = str(starter.place(TEXT))
    spec = wanted(settings("text", TEXT))
    assert spec == wanted(settings("text", folder))
    one, two = PretrainedText(spec, model=TEXT), PretrainedText(spec, model=folder)
    assert one.stored_key == two.stored_key is not None


@pytest.mark.parametrize(("tuning", "trained"), [("last", 2), ("full", 16)])
def test_the_picture_model_can_be_tuned(tuning: str, trained: int) -> None:
    encoder = PretrainedImage({"size": [64, 64], "channels": 3}, model=IMAGE, tuning=tuning)
    names = {n.split(".")[2] for n in encoder.rates() if "._blocks." in n}
    assert len(names) == trained
    assert "published._conv_head.weight" in encoder.rates()
    with pytest.raises(UserError, match="no linear layers"):
        PretrainedImage({"size": [64, 64], "channels": 3}, model=IMAGE, tuning="lora")


def test_a_training_encodes_each_sample_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = ["file,text,kind,split"]
    for at in range(20):
        kind = ("red", "blue")[at % 2]
        picture = np.zeros((48, 48, 3), np.uint8)
        picture[..., 0 if kind == "red" else 2] = rng.integers(150, 256, (48, 48))
        Image.fromarray(picture).save(tmp_path / f"{at}.png")
        text = ("a glowing fire", "the deep sea")[at % 2]
        rows.append(f"{at}.png,{text},{kind},{('train', 'train', 'train', 'validation')[at // 5]}")
    (tmp_path / "rows.csv").write_text("\n".join(rows))
    experiment = Experiment.from_dict({
        "data": {"table": "rows.csv", "split": "split"},
        "inputs": {
            "picture": {"column": "file", "modality": "image", "size": 64,
                        "encoder": {"name": "pretrained_image", "model": IMAGE}},
            "words": {"column": "text", "modality": "text",
                      "encoder": {"name": "pretrained_text", "model": TEXT}}},
        "targets": {"kind": {}},
        "training": {"epochs": 6, "batch_size": 5, "learning_rate": 3e-3, "device": "cpu"},
    })

    events = list(train(experiment, tmp_path / "runs" / "first", folder=tmp_path))

    assert isinstance(events[-1], RunFinished) and events[-1].reason == "completed"
    said = {e.message for e in events if isinstance(e, Preparing)}
    assert {"Encoding picture", "Encoding words"} <= said
    last = [e for e in events if isinstance(e, EpochDone)][-1]
    assert last.validation["kind"]["accuracy"] == 1.0
    # 110 MB of published weights stay where they are
    assert (tmp_path / "runs" / "first" / "best.safetensors").stat().st_size < 6_000_000
