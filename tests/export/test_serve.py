"""An exported model over HTTP: what it answers, what it refuses, and that requests go together."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import httpx
import pytest

from mmstudio.export.shipped import serve

PICTURE = b"\x89PNG picture"


class Fake:
    """Answers with what it was given."""

    inputs: Mapping[str, Any] = {"photo": {"modality": "image"}, "note": {"modality": "text"},
                                 "cells": {"modality": "tabular"},
                                 "cloud": {"modality": "points"},
                                 "words": {"modality": "mine", "in_cells": True}}
    schema: Mapping[str, Any] = {"format": 1}

    def __init__(self) -> None:
        self.batches: list[int] = []

    def answer_each(self, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        self.batches.append(len(rows))
        return [ValueError("damaged") if row.get("photo") == b"damaged" else
                {n: v.decode("latin-1") if isinstance(v, bytes) else v for n, v in row.items()}
                for row in rows]


def ask(
    question: Callable[[httpx.AsyncClient], Awaitable[Any]], model: Any = None,
    most_bytes: int = 10_000,
) -> Any:
    app = serve.make_app(model or Fake(), most_bytes)

    async def all_of_it() -> Any:
        async with (app.router.lifespan_context(app),
                    httpx.AsyncClient(transport=httpx.ASGITransport(app),
                                      base_url="http://localhost") as client):
            return await question(client)

    return asyncio.run(all_of_it())


def posted(**how: Any) -> httpx.Response:
    return ask(lambda client: client.post("/predict", **how))


def test_a_form_is_answered() -> None:
    found = posted(files={"photo": ("a.png", io.BytesIO(PICTURE))}, data={"note": "two words"})
    assert found.status_code == 200
    assert found.json() == {"photo": PICTURE.decode("latin-1"), "note": "two words"}


def test_json_is_answered() -> None:
    inputs = {"photo": {"base64": base64.b64encode(PICTURE).decode()}, "note": "x",
              "cells": {"age": 3}}
    found = posted(json={"inputs": inputs})
    assert found.json() == {"photo": PICTURE.decode("latin-1"), "note": "x", "cells": {"age": 3}}


@pytest.mark.parametrize("place", ["/etc/passwd", "https://example.org/a.png", "file:///a.png"])
def test_paths_and_addresses_are_refused(place: str) -> None:
    for found in (posted(json={"inputs": {"photo": place}}),
                  posted(files={"note": (None, "x"), "photo": (None, place)}),
                  posted(json={"inputs": {"cloud": place}}),
                  posted(files={"note": (None, "x"), "cloud": (None, place)})):
        assert found.status_code == 422
        assert "not opened" in found.json()["detail"]
    # to a text it is nothing but words
    assert posted(json={"inputs": {"note": place}}).json() == {"note": place}
    assert posted(json={"inputs": {"words": place}}).json() == {"words": place}


@pytest.mark.parametrize(("how", "status"), [
    ({"content": b"{", "headers": {"content-type": "application/json"}}, 400),
    ({"json": [1]}, 400),
    ({"json": {"inputs": {"other": "x"}}}, 422),
    ({"json": {"inputs": {"note": 3}}}, 422),
    ({"json": {"inputs": {"photo": {"base64": "%"}}}}, 422),
    ({"content": b"x", "headers": {"content-type": "text/plain"}}, 415),
    ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400),
    ({"json": {"inputs": {"photo": {"base64": base64.b64encode(b"damaged").decode()}}}}, 422),
    ({"json": {"inputs": {"note": "x" * 20_000}}}, 413),
])
def test_what_is_wrong_is_told(how: dict[str, Any], status: int) -> None:
    assert posted(**how).status_code == status


def test_requests_that_are_read_slowly_fill_no_memory_and_hold_up_nobody(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "MOST_HELD_BYTES", 30_000)
    begun, more = asyncio.Event(), asyncio.Event()
    reading: list[bool] = []

    async def slow() -> Any:
        yield b'{"inputs": {"note": "sl'
        reading.append(True)
        if len(reading) == 3:
            begun.set()
        await more.wait()
        yield b'ow"}}'

    async def all_of_them(client: httpx.AsyncClient) -> Any:
        # three bodies of a length that isn't known take the whole room
        waiting = [asyncio.create_task(client.post(
            "/predict", content=slow(), headers={"content-type": "application/json"}))
            for _ in range(3)]
        await begun.wait()
        refused = await client.post("/predict", json={"inputs": {"note": "one more"}})
        health = await client.get("/health")
        more.set()
        answered = await asyncio.gather(*waiting)
        again = await client.post("/predict", json={"inputs": {"note": "one more"}})
        return refused, health, answered, again

    refused, health, answered, again = ask(all_of_them)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert health.status_code == again.status_code == 200
    assert [one.json() for one in answered] == [{"note": "slow"}] * 3


def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "READING_S", 0.05)

    async def never() -> Any:
        yield b"{"
        await asyncio.Event().wait()

    found = ask(lambda client: client.post(
        "/predict", content=never(), headers={"content-type": "application/json"}))
    assert found.status_code == 408


def test_an_upload_without_an_end_is_broken_off() -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 1000

    found = ask(lambda client: client.post(
        "/predict", content=endless(), headers={"content-type": "application/json"}))
    assert found.status_code == 413
    assert sent < 20


def test_requests_that_wait_are_answered_together() -> None:
    model = Fake()

    async def many(client: httpx.AsyncClient) -> list[Any]:
        found = await asyncio.gather(*(
            client.post("/predict", json={"inputs": {"note": str(i)}}) for i in range(40)))
        return [one.json() for one in found]

    assert ask(many, model) == [{"note": str(i)} for i in range(40)]
    assert sum(model.batches) == 40
    assert max(model.batches) > 1
    assert max(model.batches) <= serve.AT_ONCE


def test_a_fault_in_the_model_ends_no_server() -> None:
    class Broken(Fake):
        def answer_each(self, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
            if rows[0].get("note") == "bad":
                raise MemoryError("full")
            return super().answer_each(rows)

    async def both(client: httpx.AsyncClient) -> list[int]:
        return [(await client.post("/predict", json={"inputs": {"note": note}})).status_code
                for note in ("bad", "good")]

    assert ask(both, Broken()) == [500, 200]


def test_one_fault_fails_no_others_of_its_batch() -> None:
    class Broken(Fake):
        def answer_each(self, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
            if any(row.get("note") == "bad" for row in rows):
                raise MemoryError("full")
            return super().answer_each(rows)

    async def both(client: httpx.AsyncClient) -> list[int]:
        found = await asyncio.gather(*(client.post("/predict", json={"inputs": {"note": note}})
                                       for note in ("bad", "good")))
        return [one.status_code for one in found]

    assert ask(both, Broken()) == [500, 200]


def test_what_is_no_text_is_told_as_text() -> None:
    found = posted(content=b'{"inputs": {"a\\ud800": "x"}}',
                   headers={"content-type": "application/json"})
    assert found.status_code == 422
    assert "no input 'a?'" in found.json()["detail"]


def test_it_tells_about_itself() -> None:
    async def all_three(client: httpx.AsyncClient) -> list[Any]:
        return [(await client.get(p)).json() for p in ("/health", "/schema", "/openapi.json")]

    health, schema, api = ask(all_three)
    assert health == {"status": "ok"}
    assert schema == {"format": 1}
    body = api["paths"]["/predict"]["post"]["requestBody"]["content"]
    assert body["multipart/form-data"]["schema"]["properties"]["photo"]["format"] == "binary"


def test_nobody_else_may_ask_unless_told() -> None:
    assert serve.HOST == "127.0.0.1"


def page_of(ui: bool) -> httpx.Response:
    app = serve.make_app(Fake(), ui=ui)

    async def get() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app),
                                     base_url="http://localhost") as client:
            return await client.get("/")

    return asyncio.run(get())


def test_the_page_is_there_where_it_is_asked_for() -> None:
    assert page_of(False).status_code == 404
    found = page_of(True)
    assert found.status_code == 200
    assert found.headers["content-type"].startswith("text/html")
    assert 'id="inputs"' in found.text


def test_the_page_loads_nothing_and_runs_its_own_script_alone() -> None:
    found = page_of(True)
    rules = dict(rule.strip().split(" ", 1)
                 for rule in found.headers["content-security-policy"].split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["connect-src"] == "'self'"
    assert rules["img-src"] == rules["media-src"] == "blob:"
    assert rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    for tag in ("script", "style"):
        text = found.text.split(f"<{tag}>")[1].split(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[f"{tag}-src"] == f"'sha256-{digest}'"
    for mark in ("://", "innerHTML", " onclick", "style=\"", "<link", "@import", "eval("):
        assert mark not in found.text


class Served:
    """A server in a thread of its own, on a free port, until the block ends."""

    def __init__(self, model: Any, most_bytes: int = 1_000_000) -> None:
        import uvicorn

        self._server = uvicorn.Server(uvicorn.Config(
            serve.make_app(model, most_bytes, ui=True), port=0, log_level="error"))
        self._thread = threading.Thread(target=self._server.run)

    def __enter__(self) -> int:
        self._thread.start()
        while not self._server.started:
            self._thread.join(0.01)
            assert self._thread.is_alive()
        return int(self._server.servers[0].sockets[0].getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()


BROWSER = """\
import json, sys
from PySide6.QtCore import QTimer, QUrl
from PySide6.QtWebEngineWidgets import QWebEngineView
from PySide6.QtWidgets import QApplication

app = QApplication(["browser", "--no-sandbox"])
view = QWebEngineView()
ASK = "const a = document.querySelector('textarea'); a.value = 'a <b>note</b>';" \\
      "a.dispatchEvent(new Event('input'));"
LOOK = "JSON.stringify({bars: [...document.querySelectorAll('.bar')].map(b => b.innerText)," \\
       "boxes: document.querySelectorAll('.input').length," \\
       "status: document.getElementById('status').textContent," \\
       "asked: !!document.querySelector('textarea')})"
state = {"asked": False}

def looked(text):
    found = json.loads(text or "{}")
    if found.get("asked") and not state["asked"]:
        state["asked"] = True
        view.page().runJavaScript(ASK)
    elif found.get("bars"):
        print(text, flush=True)
        app.quit()

timer = QTimer(interval=50)
timer.timeout.connect(lambda: view.page().runJavaScript(LOOK, looked))
timer.start()
view.resize(1280, 800)
view.load(QUrl(sys.argv[1]))
view.show()
QTimer.singleShot(60000, lambda: app.exit(3))
sys.exit(app.exec())
"""


def test_a_browser_asks_and_shows_bars() -> None:
    pytest.importorskip("PySide6.QtWebEngineWidgets", exc_type=ImportError)

    class Answers(Fake):
        def answer_each(self, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
            return [{"tasks": {"kind": {"label": row["note"], "scores": {
                row["note"]: 0.75, "other": 0.25}}}, "present": list(row)} for row in rows]

    class Schema(Answers):
        schema: Mapping[str, Any] = {"inputs": Fake.inputs}

    with Served(Schema()) as port:
        done = subprocess.run(
            [sys.executable, "-c", BROWSER, f"http://127.0.0.1:{port}/"], text=True,
            capture_output=True, timeout=120, env=os.environ | {
                "QT_QPA_PLATFORM": "offscreen", "QTWEBENGINE_DISABLE_SANDBOX": "1",
                "QTWEBENGINE_CHROMIUM_FLAGS": "--disable-gpu --no-sandbox"})
    if done.returncode and "error while loading shared libraries" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["boxes"] == len(Fake.inputs)
    # what a person types is shown as text, never read as a page
    assert [line.split("\n")[0] for line in found["bars"]] == ["a <b>note</b>", "other"]
    assert found["status"] == "Answered from: note."
