"""Published picture and text models: tiny ones of each family against the library itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoTokenizer

from mmstudio.encoders import ENCODERS
from mmstudio.encoders.image_pretrained import PretrainedImage
from mmstudio.encoders.pretrained import PretrainedEncoder
from mmstudio.encoders.text_pretrained import PretrainedText
from mmstudio.experiment import Component, InputSettings
from mmstudio.modalities.image import ImageModality
from mmstudio.modalities.text import TextModality
from mmstudio.pretrained.loading import quiet
from mmstudio.pretrained.preprocessing import wanted
from tests.tiny_models import IMAGE, MEAN, STD, TEXT, save_tiny, tiny

TEXTS = ["a big dot", "two lines, a small blue cross", "dots", "one more long red line , a cross"]
MAPS = ["resnet", "convnext"]
WITHOUT_SUMMARY = ["resnet", "convnext", "swin"]


def spec_of(kind: str, folder: Path, **options: Any) -> dict[str, Any]:
    """What an input on this model learns from training rows."""
    settings = InputSettings("c", kind, Component(f"pretrained_{kind}", {"model": str(folder)}),
                             options=options)
    modality = ImageModality() if kind == "image" else TextModality()
    found = wanted(settings)
    return modality.fit(TEXTS, found) if kind == "text" else {"size": [9, 9]} | found


def encoder_of(kind: str, folder: Path, **options: Any) -> PretrainedEncoder:
    encoder = ENCODERS.get(f"pretrained_{kind}")(
        spec_of(kind, folder), model=str(folder), **{"tokens": 1500} | options)
    assert isinstance(encoder, PretrainedEncoder)
    return encoder.eval()


def pictures(spec: dict[str, Any], rows: int = 3) -> torch.Tensor:
    chance = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (rows, 3, *spec["size"]), generator=chance, dtype=torch.uint8)


def agree(got: torch.Tensor, expected: torch.Tensor) -> None:
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-5)


def library_of_pictures(folder: Path, pixels: torch.Tensor) -> Any:
    """The library's own outputs for normalised pictures."""
    model = AutoModel.from_pretrained(folder, **(
        {"mask_ratio": 0.0} if folder.name == "mae" else {})).eval()
    with torch.no_grad():
        if folder.name in ("clip", "siglip"):
            return model.vision_model(pixel_values=pixels)
        if folder.name == "mae":
            order = torch.arange(16).expand(len(pixels), -1)
            return model(pixel_values=pixels, noise=order)
        return model(pixel_values=pixels)


@pytest.mark.parametrize("family", IMAGE)
def test_features_of_pictures_are_the_librarys(family: str) -> None:
    encoder = encoder_of("image", tiny(family))
    bytes_ = pictures(encoder.spec)
    with torch.no_grad():
        features = encoder.encode(ImageModality().prepare(bytes_), None)
    # the definition of the preprocessing, in numpy
    scaled = (bytes_.numpy() / 255.0 - np.reshape(MEAN, (1, 3, 1, 1))) / np.reshape(
        STD, (1, 3, 1, 1))
    given = library_of_pictures(tiny(family), torch.from_numpy(scaled).float())
    last = given.last_hidden_state
    cells = last.flatten(2).transpose(1, 2) if family in MAPS else last
    special = {"dinov2-registers": 4, "deit": 2, "siglip": 0}.get(
        family, 0 if family in WITHOUT_SUMMARY else 1)
    assert encoder.summarised == (family not in WITHOUT_SUMMARY)
    agree(features.tokens[:, 1:] if encoder.summarised else features.tokens, cells[:, special:])
    if encoder.summarised:
        pooled = family in ("clip", "siglip")
        agree(features.tokens[:, 0], given.pooler_output if pooled else last[:, 0])
    assert features.mask.all()


@pytest.mark.parametrize("family", TEXT)
def test_features_of_texts_are_the_librarys(family: str) -> None:
    encoder = encoder_of("text", tiny(family))
    modality = TextModality()
    values, mask = modality.collate([modality.decode(t, encoder.spec) for t in TEXTS],
                                    encoder.spec)
    with torch.no_grad():
        features = encoder.encode(values, mask)
    tokenizer = AutoTokenizer.from_pretrained(tiny(family))
    model = AutoModel.from_pretrained(tiny(family)).eval()
    if family == "clip":
        model = model.text_model
    elif family in ("t5", "bart"):
        model = model.get_encoder()
    lead = int(encoder.summarised)
    assert lead == (family == "clip")
    for row, text in enumerate(TEXTS):
        inputs = tokenizer(text, return_tensors="pt", return_token_type_ids=False)
        with torch.no_grad():
            given = model(**inputs)
        real = features.tokens[row][features.mask[row]]
        agree(real[lead:], given.last_hidden_state[0])
        if lead:
            agree(real[0], given.pooler_output[0])


def test_many_cells_are_averaged_to_a_coarser_grid() -> None:
    whole, few = (encoder_of("image", tiny("vit"), tokens=t) for t in (16, 4))
    values = ImageModality().prepare(pictures(whole.spec))
    with torch.no_grad():
        cells, coarse = whole.encode(values, None).tokens, few.encode(values, None).tokens
    assert coarse.shape[1] == 5
    agree(coarse[:, 0], cells[:, 0])
    # the first of four: the two by two cells of the upper left corner, of four in a row
    agree(coarse[:, 1], cells[:, [1, 2, 5, 6]].mean(dim=1))
    agree(coarse[:, 1:].mean(dim=1), cells[:, 1:].mean(dim=1))


@pytest.mark.parametrize(("tokens", "kept"), [(1, 1), (2, 2), (3, 3), (5, 4), (9, 9), (15, 15)])
def test_no_more_cells_than_are_asked_for(tokens: int, kept: int) -> None:
    encoder = encoder_of("image", tiny("vit"), tokens=tokens)
    with torch.no_grad():
        found = encoder.encode(ImageModality().prepare(pictures(encoder.spec)), None)
    assert found.tokens.shape[1] - 1 <= tokens
    assert found.tokens.shape[1] - 1 >= kept // 2


def test_a_longer_text_is_averaged_in_groups() -> None:
    whole, few = (encoder_of("text", tiny("bert"), tokens=t) for t in (64, 2))
    modality = TextModality()
    values, mask = modality.collate([modality.decode("a big dot", whole.spec)], whole.spec)
    with torch.no_grad():
        all_, two = whole.encode(values, mask), few.encode(values, mask)
    assert two.tokens.shape == (1, 2, 32)
    agree(two.tokens[0, 1], all_.tokens[0, 3:5].mean(dim=0))


@pytest.mark.parametrize("family", ["vit", "deit", "clip", "siglip", "dinov2", "resnet", "swin"])
def test_pictures_may_have_another_size(family: str) -> None:
    folder = tiny(family)
    spec = spec_of("image", folder, size=50)
    assert spec["size"] == ([64, 64] if family == "resnet" else [48, 48])
    encoder = PretrainedImage(spec, model=str(folder), tokens=1500).eval()
    with torch.no_grad():
        features = encoder(torch.randn(2, 3, *spec["size"]), None)
    assert features.pooled().isfinite().all()
    if family not in ("resnet", "swin"):
        assert features.tokens.shape[1] == 36 + 1


def test_a_sentence_encoder_may_have_its_meaning_in_one_place(tmp_path: Path) -> None:
    for place, at in (("cls_token", 0), ("lasttoken", -1)):
        folder = save_tiny("bert", tmp_path / place)
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(f'{{"pooling_mode_{place}": true}}')
        encoder = encoder_of("text", folder)
        modality = TextModality()
        values, mask = modality.collate(
            [modality.decode(t, encoder.spec) for t in TEXTS], encoder.spec)
        with torch.no_grad():
            features = encoder.encode(values, mask)
        assert encoder.summarised
        for row in range(len(TEXTS)):
            real = features.tokens[row][features.mask[row]]
            assert torch.equal(real[0], real[1:][at])


def test_what_fills_up_is_what_the_model_takes_for_it() -> None:
    encoder = encoder_of("text", tiny("roberta"))
    assert isinstance(encoder, PretrainedText)
    values = torch.tensor([[2, 6, 7, 3, 9, 9]])
    mask = torch.tensor([[True] * 4 + [False] * 2])
    short = encoder.encode(values[:, :4], None).tokens
    assert torch.equal(encoder.encode(values, mask).tokens[:, :4].round(decimals=5),
                       short.round(decimals=5))


@pytest.mark.parametrize("family", ["ResNet", "ConvNext", "ViT", "DeiT", "Swin"])
def test_what_was_published_with_a_classifier_is_read_without_it(
    family: str, tmp_path: Path
) -> None:
    import transformers

    quiet()
    config = AutoConfig.from_pretrained(tiny(family.lower()))
    whole = getattr(transformers, f"{family}ForImageClassification")(config).eval()
    whole.save_pretrained(tmp_path / "whole")
    encoder = PretrainedImage({"size": [64, 64] if config.model_type in MAPS else [32, 32],
                               "mean": [0.5] * 3, "std": [0.5] * 3},
                              model=str(tmp_path / "whole"), tokens=1500).eval()
    values = torch.randn(2, 3, *encoder.size)
    with torch.no_grad():
        given = whole.base_model(values).last_hidden_state
        features = encoder.encode(values, None)
    cells = given.flatten(2).transpose(1, 2) if given.ndim == 4 else given
    agree(features.tokens[:, -1], cells[:, -1])
    agree(features.tokens[:, 0], cells[:, 0])


@pytest.mark.parametrize("family", ["Bert", "Roberta", "DistilBert", "MPNet"])
def test_what_was_published_to_guess_words_is_read_without_that(
    family: str, tmp_path: Path
) -> None:
    import transformers

    quiet()
    config = AutoConfig.from_pretrained(tiny(family.lower()))
    whole = getattr(transformers, f"{family}ForMaskedLM")(config).eval()
    whole.save_pretrained(tmp_path / "whole")
    encoder = PretrainedText({"pad": 1}, model=str(tmp_path / "whole")).eval()
    values = torch.tensor([[2, 6, 7, 3]])
    with torch.no_grad():
        given = whole.base_model(values, attention_mask=torch.ones_like(values))
        agree(encoder.encode(values, None).tokens, given.last_hidden_state)
