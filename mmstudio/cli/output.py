"""How commands tell things: JSON on standard output, words beside it on standard error."""

from __future__ import annotations

import json
import sys
from typing import Any


def say(text: str) -> None:
    """Tell something on standard error, beside what is printed for programs."""
    print(text, file=sys.stderr, flush=True)


def print_json(data: Any) -> None:
    """Print one line of JSON."""
    print(json.dumps(data, ensure_ascii=False), flush=True)
