"""What jobs are asked for, and with what they end."""

from __future__ import annotations

from typing import Protocol
from weakref import WeakSet


class Cancelled(Protocol):
    """A slot, or whatever else has something on its way."""

    def cancel(self) -> object:
        """Leave what is on its way."""


class Scope:
    """What jobs are asked for: the app, the open project, the model on the Test page.

    When it closes, all that was asked for in it is cancelled: no answer arrives late.
    """

    def __init__(self) -> None:
        self._slots: WeakSet[Cancelled] = WeakSet()  # a job at work keeps its slot alive

    def add(self, slot: Cancelled) -> None:
        """Have a slot closed with it."""
        self._slots.add(slot)

    def close(self) -> None:
        """Cancel the jobs in all of its slots; others may be started in them at once."""
        for slot in list(self._slots):
            slot.cancel()
