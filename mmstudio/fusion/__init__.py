"""Fusions: from every input's features to one shared representation. One file, one fusion."""

from __future__ import annotations

from mmstudio.fusion.base import FUSIONS, Fusion

__all__ = ["FUSIONS", "Fusion", "get", "names", "register"]

register = FUSIONS.register
"""Decorator that files a fusion under a name, as ``@mmstudio.fusion.register("name", …)``."""
get = FUSIONS.get
names = FUSIONS.names
