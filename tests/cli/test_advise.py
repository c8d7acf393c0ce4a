"""``mmstudio advise``: a table and a sentence for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from mmstudio import cli
from tests.planted_project import write_planted_project


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_planted_project(tmp_path_factory.mktemp("advise") / "P", "xor")
    return folder / "experiment.toml"


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["mmstudio", *map(str, arguments)])
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_people_get_a_table_and_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], experiment: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert call(monkeypatch, "advise", experiment) == 0
    text = capsys.readouterr().out
    assert "A quick look at 200 rows for 'answer'" in text
    assert "In combination" in text and "picture with words" in text
    assert "Recommended: Multiplicative, because picture and words tell in combination" in text
    assert "--set fusion.name=multiplicative" in text


def test_programs_get_json_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], experiment: Path
) -> None:
    assert call(monkeypatch, "advise", experiment, "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert data["fusion"] == "multiplicative" and data["rule"] == "joint"
    assert data["rows"] == 200 and data["training_rows"] == 160
    assert data["joint_pairs"] == [["picture", "words"]]
    kinds = [finding["kind"] for finding in data["findings"]]
    assert kinds == ["alone", "alone", "together", "shared", "unique", "unique", "joint"]
    for finding in data["findings"]:
        assert finding["low"] <= finding["value"] <= finding["high"]
        assert finding["text"].endswith(".")


def test_advice_from_counts_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = write_planted_project(tmp_path / "P", "same", rows=30)
    assert call(monkeypatch, "advise", folder / "experiment.toml") == 0
    text = capsys.readouterr().out
    assert "at least 60 labelled rows" in text and "Recommended: Sum" in text


def test_a_missing_table_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = write_planted_project(tmp_path / "P", "same", rows=12)
    (folder / "metadata.csv").unlink()
    assert call(monkeypatch, "advise", folder / "experiment.toml", "--json") == 1
    out, err = capsys.readouterr()
    assert out == "" and "metadata.csv" in err
