"""How many threads the numerical libraries may use."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from typing import Any


@functools.cache
def _pools() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def one_thread() -> AbstractContextManager[Any]:
    """Let numpy's linear algebra, and torch in this thread, work in one thread.

    Many small products gain nothing by more, and threads spin while they wait for each other: with
    two of them a probe took three times as long, and the answer to one sample twice as long.
    """
    context: AbstractContextManager[Any] = _pools().limit(limits=1)
    return context
