"""Seconds that published sound models' preprocessing takes, ours against the library's.

    python tests/benchmarks/sound_front_ends.py [--clips 100] [--seconds 1] [--rounds 5]

Each front end prepares the same noisy clips, ours as one batch, the library's feature extractor as
a list, as its users call it. They take turns; the table shows the medians of the clock, the time
that all cores spent, and the largest difference between the two results. ``short`` is what our
encoders ask for by default: Whisper's and AST's spectrum as far as the sound goes.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from transformers import (
    ASTFeatureExtractor,
    ClapFeatureExtractor,
    Wav2Vec2FeatureExtractor,
    WhisperFeatureExtractor,
)

from mmstudio.encoders.sound_clap import ClapMel
from mmstudio.encoders.sound_kaldi import KaldiMel
from mmstudio.encoders.sound_waves import Waves
from mmstudio.encoders.sound_whisper import WhisperMel

FRONT_ENDS: dict[str, tuple[type, Any, dict[str, Any]]] = {
    "Wav2Vec2, HuBERT": (Waves, Wav2Vec2FeatureExtractor, {}),
    "Whisper": (WhisperMel, WhisperFeatureExtractor, {}),
    "AST": (KaldiMel, ASTFeatureExtractor, {}),
    "CLAP": (ClapMel, ClapFeatureExtractor, {"truncation": "rand_trunc", "frequency_min": 50}),
}


def timed(job: Callable[[], Any], clock: list[float], cores: list[float]) -> Any:
    """Run a job and note what it took."""
    began, spent = time.perf_counter(), time.process_time()
    result = job()
    clock.append(time.perf_counter() - began)
    cores.append(time.process_time() - spent)
    return result


def measure(name: str, clips: int, seconds: float, rounds: int) -> str:
    """One line of the table."""
    ours_class, library_class, options = FRONT_ENDS[name]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "At least one mel filter")
        library = library_class(**options)
    ours = ours_class(library.to_dict())
    rate_hz = ours.sample_rate_hz
    chance = np.random.default_rng(0)
    sounds = [(0.2 * chance.normal(size=round(seconds * rate_hz))).astype(np.float32)
              for _ in range(clips)]
    samples = torch.from_numpy(np.stack(sounds))
    mask = torch.ones_like(samples, dtype=torch.bool)
    short = {"Whisper": round(seconds * 100) + 104, "AST": round(seconds * 100)}.get(name)
    jobs: dict[str, Callable[[], Any]] = {
        "ours": lambda: ours(samples, mask),
        "library": lambda: library(sounds, sampling_rate=rate_hz, return_tensors="np",
                                   **({"padding": True} if ours_class is Waves else {}))}
    if short is not None:
        jobs["short"] = lambda: ours(samples, mask, short)
    took: dict[str, tuple[list[float], list[float]]] = {n: ([], []) for n in jobs}
    results = {}
    with torch.inference_mode():
        for _ in range(rounds):
            for job_name, job in jobs.items():
                results[job_name] = timed(job, *took[job_name])
    got = results["ours"] if isinstance(results["ours"], torch.Tensor) else results["ours"][0]
    expected = next(iter(results["library"].values()))
    apart = float(np.abs(got.numpy() - np.asarray(expected)).max())
    figures = [f"{statistics.median(part):9.3f}" if job in took else " " * 9
               for job in ("library", "ours", "short") for part in took.get(job, ((), ()))
               ] + ([" " * 9] * 2 if short is None else [])
    return f"{name:18}" + "".join(figures) + f"   {apart:.1e}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(f"{arguments.clips} clips of {arguments.seconds:g} s, {torch.get_num_threads()} threads; "
          "seconds of the clock and of all cores")
    print(f"{'':18}" + "".join(f"{n:>18}" for n in ("library", "ours", "ours, short"))
          + "   largest difference")
    for name in FRONT_ENDS:
        print(measure(name, arguments.clips, arguments.seconds, arguments.rounds))


if __name__ == "__main__":
    main()
