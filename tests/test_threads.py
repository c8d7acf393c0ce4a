"""How many threads are taken, and that others are left alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch

from mmstudio import threads
from mmstudio.threads import (
    best_threads,
    each_fitting,
    fitting_threads,
    one_thread,
    set_threads,
    torch_threads,
)


@pytest.fixture(autouse=True)
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    threads._measured.clear()
    set_threads(4)
    yield
    set_threads(before)
    threads._measured.clear()


@pytest.mark.parametrize(("one", "four", "best"), [
    (0.4, 0.1, 4), (0.4, 4.0, 1), (0.4, 0.39, 1)])  # a little gain is not worth three cores
def test_the_fastest_number_is_taken(one: float, four: float, best: int) -> None:
    assert best_threads({1: one, 4: four}.__getitem__) == best


def test_it_is_measured_every_few_seconds() -> None:
    now, asked, busy = [0.0], [], [False]

    def time_of(count: int) -> float:
        asked.append(count)
        return 1.0 if count == 1 else (5.0 if busy[0] else 0.5)

    def best() -> int:
        return best_threads(time_of, lambda: now[0])

    assert best() == 4
    busy[0], count = True, len(asked)
    now[0] = threads.FRESH_S - 0.1
    assert best() == 4 and len(asked) == count
    now[0] = threads.FRESH_S + 0.1
    assert best() == 1 and count < len(asked) < 2 * count  # hopeless is seen at once


def test_one_thread_is_not_measured() -> None:
    set_threads(1)
    assert best_threads(lambda _: pytest.fail("measured")) == 1


def test_pinned_threads_are_left() -> None:
    with torch_threads(3):
        assert best_threads(lambda _: pytest.fail("measured")) == 3
        with fitting_threads():
            assert torch.get_num_threads() == 3
    assert torch.get_num_threads() == 4
    assert best_threads({1: 1.0, 4: 2.0}.__getitem__) == 1


def test_what_was_changed_inside_is_set_back() -> None:
    with torch_threads():
        set_threads(2)
    assert torch.get_num_threads() == 4


def test_the_real_measurement_sets_back_and_answers() -> None:
    assert best_threads() in (1, 4)
    assert torch.get_num_threads() == 4


def test_each_step_of_some_work_is_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    best = iter([1, 4, 1, 4])
    monkeypatch.setattr(threads, "best_threads", lambda: next(best))

    def work() -> Iterator[int]:
        for _ in range(3):
            yield torch.get_num_threads()

    found = []
    for inside in each_fitting(work()):
        found.append((inside, torch.get_num_threads()))
    assert found == [(1, 4), (4, 4), (1, 4)]


def test_other_threads_are_left_alone() -> None:
    """What torch's own setter does not: a thread that begins later would take the number over."""
    found: list[int] = []

    def look() -> None:
        found.append(torch.get_num_threads())

    before = threading.Thread(target=look)
    before.start()
    before.join()
    set_threads(3)
    after = threading.Thread(target=look)
    after.start()
    after.join()
    assert found[0] == found[1]


def test_one_thread_still_holds_after_a_number_was_set() -> None:
    set_threads(3)
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 3
