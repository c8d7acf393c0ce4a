"""CRNN for sounds, trained from scratch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, cast

import torch
from torch import nn
from torch.nn import functional

from mmstudio.encoders.base import ENCODERS, Features, Layout
from mmstudio.encoders.dropout import Dropout
from mmstudio.encoders.fixed_front import FixedFront
from mmstudio.encoders.log_mel import HOP_S, LogMel
from mmstudio.encoders.recurrent import BidirectionalRNN
from mmstudio.modalities.audio import batch_length
from mmstudio.registry import Range

LONG_S = 2.0
"""Where sounds may be longer, the spectrogram is coarser in time: reading it token by token costs
more than anything else, and such sounds tell by their course, not by a tenth of a second."""
FINE, COARSE = (3, 2), (5, 4)
"""Frames that the first convolution looks at, and how many it moves on."""
COARSE_HOP_S = 0.0125
FRONT_VERSION = 1
"""Of the spectrogram; another one is worked out again."""


@ENCODERS.register(
    "crnn", modality="audio", title="CRNN, from scratch",
    summary="Looks at the sound's spectrogram with convolutions and reads it along time.",
    source="Choi et al. 2017 (CRNN); Park et al. 2019 (masks in time and frequency); "
           "Nam et al. 2022 (random gains along frequency)",
)
class AudioCRNN(FixedFront):
    """Log-mel spectrogram, convolutions, and a bidirectional GRU.

    Differs from Choi et al. 2017: strides in place of pooling, three convolutions, a GRU in both
    directions; one token per 40 ms, or per 100 ms where sounds may be longer than 2 s. In training
    the spectrogram is coloured (as another microphone would), moved along frequency (as another
    voice would) and masked in time and frequency.
    """

    unvaried: ClassVar[Mapping[str, float]] = {"colouring": 0.0, "masking": 0.0}

    def __init__(
        self,
        spec: dict[str, Any],
        *,
        width: Annotated[int, Range(8, 1024, "width of its features")] = 128,
        mel_bands: Annotated[int, Range(8, 256, "frequency bands of the spectrogram")] = 40,
        range_db: Annotated[
            float, Range(5.0, 120.0, "what lies further below the sound's peak is silence, dB")
        ] = 35.0,
        colouring: Annotated[
            float, Range(0.0, 20.0, "random gain along frequency in training, dB")
        ] = 4.0,
        masking: Annotated[float, Range(0.0, 0.5, "largest share masked in training")] = 0.2,
        dropout: Annotated[float, Range(0.0, 0.9, "share of features hidden in training")] = 0.2,
    ) -> None:
        super().__init__(spec)
        width += width % 2
        self.width = width
        self.colouring = colouring
        self.masking = masking
        self._spectrum = (spec["sample_rate_hz"], mel_bands, range_db)
        widths = [1, 16, 48, 96]
        # time is halved twice, frequency three times
        strides = [(2, 2), (2, 2), (1, 2)]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(i, o, 3, stride=s, padding=1, bias=False)
            for i, o, s in zip(widths, widths[1:], strides, strict=False))
        self._look(COARSE if spec.get("max_seconds", 0.0) > LONG_S else FINE)
        self.norms = nn.ModuleList(nn.BatchNorm2d(o) for o in widths[1:])
        left = mel_bands
        for _ in strides:
            left = (left + 1) // 2
        self.squeeze = nn.Linear(widths[-1] * left, width)
        self.dropout = Dropout(dropout)
        self.rnn = BidirectionalRNN("gru", width, width, 1, dropout)

    def forward(self, values: torch.Tensor, mask: torch.Tensor | None) -> Features:
        """``(B, L)`` samples to tokens ``(B, T, D)``, one per 40 or 100 ms."""
        if mask is None:
            mask = torch.ones_like(values, dtype=torch.bool)
        return self._of_frames(*self.log_mel(values, mask, self._gain(values)))

    @property
    def front_key(self) -> str:
        """The spectrogram's settings."""
        return f"log-mel {FRONT_VERSION} {self.log_mel.facts}"

    def front(self, values: torch.Tensor, mask: torch.Tensor | None) -> Features:
        """``(B, L)`` samples to the log-mel spectrogram ``(B, T, bands)``, not coloured."""
        if mask is None:
            mask = torch.ones_like(values, dtype=torch.bool)
        return Features(*self.log_mel(values, mask))

    def behind_front(self, features: Features) -> Features:
        """A spectrogram to tokens ``(B, T, D)``; coloured, in training, as ``forward`` does."""
        frames, gain = features.tokens, self._gain(features.tokens)
        if gain is not None:
            frames = self.log_mel.coloured(frames, gain)
        return self._of_frames(frames, features.mask)

    def front_length(self, longest: int) -> int:
        """Frames of a batch whose longest sound has so many samples."""
        return 1 + batch_length(longest, self._spectrum[0]) // self.log_mel.hop

    def _gain(self, values: torch.Tensor) -> torch.Tensor | None:
        """``(B, bands)`` the colouring of a batch; None where there is none."""
        if not self.training or self.colouring <= 0:
            return None
        return _random_gain(len(values), self.log_mel.bank.shape[1], self.colouring, values.device)

    def _of_frames(self, frames: torch.Tensor, real: torch.Tensor) -> Features:
        if self.training and self.masking > 0:
            frames = _masked(_moved(frames, self.masking), self.masking)
        # time last, where it is halved twice: along the side that is halved oftener the CPU's
        # kernels take up to twice as long
        cells = frames.transpose(1, 2).unsqueeze(1)  # (B, 1, F, T)
        # not of the first, whose one channel lies in either way
        layout = _layout_of(cast(nn.Conv2d, self.convolutions[-1]).weight)
        if layout == torch.contiguous_format:
            cells = cells.contiguous()
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            cells = norm(_turned(cast(nn.Conv2d, convolution), cells, layout)).relu_()
            real = real[:, :: cast(nn.Conv2d, convolution).stride[0]]
            # padding must be zero again before the next convolution looks over the edge; spread
            # out first, which is far faster than multiplying along the last side but one
            spread = real.to(cells.dtype)[:, None, None, :].expand_as(cells)
            cells = cells * torch.empty_like(cells).copy_(spread)
        flat = cells.permute(0, 3, 2, 1).flatten(2)  # (B, T, F · D)
        tokens = self.dropout(functional.gelu(self.squeeze(flat)))
        return Features(self.rnn(tokens, real) + tokens.masked_fill(~real.unsqueeze(-1), 0), real)

    def layout(self, values: torch.Tensor, mask: torch.Tensor | None) -> Layout:
        """The log-mel frames, of which silence is 0."""
        heard = values.shape[1] if mask is None else int(mask.sum())
        frames = max(1, -(-heard // self.log_mel.hop))
        return Layout(self.log_mel, "integrated_gradients", lambda w: w[0, :frames])

    def _look(self, first: tuple[int, int]) -> None:
        """Set how far the first convolution sees, and how far it moves on."""
        frames, stride = first
        hop_s = HOP_S if first == FINE else COARSE_HOP_S
        self.log_mel = LogMel(*self._spectrum, hop_s=hop_s)
        convolution = cast(nn.Conv2d, self.convolutions[0])
        convolution.kernel_size, convolution.padding = (frames, 3), (frames // 2, 1)
        convolution.stride = (stride, 2)
        if convolution.weight.shape[2] != frames:
            # the same parameter: an optimiser may have it already
            convolution.weight.data = convolution.weight.new_empty(
                *convolution.weight.shape[:2], frames, 3)
            convolution.reset_parameters()

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """A run from before there were two ways of looking at long sounds has the fine one."""
        weight = state_dict.get(f"{prefix}convolutions.0.weight")
        if weight is not None and weight.shape[2] == FINE[0]:
            device = self.log_mel.window.device  # the weights may have none yet
            self._look(FINE)
            self.log_mel.to(device)
        super()._load_from_state_dict(state_dict, prefix, *rest)


def _layout_of(weight: torch.Tensor) -> torch.memory_format:
    """How a convolution's weight lies, one of several channels: its input goes with it."""
    usual = weight.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if usual else torch.contiguous_format


def _turned(
    convolution: nn.Conv2d, cells: torch.Tensor,
    layout: torch.memory_format = torch.channels_last,
) -> torch.Tensor:
    """A convolution over ``(T, F)`` applied to ``(B, D, F, T)``."""
    weight = convolution.weight.transpose(2, 3).contiguous(memory_format=layout)
    padding = cast(tuple[int, int], convolution.padding)
    return functional.conv2d(cells, weight, stride=convolution.stride[::-1], padding=padding[::-1])


def _random_gain(rows: int, bands: int, decibel: float, device: torch.device) -> torch.Tensor:
    """``(rows, bands)`` factors of power: four random points, straight lines between them."""
    points = torch.randn(rows, 1, 4, device=device) * decibel
    line = functional.interpolate(points, size=bands, mode="linear", align_corners=True)
    return torch.pow(10.0, line.squeeze(1) / 10)


def _moved(frames: torch.Tensor, share: float) -> torch.Tensor:
    """Each spectrogram ``(B, T, F)`` moved up or down by up to half the share of its bands."""
    rows, _, bands = frames.shape
    most = max(1, round(share * bands / 2))
    by = torch.randint(-most, most + 1, (rows, 1), device=frames.device)
    at = (torch.arange(bands, device=frames.device) + by).clamp(0, bands - 1)
    return frames.gather(2, at.unsqueeze(1).expand_as(frames))


def _masked(frames: torch.Tensor, share: float) -> torch.Tensor:
    """Two bars of frequency and one of time set to zero, which is silence."""
    rows, steps, bands = frames.shape

    def kept(length: int, most: float) -> torch.Tensor:
        width = torch.rand(rows, 1, device=frames.device) * most * length
        start = torch.rand(rows, 1, device=frames.device) * (length - width)
        at = torch.arange(length, device=frames.device)
        return (at < start) | (at >= start + width)

    bars = kept(bands, share) & kept(bands, share)
    return frames * bars.unsqueeze(1) * kept(steps, share).unsqueeze(2)
