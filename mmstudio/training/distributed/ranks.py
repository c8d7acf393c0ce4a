"""The processes that make one training together, and what they tell each other.

They are started by ``torchrun``, which also ends them all when one dies. Every process does the
same in the same order; what only one can know, such as the time or what is on the disk, the first
one tells the others.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import distributed

from mmstudio.errors import UserError
from mmstudio.training.device import choose_device
from mmstudio.training.distributed.started import restarts

PATIENCE = timedelta(days=7)
"""For what one process does while the others wait: files are decoded, answers are weighed."""
SILENCE = timedelta(minutes=10)
"""Within a step; a process that died is noticed at once, this is for one that hangs."""
_TOLD = "told"


@dataclass(frozen=True)
class Ranks:
    """This process among those of a training.

    Attributes:
        rank: Its number, from 0.
        size: How many there are.
        local: Its number on its machine.
        device: What it computes on.
        sums: For what the layers of a step add up, apart from the gradients.
        words: On the CPU, for what is told.
    """

    rank: int
    size: int
    local: int
    device: torch.device
    sums: distributed.ProcessGroup
    words: distributed.ProcessGroup

    @property
    def first(self) -> bool:
        """Whether it is the one that writes files and tells what happens."""
        return self.rank == 0

    @property
    def leads(self) -> bool:
        """Whether it is the one of its machine that decodes what is not decoded yet."""
        return self.local == 0

    def share(self, count: int) -> slice:
        """Which of so many rows are its own; those of all processes are all rows."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def wait(self) -> None:
        """Until every process is here."""
        self.any(False)

    def any(self, wish: bool) -> bool:
        """Whether one of the processes wishes it."""
        wishes = torch.tensor([int(wish)])
        distributed.all_reduce(wishes, distributed.ReduceOp.MAX, group=self.words)
        return bool(wishes)

    def agreed(self, stop: bool, due: bool) -> tuple[bool, bool]:
        """Whether a process wishes to stop; whether a checkpoint is due, for that or by the first.

        Args:
            stop: This one's wish.
            due: Whether a checkpoint is, by its own clock.
        """
        wishes = torch.tensor([int(stop), int(due and (stop or self.first))])
        distributed.all_reduce(wishes, distributed.ReduceOp.MAX, group=self.words)
        return bool(wishes[0]), bool(wishes[1])

    def first_says(self, said: Any) -> Any:
        """What the first process says, as plain data; what the others give is not looked at."""
        text = json.dumps(said).encode() if self.first else b""
        length = torch.tensor([len(text)])
        distributed.broadcast(length, 0, group=self.words)
        content = torch.zeros(int(length), dtype=torch.uint8)
        if self.first:
            content = torch.frombuffer(bytearray(text), dtype=torch.uint8)
        distributed.broadcast(content, 0, group=self.words)
        return json.loads(content.numpy().tobytes())

    def same_chance(self) -> None:
        """Have the layers of all processes draw from where the first one's are."""
        state = torch.get_rng_state()
        distributed.broadcast(state, 0, group=self.words)
        torch.set_rng_state(state)
        if self.device.type == "cuda":
            state = torch.cuda.get_rng_state(self.device)
            distributed.broadcast(state, 0, group=self.words)
            torch.cuda.set_rng_state(state, self.device)

    def whole(self, own: torch.Tensor, count: int, rows: slice) -> torch.Tensor:
        """``(count, …)`` on the CPU: the rows of all processes.

        Args:
            own: ``(n, …)`` on the CPU.
            count: Of all rows.
            rows: Which of them are its own.
        """
        every = own.new_zeros(count, *own.shape[1:])
        every[rows] = own
        distributed.all_reduce(every, group=self.words)
        return every

    def most(self, number: int) -> int:
        """The largest of the numbers that the processes give."""
        numbers = torch.tensor([number])
        distributed.all_reduce(numbers, distributed.ReduceOp.MAX, group=self.words)
        return int(numbers)


@contextlib.contextmanager
def joined(wanted: str) -> Iterator[Ranks]:
    """Join the other processes, as torchrun's environment variables say.

    An error of one process ends the others, and is told once.

    Args:
        wanted: ``training.device``.

    Raises:
        UserError: Such a device can't be shared out.
    """
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    local = int(os.environ.get("LOCAL_RANK", str(rank)))
    keeps = rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    store = distributed.PrefixStore(  # type: ignore[attr-defined]
        f"mmstudio/{restarts()[0]}",
        distributed.TCPStore(  # type: ignore[attr-defined]
            os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=keeps,
            timeout=SILENCE))
    try:
        device = own_device(wanted, local, size)
        backend = "nccl" if device.type == "cuda" else "gloo"
        distributed.init_process_group(
            backend, store=store, rank=rank, world_size=size, timeout=SILENCE)
        yield Ranks(rank, size, local, device, distributed.new_group(timeout=SILENCE),
                    distributed.new_group(backend="gloo", timeout=PATIENCE))
        distributed.destroy_process_group()
    except (UserError, RuntimeError) as error:
        reason = error if isinstance(error, UserError) else another_gone(error, True)
        if reason is None:
            raise
        if not _first_to_tell(store, rank):
            raise SystemExit(1) from None
        raise reason from None


def _first_to_tell(store: Any, rank: int) -> bool:
    """Whether no other process has told what ended the training."""
    try:
        return int(store.add(_TOLD, 1)) == 1
    except RuntimeError:  # who keeps the words is gone
        return rank == 0


def own_device(wanted: str, local: int, size: int) -> torch.device:
    """The device of one of several processes.

    Args:
        wanted: ``training.device``.
        local: The process's number on its machine.
        size: How many processes there are in all.

    Raises:
        UserError: There are too few, or it is a single one.
    """
    if wanted not in ("auto", "cpu", "cuda"):
        raise UserError(f"training.device = '{wanted}' is one device, and {size} processes train.",
                        "Set device = \"auto\", \"cuda\" or \"cpu\".")
    if wanted == "auto" and torch.cuda.is_available():
        wanted = "cuda"
    if wanted == "auto":
        wanted = "cpu"
    if wanted == "cuda":
        choose_device("cuda")
        count = torch.cuda.device_count()
        if local >= count:
            raise UserError(f"{count} CUDA device(s) are here, too few for process {local + 1}.",
                            "Start as many processes as there are devices on a machine, or set "
                            "device = \"cpu\".")
        torch.cuda.set_device(local)
        return torch.device("cuda", local)
    return torch.device("cpu")


_SIGNS = ("gloo", "Connection closed by peer", "Connection reset", "ProcessGroup", "NCCL",
          "store is gone", "Broken pipe")


def another_gone(error: BaseException, resumable: bool) -> UserError | None:
    """What to tell where a call that waits for the others failed; None for another error.

    Args:
        error: What was raised.
        resumable: Whether the run has a checkpoint.
    """
    said = str(error).strip()
    if not isinstance(error, distributed.DistError) and not any(s in said for s in _SIGNS):
        return None
    hint = ("The run's last checkpoint is intact: add --resume." if resumable
            else "Start it again.")
    if "Connection" in said or "Broken pipe" in said:
        return UserError("Another process of this training ended before its time.", hint)
    return UserError("Another process of this training is silent: "
                     f"{(said.splitlines() or [type(error).__name__])[0]}", hint)
