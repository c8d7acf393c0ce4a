"""SoundNet, against plain numpy: on random weights, and on its own where they are here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from mmstudio.encoders.audio_pretrained import PretrainedAudio
from mmstudio.errors import UserError
from mmstudio.experiment import Component, InputSettings
from mmstudio.pretrained import starter
from mmstudio.pretrained.object_arrays import read_arrays
from mmstudio.pretrained.preprocessing import wanted
from mmstudio.pretrained.soundnet import LEAST_SAMPLES, load_soundnet
from mmstudio.pretrained.source import find
from tests.components import stir, without_gradient
from tests.one_thread import one_thread as one_thread  # a fixture
from tests.tiny_soundnet import SHAPES, Arrays, by_python_2, random_arrays, tiny_soundnet, write

MODEL = "starter/soundnet"
RATE_HZ = 22_050
LENGTHS = [80_000, 47_123, 9000, 1]
"""In samples: longer and shorter than the least, and one alone."""
POOLED = {"conv1": 8, "conv2": 8, "conv5": 4}


def encoder_of(model: str = "", **options: Any) -> PretrainedAudio:
    options = {"tokens": 1500, "dropout": 0.0} | options
    return PretrainedAudio(
        {"sample_rate_hz": RATE_HZ}, model=model or str(tiny_soundnet()), **options).eval()


def sounds(lengths: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Noisy sweeps ``(B, L)``, nan behind each one's end, and the mask."""
    chance = np.random.default_rng(1)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)
    values = torch.full(mask.shape, float("nan"))
    for row, length in enumerate(lengths):
        time_s = np.arange(length) / RATE_HZ
        tone = np.sin(2 * np.pi * (200 + 130 * row + 300 * time_s) * time_s)
        sound = 0.2 * (tone + 0.3 * chance.normal(size=length)) + 0.05
        values[row, :length] = torch.from_numpy(sound.astype(np.float32))
    return values, mask


def by_numpy(arrays: Arrays, sound: np.ndarray) -> np.ndarray:
    """The features of one sound alone, ``(T, 256)``, straight from the arrays."""
    times = -(-LEAST_SAMPLES // len(sound))
    if times > 1:
        sound = np.tile(sound, times)[:LEAST_SAMPLES]
    values = 256 * sound.astype(np.float64)[:, None]
    for name in SHAPES:
        layer = {part: array.astype(np.float64) for part, array in arrays[name].items()}
        filters = layer["weights"][:, 0]  # (kernel, into, out)
        half = len(filters) // 2
        padded = np.pad(values, ((half, half), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, len(filters), axis=0)[::2]
        values = np.tensordot(windows, filters, axes=([1, 2], [1, 0])) + layer["biases"]
        values = (values - layer["mean"]) / np.sqrt(layer["var"] + 1e-5)
        values = np.maximum(values * layer["gamma"] + layer["beta"], 0)
        pooled = POOLED.get(name, 1)
        whole = len(values) // pooled * pooled
        values = values[:whole].reshape(-1, pooled, values.shape[1]).max(axis=1)
    return values


def agrees(encoder: PretrainedAudio, arrays: Arrays) -> None:
    values, mask = sounds(LENGTHS)
    with torch.no_grad():
        found = encoder.encode(values, mask)
    for row, length in enumerate(LENGTHS):
        steps = by_numpy(arrays, values[row, :length].numpy())
        expected = np.concatenate([steps.mean(axis=0), steps.max(axis=0), steps.std(axis=0)])
        assert 0.1 < expected.max() and len(steps) >= 4
        assert int(found.mask[row].sum()) == 1 + len(steps)  # the summary stands first
        np.testing.assert_allclose(found.tokens[row, 0], expected, rtol=1e-3, atol=1e-4)
        each = found.tokens[row, 1 : 1 + len(steps)]
        np.testing.assert_allclose(each[:, :256], steps, rtol=1e-3, atol=1e-4)
        np.testing.assert_array_equal(each[:, 256:512], each[:, :256])
        assert not each[:, 512:].any()


def test_it_computes_what_the_arrays_say() -> None:
    agrees(encoder_of(), random_arrays())


def test_it_computes_what_its_own_arrays_say() -> None:
    path = starter.place(MODEL)
    if path is None:
        pytest.skip("the package soundnet is not installed")
    arrays = read_arrays(path)
    assert {name: layer["weights"].shape for name, layer in arrays.items()} == SHAPES | {
        "conv6": (4, 1, 256, 512), "conv7": (4, 1, 512, 1024), "conv8": (8, 1, 1024, 1000),
        "conv8_2": (8, 1, 1024, 401)}
    agrees(encoder_of(MODEL), arrays)
    # the whole net can be read, too
    assert load_soundnet(path, depth=7).width == 1024


def test_neither_padding_nor_the_sounds_beside_it_count() -> None:
    encoder = encoder_of(tokens=3)
    values, mask = sounds(LENGTHS)
    with torch.no_grad():
        plain = encoder(values, mask)
        filled = encoder(torch.where(mask, values, torch.tensor(0.5)), mask)
        longer = encoder(functional.pad(values, (0, 33_333)), functional.pad(mask, (0, 33_333)))
        alone = [encoder(values[row : row + 1, :length], None)
                 for row, length in enumerate(LENGTHS)]
    assert plain.tokens.shape == (4, 1 + 3, encoder.width)
    assert plain.mask.any(dim=1).all() and plain.tokens.isfinite().all()
    assert torch.equal(plain.tokens, filled.tokens)
    torch.testing.assert_close(longer.pooled(), plain.pooled(), rtol=0, atol=1e-5)
    for row, one in enumerate(alone):
        torch.testing.assert_close(one.pooled()[0], plain.pooled()[row], rtol=0, atol=1e-5)


def test_silence_and_an_absent_sound_give_numbers() -> None:
    encoder = encoder_of(tuning="full").train()
    features = encoder(torch.zeros(2, 2205), torch.tensor([[True], [False]]).expand(2, 2205))
    assert features.tokens.isfinite().all() and features.mask.any(dim=1).all()
    features.pooled().sum().backward()
    assert all(p.grad.isfinite().all() for p in encoder.parameters() if p.grad is not None)


@pytest.mark.parametrize("tuning", ["frozen", "last", "full"])
def test_training_reaches_what_it_is_to_reach(tuning: str) -> None:
    torch.manual_seed(0)
    encoder = encoder_of(tuning=tuning, blocks=2).train()
    stir(encoder)
    before = {n: b.clone() for n, b in encoder.named_buffers()}
    pooled = encoder(*sounds([40_000, 5000])).pooled()
    (pooled * torch.randn(pooled.shape)).sum().backward()
    assert without_gradient(encoder) == []
    trained = {n for n, p in encoder.named_parameters() if p.requires_grad}
    published = {n for n in trained if n.startswith("published.")}
    assert published == set(encoder.rates()) and published.isdisjoint(encoder.fixed)
    layers = {"frozen": [], "last": [3, 4], "full": [0, 1, 2, 3, 4]}[tuning]
    assert {int(n.split(".")[2]) for n in published} == set(layers)
    assert (encoder.stored_key is not None) == (tuning == "frozen")
    # the published statistics stay
    assert all(torch.equal(b, before[n]) for n, b in encoder.named_buffers())


def test_small_additions_have_no_place_in_it() -> None:
    with pytest.raises(UserError, match="no linear layers, which LoRA adds to"):
        encoder_of(tuning="lora")


def test_a_batch_can_be_learnt_by_heart_with_full_tuning() -> None:
    torch.manual_seed(0)
    encoder = encoder_of(tuning="full").train()
    head = nn.Linear(encoder.width, 2)
    values, mask = sounds([9000, 8000, 7000, 9500])
    labels = torch.tensor([0, 1, 1, 0])
    learner = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=1e-3)
    loss = torch.tensor(0.0)
    for _ in range(20):
        loss = functional.cross_entropy(head(encoder(values, mask).pooled()), labels)
        learner.zero_grad()
        loss.backward()
        learner.step()
    assert loss.detach().item() < 0.2


def test_the_data_comes_at_its_rate() -> None:
    settings = InputSettings("c", "audio", Component(
        "pretrained_audio", {"model": str(tiny_soundnet())}))
    assert wanted(settings) == {"sample_rate_hz": RATE_HZ}
    with pytest.raises(UserError, match=r"wants 22050 samples per second.*with 8000"):
        PretrainedAudio({"sample_rate_hz": 8000}, model=str(tiny_soundnet()))
    assert find(str(tiny_soundnet()), "audio").config["model_type"] == "soundnet"
    with pytest.raises(UserError, match="reads sounds, not pictures"):
        find(str(tiny_soundnet()), "image")


def test_an_encoder_leaves_chance_and_the_default_device_alone() -> None:
    before = torch.get_rng_state()
    with torch.device("meta"):
        encoder = PretrainedAudio({"sample_rate_hz": RATE_HZ}, model=str(tiny_soundnet()))
    assert torch.equal(torch.get_rng_state(), before)
    assert {p.device.type for p in encoder.published.parameters()} == {"cpu"}
    own = set(encoder.state_dict()) - encoder.fixed
    assert {n.split(".")[0] for n in own} == {"linear", "whole"}


@pytest.mark.parametrize(("change", "message"), [
    (lambda a: a.pop("conv4"), r"does not fit its net: 6 missing \(layers.3.conv.weight, "),
    (lambda a: a["conv2"].pop("gamma"), r"1 missing \(layers.1.norm.weight\)"),
    (lambda a: a["conv1"].update(weights=a["conv1"]["weights"][:32]),
     r"1 of another shape \(layers.0.conv.weight\)"),
    (lambda a: a["conv5"].update(weights=a["conv5"]["weights"][0]),
     r"1 of another shape \(layers.4.conv.weight\)"),
])
def test_other_weights_are_refused(change: Any, message: str, tmp_path: Path) -> None:
    arrays = random_arrays()
    change(arrays)
    write(tmp_path / "sound8.npy", by_python_2(arrays))
    with pytest.raises(UserError, match=message) as caught:
        encoder_of(str(tmp_path / "sound8.npy"))
    assert "sound8.npy of the package soundnet" in caught.value.hint
