"""What published models want to be given, read from what is published beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmstudio.data.schema import modality_of
from mmstudio.errors import UserError
from mmstudio.experiment import Component, InputSettings
from mmstudio.modalities.text import TextModality
from mmstudio.pretrained.catalogue import default_model
from mmstudio.pretrained.preprocessing import CLIP, HALVES, IMAGENET, image_facts, model_of, wanted
from mmstudio.pretrained.source import Source
from mmstudio.pretrained.tokenizing import text_facts
from tests.tiny_models import MEAN, STD, WORDS, save_tiny, save_tokenizer, tiny


def settings_of(modality: str, folder: Path | str, **options: Any) -> InputSettings:
    return InputSettings("c", modality, Component(
        f"pretrained_{modality}", {"model": str(folder)}), options=options)


def folder_of(path: Path, config: dict[str, Any], processor: dict[str, Any] | None = None,
              name: str = "preprocessor_config.json") -> Source:
    path.mkdir()
    (path / "config.json").write_text(json.dumps(config))
    if processor is not None:
        (path / name).write_text(json.dumps(processor))
    return Source(str(path), path, None, ())


def test_an_encoder_from_scratch_wants_nothing() -> None:
    scratch = InputSettings("c", "image", Component("cnn"))
    assert model_of(scratch) is None and wanted(scratch) == {}
    assert model_of(InputSettings("c", "text", Component("pretrained_text"))) == (
        default_model("text"))
    assert model_of(settings_of("image", "a/b")) == "a/b"


@pytest.mark.parametrize(("processor", "size"), [
    ({"size": 24}, 24),
    ({"size": {"height": 24, "width": 24}}, 24),
    ({"size": {"shortest_edge": 24}}, 24),
    ({"size": {"shortest_edge": 40}, "crop_size": 24}, 24),
    ({"size": 40, "crop_size": {"height": 24, "width": 24}, "do_center_crop": True}, 24),
    ({"size": 40, "crop_size": 24, "do_center_crop": False}, 40),
    ({}, 32), (None, 32),
])
def test_the_size_is_that_in_which_pictures_come_in_at_last(
    processor: dict[str, Any] | None, size: int, tmp_path: Path
) -> None:
    facts = image_facts(folder_of(
        tmp_path / "m", {"model_type": "vit", "image_size": 32, "patch_size": 8}, processor))
    assert facts["size"] == [size, size] and facts["channels"] == 3


@pytest.mark.parametrize(("config", "processor", "expected"), [
    ({"model_type": "vit"}, {"image_mean": MEAN, "image_std": STD}, (MEAN, STD)),
    ({"model_type": "vit"}, {"do_normalize": False}, ([0.0] * 3, [1.0] * 3)),
    ({"model_type": "vit"}, {"image_mean": 0.5, "image_std": [0.25]}, ([0.5] * 3, [0.25] * 3)),
    ({"model_type": "vit"}, None, HALVES), ({"model_type": "resnet"}, None, IMAGENET),
    ({"model_type": "clip", "vision_config": {"image_size": 64}}, None, CLIP),
    ({"model_type": "siglip", "vision_config": {"image_size": 64}}, None, HALVES),
])
def test_mean_and_deviation_are_the_models(
    config: dict[str, Any], processor: dict[str, Any] | None, expected: Any, tmp_path: Path
) -> None:
    facts = image_facts(folder_of(tmp_path / "m", config, processor))
    assert (facts["mean"], facts["std"]) == expected


def test_a_file_for_several_kinds_holds_the_pictures_part(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "m", {"model_type": "clip", "vision_config": {}},
                       {"image_processor": {"size": 48, "image_mean": MEAN, "image_std": STD}},
                       "processor_config.json")
    assert image_facts(source) == {"size": [48, 48], "channels": 3, "mean": MEAN, "std": STD}


def test_what_can_not_be_given_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="wants pictures of 6 channels"):
        image_facts(folder_of(tmp_path / "six", {"model_type": "vit", "num_channels": 6}))
    with pytest.raises(UserError, match="deviation"):
        image_facts(folder_of(tmp_path / "none", {"model_type": "vit"}, {"image_std": [0, 1, 1]}))
    broken = folder_of(tmp_path / "broken", {"model_type": "vit"}, {})
    (broken.folder / "preprocessor_config.json").write_text("{")
    with pytest.raises(UserError, match=r"preprocessor_config\.json can't be read"):
        image_facts(broken)


def test_a_picture_comes_in_the_models_size_with_colours(tmp_path: Path) -> None:
    settings = settings_of("image", tiny("vit"))
    modality = modality_of(settings)
    Image.fromarray(np.full((10, 30), 90, np.uint8)).save(tmp_path / "grey.png")
    spec = modality.fit([tmp_path / "grey.png"], wanted(settings))
    assert spec == {"size": [32, 32], "channels": 3, "mean": MEAN, "std": STD}
    assert modality.decode(tmp_path / "grey.png", spec).shape == (32, 32, 3)


# Texts ----------------------------------------------------------------------------------------


def test_texts_are_cut_before_the_last_special_token() -> None:
    modality = TextModality(max_tokens=5)
    spec = modality.fit(["a"], wanted(settings_of("text", tiny("bert"), max_tokens=5)))
    ids = [modality.decode(t, spec).tolist() for t in ("big red dot", "big big red dot", "")]
    number = {word: at for at, word in enumerate(WORDS)}
    assert ids[0] == [number[w] for w in ("[CLS]", "big", "red", "dot", "[SEP]")]
    assert ids[1] == [number[w] for w in ("[CLS]", "big", "big", "red", "[SEP]")]
    assert ids[2] == [number["[CLS]"], number["[SEP]"]]


def test_the_gap_is_filled_with_the_models_own_number() -> None:
    modality = TextModality()
    spec = modality.fit(["a"], wanted(settings_of("text", tiny("roberta"))))
    arrays = [modality.decode(t, spec) for t in ("a", "big red dots")]
    values, mask = modality.collate([*arrays, None], spec)
    assert spec["pad"] == 1
    assert mask is not None and mask.sum(dim=1).tolist() == [3, 6, 0]
    assert bool((values[~mask] == 1).all()) and bool((values[mask] != 1).all())


@pytest.mark.parametrize(("family", "asked", "most"), [
    ("bert", 0, 48), ("bert", 20, 20), ("bert", 4000, 48), ("roberta", 0, 48)])
def test_no_text_is_longer_than_the_model_reads(family: str, asked: int, most: int) -> None:
    assert wanted(settings_of("text", tiny(family), max_tokens=asked))["max_tokens"] == most


def test_the_table_of_positions_bounds_the_length(tmp_path: Path) -> None:
    for family, most in (("bert", 64), ("roberta", 64), ("t5", 256)):
        folder = save_tiny(family, tmp_path / family)
        path = folder / "tokenizer_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"model_max_length": 10**30}))
        assert wanted(settings_of("text", folder))["max_tokens"] == most
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 30}')
    assert wanted(settings_of("text", folder))["max_tokens"] == 30


def test_a_vocabulary_alone_is_enough(tmp_path: Path) -> None:
    folder = save_tiny("bert", tmp_path / "old")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    spec = wanted(settings_of("text", folder))
    modality = TextModality()
    texts = ["A big, red dot", "small blue crosses 日"]
    known = wanted(settings_of("text", tiny("bert")))
    assert [modality.decode(t, spec).tolist() for t in texts] == [
        TextModality().decode(t, known).tolist() for t in texts]
    assert spec["pad"] == 0


def test_a_tokenizer_that_fills_and_cuts_by_itself_no_longer_does(tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    folder = save_tiny("bert", tmp_path / "fills")
    path = str(folder / "tokenizer.json")
    tokenizer = Tokenizer.from_file(path)
    tokenizer.enable_padding(length=20)
    tokenizer.enable_truncation(3)
    tokenizer.save(path)
    spec = wanted(settings_of("text", folder))
    assert len(TextModality().decode("a big red dot", spec)) == 6


def test_without_a_tokenizer_it_is_said(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "m", {"model_type": "bert"})
    with pytest.raises(UserError, match=r"has no tokenizer.*needs tokenizer\.json"):
        text_facts(source)
    save_tokenizer("bert", source.folder)
    assert text_facts(source)["pad"] == 0
