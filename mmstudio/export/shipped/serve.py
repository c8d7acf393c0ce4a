"""An exported model over HTTP, by ``python serve.py --port 8000``.

``POST /predict`` takes one sample as a form, with a field per input, or as JSON with base64;
``GET /schema`` and ``/health`` tell about the model, ``/docs`` shows how to ask; ``--ui`` puts a
page at ``/`` to drop files into. Requests that wait are answered together. Content comes in the
request itself: no path and no address is ever opened. It needs fastapi, uvicorn and
python-multipart.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import binascii
import hashlib
import json
import re
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Protocol

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse
from starlette.formparsers import MultiPartException, MultiPartParser

HOST, PORT = "127.0.0.1", 8000
MOST_BYTES = 32_000_000
"""Of a request."""
MOST_PIXELS = 40_000_000
MOST_WAITING = 256
MOST_HELD_BYTES = 512_000_000
"""Of all requests that are being read or wait for their answers."""
READING_S = 60.0
"""A body that takes longer is given up: whoever sends it slowly keeps others out."""
AT_ONCE = 32
"""Requests that are answered together."""
GATHERED_S = 0.003
"""So long the first of them waits for others."""
PAGE = Path(__file__).resolve().parent / "page.html"
WORDS = ("text", "tabular")
"""Kinds whose content may be words; of all others a text would be a path."""


class Answering(Protocol):
    """What is served."""

    inputs: Mapping[str, Any]
    """Per input its settings, ``modality`` among them."""
    schema: Mapping[str, Any]

    def answer_each(self, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Per row its answer as plain data, or the ValueError that tells what is wrong with it."""
        ...


class Room:
    """The memory for requests' bodies, from their first byte to their answer.

    Args:
        most_bytes: For all of them together.
    """

    def __init__(self, most_bytes: int) -> None:
        self._free = most_bytes

    @contextmanager
    def of(self, size: int) -> Iterator[None]:
        """Inside, so many bytes are taken.

        Raises:
            HTTPException: There is no room for them now.
        """
        if size > self._free:
            raise _busy()
        self._free -= size
        try:
            yield
        finally:
            self._free += size


def _busy() -> HTTPException:
    return HTTPException(503, "Too many requests are waiting.", {"Retry-After": "1"})


class Batches:
    """Answers requests together that wait at the same time.

    Args:
        model: What answers; it is asked in one thread.
    """

    def __init__(self, model: Answering) -> None:
        self._model = model
        self._queue: asyncio.Queue[tuple[Mapping[str, Any], asyncio.Future[Any]]] = (
            asyncio.Queue(MOST_WAITING))
        self._thread = ThreadPoolExecutor(1, "model")
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Begin to answer."""
        self._task = asyncio.create_task(self._work())

    async def end(self) -> None:
        """Answer no more; who waits is told so."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        while not self._queue.empty():
            self._queue.get_nowait()[1].cancel()
        self._thread.shutdown()

    async def answer(self, inputs: Mapping[str, Any]) -> Any:
        """One sample's answer.

        Raises:
            HTTPException: Too many wait, or the sample can't be read.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait((inputs, future))
        except asyncio.QueueFull:
            raise _busy() from None
        found = await future
        if isinstance(found, HTTPException):
            raise found
        if isinstance(found, ValueError):
            raise HTTPException(422, _sendable(str(found)))
        return found

    def _alone(self, row: Mapping[str, Any]) -> Any:
        try:
            return self._model.answer_each([row])[0]
        except Exception as error:  # as above
            return HTTPException(500, f"The model ran into {type(error).__name__}: {error}")

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            waiting = [await self._queue.get()]
            await asyncio.sleep(GATHERED_S)
            while len(waiting) < AT_ONCE and not self._queue.empty():
                waiting.append(self._queue.get_nowait())
            rows = [inputs for inputs, _ in waiting]
            try:
                answers = await loop.run_in_executor(self._thread, self._model.answer_each, rows)
            except asyncio.CancelledError:
                for _, future in waiting:
                    future.cancel()
                raise
            except Exception:  # whatever the runtime ran into: each alone, the server goes on
                answers = [await loop.run_in_executor(self._thread, self._alone, row)
                           for row in rows]
            for (_, future), answer in zip(waiting, answers, strict=True):
                if not future.done():  # else who asked has gone
                    future.set_result(answer)


def make_app(model: Answering, most_bytes: int = MOST_BYTES, ui: bool = False) -> FastAPI:
    """The application that serves a model.

    Args:
        model: What answers.
        most_bytes: Of a request's body.
        ui: Whether ``/`` is a page to ask from.
    """
    batches, room = Batches(model), Room(max(MOST_HELD_BYTES, most_bytes))

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        await batches.begin()
        yield
        await batches.end()

    app = FastAPI(title="A model exported by mmstudio", lifespan=living)

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Whether it answers."""
        return {"status": "ok"}

    @app.get("/schema")
    async def schema() -> dict[str, Any]:
        """What the model reads and what it answers."""
        return dict(model.schema)

    async def predict(request: Request) -> Any:
        """Answer for one sample, any subset of its inputs."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in ("multipart/form-data", "application/json"):
            raise HTTPException(415, "Send multipart/form-data or application/json.")
        with room.of(_announced(request, most_bytes)):
            try:
                async with asyncio.timeout(READING_S):
                    body = await _body(request, most_bytes)
            except TimeoutError:
                raise HTTPException(
                    408, f"The request took more than {READING_S:.0f} s to come.") from None
            if kind == "multipart/form-data":
                inputs = await _of_form(request, body, model.inputs)
            else:  # megabytes of it would hold up everybody else
                inputs = await asyncio.to_thread(_of_json, body, model.inputs)
            del body
            return await batches.answer(inputs)

    app.add_api_route("/predict", predict, methods=["POST"],
                      openapi_extra={"requestBody": _told(model.inputs)})
    if ui:
        app.add_api_route("/", _page(), methods=["GET"], include_in_schema=False)
    return app


def _page() -> Callable[[], Awaitable[HTMLResponse]]:
    """What gives the page: it loads nothing from elsewhere, and runs no script but its own."""
    page = PAGE.read_text(encoding="utf-8")
    script, style = (_digest(page, tag) for tag in ("script", "style"))
    headers = {
        "Content-Security-Policy": (
            f"default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; "
            "img-src blob:; media-src blob:; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"),
        "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}

    async def index() -> HTMLResponse:
        return HTMLResponse(page, headers=headers)

    return index


def _digest(page: str, tag: str) -> str:
    """What a content security policy knows the page's one element of this kind by."""
    (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _announced(request: Request, most: int) -> int:
    """How long a body is, or may be where that is not said."""
    told = request.headers.get("content-length")
    if told is None:
        return most
    if not told.isdigit() or int(told) > most:
        raise _too_long(most)
    return int(told)


def _too_long(most: int) -> HTTPException:
    return HTTPException(413, f"A request may have {most / 1e6:g} MB.")


async def _body(request: Request, most: int) -> bytes:
    """The whole body, refused as soon as it is too long."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise _too_long(most)
        parts.append(part)
    return b"".join(parts)


async def _of_form(
    request: Request, body: bytes, known: Mapping[str, Any]
) -> dict[str, Any]:
    async def whole() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        form = await MultiPartParser(
            request.headers, whole(), max_files=len(known), max_fields=len(known),
            max_part_size=len(body)).parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise HTTPException(400, f"The form can't be read: {error}") from None
    found: dict[str, Any] = {}
    for name, value in form.multi_items():
        words = _takes_words(name, known)
        if name in found:
            raise HTTPException(422, f"'{name}' is given twice.")
        if not isinstance(value, str):
            found[name] = await value.read()
            await value.close()
        elif not words and value.strip():
            raise _no_place(name)
        else:
            found[name] = value
    return found


def _of_json(body: bytes, known: Mapping[str, Any]) -> dict[str, Any]:
    try:
        data = json.loads(body)
        given = data["inputs"]
        if not isinstance(given, dict):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise HTTPException(400, 'Send {"inputs": {NAME: …}}.') from None
    found: dict[str, Any] = {}
    for name, value in given.items():
        words, kind = _takes_words(name, known), known[name]["modality"]
        if value is None:
            continue
        if isinstance(value, dict) and set(value) == {"base64"}:
            try:
                found[name] = base64.b64decode(value["base64"], validate=True)
            except (binascii.Error, TypeError, ValueError):
                raise HTTPException(422, f"'{name}' is not base64.") from None
        elif not words:
            raise _no_place(name)
        elif isinstance(value, str) or (kind == "tabular" and isinstance(value, dict)):
            found[name] = value
        else:
            raise HTTPException(422, f"'{name}' is no {kind}.")
    return found


def _takes_words(name: str, known: Mapping[str, Any]) -> bool:
    """Whether an input's content may be words."""
    if name not in known:
        raise HTTPException(422, _sendable(
            f"The model has no input '{name}'; it has {', '.join(known)}."))
    return bool(known[name].get("in_cells", known[name]["modality"] in WORDS))


def _sendable(text: str) -> str:
    """With what is no Unicode text replaced."""
    return text.encode("utf-8", "replace").decode()


def _no_place(name: str) -> HTTPException:
    return HTTPException(422, f"Send the content of '{name}' itself, as a file of the form or as "
                              '{"base64": …}: paths and addresses are not opened.')


def _told(known: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a request, as OpenAPI tells it."""
    form, plain = {}, {}
    base64_ = {"type": "object", "properties": {"base64": {"type": "string"}}}
    for name, spec in known.items():
        media = not _takes_words(name, known)
        form[name] = {"type": "string"} | ({"format": "binary"} if media else {})
        plain[name] = base64_ if media else {
            "type": "object" if spec["modality"] == "tabular" else "string"}
    inputs = {"type": "object", "properties": plain}
    return {"required": True, "content": {
        "multipart/form-data": {"schema": {"type": "object", "properties": form}},
        "application/json": {"schema": {"type": "object", "properties": {"inputs": inputs}}}}}


def serve(
    model: Answering, host: str, port: int, most_bytes: int = MOST_BYTES, ui: bool = False
) -> None:
    """Serve a model until the process is told to end."""
    import uvicorn

    uvicorn.run(make_app(model, most_bytes, ui), host=host, port=port, log_level="warning",
                limit_concurrency=4 * MOST_WAITING, timeout_keep_alive=10)


def main() -> None:
    """Run the command."""
    from predict import HERE, Model  # type: ignore[import-not-found]  # beside this file

    parser = argparse.ArgumentParser(description="Serve an exported model over HTTP.")
    parser.add_argument("--model", type=Path, default=HERE, help="the folder, or model.onnx")
    parser.add_argument("--host", default=HOST, help="0.0.0.0 lets other machines ask")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--most-megabytes", type=float, default=MOST_BYTES / 1e6)
    parser.add_argument("--ui", action="store_true", help="a page at / to ask from")
    given = parser.parse_args()
    serve(Model(given.model, most_pixels=MOST_PIXELS), given.host, given.port,
          round(given.most_megabytes * 1e6), given.ui)


if __name__ == "__main__":
    main()
