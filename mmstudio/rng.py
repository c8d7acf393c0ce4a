"""Random numbers of one's own: what is drawn meanwhile leaves torch's random state alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mmstudio.without_compiler import leave_compiler_out


class DrawnAside(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Inside, this thread draws from a generator of its own, on the CPU.

    Torch's own way, to put the state back afterwards (``fork_rng``), would take back what another
    thread has drawn meanwhile: a run that trains while a model is loaded would draw the same
    numbers again. The generator begins with torch's seed, so a run draws the same each time.

    Args:
        seed: Of the generator; None takes torch's.
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._generator = torch.Generator("cpu").manual_seed(
            torch.initial_seed() if seed is None else seed)

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Torch's: hand the generator to what draws."""
        named = dict(kwargs or {})
        if torch.Tag.nondeterministic_seeded in getattr(func, "tags", ()) and _on_cpu(args, named):
            drawing = _with_generator(func)
            if drawing is not None and named.get("generator") is None:
                func, named["generator"] = drawing, self._generator
        return func(*args, **named)


leave_compiler_out([DrawnAside.__torch_dispatch__])


def _on_cpu(args: Sequence[Any], named: Mapping[str, Any]) -> bool:
    """Whether an operation's result is on the CPU; on ``meta`` nothing is drawn."""
    tensors = [a for a in args if isinstance(a, torch.Tensor)]
    device = tensors[0].device if tensors else named.get("device") or "cpu"
    return torch.device(device).type == "cpu"


def _with_generator(func: Any) -> Any | None:
    """The form of an operation that takes a generator; None where it has none (dropout)."""
    if any(argument.name == "generator" for argument in func._schema.arguments):
        return func
    name = func._overloadname
    forms = ("generator",) if name == "default" else (f"{name}_generator", f"generator_{name}")
    packet = func.overloadpacket
    return next((getattr(packet, form) for form in forms if form in packet.overloads()), None)
