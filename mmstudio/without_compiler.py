"""Torch's compiler is not imported where nothing is compiled: that takes seconds."""

from __future__ import annotations

import sys
from typing import Any

NOTE = "__dynamo_disable"
"""Where torch notes on a function that its compiler is to leave it alone."""


def leave_compiler_out(functions: list[Any]) -> None:
    """Have the first call of each not import the compiler.

    Torch imports it to tell it to leave some functions alone, and looks first whether that is
    noted already. Where torch does it another way, this changes nothing.

    Args:
        functions: Those that torch has wrapped so; others are passed over.
    """
    if "torch._dynamo" in sys.modules:
        return
    for function in functions:
        plain = getattr(function, "__wrapped__", None)
        if plain is not None and not hasattr(plain, NOTE):
            setattr(plain, NOTE, plain)
