"""Encoders: from one input's content to tokens. One file, one encoder, found by name."""

from __future__ import annotations

from mmstudio.encoders.base import ENCODERS, Encoder, Features

__all__ = ["ENCODERS", "Encoder", "Features", "get", "names", "register"]

register = ENCODERS.register
"""Decorator that files an encoder under a name, as ``@mmstudio.encoders.register("name", …)``."""
get = ENCODERS.get
names = ENCODERS.names
