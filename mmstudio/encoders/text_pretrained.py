"""Published models for texts."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import nn

from mmstudio.encoders.base import ENCODERS, Layout
from mmstudio.encoders.pretrained import PretrainedEncoder, Read
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
from mmstudio.pretrained.catalogue import default_model
from mmstudio.pretrained.model_files import read_json

DEFAULT = default_model("text")


@ENCODERS.register(
    "pretrained_text", modality="text", title="Published model",
    summary="Stands on a model that has read millions of texts: best where you have few.",
    source="Devlin et al. 2019 (BERT); Sanh et al. 2019 (DistilBERT); Liu et al. 2019 (RoBERTa); "
           "Reimers and Gurevych 2019 (sentence encoders); Wang et al. 2020 (MiniLM); "
           "Radford et al. 2021 (CLIP); Hu et al. 2022 (LoRA)",
)
class PretrainedText(PretrainedEncoder):
    """The last layer's tokens, special ones included.

    Their mean is what a sentence encoder was trained to give. A model that was trained to put a
    text's meaning into one place has it as the summary: CLIP, and sentence encoders that say so.
    Of a text longer than ``tokens``, groups of neighbours are averaged.
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
        width: Width = 256,
        dropout: Dropout = 0.2,
    ) -> None:
        super().__init__(spec, model, Tuned(tuning, blocks, rate, layer_decay, rank), tokens,
                         width, dropout)

    def begin(self, spec: dict[str, Any]) -> None:
        """The number that fills up, and where a sentence encoder has its meaning."""
        self.pad = int(spec.get("pad", 0))
        self.takes = set(inspect.signature(self.published.forward).parameters)
        pooling = read_json(self.found.folder / "1_Pooling" / "config.json")
        places = {"first": "pooling_mode_cls_token", "last": "pooling_mode_lasttoken"}
        self.place = next((p for p, key in places.items() if pooling.get(key) is True), None)

    def facts(self) -> dict[str, Any]:
        """Where the summary is taken from; what the texts' numbers mean is in their own key."""
        return {"place": self.place, "pad": self.pad}

    def trial(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Two tokens."""
        return torch.zeros(1, 2, dtype=torch.long), None

    def read(self, values: torch.Tensor, mask: torch.Tensor | None) -> Read:
        """``(B, T)`` token numbers to tokens ``(B, T, D)``."""
        if mask is None:
            mask = torch.ones_like(values, dtype=torch.bool)
        # some models look at the numbers of the padding to know where it is
        values = values.masked_fill(~mask, self.pad)
        more: dict[str, Any] = {}
        if "attention_mask" in self.takes:
            more["attention_mask"] = mask.long()
        if "use_cache" in self.takes:
            more["use_cache"] = False
        given = self.published(input_ids=values, return_dict=True, **more)
        tokens = given.last_hidden_state
        summary = getattr(given, "pooler_output", None)
        if self.place == "first":
            summary = tokens[:, 0]
        elif self.place == "last":
            rows = torch.arange(len(tokens), device=tokens.device)
            summary = tokens[rows, mask.sum(dim=1).clamp(min=1) - 1]
        return Read(tokens, mask, summary)

    def layout(self, values: torch.Tensor, mask: torch.Tensor | None) -> Layout | None:
        """The embeddings of the tokens, against that which fills up."""
        find = getattr(self.published, "get_input_embeddings", None)
        embedding = None if find is None else find()
        if not isinstance(embedding, nn.Embedding):
            return None
        return Layout(embedding, "integrated_gradients", lambda w: w[0].sum(dim=1),
                      embedding.weight[self.pad].detach())
