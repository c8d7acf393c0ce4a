"""How commands tell things: JSON on standard output, words beside it on standard error."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What a terminal obeys: ESC and its like of eight bits, and all that moves the cursor."""
_HALVES = re.compile(r"[\ud800-\udfff]")
"""Bytes of a name that is not UTF-8, as Python keeps them."""
_UNSAFE_IN_JSON = re.compile(r"[\x7f-\x9f\ud800-\udfff]")


def visible(text: str) -> str:
    """A text that no terminal obeys and every one can show."""
    return _HALVES.sub("\ufffd", _CONTROL.sub("", text))


def say(text: str) -> None:
    """Tell something on standard error, beside what is printed for programs."""
    print(visible(text), file=sys.stderr, flush=True)


def tell(text: str) -> None:
    """Tell something on standard output, to people."""
    print(visible(text), flush=True)


def print_json(data: Any) -> None:
    """Print one line of JSON; what a terminal would obey is written as its number."""
    line = json.dumps(data, ensure_ascii=False)
    print(_UNSAFE_IN_JSON.sub(lambda m: f"\\u{ord(m[0]):04x}", line), flush=True)
