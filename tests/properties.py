"""How tests of properties run: the same examples each time, no database beside the code."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

steady = settings(
    derandomize=True, database=None, deadline=None, max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
