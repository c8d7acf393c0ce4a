"""A VGG and a ResNet of torchvision's files as encoders of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mmstudio.encoders.image_pretrained import PretrainedImage
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.pretrained.preprocessing import IMAGENET, wanted
from mmstudio.pretrained.resnet import ResNet
from mmstudio.pretrained.vgg import VGG
from tests.components import without_gradient

SPEC = {"size": [64, 96], "channels": 3, "mean": IMAGENET[0], "std": IMAGENET[1]}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Random weights under torchvision's names; the classifier's are one number each."""
    folder = tmp_path_factory.mktemp("torchvision")
    paths = {}
    for name, kind, depth in (("vgg11", VGG, 11), ("resnet18", ResNet, 18)):
        with torch.device("meta"):
            shapes = {n: v for n, v in kind(depth).state_dict().items()}
        torch.manual_seed(0)
        state = {}
        for key, value in shapes.items():
            if key.startswith("classifier"):
                state[key] = torch.zeros(1).expand(value.shape)
            elif value.dim() == 4:
                state[key] = torch.randn(value.shape) * (2 / value[0].numel()) ** 0.5
            elif value.dim() == 0:
                state[key] = torch.tensor(1)
            else:
                state[key] = torch.full(value.shape, float(key.split(".")[-1] in (
                    "weight", "running_var")))
        paths[name] = folder / f"{name}.pth"
        torch.save(state, paths[name])
    return paths


def encoder_of(path: Path, **options: Any) -> PretrainedImage:
    options = {"dropout": 0.0} | options
    return PretrainedImage(SPEC, model=str(path), **options)


@pytest.mark.parametrize("name", ["vgg11", "resnet18"])
def test_the_cells_of_the_last_map_are_the_tokens(name: str, files: dict[str, Path]) -> None:
    encoder = encoder_of(files[name], tokens=100).eval()
    pictures = torch.rand(2, 3, 64, 96) * 2 - 1
    with torch.no_grad():
        features = encoder.encode(pictures, None)
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in IMAGENET)
        cells = encoder.published.cells(((pictures + 1) / 2 - mean) / std)
    assert cells.shape == (2, 512, 2, 3)
    torch.testing.assert_close(features.tokens, cells.flatten(2).transpose(1, 2),
                               rtol=0, atol=1e-5 * float(cells.abs().max()))
    assert bool(features.mask.all())


@pytest.mark.parametrize("name", ["vgg11", "resnet18"])
def test_the_classifier_is_left_out(name: str, files: dict[str, Path]) -> None:
    encoder = encoder_of(files[name])
    assert not any(n.startswith(("published.classifier", "published.fc"))
                   for n in encoder.state_dict())
    with torch.device("meta"):
        whole = VGG(11) if name == "vgg11" else ResNet(18)
    cells = sum(p.numel() for n, p in whole.named_parameters()
                if not n.startswith(("classifier", "fc")))
    assert sum(p.numel() for p in encoder.published.parameters()) == cells


@pytest.mark.parametrize(("name", "expected"), [
    ("vgg11", {"features.11", "features.13", "features.16", "features.18"}),
    ("resnet18", {"layer4.0", "layer4.1"}),
])
def test_the_last_two_blocks_are_tuned(
    name: str, expected: set[str], files: dict[str, Path]
) -> None:
    encoder = encoder_of(files[name], tuning="last", blocks=2, rate=0.1).train()
    encoder(torch.rand(2, 3, 64, 96), None).pooled().square().sum().backward()
    assert without_gradient(encoder) == []
    trained = {n.removeprefix("published.") for n, p in encoder.named_parameters()
               if p.requires_grad and n.startswith("published.")}
    assert {".".join(n.split(".")[:2]) for n in trained} == expected
    assert set(encoder.rates().values()) == {0.1}
    norms = [m for m in encoder.modules() if isinstance(m, nn.BatchNorm2d)]
    assert not any(m.training for m in norms)


@pytest.mark.parametrize(("name", "blocks"), [("vgg11", 5), ("resnet18", 8)])
def test_with_full_tuning_each_block_learns_more_slowly_than_the_one_above(
    name: str, blocks: int, files: dict[str, Path]
) -> None:
    encoder = encoder_of(files[name], tuning="full", rate=0.1, layer_decay=0.5).train()
    rates = {n.removeprefix("published."): rate for n, rate in encoder.rates().items()}
    first = "features.0.weight" if name == "vgg11" else "conv1.weight"
    last = "features.18.weight" if name == "vgg11" else "layer4.1.conv2.weight"
    assert rates[last] == 0.1
    assert rates[first] == pytest.approx(0.1 * 0.5 ** (blocks - 1 if name == "vgg11" else blocks))
    assert len(set(rates.values())) == (blocks if name == "vgg11" else blocks + 1)


def test_pictures_come_in_imagenets_size_and_scale(files: dict[str, Path]) -> None:
    experiment = Experiment.from_dict({
        "data": {"table": "t.csv"},
        "inputs": {"picture": {"column": "file", "modality": "image", "encoder": {
            "name": "pretrained_image", "model": str(files["vgg11"])}}},
        "targets": {"label": {"task": "classification"}}})
    assert wanted(experiment.inputs["picture"]) == {
        "size": [224, 224], "channels": 3, "mean": IMAGENET[0], "std": IMAGENET[1]}


def test_a_file_of_another_net_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    state = torch.load(files["resnet18"], weights_only=True)
    state["layer1.0.conv3.wait"] = state.pop("layer1.0.conv2.weight")
    torch.save(state, tmp_path / "changed.pth")
    with pytest.raises(UserError, match=r"1 missing .layer1.0.conv2.weight.; 1 unexpected"):
        encoder_of(tmp_path / "changed.pth")
    torch.save({"weight": torch.ones(3)}, tmp_path / "other.pth")
    with pytest.raises(UserError, match="not of a known network"):
        encoder_of(tmp_path / "other.pth")
