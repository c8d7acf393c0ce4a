"""Kernel machines: answers from how alike a sample is to those of the training."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import nn

from mmstudio.combining.kernels import placed_counts, placed_measurements

FINAL, HELD_OUT = 0, 1
"""Which rows the coefficients are of: those of training and validation, or of training alone."""
PUBLISHED = "published"
"""The part of a description that a published model gives."""


@dataclass(frozen=True)
class Block:
    """One part of one input's description, as machines compare it.

    Attributes:
        input: The input's place.
        name: The part's name; ``published`` is what a published model gives.
        begin: Its first column in the description, and ``end``; 0 for the published one.
        end: See ``begin``.
        counts: Its numbers are counts.
    """

    input: int
    name: str
    begin: int
    end: int
    counts: bool


@dataclass(frozen=True)
class Machine:
    """A kernel ridge regression on the sum of some blocks' kernels, or on their product.

    A sum answers to what each block says; a product to what they say only together, as a radial
    kernel of all blocks side by side.

    Attributes:
        name: What it looks at, for people.
        blocks: The places of its blocks.
        shares: Per block its weight in the kernel; of a product, in the exponent.
        width: Of its radial kernels: 1 is the usual.
        product: Whether it is a product.
    """

    name: str
    blocks: tuple[int, ...]
    shares: tuple[float, ...]
    width: float
    product: bool = False


class KernelMachines(nn.Module):
    """Kernel ridge regressions of all targets at once, on parts of the inputs' descriptions.

    A machine's answer is the sum of what its inputs add, plus what holds without any: so every
    subset of the inputs is answered from one pass over them, and an absent input adds nothing.

    Args:
        blocks: The parts of the descriptions.
        machines: What is made of them.
        tensors: Per name the fitted numbers; see ``mmstudio.combining.fitting``.
        sizes: Per target how many outputs it has.
    """

    def __init__(
        self, blocks: Sequence[Block], machines: Sequence[Machine],
        tensors: Mapping[str, torch.Tensor], sizes: Mapping[str, int],
    ) -> None:
        super().__init__()
        self.blocks, self.machines = tuple(blocks), tuple(machines)
        self.sizes = dict(sizes)
        self.rows = FINAL
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor)
        # where each machine's numbers begin among the votes
        widths = [self._of(f"machine{k}_beta").shape[1] if machine.product
                  else sum(self.sizes.values()) for k, machine in enumerate(self.machines)]
        self._begins = [0, *accumulate(widths)]

    @property
    def width(self) -> int:
        """How many numbers a vote is: answers of sums, and exponents of products per landmark."""
        return self._begins[-1]

    def inputs_of(self, machine: Machine) -> list[int]:
        """The inputs that it reads."""
        return sorted({self.blocks[b].input for b in machine.blocks})

    def reads(self, at: int) -> bool:
        """Whether a block is of this input; nothing describes those of a modality of one's own."""
        return any(block.input == at for block in self.blocks)

    @contextlib.contextmanager
    def held_out(self) -> Iterator[None]:
        """Inside, they answer as those that have not seen the validation rows."""
        self.rows = HELD_OUT
        try:
            yield
        finally:
            self.rows = FINAL

    def votes(
        self, at: int, description: torch.Tensor | None, source: torch.Tensor | None
    ) -> torch.Tensor:
        """``(B, V)`` what an input that is there adds to each machine's answer, or exponent.

        Args:
            at: The input's place.
            description: ``(B, D)`` of the input; may be None where no block reads it.
            source: ``(B, S)`` what its published model gives; may be None likewise.
        """
        given = source if description is None else description
        if given is None:
            raise ValueError("an input needs a description or a published model's features")
        found = given.new_zeros(len(given), self.width, dtype=torch.float32)
        for b, block in enumerate(self.blocks):
            values = source if block.name == PUBLISHED else (
                None if description is None else description[:, block.begin : block.end])
            if block.input == at and values is not None:
                self._add(found, b, values.float())
        return found

    def _add(self, found: torch.Tensor, b: int, values: torch.Tensor) -> None:
        """One block's part, to ``(B, V)``."""
        if self.blocks[b].counts:
            placed = placed_counts(values, self._of(f"block{b}_weights"))
        else:
            placed = placed_measurements(
                values, self._of(f"block{b}_mean"), self._of(f"block{b}_scale"))
            apart = torch.cdist(placed, self._of(f"block{b}_landmarks")).square()
            apart = apart / self._of(f"block{b}_spread")
        for k, machine in enumerate(self.machines):
            if b not in machine.blocks:
                continue
            own = found[:, self._begins[k] : self._begins[k + 1]]
            if machine.product:
                share = machine.width * machine.shares[machine.blocks.index(b)]
                own -= share * (1 - self._cosines(k, b, placed) if self.blocks[b].counts
                                else apart[:, self._of(f"machine{k}_marks{b}")])
            else:
                kernel = placed if self.blocks[b].counts else torch.exp(-machine.width * apart)
                own += kernel @ self._of(f"machine{k}_block{b}")[self.rows]

    def _cosines(self, k: int, b: int, placed: torch.Tensor) -> torch.Tensor:
        """``(B, m)`` of placed counts with those of a product's landmarks, which are sparse."""
        landmarks = torch.sparse_coo_tensor(
            self._of(f"machine{k}_places{b}"), self._of(f"machine{k}_counts{b}"),
            (self._of(f"machine{k}_beta").shape[1], placed.shape[1]),
            check_invariants=True)  # the numbers may be of a file from elsewhere
        found: torch.Tensor = torch.sparse.mm(landmarks, placed.T).T
        return found

    def answers(self, votes: torch.Tensor) -> dict[str, torch.Tensor]:
        """Per target ``(machines, B, outputs)``, from the sum of the inputs' votes.

        In the scale of the task's own outputs.
        """
        answers = []
        for k, machine in enumerate(self.machines):
            own = votes[:, self._begins[k] : self._begins[k + 1]]
            if machine.product:
                own = own.exp() @ self._of(f"machine{k}_beta")[self.rows]
            answers.append(own + self._of(f"machine{k}_mean")[self.rows])
        found = {}
        parts = torch.split(torch.stack(answers), list(self.sizes.values()), dim=2)
        for t, (name, part) in enumerate(zip(self.sizes, parts, strict=True)):
            scale, shift = self.scales[:, t, 0], self.scales[:, t, 1]
            found[name] = part * scale[:, None, None] + shift[:, None, None]
        return found

    scales: torch.Tensor
    """``(machines, targets, 2)`` a factor and a summand."""

    def _of(self, name: str) -> torch.Tensor:
        found: torch.Tensor = getattr(self, name)
        return found

    def layout(self) -> dict[str, Any]:
        """All but the numbers, as plain data."""
        return {"blocks": [asdict(b) for b in self.blocks],
                "machines": [asdict(m) for m in self.machines], "sizes": self.sizes}

    @classmethod
    def of_layout(
        cls, layout: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]
    ) -> KernelMachines:
        """What ``layout`` and ``state_dict`` gave."""
        machines = [Machine(m["name"], tuple(m["blocks"]), tuple(m["shares"]), m["width"],
                            m["product"])
                    for m in layout["machines"]]
        return cls([Block(**b) for b in layout["blocks"]], machines, tensors, layout["sizes"])
