"""Marks a method that takes the place of one of Qt's, whose documentation is Qt's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Method = TypeVar("Method", bound=Callable[..., object])


def override(method: Method) -> Method:
    """The method itself; ``typing.override`` does the same from Python 3.12 on."""
    return method
