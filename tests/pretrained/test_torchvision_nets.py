"""VGG and ResNet: torchvision's names and shapes, and outputs against layer-by-layer functions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from mmstudio.errors import UserError
from mmstudio.pretrained.resnet import ResNet
from mmstudio.pretrained.torchvision_files import load_net
from mmstudio.pretrained.vgg import VGG

# where torchvision's files have convolutions, and how wide they are
VGG_CONVOLUTIONS = {
    11: {0: 64, 3: 128, 6: 256, 8: 256, 11: 512, 13: 512, 16: 512, 18: 512},
    13: {0: 64, 2: 64, 5: 128, 7: 128, 10: 256, 12: 256, 15: 512, 17: 512, 20: 512, 22: 512},
    16: {0: 64, 2: 64, 5: 128, 7: 128, 10: 256, 12: 256, 14: 256,
         17: 512, 19: 512, 21: 512, 24: 512, 26: 512, 28: 512},
}
VGG_PARAMETERS = {11: 132_863_336, 13: 133_047_848, 16: 138_357_544}
RESNET_PARAMETERS = {18: (62, 11_689_512), 34: (110, 21_797_672), 50: (161, 25_557_032)}
RESNET_STAGES = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}

Shapes = dict[str, tuple[int, ...]]


def vgg_shapes(depth: int) -> Shapes:
    """The names and shapes of torchvision's file, written down from the file's contents."""
    shapes: Shapes = {}
    before = 3
    for number, width in VGG_CONVOLUTIONS[depth].items():
        shapes[f"features.{number}.weight"] = (width, before, 3, 3)
        shapes[f"features.{number}.bias"] = (width,)
        before = width
    for number, (wide, narrow) in {0: (4096, 25088), 3: (4096, 4096), 6: (1000, 4096)}.items():
        shapes[f"classifier.{number}.weight"] = (wide, narrow)
        shapes[f"classifier.{number}.bias"] = (wide,)
    return shapes


def resnet_shapes(depth: int) -> Shapes:
    """The names and shapes of torchvision's file, the counters of batches left out."""
    shapes: Shapes = {"conv1.weight": (64, 3, 7, 7)} | norm_shapes("bn1", 64)
    before, deep = 64, depth >= 50
    for stage, count in enumerate(RESNET_STAGES[depth]):
        inner = 64 * 2**stage
        outer = 4 * inner if deep else inner
        for block in range(count):
            at = f"layer{stage + 1}.{block}"
            sizes = [(inner, before, 1), (inner, inner, 3), (outer, inner, 1)] if deep else [
                (inner, before, 3), (inner, inner, 3)]
            for number, (out, into, side) in enumerate(sizes, start=1):
                shapes[f"{at}.conv{number}.weight"] = (out, into, side, side)
                shapes |= norm_shapes(f"{at}.bn{number}", out)
            if block == 0 and before != outer:
                shapes[f"{at}.downsample.0.weight"] = (outer, before, 1, 1)
                shapes |= norm_shapes(f"{at}.downsample.1", outer)
            before = outer
    return shapes | {"fc.weight": (1000, before), "fc.bias": (1000,)}


def norm_shapes(name: str, width: int) -> Shapes:
    return {f"{name}.{part}": (width,)
            for part in ("weight", "bias", "running_mean", "running_var")}


def made_up(shapes: Shapes) -> dict[str, torch.Tensor]:
    """Random weights under which activations neither vanish nor explode.

    Large matrices are windows over few numbers, so that their files stay small.
    """
    chance = torch.Generator().manual_seed(0)
    state = {}
    for name, shape in shapes.items():
        if name.endswith("running_var"):
            state[name] = 0.5 + torch.rand(shape, generator=chance)
        elif len(shape) == 1:
            state[name] = (0.1 * torch.randn(shape, generator=chance)
                           + float("bn" in name and name.endswith("weight")))
        else:
            fan_in = torch.Size(shape[1:]).numel()
            scale = (2 / fan_in) ** 0.5
            if len(shape) == 2:
                line = scale * torch.randn(sum(shape), generator=chance)
                state[name] = line.as_strided(shape, (1, 1))
            else:
                state[name] = scale * torch.randn(shape, generator=chance)
    return state


def saved(state: dict[str, torch.Tensor], folder: Path, name: str = "net.pth") -> Path:
    torch.save(state, folder / name)
    return folder / name


def without_counters(net: torch.nn.Module) -> Shapes:
    return {n: tuple(v.shape) for n, v in net.state_dict().items()
            if not n.endswith("num_batches_tracked")}


@pytest.mark.parametrize("depth", VGG_CONVOLUTIONS)
def test_vgg_has_the_published_names_and_shapes(depth: int) -> None:
    with torch.device("meta"):
        net = VGG(depth)
    assert without_counters(net) == vgg_shapes(depth)
    assert list(net.state_dict()) == list(vgg_shapes(depth))
    assert sum(p.numel() for p in net.parameters()) == VGG_PARAMETERS[depth]


def test_vgg_16_has_32_tensors_and_with_batch_norm_97() -> None:
    with torch.device("meta"):
        plain, norm = VGG(16), VGG(16, norm=True)
    assert len(plain.state_dict()) == 32
    assert len(norm.state_dict()) == 97
    assert sum(p.numel() for p in norm.parameters()) == 138_365_992
    convolutions = [int(n.split(".")[1]) for n, v in norm.state_dict().items() if v.dim() == 4]
    assert convolutions == [0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40]


@pytest.mark.parametrize("depth", RESNET_STAGES)
def test_resnet_has_the_published_names_and_shapes(depth: int) -> None:
    with torch.device("meta"):
        net = ResNet(depth)
    assert without_counters(net) == resnet_shapes(depth)
    parameters = list(net.parameters())
    assert (len(parameters), sum(p.numel() for p in parameters)) == RESNET_PARAMETERS[depth]


def plain_vgg(state: dict[str, torch.Tensor], depth: int, x: torch.Tensor) -> torch.Tensor:
    """VGG by functions alone: Simonyan and Zisserman 2015, table 1."""
    pooled_after = {11: (0, 3, 8, 13, 18), 13: (2, 7, 12, 17, 22), 16: (2, 7, 14, 21, 28)}[depth]
    for number in VGG_CONVOLUTIONS[depth]:
        name = f"features.{number}"
        x = functional.relu(
            functional.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1))
        if number in pooled_after:
            x = functional.max_pool2d(x, 2, 2)
    x = functional.adaptive_avg_pool2d(x, (7, 7)).reshape(len(x), -1)
    for number in (0, 3, 6):
        x = x @ state[f"classifier.{number}.weight"].t() + state[f"classifier.{number}.bias"]
        x = x.clamp(min=0) if number < 6 else x
    return x


def normed(state: dict[str, torch.Tensor], name: str, x: torch.Tensor) -> torch.Tensor:
    mean, var, weight, bias = (
        state[f"{name}.{part}"].view(1, -1, 1, 1)
        for part in ("running_mean", "running_var", "weight", "bias"))
    return (x - mean) / torch.sqrt(var + 1e-5) * weight + bias


def plain_resnet(state: dict[str, torch.Tensor], depth: int, x: torch.Tensor) -> torch.Tensor:
    """ResNet by functions alone: He et al. 2016, table 1, with the stride in the 3×3."""
    x = functional.relu(normed(
        state, "bn1", functional.conv2d(x, state["conv1.weight"], stride=2, padding=3)))
    x = functional.max_pool2d(x, 3, 2, 1)
    for stage, count in enumerate(RESNET_STAGES[depth]):
        for block in range(count):
            at, stride = f"layer{stage + 1}.{block}", 2 if stage > 0 and block == 0 else 1
            beside = x
            if f"{at}.downsample.0.weight" in state:
                beside = normed(state, f"{at}.downsample.1", functional.conv2d(
                    x, state[f"{at}.downsample.0.weight"], stride=stride))
            steps = [(1, 1, 0), (2, stride, 1), (3, 1, 0)] if depth >= 50 else [
                (1, stride, 1), (2, 1, 1)]
            for number, step, padding in steps:
                x = normed(state, f"{at}.bn{number}", functional.conv2d(
                    x, state[f"{at}.conv{number}.weight"], stride=step, padding=padding))
                x = functional.relu(x) if number < len(steps) else x
            x = functional.relu(x + beside)
    return x.mean(dim=(2, 3)) @ state["fc.weight"].t() + state["fc.bias"]


def agree(got: torch.Tensor, wanted: torch.Tensor) -> None:
    """To 1e-5 of the largest value."""
    assert wanted.abs().max() > 0.01
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-5 * float(wanted.abs().max()))


@pytest.mark.parametrize("depth", VGG_CONVOLUTIONS)
def test_vgg_from_a_file_gives_what_functions_give(depth: int, tmp_path: Path) -> None:
    state = made_up(vgg_shapes(depth))
    net = load_net(saved(state, tmp_path))
    pictures = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        agree(net(pictures), plain_vgg(state, depth, pictures))
        assert net.cells(pictures).shape == (2, 512, 2, 2)


@pytest.mark.parametrize("depth", RESNET_STAGES)
def test_resnet_from_a_file_gives_what_functions_give(depth: int, tmp_path: Path) -> None:
    state = made_up(resnet_shapes(depth))
    net = load_net(saved(state, tmp_path))
    assert {n for n in net.state_dict() if not n.endswith("num_batches_tracked")} == set(state)
    pictures = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        agree(net(pictures), plain_resnet(state, depth, pictures))
        assert net.cells(pictures).shape == (2, 512 if depth < 50 else 2048, 2, 2)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_are_those_of_the_file_and_chance_is_left_alone(
    suffix: str, tmp_path: Path
) -> None:
    from safetensors.torch import save_file

    state = {n: v.contiguous() for n, v in made_up(resnet_shapes(18)).items()}
    state |= {n.replace("weight", "num_batches_tracked"): torch.tensor(7)
              for n in state if "bn" in n and n.endswith("weight")}
    path = tmp_path / f"net{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    before = torch.get_rng_state()
    with torch.device("meta"):
        net = load_net(path)
    assert torch.equal(torch.get_rng_state(), before)
    loaded = net.state_dict()
    assert all(torch.equal(loaded[n], v) for n, v in state.items())
    assert {v.device.type for v in loaded.values()} == {"cpu"}
    assert not net.training


def test_blocks_hold_every_parameter_of_the_cells() -> None:
    with torch.device("meta"):
        nets = [VGG(16), ResNet(18), ResNet(50)]
    assert [len(net.blocks()) for net in nets] == [5, 8, 16]
    for net in nets:
        held = {id(p) for block in net.blocks() for p in block.parameters()}
        left = {n.split(".")[0] for n, p in net.named_parameters() if id(p) not in held}
        assert left == ({"classifier"} if isinstance(net, VGG) else {"conv1", "bn1", "fc"})


def test_a_net_of_other_classes_is_taken_too(tmp_path: Path) -> None:
    state = made_up(resnet_shapes(18))
    state |= {"fc.weight": torch.randn(5, 512), "fc.bias": torch.randn(5)}
    assert load_net(saved(state, tmp_path))(torch.randn(1, 3, 32, 32)).shape == (1, 5)


def test_names_that_do_not_fit_are_named(tmp_path: Path) -> None:
    state = made_up(resnet_shapes(18))
    state["layer1.0.conv2.wait"] = state.pop("layer1.0.conv2.weight")
    state["bn1.weight"] = torch.ones(32)
    with pytest.raises(UserError, match=r"1 missing .layer1.0.conv2.weight.; 1 unexpected "
                                        r".layer1.0.conv2.wait.; 1 of another shape .bn1.weight"):
        load_net(saved(state, tmp_path))


@pytest.mark.parametrize("state", [
    {"encoder.weight": torch.ones(2)},
    {"features.0.weight": torch.ones(64, 3, 3, 3), "classifier.6.weight": torch.ones(5, 4096)},
    {"conv1.weight": torch.ones(64, 3, 7, 7), "fc.weight": torch.ones(5, 512)},
], ids=["other", "short VGG", "short ResNet"])
def test_another_net_is_refused(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not of a known network.*VGG-11.*ResNet-18"):
        load_net(saved(state, tmp_path))


class Anything:
    """A class that a reader of weights must not make an object of."""


def test_a_file_with_more_than_weights_is_not_opened(tmp_path: Path) -> None:
    torch.save({"net": Anything()}, tmp_path / "more.pth")
    with pytest.raises(UserError, match="holds more than weights"):
        load_net(tmp_path / "more.pth")
    torch.save([torch.ones(2)], tmp_path / "list.pth")
    with pytest.raises(UserError, match="not a plain state dict"):
        load_net(tmp_path / "list.pth")
    (tmp_path / "half.pth").write_bytes(b"PK\x03\x04 half a download")
    with pytest.raises(UserError, match="can't be read as weights"):
        load_net(tmp_path / "half.pth")
