"""Bytes as people say them."""

from __future__ import annotations


def size_text(count: int) -> str:
    """45_000_000 as ``45 MB``, 1_340_000_000 as ``1.3 GB``."""
    value, unit = float(count), "B"
    for larger in ("KB", "MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{value:.1f} {unit}" if unit in ("GB", "TB") and value < 99.5 else f"{value:.0f} {unit}"
