"""Tiny random picture and text models of each published family, saved as a user's local folder."""

from __future__ import annotations

import atexit
import functools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from mmstudio.pretrained.loading import quiet

SIDE, PATCH = 32, 8
VIT: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48,
    "image_size": SIDE, "patch_size": PATCH,
}
MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]
WORDS = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "big", "small", "red", "blue", "dot",
    "cross", "two", "one", "long", "line", "##s", "word", "more", "little", ",", "##st",
]
VOCABULARY = 100
BERT: dict[str, Any] = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4,
    "intermediate_size": 48, "max_position_embeddings": 64,
}
Made = tuple[torch.nn.Module, dict[str, Any]]
"""The library's model, and the settings of its preprocessing for pictures; empty for texts."""


def _pictures(size: Any = None, **more: Any) -> dict[str, Any]:
    return {"size": size or {"height": SIDE, "width": SIDE}, "image_mean": MEAN, "image_std": STD,
            "do_normalize": True, **more}


def _resnet() -> Made:
    from transformers import ResNetConfig, ResNetModel

    model = ResNetModel(ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 12, 16, 24], depths=[1, 2, 1, 2], layer_type="basic"))
    return model, _pictures({"shortest_edge": 64}, crop_size=64, do_center_crop=True)


def _convnext() -> Made:
    from transformers import ConvNextConfig, ConvNextModel

    model = ConvNextModel(ConvNextConfig(
        hidden_sizes=[8, 12, 16, 24], depths=[1, 1, 2, 1], image_size=64))
    return model, _pictures({"shortest_edge": 64})


def _vit() -> Made:
    from transformers import ViTConfig, ViTModel

    return ViTModel(ViTConfig(**VIT), add_pooling_layer=False), _pictures(SIDE)


def _deit() -> Made:
    from transformers import DeiTConfig, DeiTModel

    return DeiTModel(DeiTConfig(**VIT), add_pooling_layer=False), _pictures(
        40, crop_size=SIDE, do_center_crop=True)


def _beit() -> Made:
    from transformers import BeitConfig, BeitModel

    return BeitModel(BeitConfig(**VIT, use_relative_position_bias=True)), _pictures()


def _dinov2() -> Made:
    from transformers import Dinov2Config, Dinov2Model

    sizes = {k: v for k, v in VIT.items() if k != "intermediate_size"}
    return Dinov2Model(Dinov2Config(**sizes | {"image_size": 56})), _pictures(
        {"shortest_edge": 40}, crop_size={"height": SIDE, "width": SIDE}, do_center_crop=True)


def _dinov2_registers() -> Made:
    from transformers import Dinov2WithRegistersConfig, Dinov2WithRegistersModel

    sizes = {k: v for k, v in VIT.items() if k != "intermediate_size"}
    return Dinov2WithRegistersModel(
        Dinov2WithRegistersConfig(**sizes, num_register_tokens=3)), _pictures()


def _swin() -> Made:
    from transformers import SwinConfig, SwinModel

    return SwinModel(SwinConfig(image_size=SIDE, patch_size=4, embed_dim=8, depths=[1, 2],
                                num_heads=[2, 2], window_size=4), add_pooling_layer=False), (
        _pictures())


def _mae() -> Made:
    from transformers import ViTMAEConfig, ViTMAEModel

    return ViTMAEModel(ViTMAEConfig(**VIT)), _pictures()


def _clip() -> Made:
    from transformers import CLIPConfig, CLIPModel

    text = BERT | {"eos_token_id": 3, "bos_token_id": 2, "pad_token_id": 0,
                   "projection_dim": 16}
    return CLIPModel(CLIPConfig(text_config=text, vision_config=VIT | {"projection_dim": 16},
                                projection_dim=16)), _pictures(
        {"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}, do_center_crop=True)


def _siglip() -> Made:
    from transformers import SiglipConfig, SiglipModel

    return SiglipModel(SiglipConfig(text_config=BERT, vision_config=VIT)), _pictures()


def _bert() -> Made:
    from transformers import BertConfig, BertModel

    return BertModel(BertConfig(**BERT), add_pooling_layer=False), {}


def _distilbert() -> Made:
    from transformers import DistilBertConfig, DistilBertModel

    return DistilBertModel(DistilBertConfig(
        vocab_size=VOCABULARY, dim=32, n_layers=3, n_heads=4, hidden_dim=48,
        max_position_embeddings=64)), {}


def _roberta() -> Made:
    from transformers import RobertaConfig, RobertaModel

    return RobertaModel(RobertaConfig(**BERT | {"max_position_embeddings": 66}, pad_token_id=1)), {}


def _mpnet() -> Made:
    from transformers import MPNetConfig, MPNetModel

    return MPNetModel(MPNetConfig(**BERT | {"max_position_embeddings": 66}, pad_token_id=1)), {}


def _albert() -> Made:
    from transformers import AlbertConfig, AlbertModel

    return AlbertModel(AlbertConfig(**BERT, embedding_size=16)), {}


def _t5() -> Made:
    from transformers import T5Config, T5ForConditionalGeneration

    return T5ForConditionalGeneration(T5Config(
        vocab_size=VOCABULARY, d_model=32, d_kv=8, d_ff=48, num_layers=3, num_heads=4)), {}


def _bart() -> Made:
    from transformers import BartConfig, BartModel

    halves = {f"{half}_{name}": number for half in ("encoder", "decoder")
              for name, number in (("layers", 2), ("attention_heads", 4), ("ffn_dim", 48))}
    return BartModel(BartConfig(vocab_size=VOCABULARY, d_model=32, max_position_embeddings=64,
                                **halves)), {}


def _gpt2() -> Made:
    from transformers import GPT2Config, GPT2Model

    return GPT2Model(GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=3, n_head=4,
                                n_positions=64)), {}


IMAGE: dict[str, Callable[[], Made]] = {
    "resnet": _resnet, "convnext": _convnext, "vit": _vit, "deit": _deit, "beit": _beit,
    "dinov2": _dinov2, "dinov2-registers": _dinov2_registers, "swin": _swin, "mae": _mae,
    "clip": _clip, "siglip": _siglip,
}
TEXT: dict[str, Callable[[], Made]] = {
    "bert": _bert, "distilbert": _distilbert, "roberta": _roberta, "mpnet": _mpnet,
    "albert": _albert, "t5": _t5, "bart": _bart, "gpt2": _gpt2, "clip": _clip,
}


def save_tiny(family: str, folder: Path, **how: Any) -> Path:
    """Write the model of a family with all that is published beside one.

    Args:
        family: Of ``IMAGE`` or ``TEXT``.
        folder: To be made.
        how: Of the library's ``save_pretrained``.
    """
    quiet()  # the library's progress bars leave a thread behind
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model, processor = (IMAGE | TEXT)[family]()
        for parameter in model.parameters():  # some begin at zero, which hides mistakes
            if not bool(parameter.any()):
                torch.nn.init.normal_(parameter, std=0.1)
    model.save_pretrained(folder, **how)
    if processor:
        (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    if family in TEXT:
        save_tokenizer(family, folder)
    return folder


def save_tokenizer(family: str, folder: Path) -> None:
    """Word pieces between two special tokens; RoBERTa's family numbers its padding 1."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = list(WORDS)
    if family in ("roberta", "mpnet", "bart"):
        words[0], words[1] = words[1], words[0]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", mask_token="[MASK]", model_max_length=48).save_pretrained(folder)


_FOLDER = tempfile.TemporaryDirectory(prefix="mmstudio-tiny-models-")
atexit.register(_FOLDER.cleanup)


@functools.cache
def tiny(family: str) -> Path:
    """The folder of a family's tiny model, made once in a run of tests."""
    return save_tiny(family, Path(_FOLDER.name) / family)
