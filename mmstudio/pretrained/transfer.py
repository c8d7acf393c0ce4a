"""One file over the network: resumed where it was left, stopped within a moment, and checked.

The connection is read by a thread of its own, so that whoever iterates can stop while it is being
made or while nothing arrives. huggingface_hub's own download would not do: that of version 2.4
throws away what has arrived of a file when it is interrupted.
"""

from __future__ import annotations

import hashlib
import queue
import socket
import ssl
import threading
import urllib.request
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPMessage, HTTPResponse, IncompleteRead
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

from mmstudio.pretrained import failures
from mmstudio.pretrained.proxies import proxies
from mmstudio.version import __version__

TIMEOUT_S = 10.0
"""The longest wait for a connection, and for more of a file."""
POLL_S = 0.1
"""So often it is asked whether to stop."""
CHUNK_BYTES = 1 << 18
AHEAD = 8
"""Chunks that may wait to be written."""
RETRIES = 3
"""Connections in a row that may break before anything new arrives."""

ShouldStop = Callable[[], bool]


@dataclass(frozen=True)
class Wanted:
    """A file to fetch.

    Attributes:
        model: The model that it belongs to, for messages.
        name: Its name there.
        url: Its address.
        bytes: Its size.
        digest: Its sha256, the beginning of that, or git's sha1 of it (``kind`` tells); hex.
        kind: ``sha256`` or ``git``.
        token: What to log in with at that address; "" for nothing.
    """

    model: str
    name: str
    url: str
    bytes: int
    digest: str
    kind: str = "sha256"
    token: str = field(default="", repr=False)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Keeps the token at its own host: what stores the files must never see it."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str,
        headers: HTTPMessage, newurl: str,
    ) -> urllib.request.Request | None:
        new = super().redirect_request(req, fp, code, msg, headers, newurl)
        token = req.get_header("Authorization")
        if new is not None and token and _same_server(req.full_url, newurl):
            new.add_unredirected_header("Authorization", token)
        return new


def _same_server(before: str, after: str) -> bool:
    """Whether an address is at the same host and port, and no less safe to send a token to."""
    old, new = urlsplit(before), urlsplit(after)
    return new.netloc == old.netloc and new.scheme in (old.scheme, "https")


def request_for(url: str, token: str = "", begin: int = 0) -> urllib.request.Request:
    """A request for an address, from a byte on."""
    request = urllib.request.Request(url)
    request.add_header("User-Agent", f"mmstudio/{__version__}")
    if begin:
        request.add_header("Range", f"bytes={begin}-")
    if token:
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    return request


class _Reading(threading.Thread):
    """Reads an address and hands over its head and then its content, chunk by chunk."""

    def __init__(self, request: urllib.request.Request) -> None:
        super().__init__(name="mmstudio-download", daemon=True)
        self.parts: queue.Queue[Any] = queue.Queue(AHEAD)
        self._request = request
        self._given_up = threading.Event()
        self._lock = threading.Lock()
        self._wire: socket.socket | None = None

    def run(self) -> None:
        """Read until the end, an error, or nobody wants it any more."""
        try:
            opener = urllib.request.build_opener(
                _Redirects, urllib.request.ProxyHandler(proxies()),
                urllib.request.HTTPSHandler(context=ssl.create_default_context()))
            with opener.open(self._request, timeout=TIMEOUT_S) as response:
                self._hold(response)
                self._hand_over(response)
                expected = response.length
                while not self._given_up.is_set() and (chunk := response.read1(CHUNK_BYTES)):
                    self._hand_over(chunk)
                    expected = None if expected is None else expected - len(chunk)
            if expected and not self._given_up.is_set():
                # read1 takes a connection that was cut for the end of the file
                raise IncompleteRead(b"", expected)
            self._hand_over(None)
        except Exception as error:
            self._hand_over(error)

    def _hand_over(self, part: Any) -> None:
        while not self._given_up.is_set():
            with suppress(queue.Full):
                self.parts.put(part, timeout=POLL_S)
                return
        if isinstance(part, HTTPError):
            part.close()

    def _hold(self, response: HTTPResponse) -> None:
        """Keep a handle of the connection, by which another thread can cut it."""
        with self._lock:
            if not (self._given_up.is_set() or response.isclosed()):
                self._wire = socket.fromfd(
                    response.fileno(), socket.AF_INET, socket.SOCK_STREAM)

    def give_up(self) -> None:
        """End soon, also where it waits for the network."""
        with self._lock:
            self._given_up.set()
            if self._wire is not None:
                with suppress(OSError):  # it has ended by itself
                    self._wire.shutdown(socket.SHUT_RDWR)
                self._wire.close()


class Broken(Exception):
    """The network failed.

    Attributes:
        cause: The network's own error.
        begun: Whether the server had answered before.
    """

    def __init__(self, cause: Exception, begun: bool) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.begun = begun


def read(request: urllib.request.Request, should_stop: ShouldStop) -> Generator[Any]:
    """The response and then the content of an address.

    Yields:
        The HTTPResponse (for its status and headers only), then bytes. Ends early where it is to
        stop.

    Raises:
        HTTPError: The server, or a proxy, refuses.
        Broken: The network fails.
    """
    reading = _Reading(request)
    reading.start()
    begun = False
    try:
        while not should_stop():
            try:
                part = reading.parts.get(timeout=POLL_S)
            except queue.Empty:
                continue
            if part is None:
                return
            if isinstance(part, HTTPError):
                raise part
            if isinstance(part, Exception):
                raise Broken(part, begun)
            begun = True
            yield part
    finally:
        reading.give_up()


def read_text(request: urllib.request.Request, should_stop: ShouldStop) -> str | None:
    """The content of a small address as text; None where it was to stop."""
    parts = [part for part in read(request, should_stop) if isinstance(part, bytes)]
    return None if should_stop() else b"".join(parts).decode("utf-8")


def fetch(wanted: Wanted, part: Path, should_stop: ShouldStop) -> Generator[int, None, bool]:
    """Fetch a file into ``part``, going on from what is there of it.

    Yields:
        How many bytes of it have arrived. Ends early where it is to stop: what has arrived stays.

    Returns:
        Whether it is whole, and is what was published.

    Raises:
        UserError: The network, the server, or a file that is not what was published: that one is
            removed.
        OSError: It can't be written.
    """
    tries = 0
    while (begin := _size(part)) < wanted.bytes and not should_stop():
        cause = None
        try:
            yield from _receive(wanted, part, begin, should_stop)
        except HTTPError as error:
            if error.code != 416:
                raise failures.refused(wanted.model, error) from None
            error.close()
        except Broken as error:
            if not error.begun and not begin:
                raise failures.unreachable(wanted.model, wanted.url, error.cause) from None
            cause = error.cause
            if not error.begun:
                tries = RETRIES
        tries = 0 if _size(part) > begin else tries + 1
        if tries >= RETRIES and not should_stop():
            raise failures.broken(wanted.model, _size(part), wanted.bytes, cause)
    return not should_stop() and _check(wanted, part, should_stop)


def _receive(
    wanted: Wanted, part: Path, begin: int, should_stop: ShouldStop
) -> Iterator[int]:
    """Append what arrives over one connection."""
    parts = read(request_for(wanted.url, wanted.token, begin), should_stop)
    response = next(parts, None)
    if response is None:
        return
    resumed = response.status == 206
    done = begin if resumed else 0
    part.parent.mkdir(parents=True, exist_ok=True)
    with closing(parts), part.open("ab" if resumed else "wb") as file:
        for chunk in parts:
            file.write(chunk)
            done += len(chunk)
            yield done
            if done > wanted.bytes:
                return


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _check(wanted: Wanted, part: Path, should_stop: ShouldStop) -> bool:
    """Compare size and hash with the published ones; what differs is removed.

    Returns:
        Whether they are the same; False where it was to stop meanwhile.
    """
    size = _size(part)
    digest = hashlib.sha256()
    if wanted.kind == "git":  # as git names a file: by its size and content
        digest = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    if not size and not part.exists():
        part.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
    with part.open("rb") as file:
        while chunk := file.read(1 << 20):
            if should_stop():
                return False
            digest.update(chunk)
    if size == wanted.bytes and digest.hexdigest().startswith(wanted.digest.lower()):
        return True
    why = "its hash is not the published one"
    if size != wanted.bytes:
        why = f"{size:,} bytes instead of {wanted.bytes:,}"
    part.unlink()
    raise failures.damaged(wanted.model, wanted.name, why)
