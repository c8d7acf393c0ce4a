"""What was learnt from texts is kept: the next run of a comparison tokenises nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmstudio.data import fitted as module
from mmstudio.data.fitted import fitted
from mmstudio.data.store import decode_all
from mmstudio.data.store_space import fitted_dir
from mmstudio.modalities import text
from mmstudio.modalities.text import TextModality

TEXTS = [f"word{i % 7} and number {i}" for i in range(40)]


def forbidden(*_: object, **__: object) -> None:
    raise AssertionError("it was done again")


def test_a_second_run_learns_and_tokenises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = fitted(TextModality(), TEXTS, {})
    *_, decoded = decode_all(TextModality(), spec, TEXTS)
    monkeypatch.setattr(TextModality, "fit", forbidden)
    monkeypatch.setattr(TextModality, "decode", forbidden)
    again = fitted(TextModality(), TEXTS, {})
    assert again == spec
    *_, same = decode_all(TextModality(), again, TEXTS)
    assert same.key == decoded.key
    assert not same.data.flags.owndata  # a view of the file


@pytest.mark.parametrize("other", [[*TEXTS, "one more"], [*TEXTS[:-1], "another"]])
def test_other_texts_and_options_learn_anew(other: list[str]) -> None:
    spec = fitted(TextModality(), TEXTS, {})
    assert fitted(TextModality(), other, {}) != spec
    assert fitted(TextModality(vocabulary=60), TEXTS, {}) != spec
    assert fitted(TextModality(max_tokens=3), TEXTS, {})["max_tokens"] == 3


def test_a_changed_text_file_is_learnt_anew(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one two")
    spec = fitted(TextModality(), [tmp_path / "a.txt"], {})
    (tmp_path / "a.txt").write_text("three four five")
    assert fitted(TextModality(), [tmp_path / "a.txt"], {}) != spec


@pytest.mark.parametrize("content", ["", "[]", "3", "{"])
def test_a_damaged_file_is_learnt_anew(content: str) -> None:
    spec = fitted(TextModality(), TEXTS, {})
    [kept] = fitted_dir().iterdir()
    kept.write_text(content)
    assert fitted(TextModality(), TEXTS, {}) == spec


def test_what_is_used_least_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 2)
    for i in range(4):
        fitted(TextModality(), [f"a text of number {i}"], {})
    assert len(list(fitted_dir().iterdir())) == 2


def test_counts_in_parts_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = TextModality().fit(TEXTS)
    monkeypatch.setattr(text, "TEXTS_AT_ONCE", 7)
    assert TextModality().fit(TEXTS) == whole
    assert sum(whole["counts"]) > len(TEXTS)
