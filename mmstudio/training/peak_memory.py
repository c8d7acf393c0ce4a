"""The most memory that tensors took at once, on devices that don't count it themselves."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


@dataclass
class Peak:
    """``bytes`` is known once the work is done."""

    bytes: int = 0


@contextlib.contextmanager
def measured(
    device: torch.device, held: Sequence[torch.Tensor], peak: Peak
) -> Iterator[None]:
    """Note the most memory at any moment of what is done meanwhile, with all that was there.

    CUDA counts for itself. Elsewhere the storages of all results are counted as long as they
    live, in the forward and the backward pass; what a kernel takes for itself alone is not.

    Args:
        device: Where the work is done.
        held: What is there from the beginning, such as weights; what else is there on the device
            is not counted.
        peak: What is found is put there.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        others = torch.cuda.memory_allocated(device) - bytes_of(held)
        yield
        peak.bytes = int(torch.cuda.max_memory_allocated(device)) - max(0, others)
        return
    counter = _Counter()
    for tensor in held:
        counter.note(tensor)
    with counter:
        yield
    peak.bytes = counter.most


def bytes_of(tensors: Iterable[torch.Tensor]) -> int:
    """What these tensors take together; one that shares another's storage takes nothing."""
    return sum({t.untyped_storage()._cdata: t.untyped_storage().nbytes()
                for t in tensors}.values())


@dataclass
class _Live:
    """What is there now, by the storages' addresses, and the most that ever was."""

    sizes: dict[int, int] = field(default_factory=dict)
    now: int = 0
    most: int = 0

    def gone(self, key: int) -> None:
        self.now -= self.sizes.pop(key, 0)


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees the result of every operation."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._live = _Live()

    @property
    def most(self) -> int:
        return self._live.most

    def note(self, tensor: torch.Tensor) -> None:
        """Count a tensor's storage, unless it is counted."""
        live, storage = self._live, tensor.untyped_storage()
        key = storage._cdata
        if key in live.sizes:
            return
        live.sizes[key] = storage.nbytes()
        live.now += live.sizes[key]
        live.most = max(live.most, live.now)
        weakref.finalize(storage, live.gone, key).atexit = False

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Torch's: do it, and count what came of it."""
        result = func(*args, **(kwargs or {}))
        for found in tree_leaves(result):
            if isinstance(found, torch.Tensor) and found.layout == torch.strided:
                self.note(found)
        return result
