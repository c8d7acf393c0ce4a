"""The two-sample test: false alarms as stated, differences seen."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata

from mmstudio.evaluation import two_samples
from mmstudio.evaluation.two_samples import _ranks, two_sample_test


def test_false_alarms_are_as_many_as_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_samples, "PERMUTATIONS", 59)
    chance = np.random.default_rng(0)
    p_values = []
    for seed in range(200):
        rows = chance.standard_t(3, size=(90, 6))  # long tails, as representations have
        found = two_sample_test(rows[:60], rows[60:], seed)
        assert found is not None
        p_values.append(found.p_value)
    alarms = np.mean(np.array(p_values) <= 0.05)
    assert 0.01 <= alarms <= 0.09  # 0.05 within two and a half standard errors
    assert 0.45 < np.mean(p_values) < 0.56


def test_a_shift_and_a_spread_are_seen() -> None:
    chance = np.random.default_rng(1)
    known, new = chance.normal(size=(200, 10)), chance.normal(size=(100, 10))
    alike = two_sample_test(known, new)
    assert alike is not None and alike.p_value > 0.05 and abs(alike.auc - 0.5) < 0.1
    for other in (new + np.eye(10)[0], new * 1.6):
        found = two_sample_test(known, other)
        assert found is not None and found.p_value == 0.001 and found.auc > 0.65
    apart = two_sample_test(known, new + 20)
    assert apart is not None and apart.auc == 1.0


def test_of_few_rows_nothing_is_told() -> None:
    assert two_sample_test(np.zeros((100, 3)), np.zeros((9, 3))) is None


def test_rows_that_are_all_equal_are_not_told_apart() -> None:
    found = two_sample_test(np.ones((30, 3)), np.ones((30, 3)))
    assert found is not None and found.auc == 0.5 and found.p_value == 1.0


def test_ranks_are_scipys() -> None:
    scores = np.random.default_rng(0).integers(0, 6, (20, 3)).astype(float)
    assert (_ranks(scores) == rankdata(scores, axis=0)).all()
