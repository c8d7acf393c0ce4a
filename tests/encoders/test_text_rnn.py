"""What is special about the RNN for texts."""

from __future__ import annotations

import json

import torch

from mmstudio.encoders.text_rnn import TextRNN, token_begins, unknown_words
from mmstudio.modalities.text import PAD, UNKNOWN, TextModality


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


def without_ngrams(encoder: TextRNN) -> TextRNN:
    """The same, its n-grams all zero: what is left of a token is its own embedding."""
    torch.nn.init.zeros_(encoder.embed_ngrams.weight)
    return encoder


def test_words_are_hidden_in_training_only() -> None:
    torch.manual_seed(0)
    encoder = without_ngrams(rnn(word_dropout=10.0, dropout=0.0))
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


def test_a_token_that_training_never_saw_is_unknown_but_for_its_ngrams() -> None:
    encoder = rnn().eval()
    never, unknown, seen = (torch.full((1, 1), number) for number in (5, UNKNOWN, 4))
    real = torch.ones(1, 1, dtype=torch.bool)
    assert not torch.equal(encoder(never, real).tokens, encoder(unknown, real).tokens)
    without_ngrams(encoder)
    assert torch.equal(encoder(never, real).tokens, encoder(unknown, real).tokens)
    assert not torch.equal(encoder(seen, real).tokens, encoder(unknown, real).tokens)


def test_a_word_with_an_unknown_piece_is_unknown() -> None:
    # begins: 5 and 8; unknown: 7
    values = torch.tensor([[5, 6, 7, 8, 0], [6, 9, 5, 6, 7], [5, 8, 6, 5, 9]])
    unknown, joined = unknown_words(values == 7, (values == 5) | (values == 8))
    assert unknown.int().tolist() == [[1, 1, 1, 0, 0], [0, 0, 1, 1, 1], [0, 0, 0, 0, 0]]
    assert joined.int().tolist() == [[0, 1, 1, 0, 0], [0, 0, 0, 1, 1], [0, 0, 0, 0, 0]]


def test_an_unseen_word_is_one_token_with_the_ngrams_of_all_its_pieces() -> None:
    modality = TextModality()
    spec = modality.fit(["a red car", "see the sea", "a blue ousel"])
    encoder = TextRNN(spec, width=8).eval()
    pieces = modality.decode("carousel", spec)
    arrays = [modality.decode(text, spec) for text in ("carousel a", "a carousel", "red sea")]
    assert len(pieces) > 1
    embedded, mask = encoder._embedded(*modality.collate(arrays, spec))
    assert mask.sum(dim=1).tolist() == [2, 2, 2]
    ngrams = encoder.ngrams[torch.from_numpy(pieces).long()].flatten()
    expected = (encoder.embed_ngrams.weight[ngrams[ngrams > 0]].mean(dim=0)
                + encoder.embed.weight[UNKNOWN])
    assert torch.allclose(embedded[0, 0], expected, atol=1e-6)
    assert torch.allclose(embedded[1, 1], expected, atol=1e-6)
    assert torch.allclose(embedded[0, 1], embedded[1, 0])


def test_letters_of_scripts_without_blanks_stand_for_themselves() -> None:
    modality = TextModality()
    spec = modality.fit(["我喜欢猫", "red"])
    vocabulary = json.loads(spec["tokenizer"])["model"]["vocab"]
    begins = token_begins(spec)
    assert begins[vocabulary["猫"]] and begins[vocabulary["\N{LOWER ONE EIGHTH BLOCK}red"]]
    assert not begins[vocabulary["d"]]


def test_a_sign_that_no_piece_holds_leaves_the_word_before_it_known() -> None:
    modality = TextModality()
    spec = modality.fit(["a great day", "great", "我喜欢猫", "我喜欢狗"])
    encoder = TextRNN(spec, width=8).eval()
    for known, glued in (("great", "great👍"), ("我喜欢", "我喜欢龙")):
        arrays = [modality.decode(text, spec) for text in (known, glued)]
        assert list(arrays[1]) == [*arrays[0], UNKNOWN]
        embedded, mask = encoder._embedded(*modality.collate(arrays, spec))
        count = len(arrays[0])
        assert mask.sum(dim=1).tolist() == [count, count + 1]
        assert torch.allclose(embedded[0, :count], embedded[1, :count], atol=1e-6)
        assert torch.allclose(embedded[1, count], encoder.embed.weight[UNKNOWN])
