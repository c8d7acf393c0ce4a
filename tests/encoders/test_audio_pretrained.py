"""Published sound models: tiny ones of each family against the transformers library itself."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from transformers import AutoFeatureExtractor, AutoModel, ClapAudioModel

from mmstudio.encoders.audio_pretrained import PretrainedAudio
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.pretrained.preprocessing import wanted
from tests.components import stir, without_gradient
from tests.tiny_sounds import FAMILIES, tiny_sound

pytestmark = [
    # the library's own bank of Kaldi bands has some that stay empty
    pytest.mark.filterwarnings("ignore:At least one mel filter"),
    # WavLM hands torch two masks of different types
    pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask"),
]
RATE_HZ = 16_000
WAVES = ["wav2vec2", "wav2vec2-large", "hubert", "wavlm", "sew"]
ALL = list(FAMILIES)
# 32 000 samples fill every window
LENGTHS = [32_000, 20_000, 11_280, 4000, 1000]


@pytest.fixture(scope="module")
def folders() -> dict[str, Path]:
    return {family: tiny_sound(family) for family in ALL}


def encoder_of(folder: Path, **options: Any) -> PretrainedAudio:
    options = {"tokens": 1500, "dropout": 0.0} | options
    return PretrainedAudio({"sample_rate_hz": RATE_HZ}, model=str(folder), **options).eval()


def sounds(lengths: list[int], longest: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """Noisy tones ``(B, L)``, nan behind each one's end, and the mask."""
    chance = np.random.default_rng(1)
    longest = longest or max(lengths)
    mask = torch.arange(longest) < torch.tensor(lengths).unsqueeze(1)
    values = torch.full((len(lengths), longest), float("nan"))
    for row, length in enumerate(lengths):
        time_s = np.arange(length) / RATE_HZ
        tone = np.sin(2 * np.pi * (200 + 130 * row + 300 * time_s) * time_s)
        sound = 0.2 * (tone + 0.3 * chance.normal(size=length))
        values[row, :length] = torch.from_numpy(np.clip(sound, -1, 1).astype(np.float32))
    return values, mask


def library_of(folder: Path) -> tuple[Any, Any]:
    """The library's own model and feature extractor."""
    model = ClapAudioModel if folder.name.startswith("clap") else AutoModel
    if folder.name.startswith("clap"):
        loaded = model.from_pretrained(folder, key_mapping={r"^audio_model\.": ""})
    else:
        loaded = model.from_pretrained(folder)
    if folder.name == "whisper":
        loaded = loaded.get_encoder()
    return loaded.eval(), AutoFeatureExtractor.from_pretrained(folder)


def given_by_library(folder: Path, sound: torch.Tensor) -> torch.Tensor:
    """The library's features of one sound alone: ``(T, D)``, along time where it is a map."""
    model, extractor = library_of(folder)
    inputs = extractor(sound.numpy(), sampling_rate=RATE_HZ, return_tensors="pt")
    if "is_longer" in inputs:
        # it draws one of the batch at random and calls it longer
        inputs["is_longer"] = torch.zeros_like(inputs["is_longer"])
    inputs.pop("attention_mask", None)
    with torch.no_grad():
        last = model(**inputs).last_hidden_state
    if folder.name.startswith("clap"):
        last = last.mean(dim=2).transpose(1, 2)
    return last[0]


def agree(got: torch.Tensor, expected: torch.Tensor) -> None:
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", WAVES)
def test_waves_features_are_the_librarys_for_each_sound_alone(
    family: str, folders: dict[str, Path]
) -> None:
    values, mask = sounds(LENGTHS)
    with torch.no_grad():
        got = encoder_of(folders[family]).encode(values, mask)
    for row, length in enumerate(LENGTHS):
        expected = given_by_library(folders[family], values[row, :length])
        here = got.tokens[row][got.mask[row]]
        if family == "sew" and len(expected) % 2:
            # the library's position of the last pair sees half a pair, which is left out here
            assert len(here) == len(expected) - 1
            continue
        agree(here, expected)


def test_waves_features_are_the_librarys_for_a_padded_batch(folders: dict[str, Path]) -> None:
    values, mask = sounds(LENGTHS)
    model, extractor = library_of(folders["wav2vec2-large"])
    rows = [values[row, :length].numpy() for row, length in enumerate(LENGTHS)]
    inputs = extractor(rows, sampling_rate=RATE_HZ, padding=True, return_tensors="pt")
    with torch.no_grad():
        expected = model(**inputs).last_hidden_state
        got = encoder_of(folders["wav2vec2-large"]).encode(values, mask)
    agree(got.tokens[got.mask], expected[got.mask])


@pytest.mark.parametrize("window", ["whole", "sound"])
def test_whisper_features_are_the_librarys(window: str, folders: dict[str, Path]) -> None:
    lengths = LENGTHS if window == "whole" else [32_000, 31_990, 17_000]
    values, mask = sounds(lengths)
    with torch.no_grad():
        got = encoder_of(folders["whisper"], window=window).encode(values, mask)
    for row, length in enumerate(lengths):
        expected = given_by_library(folders["whisper"], values[row, :length])
        steps = -(-length // 320)
        assert int(got.mask[row].sum()) == steps
        agree(got.tokens[row, :steps], expected[:steps])


def test_whisper_of_a_short_sound_is_the_encoder_over_it_and_a_second_of_silence(
    folders: dict[str, Path]
) -> None:
    model, extractor = library_of(folders["whisper"])
    values, mask = sounds([9600, 3000])
    with torch.no_grad():
        got = encoder_of(folders["whisper"]).encode(values, mask)
        for row, length in enumerate([9600, 3000]):
            mel = extractor(values[row, :length].numpy(), sampling_rate=RATE_HZ,
                            return_tensors="pt").input_features
            hidden = functional.gelu(model.conv2(functional.gelu(model.conv1(mel)))).mT
            steps = -(-length // 320)
            seen = (hidden + model.embed_positions.weight)[:, : steps + 50]
            for layer in model.layers:
                seen = layer(seen, None)
            agree(got.tokens[row][got.mask[row]], model.layer_norm(seen)[0, :steps])


@pytest.mark.parametrize("window", ["whole", "sound"])
def test_spectrogram_transformer_features_are_the_librarys(
    window: str, folders: dict[str, Path]
) -> None:
    lengths = LENGTHS if window == "whole" else [32_000, 20_720]
    values, mask = sounds(lengths)
    with torch.no_grad():
        got = encoder_of(folders["ast"], window=window).encode(values, mask)
    for row, length in enumerate(lengths):
        expected = given_by_library(folders["ast"], values[row, :length])
        cells = expected[2:].view(2, 12, 32)  # 32 bands and 128 frames, in steps of 10
        agree(got.tokens[row, 0], expected[:2].mean(dim=0))
        frames = (length - 400) // 160 + 1
        steps = min(12, -(-frames // 10))
        assert int(got.mask[row].sum()) == 1 + steps
        agree(got.tokens[row, 1 : 1 + steps], cells.mean(dim=0)[:steps])


def test_spectrogram_transformer_of_a_short_sound_sees_its_patches_alone(
    folders: dict[str, Path]
) -> None:
    model, extractor = library_of(folders["ast"])
    lengths = [9600, 3000]
    values, mask = sounds(lengths)
    with torch.no_grad():
        got = encoder_of(folders["ast"]).encode(values, mask)
        for row, length in enumerate(lengths):
            inputs = extractor(values[row, :length].numpy(), sampling_rate=RATE_HZ,
                               return_tensors="pt")
            all_patches = model.embeddings(inputs.input_values)
            steps = -(-((length - 400) // 160 + 1) // 10)
            grid = all_patches[:, 2:].view(1, 2, 12, 32)[:, :, :steps].reshape(1, -1, 32)
            hidden = torch.cat([all_patches[:, :2], grid], dim=1)
            for layer in model.layers:
                hidden = layer(hidden, None)
            hidden = model.layernorm(hidden)[0]
            agree(got.tokens[row, 0], hidden[:2].mean(dim=0))
            assert int(got.mask[row].sum()) == 1 + steps
            agree(got.tokens[row, 1 : 1 + steps], hidden[2:].view(2, steps, 32).mean(dim=0))


@pytest.mark.parametrize("family", ["clap", "clap-fused"])
def test_clap_features_are_the_librarys(family: str, folders: dict[str, Path]) -> None:
    values, mask = sounds(LENGTHS)
    with torch.no_grad():
        got = encoder_of(folders[family]).encode(values, mask)
    assert bool(got.mask.all())
    for row, length in enumerate(LENGTHS):
        agree(got.tokens[row], given_by_library(folders[family], values[row, :length]))


@pytest.mark.parametrize("window", ["sound", "whole"])
@pytest.mark.parametrize("family", ALL)
def test_neither_padding_nor_the_sounds_beside_it_count(
    family: str, window: str, folders: dict[str, Path]
) -> None:
    encoder = encoder_of(folders[family], window=window, tokens=7)
    values, mask = sounds([8000, 3000, 600, 1])
    with torch.no_grad():
        plain = encoder(values, mask)
        filled = encoder(torch.where(mask, values, torch.tensor(0.5)), mask)
        longer = encoder(functional.pad(values, (0, 3333)), functional.pad(mask, (0, 3333)))
        alone = [encoder(values[row : row + 1], mask[row : row + 1]) for row in range(4)]
    assert plain.mask.any(dim=1).all()
    assert plain.tokens.isfinite().all()
    assert torch.equal(plain.tokens, filled.tokens)
    torch.testing.assert_close(longer.pooled(), plain.pooled(), rtol=0, atol=1e-5)
    for row in range(4):
        torch.testing.assert_close(alone[row].pooled()[0], plain.pooled()[row], rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", ["wav2vec2", "hubert", "sew"])
def test_two_threads_may_ask_one_model_at_the_same_time(
    family: str, folders: dict[str, Path]
) -> None:
    encoder = encoder_of(folders[family])
    one, many = sounds([16_000]), sounds([32_000, 4000, 9000])
    between: list[torch.Tensor] = []

    def ask(*_: object) -> None:
        with torch.no_grad():
            between.append(encoder.encode(*one).tokens)

    def ask_aside(*_: object) -> None:
        hook.remove()
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()

    with torch.no_grad():
        expected = [encoder.encode(*one).tokens, encoder.encode(*many).tokens]
        layers: Any = encoder.published.feature_extractor
        hook = layers.conv_layers[0].conv.register_forward_pre_hook(ask_aside)
        found = encoder.encode(*many).tokens
    assert torch.equal(between[0], expected[0])
    assert torch.equal(found, expected[1])


@pytest.mark.parametrize("family", ALL)
def test_many_features_are_averaged_in_groups(family: str, folders: dict[str, Path]) -> None:
    values, mask = sounds([16_000, 5000])
    encoder = encoder_of(folders[family], tokens=4)
    with torch.no_grad():
        few = encoder.encode(values, mask)
    assert few.tokens.shape == (2, 4 + encoder.summarised, 32)
    assert encoder.stored_key is not None
    assert encoder.stored_key != encoder_of(folders[family], tokens=5).stored_key
    assert encoder.stored_key != encoder_of(folders[family], tokens=4, window="whole").stored_key


@pytest.mark.parametrize("tuning", ["frozen", "last", "full", "lora"])
@pytest.mark.parametrize("family", ALL)
def test_training_reaches_what_it_is_to_reach(
    family: str, tuning: str, folders: dict[str, Path]
) -> None:
    torch.manual_seed(0)
    encoder = encoder_of(folders[family], tuning=tuning, blocks=1, rank=2).train()
    stir(encoder)
    pooled = encoder(*sounds([4000, 2500, 400])).pooled()
    (pooled * torch.randn(pooled.shape)).sum().backward()
    assert without_gradient(encoder) == []
    trained = {n for n, p in encoder.named_parameters() if p.requires_grad}
    published = {n for n in trained if n.startswith("published.")}
    assert published == set(encoder.rates())
    assert published.isdisjoint(encoder.fixed)
    assert bool(published) == (tuning != "frozen")
    frozen = sum(n.startswith("published.") for n, p in encoder.named_parameters()
                 if not p.requires_grad)
    # positions that are computed, not learnt, stay where they are
    assert frozen > 0 or tuning == "full"


@pytest.mark.parametrize("family", ["wav2vec2", "whisper", "ast", "clap"])
def test_a_batch_can_be_learnt_by_heart_with_full_tuning(
    family: str, folders: dict[str, Path]
) -> None:
    torch.manual_seed(0)
    encoder = encoder_of(folders[family], tuning="full").train()
    head = nn.Linear(encoder.width, 2)
    values, mask = sounds([6000, 4000, 3000, 5000])
    labels = torch.tensor([0, 1, 1, 0])
    learner = torch.optim.Adam([p for p in [*encoder.parameters(), *head.parameters()]
                                if p.requires_grad], lr=1e-3)
    loss = torch.tensor(0.0)
    for _ in range(30):
        loss = functional.cross_entropy(head(encoder(values, mask).pooled()), labels)
        learner.zero_grad()
        loss.backward()
        learner.step()
    assert loss.detach().item() < 0.2


def test_an_encoder_leaves_chance_and_the_default_device_alone(folders: dict[str, Path]) -> None:
    for family in ALL:
        before = torch.get_rng_state()
        with torch.device("meta"):
            encoder = PretrainedAudio({"sample_rate_hz": RATE_HZ}, model=str(folders[family]))
        assert torch.equal(torch.get_rng_state(), before)
        assert {p.device.type for p in encoder.published.parameters()} == {"cpu"}
        assert {b.device.type for b in encoder.reader.buffers()} <= {"cpu"}
        own = set(encoder.state_dict()) - encoder.fixed
        assert {n.split(".")[0] for n in own} == {"linear"} | (
            {"whole"} if encoder.summarised else set())


def experiment_of(folder: Path, **options: Any) -> Experiment:
    return Experiment.from_dict({
        "data": {"table": "t.csv"},
        "inputs": {"sound": {"column": "audio", "modality": "audio", **options, "encoder": {
            "name": "pretrained_audio", "model": str(folder)}}},
        "targets": {"label": {"task": "classification"}}})


@pytest.mark.parametrize(("family", "most"), [
    ("wav2vec2", None), ("whisper", 2.0), ("ast", 1.295), ("clap", 2.0)])
def test_the_data_comes_at_the_models_rate_and_length(
    family: str, most: float | None, folders: dict[str, Path]
) -> None:
    found = wanted(experiment_of(folders[family]).inputs["sound"])
    assert found == {"sample_rate_hz": 16_000} | ({} if most is None else {"most_seconds": most})


def changed(folder: Path, to: Path, **changes: Any) -> Path:
    """A copy of a model whose preprocessing says something else; None takes a key away."""
    to.mkdir()
    for path in folder.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    settings = json.loads((to / "preprocessor_config.json").read_text()) | changes
    settings = {n: v for n, v in settings.items() if v is not None}
    (to / "preprocessor_config.json").write_text(json.dumps(settings))
    return to


def test_the_family_tells_where_the_extractor_is_not_named(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    for family in ALL:
        unnamed = changed(folders[family], tmp_path / family, feature_extractor_type=None)
        assert wanted(experiment_of(unnamed).inputs["sound"]) == wanted(
            experiment_of(folders[family]).inputs["sound"])


def test_what_can_not_be_used_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    other = changed(folders["hubert"], tmp_path / "other",
                    feature_extractor_type="SeamlessM4TFeatureExtractor")
    with pytest.raises(UserError, match=r"not known here .SeamlessM4T.*Whisper"):
        encoder_of(other)
    lost = changed(folders["hubert"], tmp_path / "lost")
    (lost / "preprocessor_config.json").unlink()
    with pytest.raises(UserError, match="does not say how it wants its sounds"):
        encoder_of(lost)
    wrong = changed(folders["ast"], tmp_path / "wrong", num_mel_bins="many")
    with pytest.raises(UserError, match="can't be read"):
        encoder_of(wrong)
    fewer = changed(folders["whisper"], tmp_path / "fewer", feature_size=40)
    with pytest.raises(UserError, match="does not take what it should"):
        encoder_of(fewer)
    with pytest.raises(UserError, match=r"wants 16000 samples per second.*with 8000"):
        PretrainedAudio({"sample_rate_hz": 8000}, model=str(folders["clap"]))
