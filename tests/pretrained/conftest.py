"""A hub on this machine, and models to put on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mmstudio.pretrained import starter
from tests.pretrained.fake_hub import MODEL, FakeHub, small_repo

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    """The hub that `HF_ENDPOINT` names, with one model; nobody is logged in."""
    for variable in PROXIES:
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.lower(), raising=False)
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    import huggingface_hub.constants

    # read when the library was imported, which may have been under another test's folders
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    server = FakeHub({MODEL: small_repo()}, folder=str(tmp_path / "hub"))
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("MMSTUDIO_TORCHVISION", f"{server.url}/models")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    yield server
    server.close()


@pytest.fixture
def no_starter(monkeypatch: pytest.MonkeyPatch) -> None:
    """The starter pack is not installed."""
    monkeypatch.setattr(starter, "package_folder", lambda _: None)
