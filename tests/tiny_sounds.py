"""Tiny random sound models of each published family, saved as a user's local folder."""

from __future__ import annotations

import atexit
import functools
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from mmstudio.pretrained.loading import quiet

SMALL: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48,
}
WAVES: dict[str, Any] = SMALL | {
    "conv_dim": (16,) * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4,
    "vocab_size": 8,
}
Pair = tuple[torch.nn.Module, Any]
"""The library's model and feature extractor."""


def _wav2vec2(**more: Any) -> Pair:
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    return Wav2Vec2Model(Wav2Vec2Config(**WAVES | more)), Wav2Vec2FeatureExtractor(
        return_attention_mask=bool(more))


def _wav2vec2_large() -> Pair:
    return _wav2vec2(feat_extract_norm="layer", do_stable_layer_norm=True)


def _hubert() -> Pair:
    from transformers import HubertConfig, HubertModel, Wav2Vec2FeatureExtractor

    return HubertModel(HubertConfig(**WAVES)), Wav2Vec2FeatureExtractor()


def _wavlm() -> Pair:
    from transformers import Wav2Vec2FeatureExtractor, WavLMConfig, WavLMModel

    return WavLMModel(WavLMConfig(**WAVES)), Wav2Vec2FeatureExtractor(do_normalize=False)


def _sew() -> Pair:
    from transformers import SEWConfig, SEWModel, Wav2Vec2FeatureExtractor

    options = WAVES | {"conv_dim": (16,) * 13, "squeeze_factor": 2}
    return SEWModel(SEWConfig(**options)), Wav2Vec2FeatureExtractor()


def _ast() -> Pair:
    from transformers import ASTConfig, ASTFeatureExtractor, ASTModel

    sizes = {"max_length": 128, "num_mel_bins": 32}
    model = ASTModel(ASTConfig(**SMALL | sizes, initializer_range=0.2))
    for part in ("position_embeddings", "cls_token", "distillation_token"):
        torch.nn.init.normal_(getattr(model.embeddings, part), std=0.1)
    return model, ASTFeatureExtractor(**sizes)


def _whisper() -> Pair:
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

    both = {f"{half}_{name}": number for half in ("encoder", "decoder")
            for name, number in (("layers", 3), ("attention_heads", 4), ("ffn_dim", 48))}
    config = WhisperConfig(
        **both, d_model=32, init_std=0.2, max_source_positions=100, vocab_size=60, pad_token_id=1,
        bos_token_id=2, eos_token_id=3, decoder_start_token_id=2)
    return WhisperModel(config), WhisperFeatureExtractor(chunk_length=2)


def _clap(fused: bool = False) -> Pair:
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

    audio = {"hidden_size": 32, "patch_embeds_hidden_size": 16, "depths": [1, 1],
             "num_attention_heads": [2, 2], "spec_size": 64, "num_mel_bins": 16, "window_size": 4,
             "num_hidden_layers": 2, "enable_fusion": fused,
             "fusion_type": "aff_2d" if fused else None}
    model = ClapModel(ClapConfig(text_config=SMALL | {"vocab_size": 50}, audio_config=audio))
    return model, ClapFeatureExtractor(
        truncation="fusion" if fused else "rand_trunc", max_length_s=2, feature_size=16,
        sampling_rate=16_000, frequency_max=8000, hop_length=640)


def _clap_fused() -> Pair:
    return _clap(fused=True)


FAMILIES: dict[str, Callable[[], Pair]] = {
    "wav2vec2": _wav2vec2, "wav2vec2-large": _wav2vec2_large, "hubert": _hubert,
    "wavlm": _wavlm, "sew": _sew, "ast": _ast, "whisper": _whisper, "clap": _clap,
    "clap-fused": _clap_fused,
}


def save_tiny(family: str, folder: Path) -> Path:
    """A tiny random model of a family and its feature extractor, in ``folder``."""
    quiet()  # a progress bar would leave its thread running
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # the library's bank of few bands for short windows leaves some empty
        warnings.filterwarnings("ignore", "At least one mel filter")
        torch.manual_seed(0)
        model, extractor = FAMILIES[family]()
        model.save_pretrained(folder)
        extractor.save_pretrained(folder)
    return folder


_FOLDER = tempfile.TemporaryDirectory(prefix="mmstudio-tiny-sounds-")
atexit.register(_FOLDER.cleanup)


@functools.cache
def tiny_sound(family: str) -> Path:
    """The folder of a family's tiny model, made once in a run of tests."""
    return save_tiny(family, Path(_FOLDER.name) / family)
