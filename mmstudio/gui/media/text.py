"""Texts in the window."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from mmstudio.gui.media.medium import Medium

MEDIUM = Medium(
    "mdi6.text", "words", lambda: QCoreApplication.translate("media", "texts"),
    published=lambda: QCoreApplication.translate(
        "media", "It must be a model that reads texts, such as BERT, RoBERTa, MPNet or a sentence "
        "encoder."),
    example="intfloat/e5-small-v2")
