"""Work in parts: how a batch is cut, and what happens where memory runs out."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from mmstudio.training.memory_chunks import MemoryChunks

CPU = torch.device("cpu")


@pytest.mark.parametrize(("count", "rows", "expected"), [
    (10, None, [10]), (10, 10, [10]), (10, 9, [5, 5]), (10, 4, [3, 3, 4]), (3, 1, [1, 1, 1]),
    (1, 8, [1]),
])
def test_a_batch_is_cut_evenly(count: int, rows: int | None, expected: list[int]) -> None:
    parts = MemoryChunks(CPU, "work", rows).cut(count)
    assert [p.stop - p.start for p in parts] == expected
    assert parts[0].start == 0 and parts[-1].stop == count
    assert all(a.stop == b.start for a, b in pairwise(parts))


@pytest.mark.parametrize("message", [
    "CUDA out of memory. Tried to allocate 2.00 GiB.", "MPS backend out of memory",
    "[enforce fail at alloc_cpu.cpp:121] data. DefaultCPUAllocator: can't allocate memory: you "
    "tried to allocate 4000000000000 bytes.",
])
def test_where_memory_runs_out_the_parts_are_halved_and_each_halving_is_told(
    message: str
) -> None:
    held = MemoryChunks(CPU, "each training step")
    tried: list[int] = []

    def work(parts: list[slice]) -> str:
        largest = max(p.stop - p.start for p in parts)
        tried.append(largest)
        if largest > 4:
            raise RuntimeError(message)
        return "done"

    assert held.tried(16, work) == "done"
    assert tried == [16, 8, 4]
    warnings = held.warnings()
    assert ["16 samples at once" in w.message for w in warnings] == [True, False]
    assert "each training step is done in parts of 4" in warnings[1].message
    assert held.warnings() == []
    held.tried(16, work)  # remembered
    assert tried[3:] == [4]


def test_at_one_row_it_is_an_error_and_others_are_left_alone() -> None:
    held = MemoryChunks(CPU, "work")

    def full(_: list[slice]) -> None:
        raise torch.OutOfMemoryError("out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        held.tried(3, full)
    assert held.rows == 1

    def broken(_: list[slice]) -> None:
        raise RuntimeError("mat1 and mat2")

    with pytest.raises(RuntimeError, match="mat1"):
        MemoryChunks(CPU, "work").tried(3, broken)
