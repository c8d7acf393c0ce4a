"""Downloads from a hub on this machine: what is fetched, how it goes on, and how it fails."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPMessage
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from mmstudio.errors import UserError
from mmstudio.pretrained import download as downloading
from mmstudio.pretrained import failures, hub_cache, transfer
from mmstudio.pretrained.download import Progress, download, planned
from mmstudio.pretrained.source import find, on_disk
from tests.pretrained.fake_hub import MODEL, REVISION, WEIGHTS, FakeHub, Repo, small_repo

TAKEN = ["config.json", "tokenizer.json", "model.safetensors"]
SIZE = len(WEIGHTS)
pytestmark = pytest.mark.usefixtures("no_starter")


def refused(*parts: str) -> Any:
    """Expect a message for the user that holds these words; shows it whole."""

    @contextmanager
    def expecting() -> Iterator[None]:
        with pytest.raises(UserError) as caught:
            yield
        said = str(caught.value)
        print(f"\n{caught.value.message}\n    {caught.value.hint}")
        for part in parts:
            assert part in said
        assert caught.value.hint

    return expecting()


def part_of(model: str = MODEL) -> Path:
    """The one file that is not whole yet."""
    (part,) = (hub_cache.model_dir(model) / "blobs").glob("*.incomplete")
    return part


# What is fetched -----------------------------------------------------------------------------


def test_a_plan_tells_size_licence_and_kind_and_fetches_nothing(hub: FakeHub) -> None:
    plan = planned(MODEL)

    assert [file.name for file in plan.files] == TAKEN
    assert plan.bytes == sum(len(hub.repos[MODEL].files[name]) for name in TAKEN)
    assert plan.present_bytes == 0
    assert (plan.licence, plan.gated, plan.kinds) == ("apache-2.0", False, {"text"})
    assert not hub_cache.hub_dir().exists()
    assert len(hub.seen) == 1


def test_only_what_is_needed_is_fetched_and_then_found(hub: FakeHub) -> None:
    steps = list(download(MODEL))

    source = find(MODEL, "text")
    assert sorted(p.name for p in source.folder.iterdir()) == sorted(TAKEN)
    assert source.weights[0].read_bytes() == WEIGHTS
    assert source.revision == REVISION
    assert on_disk("text") == [MODEL]
    assert on_disk("image") == []
    totals = {step.total for step in steps[1:]}
    assert totals == {steps[-1].done}, "the bar ends full, and its end does not move"
    assert [s.done for s in steps] == sorted(s.done for s in steps)


def test_transformers_own_cache_is_the_same(hub: FakeHub) -> None:
    from huggingface_hub import scan_cache_dir, try_to_load_from_cache

    list(download(MODEL))

    path = try_to_load_from_cache(MODEL, "model.safetensors", cache_dir=hub_cache.hub_dir())
    assert isinstance(path, str)
    assert Path(path).read_bytes() == WEIGHTS
    scanned = scan_cache_dir(hub_cache.hub_dir())
    assert [repo.repo_id for repo in scanned.repos] == [MODEL]
    assert not scanned.warnings


def test_a_second_download_fetches_nothing(hub: FakeHub) -> None:
    list(download(MODEL))
    asked = len(hub.seen)

    assert planned(MODEL).present_bytes == planned(MODEL).bytes
    steps = list(download(MODEL))

    assert all(path.startswith("/api/") for path, *_ in hub.seen[asked:])
    assert steps[-1].done == steps[-1].total


def test_weights_in_parts_are_fetched_with_their_list(hub: FakeHub) -> None:
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    parts = {"model-1.safetensors": b"one", "model-2.safetensors": b"two"}
    repo = small_repo()
    del repo.files["model.safetensors"]
    repo.files |= parts | {"model.safetensors.index.json": json.dumps(index).encode()}
    hub.repos[MODEL] = repo

    list(download(MODEL))

    assert [p.read_bytes() for p in find(MODEL).weights] == [b"one", b"two"]


def test_a_pickle_is_only_taken_where_there_is_nothing_else(hub: FakeHub) -> None:
    del hub.repos[MODEL].files["model.safetensors"]

    list(download(MODEL))

    assert [p.name for p in find(MODEL).weights] == ["pytorch_model.bin"]


def test_the_address_that_a_browser_shows_names_a_model_too(hub: FakeHub) -> None:
    assert planned(f"https://huggingface.co/{MODEL}/tree/main").model == MODEL


def test_an_update_leaves_the_old_version_until_the_new_one_is_whole(hub: FakeHub) -> None:
    list(download(MODEL))
    old = hub_cache.model_dir(MODEL) / "snapshots" / REVISION
    older = old.rename(old.with_name("f" * 40))
    hub_cache.set_revision(MODEL, older.name)
    hub.repos[MODEL].files["model.safetensors"] = WEIGHTS[::-1]
    hub.cut_after = [1000] * 9

    steps = download(MODEL, lambda: bool(hub.asked("model.safetensors")))
    list(steps)

    assert find(MODEL).revision == older.name
    hub.cut_after = []
    list(download(MODEL))
    assert find(MODEL).revision == REVISION


# Stopping and going on -------------------------------------------------------------------------


def test_it_stops_at_once_while_nothing_arrives_and_goes_on_later(hub: FakeHub) -> None:
    hub.stall_after = SIZE // 4
    since = 0.0

    def stop() -> bool:
        nonlocal since
        # the server may have sent it all before the file is begun
        begun = (hub_cache.model_dir(MODEL) / "blobs").glob("*.incomplete")
        if hub.stalled.is_set() and any(p.stat().st_size == SIZE // 4 for p in begun):
            since = since or time.monotonic()
            return True
        return False

    steps = download(MODEL, stop)
    # the part is written through only when its file is closed or a chunk is large
    transfer_steps = list(steps)
    assert transfer_steps[-1].done < transfer_steps[-1].total
    assert time.monotonic() - since < 1.0
    assert part_of().stat().st_size == SIZE // 4
    with refused("is only partly on this disk", f"mmstudio download {MODEL}"):
        find(MODEL)

    hub.stall_after = None
    hub.release.set()
    assert planned(MODEL).present_bytes > SIZE // 4
    list(download(MODEL))
    assert find(MODEL).weights[0].read_bytes() == WEIGHTS
    assert hub.asked("/store/someone/small-bert/model.safetensors")[-1][1] == f"bytes={SIZE // 4}-"


def test_it_stops_before_the_server_has_answered(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HF_ENDPOINT", "http://{}:{}".format(*silent.getsockname()))
        begin = time.monotonic()
        steps = list(download(MODEL, lambda: time.monotonic() - begin > 0.3))
        assert time.monotonic() - begin < 1.3
    assert [step.total for step in steps] == [0]


def test_what_is_not_checked_yet_is_not_taken_for_whole(hub: FakeHub) -> None:
    asked = 0

    def stop() -> bool:
        """True once, while the hash of the whole file is being taken."""
        nonlocal asked
        parts = list((hub_cache.model_dir(MODEL) / "blobs").glob("*.incomplete"))
        asked += bool(parts) and parts[0].stat().st_size == SIZE
        return asked == 2

    list(download(MODEL, stop))
    assert asked >= 2
    assert part_of().stat().st_size == SIZE

    list(download(MODEL))
    assert find(MODEL)


def test_a_connection_that_breaks_is_taken_up_again(hub: FakeHub) -> None:
    hub.cut_after = [300_000, 400_000]

    list(download(MODEL))

    asked = [r for _, r, _ in hub.asked("/store/someone/small-bert/model.safetensors")]
    assert asked == ["", "bytes=300000-", "bytes=700000-"]
    assert find(MODEL).weights[0].read_bytes() == WEIGHTS


def test_a_server_that_gives_no_parts_of_files_is_asked_from_the_start(hub: FakeHub) -> None:
    hub.cut_after = [300_000]
    hub.no_ranges = True

    list(download(MODEL))

    assert find(MODEL).weights[0].read_bytes() == WEIGHTS


def test_a_connection_that_always_breaks_says_what_is_kept(hub: FakeHub) -> None:
    hub.cut_after = [300_000, 0, 0, 0, 0]

    with refused("The connection broke", "300 KB of 1 MB", "start the download again"):
        list(download(MODEL))

    assert part_of().stat().st_size == 300_000


def test_a_damaged_file_is_thrown_away_and_said_so(hub: FakeHub) -> None:
    hub.altered = {f"/store/{MODEL}/model.safetensors"}

    with refused("'model.safetensors'", "arrived damaged", "thrown away",
                 "Start the download again"):
        list(download(MODEL))

    assert not list((hub_cache.model_dir(MODEL) / "blobs").glob("*.incomplete"))
    hub.altered = set()
    list(download(MODEL))
    assert find(MODEL)


def test_what_another_program_left_that_does_not_fit_is_thrown_away(hub: FakeHub) -> None:
    plan = planned(MODEL)
    weights = plan.files[-1]
    weights.part.parent.mkdir(parents=True)
    weights.part.write_bytes(b"x" * (SIZE + 1))

    with refused("arrived damaged", "bytes instead of"):
        list(download(MODEL))

    list(download(MODEL))
    assert find(MODEL).weights[0].read_bytes() == WEIGHTS


def test_two_programs_do_not_fetch_the_same_model_at_once(hub: FakeHub) -> None:
    first = download(MODEL)
    while next(first).done == 0:
        pass

    with refused("is being downloaded by another program"):
        list(download(MODEL))

    first.close()
    list(download(MODEL))
    assert find(MODEL)


# What a user meets -----------------------------------------------------------------------------


def test_no_network_says_so_and_lists_what_is_here(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(download(MODEL))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://localhost:{port}")

    with refused("'microsoft/resnet-18' can't be downloaded", f"localhost:{port} does not answer",
                 "Connection refused", "HF_ENDPOINT", f"On this disk: {MODEL}."):
        list(download("microsoft/resnet-18"))


def test_a_server_that_says_nothing_times_out(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HF_ENDPOINT", "http://{}:{}".format(*silent.getsockname()))
        with refused("does not answer (timed out)"):
            planned(MODEL)


def test_a_mistyped_name_is_told_with_the_nearest(hub: FakeHub) -> None:
    with refused("There is no model 'microsoft/resnet18'", "Did you mean 'microsoft/resnet-18'?",
                 "hf auth login"):
        planned("microsoft/resnet18")
    with refused("There is no model 'bert-base-uncasd'",
                 "Did you mean 'google-bert/bert-base-uncased'?"):
        planned("bert-base-uncasd")


def test_a_gated_model_says_where_to_ask_and_how_to_log_in(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repos[MODEL].gated = True
    assert planned(MODEL).gated

    with refused("gated", "(401)", f"https://huggingface.co/{MODEL}", "hf auth login", "HF_TOKEN"):
        list(download(MODEL))

    monkeypatch.setenv("HF_TOKEN", "wrong")
    with refused("does not accept your token"):
        list(download(MODEL))

    monkeypatch.setenv("HF_TOKEN", "right")
    list(download(MODEL))
    assert find(MODEL)
    assert hub.asked(f"/store/{MODEL}/model.safetensors")[-1][2] == "", "the store got the token"


@pytest.mark.parametrize(("newurl", "kept"), [
    ("https://127.0.0.1/b", True), ("http://127.0.0.1/b", False),
    ("https://localhost/b", False), ("https://127.0.0.1:8443/b", False)])
def test_a_log_in_stays_at_its_server_and_is_never_sent_in_the_open(
    newurl: str, kept: bool
) -> None:
    asked = transfer.request_for("https://127.0.0.1/a", "secret")
    sent = transfer._Redirects().redirect_request(
        asked, io.BytesIO(), 302, "Found", HTTPMessage(), newurl)

    assert sent is not None
    assert (sent.get_header("Authorization") == "Bearer secret") is kept


@pytest.mark.parametrize("revision", ["..", ".", "../../other", "a/b", "", "C:"])
def test_a_version_whose_name_leads_elsewhere_is_refused(revision: str, hub: FakeHub) -> None:
    wanted = transfer.Wanted(MODEL, "config.json", hub.url, 1, "0" * 40, "git")

    with refused("can't be understood"):
        downloading._hub_file(hub_cache.model_dir(MODEL), revision, wanted)


def test_a_look_at_the_network_ends_when_it_is_to_stop(hub: FakeHub) -> None:
    with refused("was stopped"):
        planned(MODEL, should_stop=lambda: True)


def test_a_log_in_without_the_publishers_leave_is_gated_too(hub: FakeHub) -> None:
    hub.fail[f"/{MODEL}/resolve/{REVISION}/config.json"] = 403

    with refused("gated", "(403)"):
        list(download(MODEL))


def test_a_disk_without_room_is_told_before_anything_is_fetched(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(downloading.shutil, "disk_usage", lambda _: usage)

    with refused("needs 1 MB more on the disk", "only 1 KB are free", "HF_HOME"):
        list(download(MODEL))

    assert not hub.asked("model.safetensors")


class _FullDisk:
    """A file of which only the first bytes fit on the disk."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __enter__(self) -> _FullDisk:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: bytes) -> int:
        if self._file.tell() > SIZE // 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._file.write(data)


def test_a_disk_that_becomes_full_keeps_what_has_arrived(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[..., Any] = Path.open
    monkeypatch.setattr(
        Path, "open", lambda path, mode="r", *rest, **more: _FullDisk(real(path, mode))
        if mode in ("wb", "ab") and path.name.endswith(".incomplete")
        else real(path, mode, *rest, **more))

    with refused("The disk became full", "is kept", "start the download again", "HF_HOME"):
        list(download(MODEL))

    monkeypatch.undo()
    assert SIZE // 4 < part_of_any(hub).stat().st_size < SIZE


def part_of_any(hub: FakeHub) -> Path:
    """The part in the hub's folder that this test used before its variables were set back."""
    (part,) = Path(hub.folder).rglob("*.incomplete")
    return part


def test_a_folder_that_can_t_be_written_is_named(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "file" / "hub"))

    with refused("can't be written to", "HF_HOME"):
        list(download(MODEL))


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline_mode_is_kept_and_lists_what_is_here(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    list(download(MODEL))
    hub.seen.clear()
    monkeypatch.setenv(variable, "1")

    with refused(f"{variable} is set", f"Unset {variable}", f"On this disk: {MODEL}."):
        list(download("microsoft/resnet-18"))

    assert find(MODEL)
    assert not hub.seen


def test_a_proxy_is_asked_in_place_of_the_hub(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.open_proxy = True
    monkeypatch.setenv("HTTP_PROXY", hub.url)
    monkeypatch.setenv("HF_ENDPOINT", "http://example.org")

    list(download(MODEL))

    assert find(MODEL).weights[0].read_bytes() == WEIGHTS
    assert hub.seen[0][0].startswith("http://example.org/api/")


def test_a_proxy_that_refuses_is_named(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", hub.url)
    monkeypatch.setenv("HF_ENDPOINT", "http://example.org")

    with refused("The proxy refuses the connection (407 Proxy Authentication Required)",
                 "NAME:PASSWORD@HOST:PORT"):
        planned(MODEL)


def test_a_proxy_that_refuses_a_safe_connection_is_named(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", hub.url)
    monkeypatch.setenv("HF_ENDPOINT", "https://example.org")

    with refused("The proxy refuses the connection", "HTTPS_PROXY"):
        planned(MODEL)


def test_a_proxy_that_is_not_there_is_named_without_its_password(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("HTTP_PROXY", f"http://{'me:secret'}@localhost:{port}")
    monkeypatch.setenv("HF_ENDPOINT", "http://example.org")

    with pytest.raises(UserError, match=f"the proxy localhost:{port}") as caught:
        planned(MODEL)
    assert "secret" not in str(caught.value)
    assert "HTTP_PROXY" in caught.value.hint


def test_one_proxy_for_all_is_asked_but_not_a_socks_proxy(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://example.org")
    monkeypatch.setenv("ALL_PROXY", hub.url)
    with refused("The proxy refuses the connection (407"):
        planned(MODEL)

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("ALL_PROXY", f"socks5://localhost:{port}")
    with refused(f"the proxy localhost:{port}", "ALL_PROXY names a SOCKS proxy"):
        planned(MODEL)


def test_a_host_that_needs_no_proxy_is_asked_without(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://localhost:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    assert planned(MODEL).kinds == {"text"}


def test_a_connection_that_is_not_safe_says_what_to_name() -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    with refused("example.org is not safe: self-signed certificate.", "SSL_CERT_FILE"):
        raise failures.unreachable(MODEL, "https://example.org/x", URLError(error))


def test_a_busy_server_is_told(hub: FakeHub) -> None:
    hub.fail[f"/api/models/{MODEL}"] = 503
    with refused("is busy or down (503)", "Try again"):
        planned(MODEL)


def test_an_answer_that_is_no_answer_is_told(hub: FakeHub) -> None:
    hub.files["/api"] = b""
    hub.repos[MODEL].listing = lambda _: "log in to this hotel's network"  # type: ignore[method-assign, return-value, assignment]
    with refused("can't be understood", "HF_ENDPOINT"):
        planned(MODEL)


def test_a_model_of_another_kind_is_refused_before_it_is_fetched(hub: FakeHub) -> None:
    with refused(f"The model '{MODEL}' reads texts, not pictures.",
                 "such as facebook/dinov2-small"):
        planned(MODEL, "image")


def test_a_model_that_brings_code_is_refused_before_it_is_fetched(hub: FakeHub) -> None:
    hub.repos[MODEL].files["config.json"] = json.dumps(
        {"model_type": "own", "auto_map": {"AutoModel": "modeling_own.Own"}}).encode()
    with refused("needs program code from its own repository", "never run here"):
        list(download(MODEL))


def test_a_model_without_weights_for_pytorch_is_refused(hub: FakeHub) -> None:
    hub.repos["someone/onnx"] = Repo({"config.json": b"{}", "model.onnx": b"x"})
    hub.repos["someone/timm"] = Repo({"model.safetensors": b"x"})
    with refused("holds no weights for PyTorch"):
        planned("someone/onnx")
    with refused("holds no config.json"):
        planned("someone/timm")


def test_a_folder_is_not_downloaded(hub: FakeHub, tmp_path: Path) -> None:
    with refused("is a folder or file", "owner/name"):
        planned(str(tmp_path))


# torchvision ---------------------------------------------------------------------------------


@pytest.fixture
def published(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of a file that the server publishes as torchvision's ResNet-18."""
    import hashlib

    from mmstudio.pretrained import torchvision_addresses

    name = f"resnet18-{hashlib.sha256(WEIGHTS).hexdigest()[:8]}.pth"
    monkeypatch.setitem(torchvision_addresses.FILES, "resnet18", name)
    hub.files[f"/models/{name}"] = WEIGHTS
    return f"/models/{name}"


def test_torchvisions_file_is_fetched_resumed_and_found(hub: FakeHub, published: str) -> None:
    hub.cut_after = [300_000]
    plan = planned("torchvision/resnet18", "image")
    assert (plan.bytes, plan.licence, plan.kinds) == (SIZE, "BSD-3-Clause", {"image"})

    last = list(download("torchvision/resnet18"))[-1]

    assert last == Progress("torchvision/resnet18 is here", SIZE, SIZE)
    source = find("torchvision/resnet18", "image")
    assert source.weights[0].read_bytes() == WEIGHTS
    assert source.config["architectures"] == ["resnet18"]
    assert [r for _, r, _ in hub.asked(".pth")] == ["", "", "", "bytes=300000-"]
    assert on_disk() == ["torchvision/resnet18"]


def test_torchvisions_file_with_another_hash_is_thrown_away(
    hub: FakeHub, published: str
) -> None:
    hub.altered = {published}
    with refused("arrived damaged", "hash"):
        list(download("torchvision/resnet18"))
    with refused("is not on this disk"):
        find("torchvision/resnet18")


def test_torchvisions_own_download_is_used(
    hub: FakeHub, published: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    theirs = tmp_path / "torch" / "hub" / "checkpoints" / Path(published).name
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(WEIGHTS)

    assert find("torchvision/resnet18").weights == (theirs,)
    assert planned("torchvision/resnet18").present_bytes == SIZE
