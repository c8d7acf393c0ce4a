"""The model for users of torch: weights in model.safetensors, its code in network.py.

As a program:  python model.py --input image=photo.png --input "words=a short note"
As a module:   from model import Network; Network("folder")(tensors)
               from model import Model; Model("folder").answer({"image": "photo.png"})

``Network`` is a ``torch.nn.Module`` over the tensors that README.md lists, with parameters to train
on; ``Model`` reads files and texts as predict.py does. It needs torch, numpy, safetensors and, for
the kinds of content that the model reads, pillow, soundfile and soxr, tokenizers.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import predict  # type: ignore[import-not-found]  # beside this file
import torch
from safetensors.torch import load_file
from torch import nn

HERE = Path(__file__).resolve().parent
GATES = {"GRU": (1, 0, 2), "LSTM": (0, 2, 3, 1)}
"""Where torch's gates stand among those of the traced layers."""


class Network(nn.Module):
    """The model: tensors to answers.

    Args:
        place: The exported folder.
    """

    def __init__(self, place: str | Path = HERE) -> None:
        super().__init__()
        code = _code(Path(place) / "network.py")
        self.inputs: list[str] = code.INPUTS
        self.outputs: list[str] = code.OUTPUTS
        self._arguments: list[tuple[str, str]] = code.ARGUMENTS
        self._code = code
        tensors = load_file(Path(place) / "model.safetensors")
        for kind, name in self._arguments:
            own = name.replace(".", "|")  # torch takes no dots in a name
            if kind == "parameter":
                self.register_parameter(own, nn.Parameter(tensors[name]))
            elif kind == "buffer":
                self.register_buffer(own, tensors[name])

    def forward(self, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Per output its tensor.

        Args:
            tensors: By the names of ``inputs``, all on the network's device.
        """
        given = [tensors[name] if kind == "input" else getattr(self, name.replace(".", "|"))
                 for kind, name in self._arguments]
        parts = SimpleNamespace(place=next(iter(tensors.values())).device, recurrent=recurrent,
                                within=within)
        for name in self._code.PARTS:
            setattr(parts, name, partial(getattr(self._code, name), parts))
        found = self._code.forward(parts, *given)
        return dict(zip(self.outputs, found, strict=True))


def _code(file: Path) -> Any:
    found = importlib.util.spec_from_file_location("network", file)
    if found is None or found.loader is None:
        raise predict.PredictError(f"{file} can't be read.")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def within(
    kind: str, dtype: torch.dtype | None, enabled: bool, cached: bool | None,
    part: Callable[..., Any], *given: Any,
) -> Any:
    """A part of the model that asks for a precision of its own."""
    with torch.autocast(kind, dtype, enabled, cached):
        return part(*given)


def recurrent(
    tensors: Sequence[torch.Tensor], kind: str, *_: Any, **__: Any
) -> torch.Tensor:
    """A layer that reads each sequence both ways, within its own length.

    Args:
        tensors: Steps ``(T, B, D)``, weights of inputs ``(2, G · H, D)`` and of states
            ``(2, G · H, H)``, biases ``(2, 2 · G · H)``, lengths ``(B,)``.
        kind: ``GRU`` or ``LSTM``.

    Returns:
        ``(T, 2, B, H)``, zero behind each sequence.
    """
    steps, of_inputs, of_states, biases, lengths = tensors
    width = of_states.shape[2]
    order = GATES[kind]
    parameters = []
    for way in (0, 1):
        of_input, of_state = biases[way].chunk(2)
        parameters += [_by_gate(one, order) for one in
                       (of_inputs[way], of_states[way], of_input, of_state)]
    packed = nn.utils.rnn.pack_padded_sequence(
        steps, lengths.cpu().long().clamp(min=1), enforce_sorted=False)
    zeros = steps.new_zeros(2, steps.shape[1], width)
    layer: Any = torch.gru if kind == "GRU" else torch.lstm
    state = zeros if kind == "GRU" else (zeros, zeros)
    # cuDNN has gradients for layers alone that it was told are being trained; with no dropout the
    # numbers are the same
    found = layer(packed.data, packed.batch_sizes, state, parameters, True, 1, 0.0,
                  torch.is_grad_enabled(), True)
    read = nn.utils.rnn.PackedSequence(
        found[0], packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
    padded = nn.utils.rnn.pad_packed_sequence(read, total_length=steps.shape[0])[0]
    return padded.view(*padded.shape[:2], 2, width).transpose(1, 2)


def _by_gate(tensor: torch.Tensor, order: Sequence[int]) -> torch.Tensor:
    gates = tensor.chunk(len(order))
    return torch.cat([gates[at] for at in order])


class Model(predict.Model):  # type: ignore[misc]  # as above
    """Answers for files, texts and records, as ``predict.Model`` gives them.

    Args:
        place: The exported folder.
        device: Of the network.
        most_pixels: Of a picture; larger ones are refused.
    """

    def __init__(
        self, place: str | Path = HERE, device: str = "cpu",
        most_pixels: int = predict.MOST_PIXELS,
    ) -> None:
        folder = Path(place)
        try:
            schema = json.loads((folder / "schema.json").read_text(encoding="utf-8"))
            tokenizers = {name: (folder / spec["tokenizer"]).read_text(encoding="utf-8")
                          for name, spec in schema["inputs"].items() if "tokenizer" in spec}
            self.network = Network(folder).to(device).eval()
        except (OSError, ValueError, KeyError) as error:
            raise predict.PredictError(f"{folder} holds no model for torch: {error}") from None
        self.device = device
        self.session = self  # runs the network where predict.py runs its session
        self._hold(folder, schema, tokenizers, most_pixels)
        self._read = set(self.network.inputs)

    def run(self, *given: Any) -> Any:
        """As ``predict.Model.run``; with names and tensors, what they answer."""
        if len(given) == 1:
            return super().run(given[0])
        wanted, feed = given
        with torch.inference_mode():
            found = self.network({name: torch.from_numpy(np.ascontiguousarray(array)).to(
                self.device) for name, array in feed.items()})
        return [found[name].cpu().numpy() for name in wanted]


if __name__ == "__main__":
    sys.exit(predict.main(kind=Model))
