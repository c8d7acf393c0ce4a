"""From samples to a published sound model's features, one class per way of preparing sounds.

A reader knows the library's models of its families: it prepares what they take, runs them, and
says which of their features are of the sound and not of what was put behind it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from mmstudio.encoders.pretrained import Read
from mmstudio.encoders.sound_clap import ClapMel
from mmstudio.encoders.sound_kaldi import HOP, LENGTH, KaldiMel
from mmstudio.encoders.sound_statistics import Repeated, statistics
from mmstudio.encoders.sound_waves import Waves
from mmstudio.encoders.sound_whisper import WhisperMel

SILENCE_STEPS = 50
"""Features of silence that Whisper sees behind a sound: one second."""


class Reader(nn.Module):
    """Sounds of one batch to features.

    Args:
        model: The published model; made ready for training on short sounds, in place.
        settings: Its ``preprocessor_config.json``.
        whole: Whether all that the model was trained on is computed, also behind a short sound.
    """

    front: Waves | WhisperMel | KaldiMel | ClapMel | Repeated

    def __init__(self, model: nn.Module, settings: Mapping[str, Any], whole: bool) -> None:
        super().__init__()

    def forward(self, model: Any, samples: torch.Tensor, mask: torch.Tensor) -> Read:
        """``(B, L)`` samples and mask to features, of which those of the sound are real."""
        raise NotImplementedError


_FRAMES: ContextVar[list[torch.Tensor]] = ContextVar("frames of each convolution")
"""``(B,)`` real frames behind each convolution of the batch at hand.

Not kept in the model: several threads of the app may ask one model at the same time.
"""


class NormOfReal(nn.GroupNorm):
    """A norm over time that leaves out the frames behind each sound's end.

    The library's takes them in, so that a sound's features depend on the sounds beside it. Here
    they are those of the sound alone.

    Args:
        norm: The library's, whose weights are taken over.
        layer: The number of its convolution, from 0.
    """

    def __init__(self, norm: nn.GroupNorm, layer: int) -> None:
        super().__init__(norm.num_groups, norm.num_channels, norm.eps)
        self.load_state_dict(norm.state_dict())
        self.layer = layer

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """``(B, C, T)`` to the same shape; every channel is a group."""
        counts = _FRAMES.get()[self.layer].view(-1, 1, 1)
        real = torch.arange(input.shape[2], device=input.device) < counts  # (B, 1, T)
        values = input.float()
        mean = values.masked_fill(~real, 0).sum(dim=2, keepdim=True) / counts
        apart = values - mean
        variance = apart.square().masked_fill(~real, 0).sum(dim=2, keepdim=True) / counts
        normed = apart * torch.rsqrt(variance + self.eps)
        return (normed * self.weight.unsqueeze(1) + self.bias.unsqueeze(1)).to(input.dtype)


class WaveReader(Reader):
    """Wav2Vec2, HuBERT and their relatives: features of 20 ms, as of each sound alone.

    What the library does at random in training is left out: masking in time, which asks for
    sounds longer than some are, and skipping of layers.
    """

    def __init__(self, model: Any, settings: Mapping[str, Any], whole: bool) -> None:
        super().__init__(model, settings, whole)
        self.front = Waves(settings)
        config = model.config
        self.kernels = list(zip(config.conv_kernel, config.conv_stride, strict=True))
        # SEW takes its frames in pairs; of an odd number the last one is left out
        self.together = int(getattr(config, "squeeze_factor", 1))
        self.least = self.samples(self.together)
        config.apply_spec_augment = False
        config.layerdrop = 0.0
        if hasattr(model, "masked_spec_embed"):
            del model.masked_spec_embed
        # a layer that shortens the features for translation
        if getattr(model, "adapter", None) is not None:
            model.adapter = None
        if config.model_type == "wavlm":
            # it hands its attention's weights to torch and never calls those layers
            model.lora_targets = [
                n for n, m in model.encoder.layers.named_modules(prefix="encoder.layers")
                if isinstance(m, nn.Linear) and ".feed_forward." in n]
        for number, layer in enumerate(model.feature_extractor.conv_layers):
            norm = getattr(layer, "layer_norm", None)
            if isinstance(norm, nn.GroupNorm):
                layer.layer_norm = NormOfReal(norm, number)

    def frames(self, counts: torch.Tensor, layers: int) -> torch.Tensor:
        """Of how many frames the first ``layers`` convolutions make of that many samples."""
        for kernel, stride in self.kernels[:layers]:
            counts = (counts - kernel) // stride + 1
        return counts

    def samples(self, frames: Any) -> Any:
        """The fewest samples, a number or a tensor, of which all convolutions make the frames."""
        for kernel, stride in reversed(self.kernels):
            frames = (frames - 1) * stride + kernel
        return frames

    def forward(self, model: Any, samples: torch.Tensor, mask: torch.Tensor) -> Read:
        """One feature per 20 ms that lies wholly in the sound."""
        values, counts = self.front(samples, mask)
        values = functional.pad(values, (0, max(0, self.least - values.shape[1])))
        counts = counts.clamp(min=self.least)
        behind = [self.frames(counts, layers + 1) for layers in range(len(self.kernels))]
        frames = behind[-1]
        frames = frames - frames % self.together
        seen = torch.arange(values.shape[1], device=values.device) < self.samples(
            frames).unsqueeze(1)
        before = _FRAMES.set(behind)
        try:
            with warnings.catch_warnings():
                # WavLM hands torch two masks of different types
                warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask")
                tokens = model(
                    values, attention_mask=seen.long(), return_dict=True).last_hidden_state
        finally:
            _FRAMES.reset(before)
        steps = torch.arange(tokens.shape[1], device=tokens.device)
        return Read(tokens, steps < frames.unsqueeze(1))


class WhisperReader(Reader):
    """Whisper's encoder: features of 20 ms.

    It was trained on 30 s, silence included, which it computes for a sound of one second too.
    Unless ``whole``, it sees the sound and one second of silence: for sounds of 29 s and more that
    is the same, for shorter ones nearly, at a small part of the cost.
    """

    front: WhisperMel

    def __init__(self, model: Any, settings: Mapping[str, Any], whole: bool) -> None:
        super().__init__(model, settings, whole)
        self.front = WhisperMel(settings)
        self.whole = whole
        model.layerdrop = 0.0

    def forward(self, model: Any, samples: torch.Tensor, mask: torch.Tensor) -> Read:
        """One feature per 20 ms of the sound."""
        heard = -(-samples.shape[1] // self.front.hop)
        # two more than are looked at: the last one's convolutions see the edge
        frames = None if self.whole else 2 * (-(-heard // 2) + SILENCE_STEPS + 2)
        mel, counts = self.front(samples, mask, frames)
        steps = -(-counts // 2)
        if mel.shape[2] == self.front.most_frames and self.whole:
            tokens = model(mel, return_dict=True).last_hidden_state
        else:
            tokens = self._seen(model, mel, steps + SILENCE_STEPS)
        return Read(tokens, torch.arange(tokens.shape[1], device=tokens.device)
                    < steps.unsqueeze(1))

    def _seen(self, model: Any, mel: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """What the encoder gives where each row sees its first ``seen (B,)`` steps only."""
        hidden = functional.gelu(model.conv1(mel))
        hidden = functional.gelu(model.conv2(hidden)).transpose(1, 2)  # (B, T, D)
        hidden = hidden + model.embed_positions.weight[: hidden.shape[1]]
        hidden = functional.dropout(hidden, model.dropout, model.training)
        return model.layer_norm(_through(model, hidden, seen))  # type: ignore[no-any-return]


class KaldiReader(Reader):
    """AST: the mean of its frequencies per 100 ms, and its two class tokens' mean as the summary.

    It was trained on ten seconds, with zeros behind shorter sounds. Unless ``whole``, it sees the
    patches of the sound, each at its position (as Gong et al. 2021 cut positions for shorter
    inputs), at a part of the cost.
    """

    front: KaldiMel

    def __init__(self, model: Any, settings: Mapping[str, Any], whole: bool) -> None:
        super().__init__(model, settings, whole)
        self.front = KaldiMel(settings)
        self.whole = whole
        patches = model.embeddings.patch_embeddings.projection
        self.patch, self.stride = patches.kernel_size[1], patches.stride[1]
        self.bands, self.steps = model.embeddings.get_shape(model.config)

    def forward(self, model: Any, samples: torch.Tensor, mask: torch.Tensor) -> Read:
        """One feature per 100 ms."""
        heard = max(0, samples.shape[1] - LENGTH) // HOP + 1
        steps = self.steps if self.whole else min(self.steps, -(-heard // self.stride))
        frames = None if self.whole else (steps - 1) * self.stride + self.patch
        mel, counts = self.front(samples, mask, frames)
        real = (-(-counts // self.stride)).clamp(max=steps)
        at = torch.arange(steps, device=mel.device) < real.unsqueeze(1)  # (B, T)
        if self.whole:
            tokens = model(mel, return_dict=True).last_hidden_state
        else:
            tokens = self._seen(model, mel, at)
        summary = (tokens[:, 0] + tokens[:, 1]) / 2
        cells = tokens[:, 2:].unflatten(1, (self.bands, steps))  # (B, F, T, D)
        return Read(cells.mean(dim=1), at, summary)

    def _seen(self, model: Any, mel: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        """What the model gives where each row sees the patches of its own steps only."""
        parts = model.embeddings
        rows, steps = at.shape
        places = parts.position_embeddings  # (1, 2 + F · T, D)
        near = places[:, 2:].unflatten(1, (self.bands, self.steps))[:, :, :steps].flatten(1, 2)
        patches = parts.patch_embeddings(mel) + near
        heads = torch.cat([parts.cls_token, parts.distillation_token], dim=1) + places[:, :2]
        hidden = parts.dropout(torch.cat([heads.expand(rows, -1, -1), patches], dim=1))
        seen = torch.cat([at.new_ones(rows, 2), at.repeat(1, self.bands)], dim=1)
        return model.layernorm(_layers(model, hidden, seen))  # type: ignore[no-any-return]


class ClapReader(Reader):
    """CLAP's audio tower: features of a third of a second, over a window that the sound fills."""

    front: ClapMel

    def __init__(self, model: Any, settings: Mapping[str, Any], whole: bool) -> None:
        super().__init__(model, settings, whole)
        self.front = ClapMel(settings)
        # what looks at parts of sounds longer than the window, of which there are none here
        for part in ("fusion_model", "mel_conv2d"):
            if hasattr(model.audio_encoder.patch_embed, part):
                delattr(model.audio_encoder.patch_embed, part)

    def forward(self, model: Any, samples: torch.Tensor, mask: torch.Tensor) -> Read:
        """The mean of the frequencies per step of time."""
        mel = self.front(samples, mask)
        longer = torch.zeros(len(mel), 1, dtype=torch.bool, device=mel.device)
        cells = model(input_features=mel, is_longer=longer, return_dict=True).last_hidden_state
        tokens = cells.mean(dim=2).transpose(1, 2)  # (B, T, D)
        return Read(tokens, tokens.new_ones(tokens.shape[:2], dtype=torch.bool))


class SoundNetReader(Reader):
    """SoundNet: features of a third of a second, and their mean, maximum and deviation."""

    def __init__(self, model: nn.Module, settings: Mapping[str, Any], whole: bool) -> None:
        super().__init__(model, settings, whole)
        self.front = Repeated()

    def forward(self, model: Any, samples: torch.Tensor, mask: torch.Tensor) -> Read:
        """One feature per step of its last layer."""
        steps, counts = model(*self.front(samples, mask))
        real = torch.arange(steps.shape[1], device=steps.device) < counts.unsqueeze(1)
        each, whole = statistics(steps, real)
        return Read(each, real, whole)


def _through(model: Any, hidden: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """A model's layers over ``(B, T, D)``, of which each row sees its first ``seen (B,)``."""
    steps = torch.arange(hidden.shape[1], device=hidden.device)
    return _layers(model, hidden, steps < seen.unsqueeze(1))


def _layers(model: Any, hidden: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """A model's layers over ``(B, T, D)``; what isn't ``seen (B, T)`` is not looked at."""
    from transformers.masking_utils import create_bidirectional_mask

    looked_at = create_bidirectional_mask(model.config, hidden, seen.long())
    for layer in model.layers:
        hidden = layer(hidden, looked_at)
    return hidden


READERS: dict[str, type[Reader]] = {
    "waves": WaveReader, "whisper": WhisperReader, "kaldi": KaldiReader, "clap": ClapReader,
    "soundnet": SoundNetReader,
}
