"""VGGs and ResNets from the state-dict files that torchvision publishes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import nn

from mmstudio.errors import UserError
from mmstudio.pretrained.resnet import STAGES as RESNET_STAGES
from mmstudio.pretrained.resnet import ResNet
from mmstudio.pretrained.vgg import STAGES as VGG_STAGES
from mmstudio.pretrained.vgg import VGG

KNOWN = (f"VGG-{', '.join(map(str, VGG_STAGES))} (with or without batch norm) and "
         f"ResNet-{', '.join(map(str, RESNET_STAGES))}")


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a ``.pth`` or ``.safetensors`` file, on the CPU.

    A pickle is read by torch's reader of weights alone: no code in it is ever run.

    Raises:
        UserError: The file can't be read, or holds something else than named tensors.
    """
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError:
        raise UserError(f"{path} holds more than weights, and is not opened.",
                        "Save the model's state_dict() alone, best as safetensors.") from None
    except Exception as error:  # of whatever kind the readers ran into
        raise UserError(f"{path} can't be read as weights: {str(error).splitlines()[0]}",
                        "Download it again, or save the model's state_dict() again.") from None
    if not isinstance(state, Mapping) or not all(
            isinstance(value, torch.Tensor) for value in state.values()):
        raise UserError(f"{path} is not a plain state dict: it must map names to tensors.",
                        "Save the model's state_dict() alone.")
    return dict(state)


def empty_net(state: Mapping[str, torch.Tensor], path: Path) -> VGG | ResNet:
    """The net of the names and shapes in ``state``, without weights (on the meta device).

    Raises:
        UserError: They are of no net that is known.
    """
    with torch.device("meta"):
        if "features.0.weight" in state and "classifier.6.weight" in state:
            convolutions = [v for n, v in state.items()
                            if re.fullmatch(r"features\.\d+\.weight", n) and v.dim() == 4]
            depth = len(convolutions) + 3
            if depth in VGG_STAGES:
                return VGG(depth, norm="features.1.running_mean" in state,
                           classes=len(state["classifier.6.weight"]))
        if "conv1.weight" in state and "fc.weight" in state:
            blocks = {n.rsplit(".", 2)[0] for n in state if re.match(r"layer\d\.\d+\.conv1", n)}
            bottleneck = "layer1.0.conv3.weight" in state
            for depth, stages in RESNET_STAGES.items():
                if sum(stages) == len(blocks) and bottleneck == (depth >= 50):
                    return ResNet(depth, classes=len(state["fc.weight"]))
    first = ", ".join(list(state)[:4])
    raise UserError(f"{path} is not of a known network; its first names are {first}.",
                    f"Known are torchvision's {KNOWN}.")


def load_net(path: Path) -> VGG | ResNet:
    """The net of a state-dict file with its weights, on the CPU, in the mode of evaluation.

    torch's random state is not touched.

    Raises:
        UserError: The file can't be read, its net isn't known, or names or shapes don't fit.
    """
    state = read_state(path)
    net = empty_net(state, path)
    filled(net, state, path, f"Known are torchvision's {KNOWN}.")
    return net


def filled(net: nn.Module, state: dict[str, torch.Tensor], path: Path, hint: str) -> None:
    """Give a net the weights of a file, as float32 on the CPU, and put it in ``eval`` mode.

    Args:
        net: Without weights, on the meta device.
        state: The file's tensors.
        path: The file, for messages.
        hint: What to say where they don't fit.

    Raises:
        UserError: Names or shapes don't fit.
    """
    wanted = net.state_dict()
    # files of before batch norm counted its batches lack the counter, which is not used
    for name in wanted:
        if name.endswith(".num_batches_tracked"):
            state.setdefault(name, torch.zeros((), dtype=torch.long, device="cpu"))
    missing = [n for n in wanted if n not in state]
    unexpected = [n for n in state if n not in wanted]
    shapes = [n for n, v in wanted.items() if n in state and v.shape != state[n].shape]
    if missing or unexpected or shapes:
        raise UserError(_misfit(path, missing, unexpected, shapes), hint)
    with torch.device("cpu"):
        net.load_state_dict(
            {n: v.float() if v.is_floating_point() else v for n, v in state.items()},
            strict=True, assign=True)
    net.eval()


def _misfit(path: Path, missing: list[str], unexpected: list[str], shapes: list[str]) -> str:
    parts = [
        f"{len(names)} {what} ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})"
        for what, names in (("missing", missing), ("unexpected", unexpected),
                            ("of another shape", shapes)) if names]
    return f"{path} does not fit its net: {'; '.join(parts)}."
