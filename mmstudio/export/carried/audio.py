"""Sounds: samples at the model's rate, whose spectra are made within the graph."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmstudio.export.carried.base import ROWS, Carried, free_path
from mmstudio.export.shipped import predict
from mmstudio.modalities.audio import LENGTH_STEP_S
from mmstudio.modalities.base import Modality

SCALE = 32767
"""Of a sound's samples when the app makes 16 bits of them; read back they are divided by one
more."""
EXAMPLE_S = 0.7
RATES = (1.0, 1.0, 1.5, 1.0, 2.0, 1.0, 1.0, 0.75)
LENGTHS = (1.0, 0.6, 0.8, 0.15, 0.5, 1.2, 0.02, 0.9)
"""Of made-up sounds, as shares of the model's rate and greatest length."""


class Sounds(Carried):
    """``(B, N)`` float32 from -1 to 1, and ``(B,)`` how many samples are real."""

    packages = ("soundfile>=0.12.1", "soxr>=0.3.7")
    given = "sound.wav"
    more = "length"
    side = "samples"

    def settings(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """The rate, the greatest length, and in which steps batches are padded."""
        rate = int(spec["sample_rate_hz"])
        return {"sample_rate_hz": rate, "max_seconds": spec["max_seconds"],
                "length_step": max(1, round(LENGTH_STEP_S * rate))}

    def example(
        self, spec: Mapping[str, Any], chance: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Noise of less than a second."""
        length = spec["length_step"] * max(2, round(EXAMPLE_S / LENGTH_STEP_S))
        return torch.randn(ROWS, length, generator=chance) / 10, torch.full((ROWS,), length)

    def prepared(
        self, modality: Modality, values: torch.Tensor, more: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Rounded as the app's store rounds them."""
        values = (values.clamp(-1, 1) * SCALE).round() * (1 / (SCALE + 1))
        if more is None:
            raise TypeError("a sound comes with its length")
        return values, torch.arange(values.shape[1]) < more.unsqueeze(1)

    def held(self, content: bytes, spec: Mapping[str, Any]) -> Any:
        """The samples in a file's bytes, no more than the model takes, and their rate."""
        return predict.opened_sound(content, spec["max_seconds"])

    def made_up(
        self, spec: Mapping[str, Any], folder: Path, at: int, chance: np.random.Generator
    ) -> Any:
        """A rising tone with noise, at other rates and of other lengths than the model's."""
        import soundfile

        rate = round(spec["sample_rate_hz"] * RATES[at])
        steps = np.arange(max(64, round(spec["max_seconds"] * LENGTHS[at] * rate))) / rate
        tone = 0.3 * np.sin(2 * np.pi * (200 + 150 * at + 80 * steps) * steps)
        path = free_path(folder, ".wav")
        soundfile.write(path, tone + 0.02 * chance.normal(size=len(steps)), rate)
        return path

    def described(self, spec: Mapping[str, Any], tensors: Mapping[str, str]) -> tuple[str, str]:
        """Samples and their number."""
        return (f"`{tensors['values']}` float32 (B, N), `{tensors['length']}` int64 (B)",
                f"mono samples at {spec['sample_rate_hz']} Hz, up to {spec['max_seconds']:g} s; "
                "spectra are inside")


CARRIED = Sounds()
