"""The largest difference between the app and ONNX: every encoder and every fusion.

Each encoder, the published ones of each family with tiny random weights, with ``concat``; each
fusion over the encoders that are usual. Batches of one and three rows, short and long, of every
subset of the inputs. As Markdown:

    python tests/benchmarks/export_table.py [--only NAME] [--without-published]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from mmstudio.encoders import ENCODERS
from mmstudio.errors import UserError
from mmstudio.fusion import FUSIONS
from tests.export.contract import every_case, exported, prepared, untrained
from tests.tiny_models import IMAGE, TEXT, tiny
from tests.tiny_sounds import FAMILIES, tiny_sound

Encoders = dict[str, tuple[str, dict[str, Any]]]
STANDARD: Encoders = {"image": ("cnn", {}), "words": ("rnn", {}), "sound": ("crnn", {}),
                      "cells": ("mlp", {})}


def cases(published: bool) -> list[tuple[str, Encoders, str]]:
    """Name, encoders and fusion of each row."""
    found: list[tuple[str, Encoders, str]] = []
    for name in ENCODERS.names():
        if not name.startswith("pretrained"):
            found.append((name, {"input": (name, {}), "beside": ("mlp", {})}, "concat"))
    found.append(("rnn, gru", {"input": ("rnn", {"cell": "gru", "layers": 2}),
                               "beside": ("mlp", {})}, "concat"))
    if published:
        for kind, families, place in (("image", IMAGE, tiny), ("text", TEXT, tiny),
                                      ("audio", FAMILIES, tiny_sound)):
            for family in families:
                options = {"model": str(place(family))}
                found.append((f"pretrained_{kind}: {family}", {
                    "input": (f"pretrained_{kind}", options), "beside": ("mlp", {})}, "concat"))
    return found + [(f"fusion {name}", STANDARD, name) for name in FUSIONS.names()]


def largest(predictor: Any, path: Path) -> float:
    """The largest difference of a score, and of a number in deviations."""
    model = exported(predictor, path, {})
    worst = 0.0
    for rows in every_case(predictor):
        with torch.inference_mode():
            own = predictor.model(prepared(predictor, rows), rows=len(rows))
        found = model.run(rows)
        for name, task in predictor.model.tasks.items():
            for at, answer in enumerate(task.answers(own[name])):
                truth = (answer.value if answer.value is not None
                         else [answer.scores[c] for c in task.classes])
                scale = task.deviation if answer.value is not None else 1.0
                worst = max(worst, float(np.abs(found[name][at] - np.asarray(truth)).max()) / scale)
    return worst


def main() -> None:
    """Print the table, row by row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--without-published", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print("| exported | largest difference | s |\n|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for at, (name, encoders, fusion) in enumerate(cases(not given.without_published)):
            if given.only not in name:
                continue
            began = time.perf_counter()
            try:
                told = f"{largest(untrained(encoders, fusion), Path(folder) / f'{at}.onnx'):.1e}"
            except UserError as error:
                told = f"refused: {str(error)[:150]}"
            print(f"| {name} | {told} | {time.perf_counter() - began:.0f} |", flush=True)


if __name__ == "__main__":
    main()
