"""Models to and from the hub, which is a folder here."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from typer.testing import CliRunner

from mmstudio.cli import app
from mmstudio.errors import UserError
from mmstudio.export import sharing
from mmstudio.export.shipped import predict


def make_exported(folder: Path, samples: str = "made up") -> Path:
    """A folder as an export writes it, of a model of one table that takes a moment to make."""
    (folder / "selftest").mkdir(parents=True)
    schema = {
        "format": 1, "run": "first", "samples": samples, "present": "present",
        "embedding": "embedding", "inputs": {"cells": {
            "modality": "tabular", "column": "cells", "tensors": {"values": "cells"},
            "columns": [{"name": "age", "kind": "category", "words": ["1"]}]}},
        "targets": {"kind": {"task": "classification", "output": "scores", "classes": ["a", "b"]}}}
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", ["cells", "axes"], ["embedding"], keepdims=0),
         helper.make_node("Cast", ["present"], ["there"], to=TensorProto.FLOAT),
         helper.make_node("Concat", ["there", "there"], ["both"], axis=1),
         helper.make_node("Softmax", ["both"], ["scores"])], "model",
        [helper.make_tensor_value_info("cells", TensorProto.FLOAT, ["batch", 1, 4]),
         helper.make_tensor_value_info("present", TensorProto.BOOL, ["batch", 1])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 2]),
         helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor("axes", TensorProto.INT64, [1], [1])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {"mmstudio": json.dumps(schema)})
    onnx.save(model, str(folder / "model.onnx"))
    answers = {"samples": [{"inputs": {"cells": {"content": {"age": "1"}}}, "answers": [
        {"inputs": ["cells"], "outputs": {"kind": [0.5, 0.5]}, "labels": {}}]}]}
    for name, text in {
        "schema.json": json.dumps(schema), "README.md": "# first\n\nA model.\n",
        "selftest/answers.json": json.dumps(answers), "selftest/secret.env": "x",
        "requirements.txt": "numpy\n", "Dockerfile": "FROM x\n", "notes.txt": "of mine",
        "weights.pkl": "x",
    }.items():
        (folder / name).write_text(text, encoding="utf-8")
    for name in ("predict.py", "serve.py", "page.html"):
        shutil.copyfile(Path(predict.__file__).parent / name, folder / name)
    return folder


class Hub:
    """Keeps what it is sent in folders, and notes what is asked."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.asked: list[Any] = []
        self.public: set[str] = set()

    def create_repo(self, name: str, *, private: bool, exist_ok: bool, repo_type: str) -> str:
        self.asked.append(("create", name, private, exist_ok, repo_type))
        return f"https://example.org/{name}"

    def create_commit(
        self, name: str, operations: list[Any], *, commit_message: str, repo_type: str
    ) -> None:
        self.asked.append(("commit", name, commit_message))
        for one in operations:
            path = self.place / name / one.path_in_repo
            if isinstance(one, huggingface_hub.CommitOperationDelete):
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            held = one.path_or_fileobj
            path.write_bytes(held if isinstance(held, bytes) else Path(held).read_bytes())

    def repo_exists(self, name: str, *, repo_type: str) -> bool:
        return (self.place / name).is_dir()

    def model_info(self, name: str, *, files_metadata: bool = False) -> Any:
        folder = self.place / name
        if not folder.is_dir():
            raise RuntimeError("404 Client Error\nmore")
        return SimpleNamespace(sha="a" * 40, private=name not in self.public, siblings=[
            SimpleNamespace(rfilename=p.relative_to(folder).as_posix(), size=p.stat().st_size)
            for p in sorted(folder.rglob("*")) if p.is_file()])

    def download(self, name: str, file: str, *, revision: str, local_dir: Path) -> str:
        self.asked.append(("download", file, revision))
        place = Path(local_dir) / file
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.place / name / file, place)
        (Path(local_dir) / ".cache" / "huggingface").mkdir(parents=True, exist_ok=True)
        return str(place)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    found = Hub(tmp_path / "hub")
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: found)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "token")
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", found.download)
    return found


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    return make_exported(tmp_path / "exported")


TAKEN = {"README.md", "model.onnx", "schema.json", "selftest/answers.json"}
SENT = TAKEN | {"Dockerfile", "page.html", "predict.py", "requirements.txt", "serve.py"}


def test_nothing_is_sent_unless_told(hub: Hub, exported: Path) -> None:
    told = CliRunner().invoke(app, ["push", str(exported), "me/model", "--license", "mit"])
    assert told.exit_code == 0, told.output
    assert hub.asked == []
    assert "model.onnx" in told.output and "Nothing was sent" in told.output
    assert "license: mit" in told.output
    told = CliRunner().invoke(app, ["push", str(exported), "me/model", "--json"])
    data = json.loads(told.stdout)
    assert data["sent"] is False
    assert {file["name"] for file in data["files"]} == SENT


def test_what_is_sent_is_the_model_and_its_card_alone(hub: Hub, exported: Path) -> None:
    told = CliRunner().invoke(app, ["push", str(exported), "me/model", "--yes"])
    assert told.exit_code == 0, told.output
    assert hub.asked[0] == ("create", "me/model", True, True, "model")
    folder = hub.place / "me" / "model"
    assert {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} == SENT
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlibrary_name: onnx\ntags:\n- mmstudio\n")
    assert card.endswith("---\n\n# first\n\nA model.\n")
    assert (exported / "README.md").read_text(encoding="utf-8").startswith("# first")
    CliRunner().invoke(app, ["push", str(exported), "me/other", "--yes", "--public"])
    assert hub.asked[2][:3] == ("create", "me/other", False)


def test_samples_of_the_data_go_along_only_when_agreed(hub: Hub, tmp_path: Path) -> None:
    own = make_exported(tmp_path / "own", samples="of the data")
    with pytest.raises(UserError, match="samples of your data"):
        sharing.files_to_push(own)
    assert {f.name for f in sharing.files_to_push(own, include_samples=True)} == SENT
    (own / "schema.json").write_text("{}", encoding="utf-8")  # of a version that did not say
    with pytest.raises(UserError, match="samples of your data"):
        sharing.files_to_push(own)


def test_who_is_not_logged_in_is_told_how(
    hub: Hub, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    with pytest.raises(UserError, match="not logged in") as told:
        sharing.push(exported, "me/model", sharing.files_to_push(exported))
    assert "hf auth login" in told.value.hint
    assert hub.asked == []


@pytest.mark.parametrize("name", ["model", "me/a/b", "../x", "me/..", "file:/a/b", "me/mo del"])
def test_what_names_no_model_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="names no model"):
        sharing.check_name(name)


def test_a_model_is_fetched_and_tried(hub: Hub, exported: Path, tmp_path: Path) -> None:
    shutil.copytree(exported, hub.place / "me" / "model")
    (hub.place / "me" / "model" / "predict.py").write_text("raise SystemExit(9)")
    told = CliRunner().invoke(app, ["pull", "me/model", str(tmp_path / "new"), "--dry-run"])
    assert told.exit_code == 0, told.output
    assert "Not taken: " in told.output and "weights.pkl" in told.output
    assert hub.asked == [] and not (tmp_path / "new").exists()
    told = CliRunner().invoke(app, ["pull", "me/model", str(tmp_path / "new")])
    assert told.exit_code == 0, told.output
    assert "Its self-test agrees" in told.output
    assert {name for _, name, _ in hub.asked} == TAKEN
    new = tmp_path / "new"
    assert {p.relative_to(new).as_posix() for p in new.rglob("*") if p.is_file()} == SENT
    assert (new / "predict.py").read_bytes() == Path(predict.__file__).read_bytes()
    assert "onnxruntime" in (new / "requirements.txt").read_text(encoding="utf-8")
    found = predict.Model(new).answer({"cells": {"age": "1"}})
    np.testing.assert_allclose(list(found["tasks"]["kind"]["scores"].values()), 0.5)
    assert not list(tmp_path.glob(".*"))


def spoil_answers(folder: Path) -> None:
    told = json.loads((folder / "selftest" / "answers.json").read_text(encoding="utf-8"))
    told["samples"][0]["answers"][0]["outputs"]["kind"] = [0.9, 0.1]
    (folder / "selftest" / "answers.json").write_text(json.dumps(told), encoding="utf-8")


def ask_elsewhere(folder: Path) -> None:
    told = {"samples": [{"inputs": {"cells": {"file": "../../../secret.txt"}}, "answers": []}]}
    (folder / "selftest" / "answers.json").write_text(json.dumps(told), encoding="utf-8")


def no_model(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"nothing")


def too_large(folder: Path) -> None:
    with (folder / "schema.json").open("r+b") as file:
        file.truncate(sharing.MOST_SMALL + 1)


def without_schema(folder: Path) -> None:
    (folder / "schema.json").unlink()


@pytest.mark.parametrize(("spoil", "reason"), [
    (spoil_answers, "does not answer as its self-test says"), (ask_elsewhere, "files elsewhere"),
    (no_model, "can't be loaded|not a model"), (too_large, "too large for such a file"),
    (without_schema, "not a model that mmstudio exported")])
def test_what_is_not_sound_is_not_kept(
    spoil: Callable[[Path], None], reason: str, hub: Hub, exported: Path, tmp_path: Path
) -> None:
    folder = hub.place / "me" / "model"
    shutil.copytree(exported, folder)
    spoil(folder)
    with pytest.raises(UserError, match=reason):
        list(sharing.pull(sharing.listed("me/model"), tmp_path / "new"))
    assert not (tmp_path / "new").exists() and not list(tmp_path.glob(".*"))


def test_what_the_hub_refuses_is_told(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"The hub and 'me/none': 404 Client Error Look"):
        sharing.listed("me/none")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").write_text("x", encoding="utf-8")
    wanted = sharing.Listed("me/model", "a", (), ())
    with pytest.raises(UserError, match="already exists"):
        list(sharing.pull(wanted, tmp_path / "full"))


def test_what_an_earlier_version_held_of_the_data_goes(hub: Hub, exported: Path) -> None:
    for name in ("a.png", "b.opus", "c.jfif"):
        (exported / "selftest" / name).write_bytes(b"x")
    push = ["push", str(exported), "me/model", "--yes"]
    assert CliRunner().invoke(app, push).exit_code == 0
    there = hub.place / "me" / "model"
    assert sorted(p.name for p in (there / "selftest").iterdir()) == [
        "a.png", "answers.json", "b.opus", "c.jfif"]
    (there / "notes.txt").write_text("theirs")
    shutil.rmtree(exported)
    make_exported(exported)
    assert CliRunner().invoke(app, push).exit_code == 0
    assert [p.name for p in (there / "selftest").iterdir()] == ["answers.json"]
    assert (there / "notes.txt").is_file()


def test_a_model_that_everybody_sees_is_not_sent_to_unasked(hub: Hub, exported: Path) -> None:
    push = ["push", str(exported), "me/model", "--yes"]
    assert CliRunner().invoke(app, push).exit_code == 0
    hub.public.add("me/model")
    commits = len(hub.asked)
    told = CliRunner().invoke(app, push)
    assert isinstance(told.exception, UserError) and "everybody" in told.exception.message
    assert len(hub.asked) == commits
    assert CliRunner().invoke(app, [*push, "--public"]).exit_code == 0


def test_a_self_test_that_nobody_could_run_is_not_sent(exported: Path) -> None:
    answers = exported / "selftest" / "answers.json"
    data = json.loads(answers.read_text())
    data["samples"][0]["inputs"]["cells"] = {"file": "0.xyz"}
    answers.write_text(json.dumps(data))
    with pytest.raises(UserError, match=r"0\.xyz"):
        sharing.files_to_push(exported)
