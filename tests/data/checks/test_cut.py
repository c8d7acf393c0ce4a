"""What a model never sees of long texts, sounds and pictures is told, and the option named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

import mmstudio.data.checks.cut as cut
from mmstudio.data.checks import Problem
from tests.data.checks.test_families import RATE_HZ, problems_of
from tests.small_project import read_rows, small_experiment, write_small_project, write_table


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_small_project(tmp_path / "p", rows=120)


def cut_of(folder: Path, changes: dict[str, object] | None = None) -> list[Problem]:
    return [p for p in problems_of(folder, small_experiment(changes)) if p.kind == "cut"]


def lengthen(project: Path, rows: range, words: int) -> None:
    table = read_rows(project)
    for row in rows:
        table[row]["text"] = " ".join(["long"] * words)
    write_table(project / "metadata.csv", table)


def test_data_of_usual_length_is_no_problem(project: Path) -> None:
    assert cut_of(project) == []


def test_long_texts_are_counted_and_the_option_named(project: Path) -> None:
    lengthen(project, range(12), 300)  # each word is one piece
    lengthen(project, range(12, 24), 400)
    [found] = cut_of(project)
    assert (found.row, found.column, found.rows) == (-1, "text", tuple(range(24)))
    there = sum(bool(r["text"]) for r in read_rows(project))
    assert f"24 of {there} texts are longer than 256 tokens" in found.message
    assert "15 % to 36 % of each, 2" in found.message
    assert "inputs.words.max_tokens = 400 " in found.hint
    assert cut_of(project, {"inputs.words.max_tokens": 400}) == []


def test_one_long_text_among_short_ones_is_told(project: Path) -> None:
    lengthen(project, range(5, 6), 60)
    [found] = cut_of(project)
    assert found.rows == (5,)
    assert "inputs.words.max_tokens = 60 would keep all of them whole" in found.hint
    assert found.message.startswith("1 of ") and "texts is longer than" in found.message
    lengthen(project, range(5, 6), 20)  # no more than an edge, by the data's own limit
    assert cut_of(project) == []
    assert len(cut_of(project, {"inputs.words.max_tokens": 4})) == 1  # by one that somebody set


def test_texts_beyond_those_that_are_counted_are_estimated(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cut, "MOST_LOOKED_AT", 10)
    monkeypatch.setattr(cut, "MOST_CHARACTERS", 500)  # 100 words
    lengthen(project, range(40), 400)
    [found] = cut_of(project)
    assert found.message.startswith("40 of") and "37 % of each" in found.message


def test_long_sounds_are_counted_and_the_option_named(project: Path) -> None:
    table = read_rows(project)
    chance = np.random.default_rng(0)
    long = [r for r, cells in enumerate(table) if cells["audio"]][:20]
    for row in long:
        sound = chance.normal(size=12 * RATE_HZ) * 0.1
        soundfile.write(project / table[row]["audio"], sound, RATE_HZ)
    [found] = cut_of(project)
    assert (found.column, found.rows) == ("audio", tuple(long))
    there = sum(bool(r["audio"]) for r in table)
    assert f"20 of {there} sounds are longer than 10 s" in found.message
    assert "17 % of each" in found.message
    assert "inputs.sound.max_seconds = 12 " in found.hint
    assert cut_of(project, {"inputs.sound.max_seconds": 12.0}) == []


def test_large_pictures_are_counted_and_the_option_named(project: Path) -> None:
    names = {r["file_name"] for r in read_rows(project) if r["file_name"]}
    for name in names:
        with Image.open(project / name) as picture:
            large = picture.resize((192, 192))
        large.save(project / name)
    [found] = cut_of(project)
    assert (found.column, found.rows) == ("file_name", ())  # all of them: of no single row
    assert found.message.startswith(f"{len(names)} of {len(names)} pictures are larger than the 96")
    assert "by 75 % of its pixels" in found.message
    assert "inputs.image.size = 192 " in found.hint
    assert cut_of(project, {"inputs.image.size": 192}) == []


def test_rows_that_are_left_out_lose_nothing(project: Path) -> None:
    lengthen(project, range(5, 6), 60)
    table = read_rows(project)
    table[5]["split"] = ""
    write_table(project / "metadata.csv", table)
    assert cut_of(project) == []
