"""How many threads the numerical libraries may use."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
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


@contextmanager
def torch_threads(count: int = 0) -> Iterator[None]:
    """Have torch work in so many threads inside, and in as many as before afterwards.

    Args:
        count: 0 leaves their number as it is; what is changed inside is set back all the same.
    """
    import torch

    before = torch.get_num_threads()
    if count:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
