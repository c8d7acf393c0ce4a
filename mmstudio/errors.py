"""The one exception for what a person can mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something that the user can mend.

    Args:
        message: What is wrong, naming the file, row or key and the value.
        hint: The remedy, as a sentence.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message = message
        self.hint = hint


def nearest(name: str, known: Iterable[str]) -> str:
    """The hint for a name that is not known: the nearest known name, and all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    listed = f"Known: {', '.join(names)}." if names else "There is none."
    return f"Did you mean '{close[0]}'? {listed}" if close else listed
