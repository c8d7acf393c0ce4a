"""Make the embedded sample project "a digit seen, heard and read" from a seed.

Developers run it by hand; neither the program nor its tests need it. It needs scikit-learn
(the handwritten digits), Pillow, soundfile, soxr and the program ``espeak-ng`` (the voices).
With the same versions of these the same seed gives the same bytes.

    python resources/make_sample.py [--folder resources/sample] [--seed 7]

It replaces ``images/``, ``sounds/`` and ``metadata.csv``; ``experiment.toml`` and
``ATTRIBUTION.md`` are written by hand and stay as they are.
"""

from __future__ import annotations

import argparse
import csv
import io
import math
import shutil
import struct
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr
from PIL import Image
from sample_notes import write_note
from scipy import ndimage
from sklearn.datasets import load_digits

SPLITS = {"train": 840, "validation": 120, "test": 240}
LANGUAGES = ("de", "en", "es", "fr", "it")
NO_IMAGE, NO_SOUND, NO_LANGUAGE = 0.05, 0.06, 0.03  # shares of rows

# ---------------------------------------------------------------------------- pictures
PICTURE_SIZE = 32
# Most pictures are readable; some are so poor that a model has to ask the other inputs.
POOR_PICTURES = 0.10
NOISE, POOR_NOISE = (0.02, 0.16), (0.25, 0.45)  # deviation; 1.0 is from white to black
CONTRAST, POOR_CONTRAST = (0.50, 0.95), (0.20, 0.45)
BAR_SHARE, BAR_WIDTH = 0.3, (3, 6)  # a strip over the digit, pixels
TURN_DEGREES = 16

# ---------------------------------------------------------------------------- sounds
ACCENTS = {
    "de": ("de",),
    "en": ("en-gb", "en-us"),
    "es": ("es", "es-419"),
    "fr": ("fr-fr", "fr-be"),
    "it": ("it",),
}
WORDS = {
    "de": "null eins zwei drei vier fünf sechs sieben acht neun",
    "en": "zero one two three four five six seven eight nine",
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve",
    "fr": "zéro un deux trois quatre cinq six sept huit neuf",
    "it": "zero uno due tre quattro cinque sei sette otto nove",
}
VOICES_HEARD = ("m1", "m3", "m5", "m7", "f1", "f2", "f3", "Andy", "Annie", "Mario", "linda", "max")
VOICES_NEW = ("m2", "m6", "f4", "f5", "belinda", "adam")
NEW_VOICE_SHARE = 0.3  # of the test rows: voices that training has never heard
# Most sounds are clear enough; some drown.
POOR_SOUNDS = 0.10
SIGNAL_TO_NOISE_DB, POOR_SIGNAL_TO_NOISE_DB = (6.0, 28.0), (-14.0, -5.0)
SHORTEST_S = 0.4
NOISES = ("white", "pink", "brown", "hum", "babble")
OPUS_COMPRESSION = 0.97  # about 18 kbit/s


def picture_of(source: np.ndarray, rng: np.random.Generator) -> Image.Image:
    """Draw one 8x8 source digit as a 32x32 picture that is honestly hard to read.

    Args:
        source: (8, 8) ink from 0 to 16.
        rng: The row's random numbers.
    """
    angle = math.radians(rng.uniform(-TURN_DEGREES, TURN_DEGREES))
    scale = 8 / PICTURE_SIZE / rng.uniform(0.72, 0.98)
    turn = scale * np.array(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    )
    turn[0, 1] += scale * rng.uniform(-0.2, 0.2)  # a slant
    middle = (PICTURE_SIZE - 1) / 2 + rng.uniform(-2.5, 2.5, size=2)
    ink = ndimage.affine_transform(
        source / 16, turn, 3.5 - turn @ middle, (PICTURE_SIZE, PICTURE_SIZE), order=3
    )
    ink = np.clip(ink, 0, 1)
    if rng.random() < BAR_SHARE:
        ink = _covered(ink, rng)
    is_poor = rng.random() < POOR_PICTURES
    contrast = rng.uniform(*(POOR_CONTRAST if is_poor else CONTRAST))
    paper = rng.uniform(max(contrast, 0.55), 1.0)
    picture = paper - contrast * ink
    picture += rng.uniform(-0.1, 0.1) * np.linspace(-1, 1, PICTURE_SIZE)  # uneven light
    picture += rng.uniform(*(POOR_NOISE if is_poor else NOISE)) * rng.normal(size=picture.shape)
    grey = np.round(np.clip(picture, 0, 1) * 15) * 17  # 16 greys: half the bytes
    return Image.fromarray(grey.astype(np.uint8))


def _covered(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    width = int(rng.integers(*BAR_WIDTH, endpoint=True))
    start = int(rng.integers(5, PICTURE_SIZE - 5 - width, endpoint=True))
    shade = rng.choice([0.0, rng.uniform(0.2, 0.8)])
    covered = ink.copy()
    if rng.random() < 0.5:
        covered[start : start + width] = shade
    else:
        covered[:, start : start + width] = shade
    return covered


@cache
def spoken(word: str, voice: str, speed: int, pitch: int) -> tuple[np.ndarray, int]:
    """Let espeak-ng say a word; the silence around it is cut off.

    Returns:
        (samples,) with a mean power of 1, and the sample rate in Hz.
    """
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", word]
    said = subprocess.run(command, capture_output=True, check=True).stdout
    samples, rate_hz = soundfile.read(io.BytesIO(said))
    loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max())
    samples = samples[loud[0] : loud[-1] + 1]
    return samples / np.sqrt(np.mean(samples**2)), rate_hz


def any_speech(digit: int, language: str, voices: tuple[str, ...], rng: np.random.Generator):
    """Say a digit in a random accent, voice, speed and pitch; as `spoken`."""
    voice = f"{rng.choice(ACCENTS[language])}+{rng.choice(voices)}"
    speed, pitch = int(rng.integers(140, 200)), int(rng.integers(30, 70))
    return spoken(WORDS[language].split()[digit], voice, speed, pitch)


def noise_of(kind: str, count: int, rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """Make (count,) samples of a background noise with a mean power of 1."""
    if kind == "babble":  # four other people talk behind
        noise = np.zeros(count)
        for _ in range(4):
            speech, _ = any_speech(
                int(rng.integers(10)), str(rng.choice(LANGUAGES)), VOICES_HEARD, rng
            )
            noise += np.roll(np.resize(speech, count), int(rng.integers(count)))
    elif kind == "hum":  # mains and its overtones
        time_s = np.arange(count) / rate_hz
        noise = 0.2 * rng.normal(size=count)
        for overtone in range(1, 9):
            phase = rng.uniform(0, 2 * math.pi)
            noise += np.sin(2 * math.pi * 50 * overtone * time_s + phase) / overtone
    else:
        spectrum = np.fft.rfft(rng.normal(size=count))
        frequency = np.maximum(np.fft.rfftfreq(count, 1 / rate_hz), 30)
        slope = {"white": 0.0, "pink": 0.5, "brown": 1.0}[kind]
        noise = np.fft.irfft(spectrum / frequency**slope, count)
    return noise / np.sqrt(np.mean(noise**2))


def sound_of(digit: int, language: str, voices: tuple[str, ...], rng: np.random.Generator) -> bytes:
    """Say a digit into a noisy place and pack it as a small Ogg Opus file."""
    speech, rate_hz = any_speech(digit, language, voices, rng)
    before, after = (rng.uniform(0.03, 0.15, size=2) * rate_hz).astype(int)
    after = max(after, int(SHORTEST_S * rate_hz) - before - len(speech))
    speech = np.pad(speech, (before, after))
    if rng.random() < 0.3:  # a room with an echo
        tail = np.arange(int(0.15 * rate_hz)) / rate_hz
        room = rng.normal(size=len(tail)) * np.exp(-tail / rng.uniform(0.02, 0.05)) * 0.05
        room[0] = 1.0
        speech = np.convolve(speech, room)[: len(speech)]
    is_poor = rng.random() < POOR_SOUNDS
    ratio_db = rng.uniform(*(POOR_SIGNAL_TO_NOISE_DB if is_poor else SIGNAL_TO_NOISE_DB))
    noise = noise_of(str(rng.choice(NOISES)), len(speech), rate_hz, rng)
    mixed = speech + noise * 10 ** (-ratio_db / 20)
    target_hz = int(rng.choice([8000, 16000]))
    mixed = soxr.resample(mixed, rate_hz, target_hz)
    mixed *= rng.uniform(0.2, 0.9) / np.abs(mixed).max()
    packed = io.BytesIO()
    soundfile.write(
        packed, mixed, target_hz, format="OGG", subtype="OPUS", compression_level=OPUS_COMPRESSION
    )
    return with_serial(packed.getvalue(), int(rng.integers(2**31)))


def with_serial(ogg: bytes, serial: int) -> bytes:
    """Give every page of an Ogg file this serial number; libsndfile takes a random one."""
    pages, start = bytearray(ogg), 0
    while start < len(pages):
        segments = pages[start + 26]
        end = start + 27 + segments + sum(pages[start + 27 : start + 27 + segments])
        struct.pack_into("<I", pages, start + 14, serial)
        struct.pack_into("<I", pages, start + 22, 0)
        struct.pack_into("<I", pages, start + 22, _ogg_checksum(pages[start:end]))
        start = end
    return bytes(pages)


@cache
def _checksum_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    return table


def _ogg_checksum(page: bytes) -> int:
    table, value = _checksum_table(), 0
    for byte in page:
        value = ((value << 8) & 0xFFFFFFFF) ^ table[(value >> 24) ^ byte]
    return value


def plan_rows(rng: np.random.Generator) -> list[tuple[str, int, str]]:
    """Split, digit and language of every row: balanced, then mixed within each split."""
    pairs = [(digit, language) for digit in range(10) for language in LANGUAGES]
    rows = []
    for split, count in SPLITS.items():
        rounds = [pairs[i] for _ in range(count // len(pairs) + 1) for i in rng.permutation(50)]
        chosen = [rounds[i] for i in rng.permutation(count)]
        rows += [(split, digit, language) for digit, language in chosen]
    return rows


def make(folder: Path, seed: int) -> None:
    """Write pictures, sounds and the table into the folder."""
    for name in ("images", "sounds"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(seed)
    digits = load_digits()
    # Each source digit is taken once at most, so none can be in two splits.
    unused = {digit: list(rng.permutation(np.flatnonzero(digits.target == digit)))
              for digit in range(10)}
    table = []
    for row, (split, digit, language) in enumerate(plan_rows(rng)):
        own = np.random.default_rng([seed, row])
        source = digits.images[unused[digit].pop()]
        is_new = split == "test" and own.random() < NEW_VOICE_SHARE
        voices = VOICES_NEW if is_new else VOICES_HEARD
        has_image, has_sound = own.random() >= NO_IMAGE, own.random() >= NO_SOUND
        has_image = has_image or not has_sound  # two of the three are always there or ...
        note = write_note(digit, own, may_be_empty=has_image and has_sound)  # ... the note is
        image_name, sound_name = f"images/{row:04}.png", f"sounds/{row:04}.ogg"
        if has_image:
            picture_of(source, own).save(folder / image_name, optimize=True)
        if has_sound:
            (folder / sound_name).write_bytes(sound_of(digit, language, voices, own))
        is_known = has_sound and own.random() >= NO_LANGUAGE
        table.append((
            image_name if has_image else "", sound_name if has_sound else "", note,
            digit, language if is_known else "", split,
        ))
    with open(folder / "metadata.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file_name", "audio", "text", "digit", "language", "split"))
        writer.writerows(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "sample")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    make(options.folder, options.seed)
