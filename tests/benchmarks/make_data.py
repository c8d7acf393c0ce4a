"""Make a table of pictures, sounds and texts with ten learnable classes, for the benchmarks.

    python tests/benchmarks/make_data.py FOLDER --rows 2000

The same arguments give the same files, byte for byte in what they decode to.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

CLASSES = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "haven", "inlet", "jade")
FILLERS = tuple(f"{a}{b}" for a in ("lo", "mi", "ta", "re", "su") for b in ("ka", "ni", "po", "ve"))
COLUMNS = ("file_name", "audio", "text", "label", "split")


def picture(rng: np.random.Generator, label: int, size: int) -> np.ndarray:
    """A noisy coloured grating whose direction tells the class: (size, size, 3) uint8."""
    angle = np.pi * label / len(CLASSES) + rng.normal(0, 0.05)
    y, x = np.mgrid[0:size, 0:size] / size
    phase = 2 * np.pi * (5 * (x * np.cos(angle) + y * np.sin(angle)) + rng.uniform())
    tint = rng.uniform(0.4, 1.0, size=3)
    pixels = 0.5 + 0.3 * np.sin(phase)[..., None] * tint + rng.normal(0, 0.15, (size, size, 3))
    return (np.clip(pixels, 0, 1) * 255).astype(np.uint8)


def sound(rng: np.random.Generator, label: int, rate_hz: int, seconds: float) -> np.ndarray:
    """Two tones whose pitches tell the class, in noise: (samples,) int16."""
    time_s = np.arange(int(rate_hz * seconds)) / rate_hz
    low_hz, high_hz = 300 + 120 * label, 3200 - 150 * label
    wave = np.zeros_like(time_s)
    for pitch_hz in (low_hz, high_hz):
        pitch_hz *= rng.uniform(0.98, 1.02)
        wave += np.sin(2 * np.pi * (pitch_hz * time_s + rng.uniform()))
    start = rng.uniform(0, 0.4) * seconds
    envelope = np.exp(-(((time_s - start - 0.3 * seconds) / (0.2 * seconds)) ** 2))
    wave = 0.2 * wave * envelope + rng.normal(0, 0.05, len(time_s))
    return (np.clip(wave, -1, 1) * 32767).astype(np.int16)


def text(rng: np.random.Generator, label: int, words: int) -> str:
    """``words`` words of which one or two belong to the class."""
    chosen = list(rng.choice(FILLERS, size=words))
    for place in rng.choice(words, size=rng.integers(1, 3), replace=False):
        chosen[place] = f"{CLASSES[label]}{rng.integers(3)}"
    return " ".join(chosen)


def make(
    folder: Path,
    rows: int = 2000,
    *,
    size: int = 64,
    rate_hz: int = 16_000,
    seconds: float = 1.0,
    words: int = 12,
    seed: int = 0,
) -> Path:
    """Write the pictures (PNG), the sounds (16-bit WAV) and the table.

    Args:
        folder: Where to; made when missing.
        rows: The number of rows: 80 % train, 10 % validation, 10 % test.
        size: The pictures' width and height, pixels.
        rate_hz: The sounds' sample rate.
        seconds: The sounds' length.
        words: The texts' length.
        seed: Another seed, another table.

    Returns:
        The table's path, ``folder/metadata.csv``.
    """
    for name in ("images", "audio"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    table = folder / "metadata.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in range(rows):
            rng = np.random.default_rng([seed, row])
            label = int(rng.integers(len(CLASSES)))
            image_name, audio_name = f"images/{row:06}.png", f"audio/{row:06}.wav"
            Image.fromarray(picture(rng, label, size)).save(folder / image_name)
            soundfile.write(
                folder / audio_name, sound(rng, label, rate_hz, seconds), rate_hz, subtype="PCM_16"
            )
            split = {8: "validation", 9: "test"}.get(row % 10, "train")
            writer.writerow(
                [image_name, audio_name, text(rng, label, words), CLASSES[label], split]
            )
    return table


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--size", type=int, default=64, help="width and height, pixels")
    parser.add_argument("--rate-hz", type=int, default=16_000)
    parser.add_argument("--seconds", type=float, default=1.0, help="length of each sound")
    parser.add_argument("--words", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    options = vars(parser.parse_args())
    print(make(options.pop("folder"), options.pop("rows"), **options))


if __name__ == "__main__":
    main()
