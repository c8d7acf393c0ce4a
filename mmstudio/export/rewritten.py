"""Parts of the model whose own code asks for numbers as it goes, in a form that can be traced.

Each function here stands for a method of the class that it is filed under, gives the same numbers,
and looks at no number itself: what depends on lengths is masked, not cut.
"""

from __future__ import annotations

import copy
import types
from collections.abc import Callable
from itertools import pairwise
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional

from mmstudio.combining.kernels import placed_counts, placed_measurements
from mmstudio.combining.machines import FINAL, PUBLISHED, KernelMachines
from mmstudio.encoders.audio_statistics import (
    GROUPS,
    HEARD,
    MODULATION_EDGES,
    MODULATION_FRAMES,
    QUANTILES,
    SEGMENT_BANDS,
    SEGMENTS,
    AudioStatistics,
)
from mmstudio.encoders.recurrent import BidirectionalRNN
from mmstudio.encoders.sound_statistics import Repeated
from mmstudio.encoders.text_ngrams import CHARACTER_PLACES, WORD_PLACES, TextNgrams
from mmstudio.encoders.text_rnn import TextRNN, unknown_words
from mmstudio.export.primitives import fourier, framed
from mmstudio.export.pruning import blocks_in_use
from mmstudio.modalities.text import PAD, UNKNOWN
from mmstudio.pretrained.soundnet import LEAST_SAMPLES

OPSET = 18
GATES = {"GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2)}
"""ONNX's order of the gates by torch's."""
NGRAMS = TextNgrams


def ready(model: nn.Module) -> nn.Module:
    """A copy of a model of which all that is known here can be traced."""
    found = copy.deepcopy(model).to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    for module in found.modules():
        rewrite(module)
    return cast(nn.Module, found)


def rewrite(module: nn.Module) -> None:
    """Put the methods that are filed here in place of a module's own."""
    for kind, methods in REWRITTEN.items():
        if isinstance(module, kind):
            for name, method in methods.items():
                setattr(module, name, types.MethodType(method, module))
    if isinstance(module, BidirectionalRNN):
        _keep_weights(module)
    if isinstance(module, TextRNN):
        with torch.no_grad():  # what fills up counts nowhere, whatever stands there
            module.embed_ngrams.weight[0].zero_()
    if isinstance(module, KernelMachines):
        for name, tensor in list(module.named_buffers()):
            if name.startswith("machine") and name.rpartition("_")[2].rstrip("0123456789") in (
                    "block", "beta", "mean"):
                setattr(module, name, tensor[FINAL : FINAL + 1].clone())


# Recurrent layers --------------------------------------------------------------------------------


def _keep_weights(layer: BidirectionalRNN) -> None:
    """Its weights as ONNX's operators want them, both directions together."""
    for i, both in enumerate(zip(layer.ahead, layer.back, strict=True)):
        order = GATES[type(both[0]).__name__]
        parts: dict[str, list[torch.Tensor]] = {"w": [], "r": [], "b": []}
        for one in both:
            given = {n: _by_gate(getattr(one, f"{n}_l0"), order)
                     for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
            parts["w"].append(given["weight_ih"])
            parts["r"].append(given["weight_hh"])
            parts["b"].append(torch.cat([given["bias_ih"], given["bias_hh"]]))
        for name, tensors in parts.items():
            layer.register_buffer(f"onnx_{name}{i}", torch.stack(tensors))


def _by_gate(tensor: torch.Tensor, order: tuple[int, ...]) -> torch.Tensor:
    gates = tensor.detach().chunk(len(order))
    return torch.cat([gates[at] for at in order])


def read_both_ways(
    self: BidirectionalRNN, tokens: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """By ONNX's own operator, which knows each sequence's length."""
    lengths = mask.sum(dim=1).to(torch.int32)
    real = mask.unsqueeze(-1)
    tokens = tokens.float().masked_fill(~real, 0)
    for i, layer in enumerate(self.ahead):
        kind, width = type(layer).__name__, cast(nn.GRU, layer).hidden_size
        steps = tokens.transpose(0, 1)  # (T, B, D)
        attributes: dict[str, Any] = {"hidden_size": width, "direction": "bidirectional"}
        if kind == "GRU":
            attributes["linear_before_reset"] = 1
        found = torch.onnx.ops.symbolic(
            kind, (steps, *(getattr(self, f"onnx_{n}{i}") for n in "wrb"), lengths), attributes,
            dtype=torch.float32, shape=(steps.shape[0], 2, steps.shape[1], width), version=OPSET)
        tokens = found.permute(2, 0, 1, 3).flatten(2).masked_fill(~real, 0)
    return tokens


# Texts -------------------------------------------------------------------------------------------


def embedded_words(
    self: TextRNN, values: torch.Tensor, mask: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """``TextRNN._embedded`` by sums over the pieces of each word."""
    values = values.masked_fill(~mask, PAD)
    unknown, joined = unknown_words(self.never_seen[values] & mask, self.begins[values])
    heads = mask & ~joined
    heads = torch.cat([torch.ones_like(heads[:, :1]), heads[:, 1:]], dim=1)
    word = (heads.long().cumsum(dim=1) - 1).unsqueeze(-1)  # (B, T, 1), each piece's word
    grams = self.ngrams[values]  # (B, T, 24)
    many = (grams > 0).sum(dim=2, keepdim=True).to(torch.float32)
    looks = functional.embedding(grams, self.embed_ngrams.weight).sum(dim=2)  # row 0 is zeros
    own = self.embed(values.masked_fill(unknown, UNKNOWN)) * heads.unsqueeze(-1)
    sums, counts, words = (
        torch.zeros_like(each).scatter_add(1, word.expand_as(each), each)
        for each in (looks, many, own))
    there = torch.arange(values.shape[1]) < heads.sum(dim=1, keepdim=True)
    embedded = words + sums / counts.clamp(min=1)
    return embedded.masked_fill(~there.unsqueeze(-1), 0), there


def counted_ngrams(
    self: TextNgrams, values: torch.Tensor, mask: torch.Tensor | None
) -> torch.Tensor:
    """``TextNgrams.describe`` of the places that were found outside: ``self.given``."""
    given = cast(torch.Tensor, self.given)  # (B, N), -1 fills up
    width = WORD_PLACES + CHARACTER_PLACES
    places = torch.where(given < 0, width, given)
    counts = torch.zeros(given.shape[0], width + 1).scatter_add(
        1, places, torch.ones_like(places, dtype=torch.float32))[:, :width]
    weights = torch.where(counts > 0, 1 + counts.clamp(min=1).log(), 0.0)
    return torch.cat([functional.normalize(part, dim=1) for part in
                      (weights[:, :WORD_PLACES], weights[:, WORD_PLACES:])], dim=1)


# Sounds ------------------------------------------------------------------------------------------


def described_sounds(
    self: AudioStatistics, values: torch.Tensor, mask: torch.Tensor | None
) -> torch.Tensor:
    """``AudioStatistics.describe`` of all rows at once."""
    if mask is None:
        mask = torch.ones_like(values, dtype=torch.bool)
    frames, real = self.log_mel(values, mask)
    level = torch.where(mask, values.float(), 0.0).square().sum(dim=1)
    level = (level / mask.sum(dim=1).clamp(min=1)).clamp(min=1e-10).log10().unsqueeze(1)
    return torch.cat([_spectrum(self, frames, real), level, _course(frames, real)], dim=1)


def _statistics(
    values: torch.Tensor, there: torch.Tensor, count: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and deviation ``(B, F)`` of ``(B, T, F)`` where ``there (B, T, 1)``."""
    mean = (values * there).sum(dim=1, keepdim=True) / count
    apart = (values - mean).square() * there
    return mean.squeeze(1), (apart.sum(dim=1) / count.squeeze(1)).sqrt()


def _spectrum(self: AudioStatistics, frames: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """``AudioStatistics._spectrum`` of ``(B, T, bands)``."""
    lengths = real.sum(dim=1, keepdim=True)  # (B, 1)
    count = lengths.to(torch.float32).unsqueeze(2)
    there = real.unsqueeze(2).to(torch.float32)
    longer = functional.pad(frames, (0, 0, 0, 2))
    changing = (torch.arange(frames.shape[1]) < lengths - 2).unsqueeze(2).to(torch.float32)
    change = (longer[:, 2:] - longer[:, :-2]) * changing
    changes = (count - 2).clamp(min=1)
    mean, deviation = _statistics(frames, there, count)
    cepstra = _statistics(frames @ self.cosines, there, count)
    change_mean = _statistics(change.abs(), changing, changes)[0]
    return torch.cat([
        mean, deviation, _quantiles(frames, real, lengths), change_mean,
        _statistics(change, changing, changes)[1], *cepstra,
        _statistics(change @ self.cosines, changing, changes)[1],
        _modulation(self, frames, there, count, lengths), count.squeeze(2).log()], dim=1)


def _quantiles(frames: torch.Tensor, real: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """``(B, Q · bands)`` as ``torch.quantile`` of the real frames."""
    bands = frames.masked_fill(~real.unsqueeze(2), torch.inf).transpose(1, 2)
    ordered = bands.sort(dim=2).values  # (B, bands, T)
    found = []
    for share in QUANTILES:
        at = share * (lengths - 1).to(torch.float32)  # (B, 1)
        low = at.floor()
        below, above = (
            ordered.gather(2, place.long().unsqueeze(1).expand(-1, bands.shape[1], 1)).squeeze(2)
            for place in (low, at.ceil()))
        found.append(below + (above - below) * (at - low))
    return torch.cat(found, dim=1)


def _modulation(
    self: AudioStatistics, frames: torch.Tensor, there: torch.Tensor, count: torch.Tensor,
    lengths: torch.Tensor,
) -> torch.Tensor:
    """``AudioStatistics._modulation`` of ``(B, T, bands)``."""
    groups = frames.view(*frames.shape[:2], GROUPS, -1).mean(dim=3)
    groups = (groups - (groups * there).sum(dim=1, keepdim=True) / count) * there
    groups = functional.pad(groups, (0, 0, 0, MODULATION_FRAMES)).transpose(1, 2)
    hop = MODULATION_FRAMES // 2
    pieces = framed(groups, MODULATION_FRAMES, hop) * self.window  # (B, groups, S, 64)
    power = fourier(pieces, MODULATION_FRAMES).abs()
    many = (lengths.clamp(min=MODULATION_FRAMES) - MODULATION_FRAMES) // hop + 1  # (B, 1)
    some = (torch.arange(power.shape[2]) < many)[:, None, :, None].to(torch.float32)
    power = (power * some).sum(dim=2) / many.unsqueeze(2)  # (B, groups, 33)
    ranges = [power[:, :, a:b].mean(dim=2) for a, b in pairwise(MODULATION_EDGES)]
    return (torch.stack(ranges, dim=2) + 1e-3).log().flatten(1)


def _course(frames: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """``audio_statistics._course`` of ``(B, T, bands)``."""
    steps = torch.arange(frames.shape[1])
    lengths = real.sum(dim=1, keepdim=True)
    heard = (frames.mean(dim=2) > HEARD) & real
    enough = heard.sum(dim=1, keepdim=True) > 4
    first = torch.where(heard, steps, frames.shape[1]).amin(dim=1, keepdim=True)
    last = torch.where(heard, steps, -1).amax(dim=1, keepdim=True)
    begin = torch.where(enough, first, 0)
    count = torch.where(enough, last + 1, lengths) - begin  # (B, 1)
    places = torch.arange(SEGMENTS)
    starts = begin + places * count // SEGMENTS  # (B, 8)
    stops = begin + ((places + 1) * count + SEGMENTS - 1) // SEGMENTS
    inside = (steps >= starts.unsqueeze(2)) & (steps < stops.unsqueeze(2))  # (B, 8, T)
    shares = inside.to(torch.float32) / (stops - starts).unsqueeze(2)
    coarse = frames.view(*frames.shape[:2], SEGMENT_BANDS, -1).mean(dim=3)
    return torch.cat([(shares @ coarse).flatten(1), count.to(torch.float32).log()], dim=1)


def rest_with_silence(self: Repeated, samples: torch.Tensor) -> torch.Tensor:
    """With silence behind it, which is masked: so none of it need be there."""
    return functional.pad(samples, (0, LEAST_SAMPLES))[:, LEAST_SAMPLES:]


# Kernel machines ---------------------------------------------------------------------------------


def added_votes(
    self: KernelMachines, at: int, description: torch.Tensor | None, source: torch.Tensor | None
) -> torch.Tensor:
    """``KernelMachines.votes`` without writing into parts of a tensor."""
    given = cast(torch.Tensor, source if description is None else description)
    found = [torch.zeros(given.shape[0], end - begin) for begin, end in pairwise(self._begins)]
    for b in blocks_in_use(self, at):
        block = self.blocks[b]
        values = source if block.name == PUBLISHED else (
            None if description is None else description[:, block.begin : block.end])
        if values is None:
            continue
        for k, part in _parts(self, b, values.float()).items():
            found[k] = found[k] + part
    return torch.cat(found, dim=1)


def _parts(self: KernelMachines, b: int, values: torch.Tensor) -> dict[int, torch.Tensor]:
    """What one block adds to each machine that reads it."""
    block = self.blocks[b]
    readers = [k for k, machine in enumerate(self.machines) if b in machine.blocks]
    if not readers:
        return {}
    apart = None
    if block.counts:
        placed = placed_counts(values, self._of(f"block{b}_weights"))
    else:
        placed = placed_measurements(
            values, self._of(f"block{b}_mean"), self._of(f"block{b}_scale"))
        marks = self._of(f"block{b}_landmarks")
        apart = (placed.square().sum(dim=1, keepdim=True) + marks.square().sum(dim=1)
                 - 2 * placed @ marks.T).clamp(min=0) / self._of(f"block{b}_spread")
    found = {}
    for k in readers:
        machine = self.machines[k]
        if machine.product:
            share = machine.width * machine.shares[machine.blocks.index(b)]
            found[k] = -share * (1 - _cosines(self, k, b, placed) if apart is None
                                 else apart[:, self._of(f"machine{k}_marks{b}")])
        else:
            kernel = placed if apart is None else torch.exp(-machine.width * apart)
            found[k] = kernel @ self._of(f"machine{k}_block{b}")[0]
    return found


def _cosines(self: KernelMachines, k: int, b: int, placed: torch.Tensor) -> torch.Tensor:
    """``(B, m)`` with sparse landmarks: the products of what is there, added up by landmark."""
    marks, columns = self._of(f"machine{k}_places{b}").unbind(0)
    each = placed[:, columns] * self._of(f"machine{k}_counts{b}")
    none = torch.zeros(placed.shape[0], self._of(f"machine{k}_beta").shape[1])
    return none.scatter_add(1, marks.expand(placed.shape[0], -1), each)


REWRITTEN: dict[type[nn.Module], dict[str, Callable[..., Any]]] = {
    BidirectionalRNN: {"forward": read_both_ways},
    Repeated: {"rest": rest_with_silence},
    TextRNN: {"_embedded": embedded_words},
    TextNgrams: {"describe": counted_ngrams},
    AudioStatistics: {"describe": described_sounds},
    KernelMachines: {"votes": added_votes},
}
