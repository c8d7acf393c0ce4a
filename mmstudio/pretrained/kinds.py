"""Which kinds of input a published model reads, by its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmstudio.errors import UserError
from mmstudio.pretrained.catalogue import READS, catalogue

TORCHVISION = "torchvision"
"""The ``model_type`` that stands for a file of weights without a configuration."""
EFFICIENTNET_LITE = "efficientnet_lite"
"""That of the starter pack's EfficientNet-Lite0, which has no configuration either."""
SOUNDNET = "soundnet"
"""That of its SoundNet."""

_MODEL_TYPES: dict[str, tuple[str, ...]] = {
    "image": (
        TORCHVISION, EFFICIENTNET_LITE,
        "resnet", "vit", "deit", "beit", "dinov2", "dinov2_with_registers",
        "dinov3_vit", "dinov3_convnext", "convnext", "convnextv2", "swin", "swinv2", "regnet",
        "efficientnet", "mobilenet_v1", "mobilenet_v2", "mobilevit", "vit_mae", "vit_msn",
        "data2vec-vision", "ijepa", "hiera", "clip", "clip_vision_model", "siglip",
        "siglip_vision_model", "siglip2", "siglip2_vision_model", "chinese_clip",
        "chinese_clip_vision_model", "metaclip_2", "altclip",
    ),
    "text": (
        "bert", "distilbert", "roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "albert",
        "mpnet", "electra", "deberta", "deberta-v2", "data2vec-text", "ernie", "nomic_bert",
        "modernbert", "eurobert", "roformer", "funnel", "convbert", "mobilebert", "squeezebert",
        "big_bird", "longformer", "luke", "nezha", "xlm", "flaubert", "clip", "clip_text_model",
        "chinese_clip", "chinese_clip_text_model", "metaclip_2", "altclip",
    ),
    "audio": (
        "audio-spectrogram-transformer", "wav2vec2", "wav2vec2-conformer", "hubert", "wavlm",
        "unispeech", "unispeech-sat", "data2vec-audio", "sew", "sew-d", "whisper", "clap",
        "clap_audio_model", SOUNDNET,
    ),
}

_SIGNS: dict[str, tuple[str, ...]] = {
    "audio": ("num_mel_bins", "feat_extract_norm", "conv_kernel"),
    "image": ("image_size", "num_channels"),
    "text": ("vocab_size",),
}
"""Keys in the configuration of a model of that kind, for types that are not in the table.

The first kind that has one counts: a model of speech has a vocabulary too.
"""


def kind_of(config: Mapping[str, Any]) -> set[str]:
    """The kinds (image, text, audio) that a model's configuration fits; empty where none is told.

    A model of two kinds, as CLIP is, has one part for each.
    """
    model_type = config.get("model_type")
    known = {kind for kind, types in _MODEL_TYPES.items() if model_type in types}
    if known or not model_type:
        return known
    if "vision_config" in config or "audio_config" in config:
        parts = {"image": "vision_config", "text": "text_config", "audio": "audio_config"}
        return {kind for kind, part in parts.items() if part in config}
    return {next((kind for kind, signs in _SIGNS.items() if any(s in config for s in signs)),
                 "")} - {""}


def check_kind(model: str, config: Mapping[str, Any], kind: str) -> None:
    """Refuse a model that doesn't read a kind of input.

    Raises:
        UserError: It reads another kind, or runs code of its own; names models that fit.
    """
    check_code(model, config)
    kinds = kind_of(config)
    if kind in kinds:
        return
    fitting = ", ".join(e.id for e in catalogue(kind)[:3])
    hint = f"Choose a model that reads {READS[kind]}, such as {fitting}."
    if not kinds:
        raise UserError(f"The configuration of '{model}' (model_type "
                        f"{config.get('model_type')!r}) does not say that it reads "
                        f"{READS[kind]}.", hint)
    reads = " and ".join(READS[k] for k in READS if k in kinds)
    raise UserError(f"The model '{model}' reads {reads}, not {READS[kind]}.", hint)


def check_code(model: str, config: Mapping[str, Any]) -> None:
    """Refuse a model whose layers are code in its own repository: such code is never run.

    Raises:
        UserError: It needs such code, and the transformers library has no class of its own for it.
    """
    if not config.get("auto_map") or config.get("model_type") == TORCHVISION:
        return
    from transformers import CONFIG_MAPPING

    if config.get("model_type") not in CONFIG_MAPPING:
        raise UserError(
            f"The model '{model}' needs program code from its own repository (auto_map in its "
            "config.json). Such code is never run here.",
            "Choose a model that the transformers library knows, such as one of "
            "'mmstudio models'.")
