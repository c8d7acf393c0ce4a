"""The list of published models."""

from __future__ import annotations

import pytest

from mmstudio.pretrained import torchvision_addresses
from mmstudio.pretrained.catalogue import CATALOGUE, KINDS, catalogue, default_model, entry
from mmstudio.pretrained.hub_cache import is_hub_id

FAMILIES = {
    "image": {"ResNet", "VGG", "ViT", "DINOv2", "ConvNeXt", "CLIP", "SigLIP", "EfficientNet"},
    "text": {"BERT", "DistilBERT", "RoBERTa", "MiniLM", "MPNet", "CLIP"},
    "audio": {"AST", "Wav2Vec2", "HuBERT", "Whisper", "CLAP", "SoundNet"},
}


def test_every_family_is_there_once_per_model_and_kind() -> None:
    assert {kind: {e.family for e in catalogue(kind)} for kind in KINDS} == FAMILIES
    assert len({(e.id, e.kind) for e in CATALOGUE}) == len(CATALOGUE)
    assert len(catalogue()) == len(CATALOGUE)


@pytest.mark.parametrize("kind", KINDS)
def test_the_default_stands_first_and_is_small(kind: str) -> None:
    first = catalogue(kind)[0]
    assert first.id == default_model(kind)
    assert first.download_bytes < 200e6


@pytest.mark.parametrize("listed", CATALOGUE, ids=lambda e: f"{e.kind} {e.id}")
def test_an_entry_tells_all_that_a_person_asks(listed: object) -> None:
    assert listed in CATALOGUE
    model = CATALOGUE[CATALOGUE.index(listed)]  # type: ignore[arg-type]

    assert is_hub_id(model.id)
    assert model.id.startswith(torchvision_addresses.PREFIX) == (
        torchvision_addresses.is_torchvision(model.id))
    assert model.licence in ("Apache-2.0", "BSD-3-Clause", "MIT")
    assert model.good_for.endswith(".") and model.languages and model.title
    # four bytes per parameter of the part that is used, which is in the file
    assert model.memory_bytes == 4 * model.parameters <= 1.02 * model.download_bytes
    assert model.training_memory_bytes == 4 * model.memory_bytes


def test_one_id_may_serve_two_kinds() -> None:
    pictures = entry("openai/clip-vit-base-patch32", "image")
    texts = entry("openai/clip-vit-base-patch32", "text")

    assert pictures is not None and texts is not None
    assert pictures.parameters > texts.parameters
    assert pictures.download_bytes == texts.download_bytes
    assert entry("openai/clip-vit-base-patch32", "audio") is None


def test_torchvisions_files_tell_their_hash_by_their_name() -> None:
    for name in torchvision_addresses.FILES.values():
        assert len(torchvision_addresses.digest_start(name)) == 8
    assert torchvision_addresses.digest_start("mine.pth") == ""
