"""Curves, matrices and outlines as SVG, each with words for who can't see it."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 520, 220
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 28
MOST_POINTS = 400
"""Of a curve: more than the page has pixels tell nothing more."""
LARGEST_MATRIX = 40
"""Of more classes a matrix can't be read on a page."""
CELL = 26
OUTLINE_WIDTH, OUTLINE_HEIGHT = 144, 48


def curves(
    lines: Mapping[str, Sequence[float]], at: Sequence[float], title: str, across: str
) -> str:
    """Several curves over the same places; "" where none has two points.

    Args:
        lines: Per name its values; nan where there is none. Colours follow the order.
        at: Where the values stand, ascending.
        title: What is drawn, for who can't see it.
        across: What ``at`` is.
    """
    points = {name: [(x, y) for x, y in zip(at, values, strict=False) if math.isfinite(y)]
              for name, values in lines.items()}
    points = {name: line for name, line in points.items() if len(line) > 1}
    if not points:
        return ""
    every = [y for line in points.values() for _, y in line]
    low, high = min(every), max(every)
    low, high = (low - 0.5, high + 0.5) if low == high else (low, high)
    first, last = at[0], at[-1]

    def place(x: float, y: float) -> str:
        across = LEFT + (WIDTH - LEFT - RIGHT) * (x - first) / ((last - first) or 1)
        up = TOP + (HEIGHT - TOP - BOTTOM) * (high - y) / (high - low)
        return f"{across:.1f},{up:.1f}"

    parts = [_opened(WIDTH, HEIGHT, _said(title, points, across))]
    for part in (0.0, 0.5, 1.0):
        value = low + part * (high - low)
        y = TOP + (HEIGHT - TOP - BOTTOM) * (1 - part)
        parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" '
                     f'y2="{y:.1f}"/><text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" '
                     f'text-anchor="end">{value:.3g}</text>')
    for x in (first, last):
        anchor = "start" if x == first else "end"
        parts.append(f'<text class="tick" x="{place(x, low).split(",")[0]}" y="{HEIGHT - 8}" '
                     f'text-anchor="{anchor}">{x:g}</text>')
    parts.append(f'<text class="tick" x="{WIDTH / 2}" y="{HEIGHT - 8}" text-anchor="middle">'
                 f"{html.escape(across)}</text>")
    for number, line in enumerate(points.values()):
        step = max(1, len(line) // MOST_POINTS)
        drawn = " ".join(place(x, y) for x, y in [*line[:-1:step], line[-1]])
        parts.append(f'<polyline class="line{number % 3}" points="{drawn}"/>')
    legend = " ".join(f'<span class="key{number % 3}">{html.escape(name)}</span>'
                      for number, name in enumerate(points))
    return f'<figure>{"".join(parts)}</svg><figcaption>{legend}</figcaption></figure>'


def _said(title: str, points: Mapping[str, Sequence[tuple[float, float]]], across: str) -> str:
    ends = "; ".join(f"{name} from {line[0][1]:.3g} to {line[-1][1]:.3g}"
                     for name, line in points.items())
    return f"{title} over {across}: {ends}"


def matrix(counts: Sequence[Sequence[int]], labels: Sequence[str], title: str) -> str:
    """A confusion matrix, a row per true label; "" where it has too many labels to be read.

    Shades are shares of a row; the table under the page's figures says the same in numbers.
    """
    if not 1 < len(labels) <= LARGEST_MATRIX:
        return ""
    room = 8 + 7 * min(14, max(len(label) for label in labels))
    size = CELL * len(labels)
    right = sum(counts[i][i] for i in range(len(labels)))
    total = sum(map(sum, counts))
    said = f"{title}: {right} of {total} rows on the diagonal"
    parts = [_opened(room + size + 4, room + size + 4, said)]
    for i, label in enumerate(labels):
        short = html.escape(label if len(label) <= 14 else label[:13] + "…")
        middle = room + CELL * (i + 0.5)
        parts.append(f'<text class="tick" x="{room - 6}" y="{middle + 4}" text-anchor="end">'
                     f'{short}</text><text class="tick" text-anchor="start" '
                     f'transform="translate({middle + 4},{room - 6}) rotate(-90)">{short}</text>')
        row = sum(counts[i]) or 1
        for j, count in enumerate(counts[i]):
            kind = "hit" if i == j else "miss"
            parts.append(f'<rect class="{kind}" x="{room + CELL * j}" y="{room + CELL * i}" '
                         f'width="{CELL - 1}" height="{CELL - 1}" '
                         f'fill-opacity="{count / row:.3f}"/>')
            if count:
                dark = " over" if count / row > 0.6 else ""
                parts.append(f'<text class="cell{dark}" x="{room + CELL * (j + 0.5)}" '
                             f'y="{middle + 4}" text-anchor="middle">{_short(count)}</text>')
    return "".join(parts) + "</svg>"


def outline(pairs: Sequence[tuple[float, float]]) -> str:
    """A sound's outline, as high as its loudest moment."""
    highest = max((max(abs(a), abs(b)) for a, b in pairs), default=0) or 1
    step, half = OUTLINE_WIDTH / max(1, len(pairs)), OUTLINE_HEIGHT / 2
    bars = "".join(
        f"M{i * step:.1f},{half - half * high / highest:.1f}"
        f"V{half - half * low / highest + 0.5:.1f}" for i, (low, high) in enumerate(pairs))
    opened = _opened(OUTLINE_WIDTH, OUTLINE_HEIGHT, "the outline of a sound")
    return f'{opened}<path class="wave" d="{bars}"/></svg>'


def _short(count: int) -> str:
    return str(count) if count < 1000 else f"{count / 1000:.0f}k"


def _opened(width: float, height: float, said: str) -> str:
    return (f'<svg width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} '
            f'{height:.0f}" role="img" aria-label="{html.escape(said)}">')
