"""A served model under load, and what it refuses: requests per second, delay, memory.

One client and many, each of which asks again as soon as it is answered; then a body of 2 GB, said
and unsaid, a path, an address and broken media. Without FOLDER a small model is trained and
exported first. As Markdown:

    python tests/benchmarks/serving.py [FOLDER] [--seconds 20] [--clients 1 32]
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
GIGABYTES_2 = 2_000_000_000
PIECE = b"x" * 1_000_000


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 32])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as beside:
        folder = given.folder or made(Path(beside))
        port = free_port()
        server = subprocess.Popen([sys.executable, folder / "serve.py", "--port", str(port)],
                                  env=os.environ | {"OMP_NUM_THREADS": "1"})
        try:
            wait(port, server)
            measure(folder, port, psutil.Process(server.pid), given)
        finally:
            server.terminate()
            server.wait()


def made(place: Path) -> Path:
    """The small project's model, trained and exported with samples of its data."""
    from mmstudio.export.exporting import export
    from tests.small_project import train_small, write_small_project

    project = write_small_project(place / "project")
    train_small(project, {"training.epochs": 2})
    *_, done = export(project / "runs" / "first", place / "model", include_samples=True)
    return done.folder


def free_port() -> int:
    """One that nobody listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait(port: int, server: subprocess.Popen[bytes]) -> None:
    """Until it answers."""
    while server.poll() is None:
        try:
            httpx.get(f"http://127.0.0.1:{port}/health").raise_for_status()
            return
        except httpx.TransportError:
            time.sleep(0.05)
    raise SystemExit("The server ended.")


def measure(folder: Path, port: int, server: psutil.Process, given: argparse.Namespace) -> None:
    """Print what load and refusals cost."""
    forms = list(requests(folder))
    print("| clients | requests/s | 50 % within, ms | 95 %, ms | answered | lost | memory, MB |\n"
          "|---|---|---|---|---|---|---|")
    for clients in given.clients:
        times, lost, seconds = asyncio.run(asked(port, forms, clients, given.seconds))
        times.sort()
        print(f"| {clients} | {len(times) / seconds:.0f} | {1000 * times[len(times) // 2]:.1f} "
              f"| {1000 * times[int(0.95 * len(times))]:.1f} | {len(times)} | {lost} "
              f"| {server.memory_info().rss / 1e6:.0f} |", flush=True)
    print("\n| sent | answer | sent before that, MB | s | memory grew by, MB |")
    print("|---|---|---|---|---|")
    for name, status, sent, seconds, grown in refusals(folder, port, server):
        print(f"| {name} | {status} | {sent / 1e6:.1f} | {seconds:.2f} | {grown / 1e6:.1f} |",
              flush=True)


def requests(folder: Path) -> Iterator[dict[str, Any]]:
    """Forms of the self-test's samples."""
    told = json.loads((folder / "selftest" / "answers.json").read_text(encoding="utf-8"))
    for sample in told["samples"]:
        files, data = {}, {}
        for name, value in sample["inputs"].items():
            if "file" in value:
                files[name] = (value["file"], (folder / "selftest" / value["file"]).read_bytes())
            else:
                content = value["content"]
                data[name] = content if isinstance(content, str) else json.dumps(content)
        yield {"files": files} | ({"data": data} if data else {})


async def asked(
    port: int, forms: list[dict[str, Any]], clients: int, seconds: float
) -> tuple[list[float], int, float]:
    """Seconds of each answer, how many requests got none, and how long it took."""
    times: list[float] = []
    lost = 0
    began = time.perf_counter()

    async def one(number: int) -> None:
        nonlocal lost
        async with httpx.AsyncClient(timeout=60) as client:
            while time.perf_counter() - began < seconds:
                number += 1
                start = time.perf_counter()
                try:
                    answer = await client.post(f"http://127.0.0.1:{port}/predict",
                                               **forms[number % len(forms)])
                    lost += answer.status_code != 200 or "tasks" not in answer.json()
                    times.append(time.perf_counter() - start)
                except httpx.HTTPError:
                    lost += 1

    await asyncio.gather(*(one(number) for number in range(clients)))
    return times, lost, time.perf_counter() - began


def refusals(
    folder: Path, port: int, server: psutil.Process
) -> Iterator[tuple[str, str, int, float, int]]:
    """What was sent, the answer, bytes sent until then, seconds, and the server's growth."""
    schema = json.loads((folder / "schema.json").read_text(encoding="utf-8"))
    media = next((n for n, i in schema["inputs"].items() if i["modality"] in ("image", "audio")),
                 "")
    said = {"content-type": "application/json", "content-length": str(GIGABYTES_2)}
    unsaid = {"content-type": "application/json", "transfer-encoding": "chunked"}
    yield _sent("2 GB, said", port, server, said, chunked=False)
    yield _sent("2 GB, unsaid", port, server, unsaid, chunked=True)
    for name, body in (
        ("a path", {"inputs": {media: "/etc/passwd"}}),
        ("an address", {"inputs": {media: "http://127.0.0.1/a.png"}}),
        ("broken media", {"inputs": {media: {"base64": "AAAA"}}})):
        if not media:
            continue
        before, start = server.memory_info().rss, time.perf_counter()
        answer = httpx.post(f"http://127.0.0.1:{port}/predict", json=body, timeout=60)
        yield (name, f"{answer.status_code} {answer.json()['detail'][:60]}",
               len(answer.request.content), time.perf_counter() - start,
               server.memory_info().rss - before)
    answer = httpx.get(f"http://127.0.0.1:{port}/health", timeout=60)
    yield "afterwards, /health", str(answer.status_code), 0, 0.0, 0


def _sent(
    name: str, port: int, server: psutil.Process, headers: dict[str, str], chunked: bool
) -> tuple[str, str, int, float, int]:
    """Send 2 GB, a piece at a time, until there is an answer."""
    start, before, most, sent = time.perf_counter(), server.memory_info().rss, 0, 0
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    line.putrequest("POST", "/predict")
    for key, value in headers.items():
        line.putheader(key, value)
    line.endheaders()
    try:
        while sent < GIGABYTES_2 and not select.select([line.sock], [], [], 0)[0]:
            line.send(b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if chunked else PIECE)
            sent += len(PIECE)
            most = max(most, server.memory_info().rss)
    except OSError:
        pass  # it has hung up, which is what is measured
    try:
        status = str(line.getresponse().status)
    except (OSError, http.client.HTTPException) as error:
        status = f"hung up ({type(error).__name__})"
    line.close()
    return name, status, sent, time.perf_counter() - start, max(0, most - before)


if __name__ == "__main__":
    main()
