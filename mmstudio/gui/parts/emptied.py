"""Emptying a layout before it is filled anew."""

from __future__ import annotations

from PySide6.QtWidgets import QLayout


def empty(layout: QLayout, keep: int = 0, *, hide: bool = True) -> None:
    """Take the widgets out of a layout and delete them.

    Args:
        layout: What is emptied.
        keep: So many items at its end stay, such as a stretch.
        hide: Hide them at once; else they are seen until those that follow are.
    """
    while layout.count() > keep:
        item = layout.takeAt(0)
        widget = item.widget() if item is not None else None
        if widget is not None:
            if hide:
                widget.hide()
            widget.deleteLater()
