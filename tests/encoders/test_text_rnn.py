"""What is special about the RNN for texts."""

from __future__ import annotations

import json

import torch

from mmstudio.encoders.text_rnn import TextRNN
from mmstudio.modalities.text import PAD, UNKNOWN


def rnn(**options: float) -> TextRNN:
    """An encoder of four words: one seen once, two seen often and one never."""
    vocabulary = {"[PAD]": 0, "[UNK]": 1, "nine": 2, "nin": 3, "of": 4, "fo": 5}
    spec = {"counts": [0, 0, 1, 20, 10_000, 0],
            "tokenizer": json.dumps({"model": {"vocab": vocabulary}})}
    return TextRNN(spec, width=8, **options)  # type: ignore[arg-type]


def test_rare_words_become_unknown_more_often_than_common_ones() -> None:
    # Kiperwasser and Goldberg 2016: a / (a + count)
    hidden = rnn(word_dropout=0.25).hidden
    assert torch.allclose(hidden[2:5], torch.tensor([0.2, 0.25 / 20.25, 0.25 / 10_000.25]))
    assert hidden[PAD] == 0
    assert not rnn(word_dropout=0.0).hidden[2:].any()


def test_words_are_hidden_in_training_only() -> None:
    torch.manual_seed(0)
    encoder = rnn(word_dropout=10.0, dropout=0.0)
    rare = torch.full((200, 1), 2)
    unknown = torch.full((200, 1), UNKNOWN)
    encoder.train()
    trained = encoder(rare, rare > 0).tokens.isclose(encoder(unknown, unknown > 0).tokens)
    assert 0.8 < trained.all(dim=-1).float().mean() < 1.0  # 10 / 11
    encoder.eval()
    used = encoder(rare, rare > 0).tokens.isclose(encoder(unknown, unknown > 0).tokens)
    assert not used.all(dim=-1).any()


def test_tokens_that_look_alike_share_ngrams() -> None:
    ngrams = [set(row.tolist()) - {0} for row in rnn().ngrams]
    assert not ngrams[PAD] and not ngrams[UNKNOWN]
    assert len(ngrams[2] & ngrams[3]) == 3  # ni, in, nin
    assert not ngrams[2] & ngrams[4]


def test_a_token_that_training_never_saw_is_unknown() -> None:
    encoder = rnn().eval()
    never, unknown, seen = (torch.full((1, 1), number) for number in (5, UNKNOWN, 4))
    real = torch.ones(1, 1, dtype=torch.bool)
    assert torch.equal(encoder(never, real).tokens, encoder(unknown, real).tokens)
    assert not torch.equal(encoder(seen, real).tokens, encoder(unknown, real).tokens)
