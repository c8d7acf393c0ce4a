"""What torch computes and no ONNX exporter takes, by products and sums that all of them take."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class Spectrum:
    """Complex numbers as two real tensors: ONNX has no others.

    Args:
        real: Of any shape.
        imag: Of the same.
    """

    def __init__(self, real: torch.Tensor, imag: torch.Tensor) -> None:
        self.real, self.imag = real, imag

    def __getitem__(self, places: Any) -> Spectrum:
        return Spectrum(self.real[places], self.imag[places])

    def abs(self) -> torch.Tensor:
        """The sizes."""
        return (self.real.square() + self.imag.square()).sqrt()


def fourier(frames: torch.Tensor, bins: int) -> Spectrum:
    """As ``torch.fft.rfft(frames, bins)``, by a product with the Fourier basis.

    Reckoned in double precision: a sum of hundreds of float32 products would be less exact than
    the fast transform in the faint bands.

    Args:
        frames: ``(…, N)`` with N up to ``bins``.
        bins: Length of the transform.
    """
    length = frames.shape[-1]
    turns = np.outer(np.arange(length), np.arange(bins // 2 + 1)) % bins * (2 * math.pi / bins)
    precise = frames.double()
    both = [(precise @ torch.from_numpy(basis)).to(frames.dtype)
            for basis in (np.cos(turns), -np.sin(turns))]
    return Spectrum(*both)


def framed(samples: torch.Tensor, length: int, hop: int) -> torch.Tensor:
    """As ``samples.unfold(-1, length, hop)``: ``(…, L)`` to ``(…, T, length)``."""
    count = (samples.shape[-1] - length) // hop + 1
    places = torch.arange(count).unsqueeze(1) * hop + torch.arange(length)  # (T, length)
    return samples[..., places]


def stft(
    samples: torch.Tensor, n_fft: int, hop_length: int | None = None,
    win_length: int | None = None, window: torch.Tensor | None = None, center: bool = True,
    pad_mode: str = "reflect", **_: Any,
) -> Spectrum:
    """As ``torch.stft`` with its arguments, one-sided: ``(B, L)`` to ``(B, F, T)``."""
    bins, length, hop = n_fft, win_length or n_fft, hop_length or n_fft // 4
    if center:
        half = (bins // 2, bins // 2)
        samples = functional.pad(samples.unsqueeze(1), half, mode=pad_mode).squeeze(1)
    if window is not None:
        left = (bins - length) // 2
        window = functional.pad(window, (left, bins - length - left))
    frames = framed(samples, bins, hop)  # (B, T, bins)
    found = fourier(frames if window is None else frames * window, bins)
    return Spectrum(found.real.transpose(-1, -2), found.imag.transpose(-1, -2))


def means_of(length: int, count: int) -> torch.Tensor:
    """``(count, length)`` what adaptive pooling of one side multiplies with."""
    found = np.zeros((count, length), dtype=np.float32)
    for place in range(count):
        begin, end = place * length // count, -(-(place + 1) * length // count)
        found[place, begin:end] = 1 / (end - begin)
    return torch.from_numpy(found)


def pooled_to(cells: torch.Tensor, size: int | Sequence[int | None]) -> torch.Tensor:
    """As ``functional.adaptive_avg_pool2d``, of a known height and width."""
    wanted = (size, size) if isinstance(size, int) else tuple(size)
    high, wide = (own if side is None else side
                  for own, side in zip(cells.shape[-2:], wanted, strict=True))
    rows, columns = means_of(cells.shape[-2], high), means_of(cells.shape[-1], wide)
    found: torch.Tensor = rows @ cells @ columns.T
    return found


def distances(some: torch.Tensor, others: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
    """As ``torch.cdist`` with p = 2."""
    squares = (some.square().sum(dim=-1, keepdim=True)
               + others.square().sum(dim=-1).unsqueeze(-2) - 2 * some @ others.transpose(-1, -2))
    found: torch.Tensor = squares.clamp(min=0).sqrt()
    return found


def rfft(frames: torch.Tensor, n: int | None = None, *_: Any, **__: Any) -> Spectrum:
    """As ``torch.fft.rfft`` along the last side."""
    return fourier(frames, frames.shape[-1] if n is None else n)


def where(condition: torch.Tensor, some: Any, others: Any) -> torch.Tensor:
    """As ``torch.where``; of truth values by logic, for which the runtime has operators."""
    if all(isinstance(one, torch.Tensor) and one.dtype == torch.bool for one in (some, others)):
        found: torch.Tensor = (condition & some) | (~condition & others)
        return found
    return torch.where(condition, some, others)


REPLACED: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.stft: stft,
    torch.fft.rfft: rfft,
    torch.cdist: distances,
    torch.where: where,
    functional.adaptive_avg_pool2d: pooled_to,
}


class OfProducts(TorchFunctionMode):
    """Inside, what exporters don't take is computed by what they take."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Torch's: call another function in place of some."""
        return REPLACED.get(func, func)(*args, **dict(kwargs or {}))
