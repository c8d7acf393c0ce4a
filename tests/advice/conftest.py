"""Numbers with planted knowledge, as blocks for a probe."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from mmstudio.advice.linear import Classes, Numbers, fold_of_rows
from mmstudio.advice.probe import Block, Probe, block_of, probe


def signal(values: np.ndarray, chance: np.random.Generator, noise: float = 0.5) -> np.ndarray:
    """``(N,)`` class numbers to ``(N, D)`` features that show them, among ten that are chance."""
    shown = 2 * np.eye(int(values.max()) + 1)[values]
    shown = shown + noise * chance.normal(size=shown.shape)
    return np.hstack([shown, chance.normal(size=(len(values), 10))]).astype(np.float32)


def blocks_of(features: Mapping[str, np.ndarray]) -> dict[str, Block]:
    """Blocks of inputs that are all there."""
    return {
        name: block_of(part, np.ones(len(part), dtype=bool), len(features))
        for name, part in features.items()}


def probed(answers: np.ndarray, features: Mapping[str, np.ndarray]) -> Probe:
    """The probe of classes ``(N,)`` or of numbers ``(N, C)``."""
    folds = fold_of_rows(len(answers), None, 0)
    question = Classes(answers, folds) if answers.ndim == 1 else Numbers(answers, folds)
    *steps, last = probe("answer", question, blocks_of(features), None, 0)
    assert steps and all(isinstance(step, str) for step in steps)
    assert isinstance(last, Probe)
    return last


@pytest.fixture
def chance() -> np.random.Generator:
    return np.random.default_rng(11)
