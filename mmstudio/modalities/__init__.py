"""Modalities: how pictures, texts and sounds are read, kept and put into batches.

One file, one modality, found by name. None imports torch at the top: tables are read, files
recognised and forms filled before torch is loaded.
"""

from __future__ import annotations

from mmstudio.modalities.base import MODALITIES, Modality, modality_of_file, names_medium

__all__ = ["MODALITIES", "Modality", "get", "modality_of_file", "names", "names_medium",
           "register"]

register = MODALITIES.register
"""Decorator that files a modality under a name, as ``@mmstudio.modalities.register("name", …)``."""
get = MODALITIES.get
names = MODALITIES.names
