"""How many threads the numerical libraries may use."""

from __future__ import annotations

import functools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

T = TypeVar("T")

FRESH_S = 5.0
"""So long a measurement holds: a machine that does something else besides soon has another load."""
TURNS, PRODUCTS, SIDE = 4, 6, 256
"""Some turns each of so many products of square matrices: some 20 ms."""
GAIN = 0.9
"""More threads must take less than this share of one thread's time."""

_pinned = threading.local()
_lock = threading.Lock()
_measured: dict[int, tuple[float, int]] = {}
"""Per number of threads that there are: when it was measured, and how many are the fastest."""


@functools.cache
def _pools_now(with_torch: bool) -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _pools() -> Any:
    """The libraries' pools; found again once torch has brought its own."""
    return _pools_now("torch" in sys.modules)


def one_thread() -> AbstractContextManager[Any]:
    """Let numpy's linear algebra, and torch in this thread, work in one thread.

    Many small products gain nothing by more, and threads spin while they wait for each other: with
    two of them a probe took three times as long, and the answer to one sample twice as long.
    """
    context: AbstractContextManager[Any] = _pools().limit(limits=1)
    return context


def set_threads(count: int) -> None:
    """Have torch work in so many threads in this thread, and leave all others alone.

    ``torch.set_num_threads`` would have threads that begin later take the number too, and MKL
    never again heed another one: what calls ``one_thread`` afterwards would spin on all of them.
    """
    import torch

    torch.get_num_threads()  # counts the cores, which would undo what is set before
    pools = _pools().select(user_api="openmp").lib_controllers
    for pool in pools:
        pool.set_num_threads(count)
    if not pools:
        torch.set_num_threads(count)


@contextmanager
def torch_threads(count: int = 0) -> Iterator[None]:
    """Have torch work in so many threads inside, and in as many as before afterwards.

    Args:
        count: Nothing inside measures another number; 0 leaves the number as it is, and what is
            changed inside is set back all the same.
    """
    import torch

    before, pinned = torch.get_num_threads(), getattr(_pinned, "on", False)
    if count:
        set_threads(count)
        _pinned.on = True
    try:
        yield
    finally:
        set_threads(before)
        _pinned.on = pinned


def best_threads(
    time_of: Callable[[int], float] | None = None, clock: Callable[[], float] = time.monotonic,
) -> int:
    """How many threads are the fastest at this moment: all that torch may use here, or one.

    On a machine that is busy with something else, all of them wait for the one that is kept from
    its core, which can take ten times as long as one thread takes alone. Measured at most every
    few seconds, in some 20 ms.

    Args:
        time_of: The seconds that some work takes with so many threads; None takes products of
            matrices.
        clock: Seconds.
    """
    import torch

    most = torch.get_num_threads()
    if most == 1 or getattr(_pinned, "on", False):
        return most
    with _lock:
        when, best = _measured.get(most, (float("-inf"), 1))
        if clock() - when > FRESH_S:
            best = _fastest(most, time_of or _time_of_products)
            _measured[most] = (clock(), best)
    return best


def fitting_threads() -> AbstractContextManager[Any]:
    """Let torch in this thread, and numpy, work in as many threads as are the fastest now."""
    import torch

    best = best_threads()
    return nullcontext() if best == torch.get_num_threads() else one_thread()


def each_fitting(steps: Iterator[T]) -> Iterator[T]:
    """Walk some long work, each step in as many threads as are the fastest at its moment."""
    while True:
        with fitting_threads():
            try:
                step = next(steps)
            except StopIteration:
                return
        yield step


def _fastest(most: int, time_of: Callable[[int], float]) -> int:
    time_of(most)  # sleeping threads are woken
    one, all_of_them = 0.0, 0.0
    for _ in range(TURNS):  # by turns, so that a moment's load is on both
        one += time_of(1)
        all_of_them += time_of(most)
        if all_of_them > 3 * one:
            return 1
    return most if all_of_them < GAIN * one else 1


def _time_of_products(threads: int) -> float:
    import torch

    before = torch.get_num_threads()
    some = torch.ones(SIDE, SIDE)
    set_threads(threads)
    try:
        began = time.perf_counter()
        for _ in range(PRODUCTS):
            some @ some
        return time.perf_counter() - began
    finally:
        set_threads(before)
