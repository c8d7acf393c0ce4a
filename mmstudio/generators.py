"""Generators that yield steps and return a result, passed on by others."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

Step = TypeVar("Step")
Event = TypeVar("Event")
Result = TypeVar("Result")


def mapped(
    steps: Generator[Step, None, Result], event: Callable[[Step], Event]
) -> Generator[Event, None, Result]:
    """The steps as events of another kind; returns what the steps return."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result
        yield event(step)
