"""What plain data from a file must look like: checked where it is read, once.

A shape is written as the data itself: ``int`` a count, ``range(1, 5)`` a count within it,
``float`` a finite number or null, ``(0.0, 1.0)`` a number within these, ``str``, ``bool``,
``[shape]`` a list, and a mapping of keys to shapes. In a mapping ``"loss"`` must be there and fit,
``"size?"`` must fit where it is there, and ``"**"`` says what all other keys hold. With ``"*"``
those that don't fit are left out, for another version may have written them. Without either, other
keys stay as they are.
"""

from __future__ import annotations

import math
from typing import Any

LARGEST = 2**53
"""Above it, numbers of JSON are no longer exact."""


def fitted_to(value: Any, shape: Any, what: str = "it") -> Any:
    """The value, of this shape.

    Args:
        value: Plain data, as JSON and TOML give it.
        shape: See above.
        what: Its name, for messages.

    Raises:
        ValueError: It has another shape; says where.
    """
    if isinstance(shape, dict):
        return _mapping(value, shape, what)
    if isinstance(shape, list):
        if not isinstance(value, list):
            raise _misfit(value, "a list", what)
        return [fitted_to(one, shape[0], f"{what}[{i}]") for i, one in enumerate(value)]
    if isinstance(shape, range) or shape is int:
        within: range = shape if isinstance(shape, range) else range(LARGEST)
        if isinstance(value, bool) or not isinstance(value, int) or value not in within:
            raise _misfit(value, f"a count from {within.start} to {within.stop - 1}", what)
        return value
    if isinstance(shape, tuple):
        if not _is_number(value) or not shape[0] <= value <= shape[1]:
            raise _misfit(value, f"a number from {shape[0]:g} to {shape[1]:g}", what)
        return value
    if shape is float:
        if value is not None and not _is_number(value):
            raise _misfit(value, "a number", what)
        return value
    if not isinstance(value, shape):
        raise _misfit(value, {str: "a text", bool: "true or false"}[shape], what)
    return value


def _mapping(value: Any, shape: dict[str, Any], what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _misfit(value, "a mapping", what)
    found = {}
    for key, one in value.items():
        wanted = shape.get(key, shape.get(f"{key}?", shape.get("**")))
        if wanted is not None:
            found[key] = fitted_to(one, wanted, f"{what}.{key}")
        elif "*" in shape:
            try:
                found[key] = fitted_to(one, shape["*"], f"{what}.{key}")
            except ValueError:
                continue
        else:
            found[key] = one
    for key in shape:
        if key not in ("*", "**") and not key.endswith("?") and key not in found:
            raise ValueError(f"{what}.{key} is missing")
    return found


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= LARGEST if isinstance(value, int) else math.isfinite(value)


def _misfit(value: Any, wanted: str, what: str) -> ValueError:
    return ValueError(f"{what[:100]} is not {wanted}: {value!r:.60}"
                      if not isinstance(value, dict | list)
                      else f"{what[:100]} is not {wanted}")
