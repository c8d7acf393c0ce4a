"""Damages tiny files of every format that the app reads, and reads them as the app does.

    python tests/trials/fuzzed_media.py FOLDER [--count 2000] [--seed 0] [--seconds 300]

Each case is made from its number: bits flipped, the end cut off, a piece of another file put in, or
bytes set to 0 or 255. A child process reads them; one that dies is told by the number of its case,
whose file is kept in FOLDER, and another goes on. The full trial is ``--count 29000``.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from mmstudio.errors import UserError  # noqa: E402

LONGEST_S = 60
AT_ONCE = 1000
"""Cases per child: its peak memory is that of so many."""
PICTURES = {
    ".png": "PNG", ".jpg": "JPEG", ".gif": "GIF", ".bmp": "BMP", ".webp": "WEBP", ".tif": "TIFF",
    ".ppm": "PPM", ".ico": "ICO", ".tga": "TGA", ".jp2": "JPEG2000", ".avif": "AVIF", ".dds": "DDS",
    ".pcx": "PCX", ".sgi": "SGI", ".qoi": "QOI", ".blp": "BLP", ".icns": "ICNS", ".im": "IM",
    ".mpo": "MPO", ".msp": "MSP", ".xbm": "XBM", ".pfm": "PPM", ".dib": "DIB",
}  # fmt: skip
TIFFS = ("tiff_lzw", "tiff_deflate", "packbits", "jpeg", "raw")
SOUNDS = {
    ".wav": ("WAV", None), ".flac": ("FLAC", None), ".ogg": ("OGG", "VORBIS"),
    ".opus": ("OGG", "OPUS"), ".mp3": ("MP3", None), ".aiff": ("AIFF", None), ".au": ("AU", None),
    ".caf": ("CAF", None), ".w64": ("W64", None), ".rf64": ("RF64", None), ".voc": ("VOC", None),
}  # fmt: skip
TABLES = (".csv", ".jsonl", ".json", ".parquet", ".zip")


def valid_files() -> list[tuple[str, bytes]]:
    """Tiny files that can be read: suffix and content."""
    from PIL import Image

    chance = np.random.default_rng(0)
    made: list[tuple[str, bytes]] = []
    colours = chance.integers(0, 255, (24, 24, 3), dtype=np.uint8)
    for suffix, kind in PICTURES.items():
        mode = {"MSP": "1", "XBM": "1", "BLP": "P"}.get(kind, "F" if suffix == ".pfm" else "RGB")
        whole = Image.fromarray(colours).convert(mode if mode != "F" else "L").convert(mode)
        for compression in TIFFS if kind == "TIFF" else (None,):
            file = io.BytesIO()
            whole.save(file, kind, **({"compression": compression} if compression else {}))
            made.append((suffix, file.getvalue()))
    for mode in ("P", "RGBA", "I;16", "1"):
        file = io.BytesIO()
        Image.fromarray(colours).convert("L").convert(mode).save(file, "PNG")
        made.append((".png", file.getvalue()))
    file = io.BytesIO()
    Image.fromarray(colours).save(file, "JPEG", progressive=True)
    return [*made, (".jpg", file.getvalue()), *_valid_sounds(), *_valid_tables()]


def _valid_sounds() -> list[tuple[str, bytes]]:
    import soundfile

    samples = np.sin(np.arange(8000) / 9) * 0.5
    made = []
    for suffix, (kind, subtype) in SOUNDS.items():
        file = io.BytesIO()
        soundfile.write(file, samples, 16_000, format=kind, subtype=subtype)
        made.append((suffix, file.getvalue()))
    return made


def _valid_tables() -> list[tuple[str, bytes]]:
    import zipfile

    import polars as pl

    frame = pl.DataFrame({"a": ["x", "y ü", None] * 4, "b": range(12), "c": [[1, 2], [], [3]] * 4})
    flat = frame.drop("c")
    parquet, archive = io.BytesIO(), io.BytesIO()
    frame.write_parquet(parquet)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("metadata.csv", flat.write_csv())
    return [(".csv", flat.write_csv().encode()), (".jsonl", frame.write_ndjson().encode()),
            (".json", frame.write_json().encode()), (".parquet", parquet.getvalue()),
            (".zip", archive.getvalue()), (".txt", "Zwei Wörter 漢字\n".encode() * 9)]


def damaged(files: list[tuple[str, bytes]], seed: int, number: int) -> tuple[str, bytes, str]:
    """The case of a number: suffix, content, and what was done."""
    chance = np.random.default_rng([seed, number])
    suffix, whole = files[number % len(files)]
    content = bytearray(whole)
    what = str(chance.choice(["bits", "bits", "cut", "splice", "fill"]))
    if what == "bits":
        # the first bytes say the most
        most = len(content) if chance.random() < 0.5 else min(len(content), 200)
        for at in chance.integers(0, most, chance.integers(1, 20)):
            content[at] ^= 1 << int(chance.integers(8))
    elif what == "cut":
        del content[int(chance.integers(0, len(content))):]
    elif what == "splice":
        other = files[int(chance.integers(len(files)))][1]
        start, at = int(chance.integers(len(other))), int(chance.integers(len(content)))
        piece = other[start : start + int(chance.integers(1, 400))]
        content[at : at + (len(piece) if chance.random() < 0.5 else 0)] = piece
    else:
        at = int(chance.integers(len(content)))
        length = min(int(chance.integers(1, 64)), len(content) - at)
        content[at : at + length] = bytes([int(chance.choice([0, 255]))]) * length
    return suffix, bytes(content), what


def read(path: Path) -> None:
    """As the app does: the check's look, the decoding, and what the window shows."""
    from mmstudio.data.checks.headers import header_of
    from mmstudio.data.table import read_table
    from mmstudio.modalities.audio import AudioModality
    from mmstudio.modalities.image import ImageModality
    from mmstudio.modalities.picture_files import open_image, shown_size
    from mmstudio.modalities.sound_files import read_sound
    from mmstudio.modalities.text import read_text

    suffix = path.suffix
    header_of(path, path.stat().st_size)
    if suffix in TABLES:
        read_table(path)
    elif suffix in PICTURES:
        shown_size(path)
        ImageModality().decode(path, {"size": [16, 16], "channels": 3})
        open_image(path)
        ImageModality().fit([path])
    elif suffix in SOUNDS:
        read_sound(path)
        AudioModality().decode(path, AudioModality().fit([path]))
    else:
        read_text(path)


def child(folder: Path, seed: int, first: int, last: int) -> None:
    """Read the cases, and print how each ended as a line of JSON."""
    from mmstudio.quiet import keep_own_stderr

    keep_own_stderr()
    files = valid_files()
    for number in range(first, last):
        suffix, content, what = damaged(files, seed, number)
        path = folder / f"case{suffix}"
        path.write_bytes(content)
        print(json.dumps({"begin": number}), flush=True)
        if hasattr(signal, "alarm"):
            signal.alarm(LONGEST_S)
        began, trace = time.monotonic(), ""
        try:
            read(path)
            ended = "read"
        except UserError:
            ended = "refused"
        except BaseException:  # a PanicException of polars is no Exception
            ended, trace = "traceback", traceback.format_exc()[-1500:]
        print(json.dumps({"number": number, "suffix": suffix, "what": what, "ended": ended,
                          "seconds": time.monotonic() - began, "trace": trace}), flush=True)
    signal.alarm(0)
    status = Path("/proc/self/status")
    peak = re.search(r"VmHWM:\s+(\d+)", status.read_text()) if status.exists() else None
    print(json.dumps({"peak_mb": int(peak[1]) // 1024 if peak else 0}), flush=True)


def part(folder: Path, seed: int, first: int, last: int) -> dict[str, Any]:
    """Have a child read some cases, and another go on behind one that killed it."""
    total: dict[str, Any] = {"ended": Counter(), "by_suffix": Counter(), "noise": 0, "slowest": 0.0,
                             "slowest_case": -1, "peak_mb": 0, "bad": []}
    while first < last:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", __file__, str(folder), "--child", str(first),
             str(last), "--seed", str(seed)], capture_output=True, text=True, check=False,
            env=os.environ | {"OMP_NUM_THREADS": "1", "MMSTUDIO_CACHE": str(folder / "cache")})
        begun = first
        for line in map(json.loads, done.stdout.splitlines()):
            begun = line.get("begin", begun)
            total["peak_mb"] = max(total["peak_mb"], line.get("peak_mb", 0))
            if "ended" not in line:
                continue
            total["ended"][line["ended"]] += 1
            total["by_suffix"][line["suffix"]] += 1
            if line["seconds"] > total["slowest"]:
                total["slowest"], total["slowest_case"] = line["seconds"], line["number"]
            if line["trace"]:
                total["bad"].append((line["number"], line["suffix"], line["trace"]))
        total["noise"] += len(done.stderr)
        if done.returncode == 0:
            break
        total["ended"]["crash"] += 1
        total["bad"].append((begun, "", f"exit {done.returncode}: {done.stderr[-500:]}"))
        suffix, content, _ = damaged(valid_files(), seed, begun)
        (folder / f"crash{begun}{suffix}").write_bytes(content)
        first = begun + 1
    return total


def main() -> None:
    """Read them all, or as many as there is time for, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--child", type=int, nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    if asked.child:
        child(asked.folder, asked.seed, *asked.child)
        return
    began, ended, suffixes, at = time.monotonic(), Counter[str](), Counter[str](), 0
    slowest, peak, noise = (0.0, -1), 0, 0
    while at < asked.count and time.monotonic() - began < asked.seconds:
        last = min(at + AT_ONCE, asked.count)
        found = part(asked.folder, asked.seed, at, last)
        ended += found["ended"]
        suffixes += found["by_suffix"]
        slowest = max(slowest, (found["slowest"], found["slowest_case"]))
        peak, noise, at = max(peak, found["peak_mb"]), noise + found["noise"], last
        for number, suffix, trace in found["bad"]:
            print(f"case {number} {suffix}: {trace}", flush=True)
        print(f"{at:,} files of {len(suffixes)} suffixes in {time.monotonic() - began:.0f} s: "
              f"{ended['read']:,} read, {ended['refused']:,} refused, {ended['traceback']} "
              f"tracebacks, {ended['crash']} crashes; slowest {slowest[0]:.1f} s (case "
              f"{slowest[1]}), peak {peak:,} MB, noise {noise:,} bytes", flush=True)


if __name__ == "__main__":
    main()
