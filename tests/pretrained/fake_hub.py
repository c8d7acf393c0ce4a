"""A small web server that plays the Hugging Face hub, its file store, and a proxy."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

REVISION = "0123456789abcdef0123456789abcdef01234567"
MODEL = "someone/small-bert"
WEIGHTS = bytes(range(256)) * 4096
"""1 MiB: several chunks of a download."""


@dataclass
class Repo:
    """One model on the server.

    Attributes:
        files: Content per name.
        licence: As the card tells it.
        gated: Whether only a log-in with the right token may have the files.
        large: Names that are stored by their sha256, and served by another host.
    """

    files: dict[str, bytes]
    licence: str = "apache-2.0"
    gated: bool = False
    large: tuple[str, ...] = ("model.safetensors", "pytorch_model.bin")

    def listing(self, model: str) -> dict[str, Any]:
        """What the hub's interface tells."""
        config = json.loads(self.files.get("config.json", b"{}"))
        return {
            "id": model, "sha": REVISION, "gated": "manual" if self.gated else False,
            "cardData": {"license": self.licence},
            "config": {k: v for k, v in config.items() if k in ("model_type", "auto_map")},
            "siblings": [self._sibling(name, data) for name, data in self.files.items()],
        }

    def _sibling(self, name: str, data: bytes) -> dict[str, Any]:
        told: dict[str, Any] = {"rfilename": name, "size": len(data),
                                "blobId": git_hash(data)}
        if name in self.large:
            told["lfs"] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        return told


def git_hash(data: bytes) -> str:
    """How git names a file."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def small_repo(model_type: str = "bert") -> Repo:
    """A model's files, with much beside it that is not wanted."""
    return Repo({
        "config.json": json.dumps({"model_type": model_type, "hidden_size": 8}).encode(),
        "tokenizer.json": b'{"version": "1.0"}',
        "vocab.txt": b"[PAD]\n",
        "model.safetensors": WEIGHTS,
        "pytorch_model.bin": b"a pickle",
        "tf_model.h5": b"another framework's",
        "onnx/model.onnx": b"another format's",
        "modeling_own.py": b"raise SystemExit",
        "README.md": b"# words",
    })


@dataclass
class FakeHub:
    """The server, and how it misbehaves.

    Attributes:
        repos: The models by id.
        files: Other addresses' content, such as torchvision's files.
        token: What a log-in must be.
        fail: Per path the status to refuse with.
        cut_after: Bytes after which the connection breaks, once for each entry.
        stall_after: Bytes after which nothing more arrives until `release` is set.
        altered: Paths whose content is changed on the way.
        no_ranges: Whether parts of a file can't be asked for.
        open_proxy: Whether it answers in the place of any other server.
        seen: The requests: path, range, log-in.
        folder: Where the test's downloads go.
    """

    repos: dict[str, Repo] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    token: str = "right"
    fail: dict[str, int] = field(default_factory=dict)
    cut_after: list[int] = field(default_factory=list)
    stall_after: int | None = None
    altered: set[str] = field(default_factory=set)
    no_ranges: bool = False
    open_proxy: bool = False
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    folder: str = ""
    release: threading.Event = field(default_factory=threading.Event)
    stalled: threading.Event = field(default_factory=threading.Event)
    server: ThreadingHTTPServer = field(init=False)

    def __post_init__(self) -> None:
        class Handler(_Handler):
            hub = self

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def url(self) -> str:
        """The hub's address."""
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def store_url(self) -> str:
        """The file store's address: the same server by another host's name."""
        return f"http://localhost:{self.server.server_port}"

    def asked(self, end: str) -> list[tuple[str, str, str]]:
        """The requests for paths that end so."""
        return [request for request in self.seen if request[0].endswith(end)]

    def close(self) -> None:
        """End the server and all its threads."""
        self.release.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.hub.seen.append((path, self.headers.get("Range", ""),
                              self.headers.get("Authorization", "")))
        if status := self.hub.fail.get(path):
            return self._refuse(status, {})
        if path.startswith("http:"):
            if not self.hub.open_proxy:
                return self._refuse(407, {"Proxy-Authenticate": "Basic"})
            path = urlsplit(path).path
        if path.startswith("/api/models/"):
            return self._list(path.removeprefix("/api/models/"))
        if "/resolve/" in path:
            return self._resolve(path)
        content = self.hub.files.get(path)
        return self._refuse(404, {}) if content is None else self._give(path, content)

    def _list(self, model: str) -> None:
        if self.headers.get("Authorization", "") not in ("", f"Bearer {self.hub.token}"):
            return self._refuse(
                401, {"X-Error-Message": "Invalid credentials in Authorization header"})
        repo = self.hub.repos.get(model)
        if repo is None:
            return self._refuse(401, {"X-Error-Code": "RepoNotFound"})
        return self._give("", json.dumps(repo.listing(model)).encode())

    def _resolve(self, path: str) -> None:
        model, _, rest = path[1:].partition("/resolve/")
        name = rest.partition("/")[2]
        repo = self.hub.repos[model]
        if repo.gated and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            status = 403 if self.headers.get("Authorization") else 401
            return self._refuse(status, {"X-Error-Code": "GatedRepo"})
        if name in repo.large:
            self.hub.files[f"/store/{model}/{name}"] = repo.files[name]
            return self._refuse(302, {"Location": f"{self.hub.store_url}/store/{model}/{name}"})
        return self._give(path, repo.files[name])

    def _refuse(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _give(self, path: str, content: bytes) -> None:
        if path in self.hub.altered:
            content = content[:-1] + bytes([content[-1] ^ 1])
        begin = 0
        if (asked := self.headers.get("Range")) and not self.hub.no_ranges:
            begin = int(asked.removeprefix("bytes=").removesuffix("-"))
        if begin and begin >= len(content):
            return self._refuse(416, {})
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        if self.command != "HEAD":
            self._send(path, content[begin:])

    def _send(self, path: str, content: bytes) -> None:
        hub = self.hub
        if path and hub.cut_after and len(content) > hub.cut_after[0]:
            self.wfile.write(content[: hub.cut_after.pop(0)])
            self.close_connection = True
        elif path and hub.stall_after is not None and len(content) > hub.stall_after:
            self.wfile.write(content[: hub.stall_after])
            self.wfile.flush()
            hub.stalled.set()
            hub.release.wait(30)
            self.close_connection = True
        else:
            self.wfile.write(content)
