"""``mmstudio estimate``: a few lines for people, JSON for programs, and no run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmstudio.training import fit as fit_module
from tests.cli.conftest import Run
from tests.small_project import write_small_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_small_project(tmp_path / "P")


def test_people_get_the_figures_in_words(run: Run, project: Path) -> None:
    result = run("estimate", project / "experiment.toml")
    assert result.code == 0
    text = result.out
    assert "Batch size  16 (3 steps per epoch)" in text
    assert "Memory" in text and "that are free" in text and "Epoch       about" in text
    assert "Before it" not in text
    assert not (project / "runs").exists()


def test_programs_get_json_and_nothing_else(
    run: Run, monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    monkeypatch.setattr(fit_module, "free_bytes", lambda _: 1000)
    result = run("estimate", project / "experiment.toml", "--json",
                 "--set", "training.batch_size=8")
    assert result.code == 0
    data = json.loads(result.out)
    assert data["fits"] is False and data["too_large"] is True and data["batch_size"] == 8
    assert "frozen" in data["hint"] and data["memory_bytes"] > data["free_bytes"] == 1000


def test_what_does_not_fit_is_said_first_with_what_to_take_instead(
    run: Run, monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    monkeypatch.setattr(fit_module, "free_bytes", lambda _: 1000)
    result = run("estimate", project / "experiment.toml")
    assert result.code == 0
    text = result.out
    assert text.startswith("This training needs about") and "Not even one sample" in text
    assert "Epoch" not in text


def test_a_published_model_that_is_not_here_is_told_with_the_remedy(
    run: Run, project: Path
) -> None:
    result = run("estimate", project / "experiment.toml", "--set",
                 "inputs.words.encoder.name=pretrained_text")
    assert result.code == 1
    assert "mmstudio download" in result.err


def test_its_old_name_does_the_same_and_is_not_shown(run: Run, project: Path) -> None:
    assert run("fit", project / "experiment.toml", "--json", "--set", "training.batch_size=8"
               ).code == 0
    help_text = run("--help").out
    assert "estimate" in help_text and "  fit " not in help_text
    assert "fit" not in run("fi").err.split("Known:")[-1].replace("fi.", "")
