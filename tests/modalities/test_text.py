"""Texts in cells and in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mmstudio.errors import UserError
from mmstudio.modalities import MODALITIES, modality_of_file
from mmstudio.modalities.text import PAD, UNKNOWN, TextModality, read_text

TEXTS = ["a handwritten nine", "one more nine", "nine, again nine!", "über naïve 数字 text"] * 3


def test_a_text_is_itself() -> None:
    assert read_text("three or four") == "three or four"


def test_blanks_around_a_text_do_not_count() -> None:
    modality = TextModality()
    spec = modality.fit(TEXTS)
    assert modality.decode("  one more nine\n", spec).tolist() == modality.decode(
        "one more nine", spec).tolist()


def test_files_are_utf8_with_or_without_a_mark(tmp_path: Path) -> None:
    (tmp_path / "plain.txt").write_text("zwölf 数字\n", encoding="utf-8")
    (tmp_path / "marked.txt").write_text("zwölf 数字", encoding="utf-8-sig")
    assert read_text(tmp_path / "plain.txt") == "zwölf 数字"
    assert read_text(tmp_path / "marked.txt") == "zwölf 数字"


def test_files_that_cannot_be_read_are_user_errors(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("zwölf".encode("latin-1"))
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "huge.txt").write_bytes(b"x" * 1_000_001)
    for name, message in (("latin.txt", "UTF-8"), ("empty.txt", "empty"), ("huge.txt", "longer"),
                          ("none.txt", "missing")):
        with pytest.raises(UserError, match=message) as caught:
            read_text(tmp_path / name)
        assert name in caught.value.message
        assert caught.value.hint


def test_a_cell_that_names_a_text_file_means_its_content(tmp_path: Path) -> None:
    modality = TextModality()
    (tmp_path / "note.txt").write_text("nine")
    assert modality.locate("note.txt", tmp_path) == tmp_path / "note.txt"
    assert modality.locate("none.txt", tmp_path) == tmp_path / "none.txt"
    assert modality.locate("see none.txt", tmp_path) == "see none.txt"
    assert modality.locate("a note about note.txt\nand more.txt", tmp_path).startswith("a note")
    assert modality.locate("nine", tmp_path) == "nine"
    assert modality.locate("x" * 5000 + ".txt", tmp_path) == "x" * 5000 + ".txt"
    assert modality.locate("nul\0.txt", tmp_path) == "nul\0.txt"


def test_the_vocabulary_is_learnt_and_the_same_each_time() -> None:
    modality = TextModality()
    spec = modality.fit(TEXTS)
    assert spec == TextModality().fit(TEXTS)
    assert len(spec["counts"]) <= 8000
    assert sum(spec["counts"]) == sum(len(modality.decode(text, spec)) for text in TEXTS)
    ids = modality.decode("a handwritten nine", spec)
    assert ids.dtype == np.int32
    assert PAD not in ids and UNKNOWN not in ids
    assert modality.decode("A HANDWRITTEN Nine", spec).tolist() == ids.tolist()
    assert UNKNOWN in modality.decode("ж", spec)
    assert max(modality.decode("any text, 数 ß zwölf 9!", spec)) < len(spec["counts"])


def test_a_misspelt_word_is_known_pieces() -> None:
    modality = TextModality()
    spec = modality.fit(TEXTS)
    assert UNKNOWN not in modality.decode("a handwriten nnie", spec)


def test_a_text_of_blanks_is_one_unknown_token() -> None:
    modality = TextModality()
    spec = modality.fit(TEXTS)
    assert modality.decode("   ", spec).tolist() == [UNKNOWN]


def test_length_and_vocabulary_can_be_set() -> None:
    modality = TextModality(vocabulary=50, max_tokens=3)
    spec = modality.fit(TEXTS)
    assert spec["max_tokens"] == 3
    assert len(modality.decode("nine " * 50, spec)) == 3
    usual = TextModality().fit(["nine nine"] * 199 + ["nine " * 300])
    assert usual["max_tokens"] < 20


def test_another_spec_is_another_vocabulary() -> None:
    modality = TextModality()
    first, second = modality.fit(TEXTS), modality.fit(["zzz yyy xxx"] * 5)
    once = modality.decode("nine", first).tolist()
    assert modality.decode("nine", second).tolist() != once
    assert modality.decode("nine", first).tolist() == once


def test_files_that_fail_are_passed_over_when_learning(tmp_path: Path) -> None:
    assert TextModality().fit([tmp_path / "none.txt", *TEXTS])["counts"][2:]
    with pytest.raises(UserError, match="Not one text"):
        TextModality().fit([tmp_path / "none.txt"])


def test_a_batch_is_padded_in_steps() -> None:
    values, mask = TextModality().collate(
        [np.array([5, 6, 7, 8, 9], np.int32), None, np.array([4], np.int32)], {})
    assert mask is not None
    assert values.tolist() == [[5, 6, 7, 8, 9, 0, 0, 0], [0] * 8, [4] + [0] * 7]
    assert mask.sum(dim=1).tolist() == [5, 0, 1]
    assert values.dtype == torch.int64



@pytest.mark.parametrize(("path", "modality"), [
    ("a.png", "image"), ("b/C.JPG", "image"), ("x.wav", "audio"), ("x.MP3", "audio"),
    ("n.txt", "text"), ("n.md", "text"), ("t.csv", None), ("none", None), ("", None),
    (".png", None),
])
def test_a_file_finds_its_modality_by_its_suffix(path: str, modality: str | None) -> None:
    assert modality_of_file(path) == modality


def test_no_two_modalities_claim_one_suffix() -> None:
    suffixes = [s for cls in MODALITIES.classes().values() for s in cls.suffixes]
    assert len(suffixes) == len(set(suffixes))
    assert all(s == s.lower() and s.startswith(".") for s in suffixes)


@pytest.mark.parametrize(("text", "pieces"), [
    ("这家店真的好吃", 7), ("この店はおいしい", 8), ("😀🌳🚗", 3), ("กอดกัน", 5),
])
def test_characters_without_blanks_between_them_are_pieces_of_their_own(
    text: str, pieces: int
) -> None:
    modality = TextModality()
    spec = modality.fit([text, text[::-1], "something else"])
    array = modality.decode(text, spec)
    assert len(array) == pieces + 1  # and the beginning of a word
    assert UNKNOWN not in array.tolist()


@pytest.mark.parametrize("emoji", ["👍🏽", "👨‍👩‍👧", "🇫🇷", "1️⃣", "☕️"])
def test_an_emoji_of_several_signs_is_one_piece(emoji: str) -> None:
    modality = TextModality()
    spec = modality.fit([f"{emoji}🐟{emoji}", f"🐟{emoji}"] * 4)
    assert len(modality.decode(emoji, spec)) == 2


def test_no_character_of_the_texts_is_unknown_however_many_there_are() -> None:
    texts = ["".join(chr(0x4E00 + 20 * row + i) for i in range(20)) for row in range(200)]
    modality = TextModality()
    spec = modality.fit([*texts, *["plain words of another script"] * 20])
    assert not any((modality.decode(text, spec) == UNKNOWN).any() for text in texts)
    # and words keep their place beside 4,000 characters
    assert len(modality.decode("plain words of another script", spec)) == 5


def test_scripts_with_blanks_are_cut_as_before() -> None:
    modality = TextModality()
    spec = modality.fit(["المطعم كان جدا", "안녕하세요 친구", "three words here"] * 8)
    for text in ("المطعم كان جدا", "three words here"):
        assert len(modality.decode(text, spec)) == 3


def test_many_texts_are_not_all_encoded_at_once() -> None:
    from tests.in_a_process import run_python

    ended = run_python("""
from mmstudio.modalities.text import TextModality
modality = TextModality()
modality.fit(["a few words"])
texts = [" ".join(f"word{(i * j) % 97}" for j in range(150)) for i in range(5000)]
before = _peak_mb()
modality.fit(texts)
print(_peak_mb() - before)
""", env={"TOKENIZERS_PARALLELISM": "false"})
    assert ended.code == 0, ended.err
    assert float(ended.out) < 60  # all their encodings at once take 95
