"""Small tensors are slower on many threads than on one."""

from __future__ import annotations

from tests.one_thread import one_thread as one_thread  # a fixture
