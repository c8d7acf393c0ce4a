"""Pictures made by formulas: photographs of patterned scenes with things in them, and leaves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from first_click_sets.case import SEPARATOR, Rows

PHOTOGRAPHS = 1000
SIZE = 64
SCENES = ("stripes", "checks", "dots", "rings", "waves", "bricks", "clouds", "grain")
OBJECTS = {  # and the colours that they mostly are of
    "disc": (0.9, 0.3, 0.2), "square": (0.2, 0.3, 0.8), "triangle": (0.3, 0.7, 0.3),
    "cross": (0.9, 0.9, 0.9), "star": (0.95, 0.8, 0.1)}
LEAVES = ("round", "lance", "heart", "three lobes", "five lobes", "serrated")


def photographs(folder: Path, chance: np.random.Generator) -> Rows:
    """Scenes known by their pattern, with one to four things that stand before it."""
    rows = []
    for i in range(PHOTOGRAPHS):
        scene = SCENES[i % len(SCENES)]
        there = [name for name in OBJECTS if chance.random() < 0.35]
        there = there or [str(chance.choice(list(OBJECTS)))]
        pattern = scene_pattern(scene, SIZE, chance)[..., None]
        one, other = two_colours(chance)
        picture = one * pattern + other * (1 - pattern)
        for name in there:
            inside = _placed(name, chance)[..., None]
            colour = np.array(OBJECTS[name]) + chance.normal(0, 0.2, 3)
            picture = picture * (1 - inside) + colour.clip(0, 1) * inside
        row = {"file_name": save(folder, i, photographed(picture, chance, 0.08)),
               "scene": scene, "objects": SEPARATOR.join(there)}
        rows.append(row)
    return rows


def _placed(name: str, chance: np.random.Generator) -> np.ndarray:
    """``(SIZE, SIZE)`` 0 to 1: where the thing is."""
    x, y = turned(SIZE, chance.uniform(12, SIZE - 12, 2), chance.uniform(-0.4, 0.4))
    return shape_inside(name, x, y, chance.uniform(8, 14))


def grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows of the pixels, each ``(size, size)``."""
    y, x = np.mgrid[:size, :size].astype(float)
    return x, y


def turned(size: int, centre: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """The pixels' places from a centre, turned by an angle in radians."""
    x, y = grid(size)
    x, y = x - centre[0], y - centre[1]
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def shape_inside(name: str, x: np.ndarray, y: np.ndarray, radius: float) -> np.ndarray:
    """0 to 1, how much of each pixel lies in a shape around the origin."""
    r, angle = np.hypot(x, y), np.arctan2(y, x)
    if name == "disc":
        outside = r - radius
    elif name == "square":
        outside = np.maximum(abs(x), abs(y)) - 0.85 * radius
    elif name == "triangle":
        outside = np.maximum(y - 0.6 * radius, 0.87 * abs(x) - 0.5 * y - 0.6 * radius)
    elif name == "cross":
        near, far = np.minimum(abs(x), abs(y)), np.maximum(abs(x), abs(y))
        outside = np.maximum(near - 0.28 * radius, far - 1.1 * radius)
    else:  # a star of five points
        outside = r - radius * (0.8 + 0.4 * np.cos(5 * (angle + np.pi / 2)))
    return (0.5 - outside).clip(0, 1)


def scene_pattern(scene: str, size: int, chance: np.random.Generator) -> np.ndarray:
    """``(size, size)`` 0 to 1; wavelength, direction and place are drawn."""
    x, y = turned(size, chance.uniform(0, size, 2), chance.uniform(0, np.pi))
    k = 2 * np.pi / chance.uniform(9, 16)
    if scene == "stripes":
        wave = np.sin(k * x)
    elif scene == "checks":
        wave = 3 * np.sin(k * x) * np.sin(k * y)
    elif scene == "dots":
        wave = 2 * (np.sin(k * x) + np.sin(k * y)) - 2
    elif scene == "rings":
        wave = np.sin(k * np.hypot(x, y))
    elif scene == "waves":
        wave = np.sin(k * (x + chance.uniform(2, 4) * np.sin(0.5 * k * y)))
    elif scene == "bricks":
        line = np.floor(k * y / np.pi)
        joints = abs(np.sin(0.5 * k * x + line * np.pi / 2))
        wave = 4 * (np.minimum(joints, abs(np.sin(k * y))) - 0.25)
    else:
        wave = 1.5 * _clouds(size, 2.0 if scene == "clouds" else 0.7, chance)
    return 0.5 + 0.5 * np.tanh(wave * chance.uniform(0.8, 2.5))


def _clouds(size: int, slope: float, chance: np.random.Generator) -> np.ndarray:
    """Noise whose amplitude falls with the frequency to that power; deviation 1."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    frequency[0, 0] = np.inf
    noise = np.fft.fft2(chance.normal(size=(size, size))) * frequency ** -slope
    plain = np.fft.ifft2(noise).real
    return plain / plain.std()


def two_colours(chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two colours that can be told apart."""
    one = chance.uniform(0, 1, 3)
    other = one
    while np.abs(one - other).sum() < 0.5:
        other = chance.uniform(0, 1, 3)
    return one, other


def photographed(picture: np.ndarray, chance: np.random.Generator, noise: float) -> np.ndarray:
    """Lit from one side, with contrast and noise of a small camera."""
    size = picture.shape[0]
    x, _ = turned(size, np.array([size / 2, size / 2]), chance.uniform(0, 2 * np.pi))
    light = 1 + chance.uniform(0, 0.5) * x / (size / 2)
    lit = 0.5 + (picture * light[..., None] - 0.5) * chance.uniform(0.5, 1.0)
    return lit + chance.normal(0, chance.uniform(0.3, 1) * noise, picture.shape)


def leaf(kind: str, size: int, chance: np.random.Generator) -> np.ndarray:
    """``(size, size, 3)``: a leaf, turned a little, on the ground."""
    centre = size / 2 + chance.uniform(-4, 4, 2)
    x, y = turned(size, centre, chance.uniform(-0.4, 0.4))
    y = y * chance.uniform(0.8, 1.25)
    angle, r = np.arctan2(y, x), np.hypot(x, y)
    edge = {
        "round": np.ones_like(angle),
        "lance": 0.4 + 0.75 * np.abs(np.cos(angle)) ** 3,
        "heart": 0.75 + 0.35 * np.cos(angle) - 0.35 * np.cos(angle) ** 4 * (np.cos(angle) < 0),
        "three lobes": 0.8 + 0.3 * np.cos(3 * angle),
        "five lobes": 0.85 + 0.25 * np.cos(5 * angle),
        "serrated": 0.95 + 0.1 * np.abs(np.sin(9 * angle)),
    }[kind]
    wobble = 1 + 0.08 * np.sin(2 * angle + chance.uniform(0, 6)) * chance.normal()
    inside = (0.5 - (r - chance.uniform(16, 23) * edge * wobble)).clip(0, 1)[..., None]
    green = np.array([0.25, 0.5, 0.2]) + chance.normal(0, 0.12, 3)
    ground = np.array([0.45, 0.4, 0.35]) + chance.normal(0, 0.1, 3)
    soil = 0.12 * _clouds(size, 1.0, chance)[..., None]
    return inside * green + (1 - inside) * (ground + soil)


def save(folder: Path, i: int, picture: np.ndarray) -> str:
    """Write ``(H, W)`` or ``(H, W, 3)`` of 0 to 1; the name for the table."""
    name = f"images/{i:04d}.png"
    (folder / "images").mkdir(exist_ok=True)
    Image.fromarray((255 * picture.clip(0, 1)).astype(np.uint8)).save(folder / name)
    return name
