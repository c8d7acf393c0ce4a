"""Published models for sounds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from torch import nn

from mmstudio.encoders.base import ENCODERS
from mmstudio.encoders.pretrained import PretrainedEncoder, Read
from mmstudio.encoders.sound_readers import READERS
from mmstudio.encoders.tuning import (
    Blocks,
    Dropout,
    LayerDecay,
    ModelName,
    MostTokens,
    Rank,
    Rate,
    Tuned,
    Tuning,
    Width,
)
from mmstudio.errors import UserError
from mmstudio.pretrained.catalogue import default_model
from mmstudio.pretrained.kinds import SOUNDNET
from mmstudio.pretrained.sound_settings import front_end_of, sound_settings
from mmstudio.pretrained.source import Source
from mmstudio.registry import Help

DEFAULT = default_model("audio")
LEAST_S = 0.1
"""Of the sound that a model is tried with."""


@ENCODERS.register(
    "pretrained_audio", modality="audio", title="Published model",
    summary="Stands on a model that has heard thousands of hours: best where you have few sounds.",
    source="Aytar et al. 2016 (SoundNet); Baevski et al. 2020 (Wav2Vec2); Hsu et al. 2021 "
           "(HuBERT); Gong et al. 2021 (AST); Wu et al. 2023 (CLAP); Radford et al. 2023 "
           "(Whisper); Hu et al. 2022 (LoRA)",
)
class PretrainedAudio(PretrainedEncoder):
    """The features of a published sound model along time.

    Sounds come at the model's own rate, as ``preprocessing.wanted`` says; spectrograms and scales
    are computed here, on the device, from the model's own settings. More than ``tokens`` features
    are averaged in groups.
    """

    def __init__(
        self,
        spec: dict[str, Any],
        *,
        model: ModelName = DEFAULT,
        tuning: Tuning = "frozen",
        blocks: Blocks = 2,
        rate: Rate = 0.01,
        layer_decay: LayerDecay = 0.8,
        rank: Rank = 8,
        tokens: MostTokens = 32,
        window: Annotated[Literal["sound", "whole"], Help(
            "what Whisper (30 s) and AST (10 s) compute for a shorter sound: the sound, which is "
            "quick, or all, exactly as published")] = "sound",
        width: Width = 128,
        dropout: Dropout = 0.2,
    ) -> None:
        self.window = window
        super().__init__(spec, model, Tuned(tuning, blocks, rate, layer_decay, rank), tokens,
                         width, dropout)

    def begin(self, spec: dict[str, Any]) -> None:
        """What turns samples into that which the model was trained on."""
        self.settings = sound_settings(self.found)
        reader = READERS[front_end_of(self.found, self.settings)]
        try:
            self.reader = reader(self.published, self.settings, self.window == "whole")
        except (TypeError, ValueError, AttributeError) as error:
            raise UserError(f"How {self.found.model} wants its sounds can't be read: {error}.",
                            "Choose another model.") from None
        rate_hz = self.reader.front.sample_rate_hz
        if spec["sample_rate_hz"] != rate_hz:
            raise UserError(
                f"{self.found.model} wants {rate_hz} samples per second, but the sounds were "
                f"prepared with {spec['sample_rate_hz']}.", "Train the experiment again.")

    def load_model(self, source: Source) -> nn.Module:
        """One of the library, or SoundNet from its own file."""
        if source.config["model_type"] != SOUNDNET:
            return super().load_model(source)
        from mmstudio.pretrained.soundnet import load_soundnet

        return load_soundnet(source.weights[0])

    def facts(self) -> dict[str, Any]:
        """How sounds are prepared, and how much of the model's window is computed."""
        return {"settings": self.settings, "window": self.window}

    def trial(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """A short silence."""
        silence = torch.zeros(1, round(LEAST_S * self.reader.front.sample_rate_hz))
        return silence, torch.ones_like(silence, dtype=torch.bool)

    def read(self, values: torch.Tensor, mask: torch.Tensor | None) -> Read:
        """``(B, L)`` samples to features ``(B, T, D)`` of the sound."""
        if mask is None:
            mask = torch.ones_like(values, dtype=torch.bool)
        found: Read = self.reader(self.published, values, mask)
        return found
