"""Fingerprints: 256 bytes by which copies of a picture or sound are found.

Candidates are near in their fingerprints; whether they are the same is then decided on the content
itself.
"""

from __future__ import annotations

import numpy as np

GRID = 16
FINGERPRINT_BYTES = GRID * GRID


def units(fingerprints: np.ndarray) -> np.ndarray:
    """Fingerprints ``(n, 256)`` without mean and of length 1: products are correlations."""
    values = fingerprints.astype(np.float32)
    values -= values.mean(axis=1, keepdims=True)
    length = np.linalg.norm(values, axis=1, keepdims=True).astype(np.float32)
    # hardly any contrast: what is left is rounding
    length[length < GRID] = np.inf
    values /= length
    return values
