"""Words and letters of texts: what the numbers of the vocabulary are turned back into."""

from __future__ import annotations

import unicodedata

import pytest
import torch

from mmstudio.encoders.text_ngrams import TextNgrams
from mmstudio.modalities.text import TextModality

TEXTS = [
    "这家店真的好吃", "この店はおいしい", "กอดกัน", "안녕하세요 친구", "المطعم كان جدا",
    "😀🌳🚗 good", "👍🏽👨\u200d👩\u200d👧 🇫🇷1️⃣☕️", "店 A1 mixed店word",
    "Don't stop, übers Naïve!  Twice",
    "ＷＩＤＥ ﬁne",  # noqa: RUF001
]


@pytest.fixture(scope="module")
def spec() -> dict[str, object]:
    return TextModality().fit(TEXTS * 3)


def plain(text: str) -> str:
    """In lower case and without blanks: punctuation comes back with blanks around it."""
    return "".join(unicodedata.normalize("NFKC", text).lower().split())


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_comes_back_from_its_numbers(text: str, spec: dict[str, object]) -> None:
    modality, encoder = TextModality(), TextNgrams(spec)
    values, mask = modality.collate([modality.decode(text, spec), None], spec)
    assert [plain(t) for t in encoder.texts(values, mask)] == [plain(text), ""]


def test_blanks_come_back_between_words_and_nowhere_else(spec: dict[str, object]) -> None:
    modality, encoder = TextModality(), TextNgrams(spec)
    texts = ["店 a1 mixed店word", "😀🌳🚗 good", "この店はおいしい", "안녕하세요 친구"]
    values, mask = modality.collate([modality.decode(t, spec) for t in texts], spec)
    assert encoder.texts(values, mask) == texts


def test_texts_that_share_no_character_have_nothing_in_common(spec: dict[str, object]) -> None:
    modality, encoder = TextModality(), TextNgrams(spec)
    values, mask = modality.collate(
        [modality.decode(t, spec) for t in ("真的好吃", "好吃", "おいしい")], spec)
    found = encoder.describe(values, mask)
    alike = (found @ found.T)
    assert alike[0, 1] > 0.2
    assert alike[0, 2] < 0.05 and torch.allclose(alike.diagonal(), torch.full((3,), 2.0))


def test_its_many_columns_are_multiplied_in_float32_on_the_cpu(spec: dict[str, object]) -> None:
    modality, encoder = TextModality(), TextNgrams(spec)
    values, mask = modality.collate([modality.decode(t, spec) for t in TEXTS * 4], spec)
    features = encoder.encode(values, mask)
    with torch.autocast("cpu", torch.bfloat16):
        # in bfloat16 this ends the whole process on some processors
        tokens = encoder.project(features).tokens
        narrow = torch.nn.Linear(8, 8)(torch.ones(2, 8))
    assert tokens.dtype == torch.float32 and narrow.dtype == torch.bfloat16
    tokens.sum().backward()
    assert encoder.linear.weight.grad is not None
