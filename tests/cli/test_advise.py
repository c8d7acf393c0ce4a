"""``mmstudio advise``: a table and a sentence for people, JSON for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.planted_project import write_planted_project


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_planted_project(tmp_path_factory.mktemp("advise") / "P", "xor")
    return folder / "experiment.toml"


def test_people_get_a_table_and_a_sentence(run: Run, experiment: Path) -> None:
    result = run("advise", experiment)
    assert result.code == 0
    text = result.out
    assert "A quick look at 200 rows for 'answer'" in text
    assert "In combination" in text and "picture with words" in text
    assert "Recommended: Multiplicative, because picture and words say in combination" in text
    assert "--set fusion.name=multiplicative" in text


def test_programs_get_json_and_nothing_else(run: Run, experiment: Path) -> None:
    result = run("advise", experiment, "--json")
    assert result.code == 0
    data = json.loads(result.out)
    assert data["fusion"] == "multiplicative" and data["rule"] == "joint"
    assert data["rows"] == 200 and data["training_rows"] == 160
    assert data["joint_pairs"] == [["picture", "words"]]
    kinds = [finding["kind"] for finding in data["findings"]]
    assert kinds == ["alone", "alone", "together", "shared", "unique", "unique", "joint"]
    for finding in data["findings"]:
        assert finding["low"] <= finding["value"] <= finding["high"]
        assert finding["text"].endswith(".")


def test_advice_from_counts_says_so(run: Run, tmp_path: Path) -> None:
    folder = write_planted_project(tmp_path / "P", "same", rows=30)
    result = run("advise", folder / "experiment.toml")
    assert result.code == 0
    text = result.out
    assert "at least 60 labelled rows" in text and "Recommended: Sum" in text


def test_a_missing_table_ends_with_1(run: Run, tmp_path: Path) -> None:
    folder = write_planted_project(tmp_path / "P", "same", rows=12)
    (folder / "metadata.csv").unlink()
    result = run("advise", folder / "experiment.toml", "--json")
    assert result.code == 1
    out, err = result.out, result.err
    assert out == "" and "metadata.csv" in err
