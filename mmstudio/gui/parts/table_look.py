"""How the app's tables look and move: rows without a grid, chosen whole, never edited."""

from __future__ import annotations

from PySide6.QtWidgets import QAbstractItemView, QTableView


def dress(table: QTableView, name: str, *, least_column: int, row_height: int = 0) -> None:
    """Name a table and give it the look of all tables.

    Args:
        table: A table; call before it sets what is its own.
        name: For people who hear the window, and for tests.
        least_column: Width down to which a column can be drawn, pixels.
        row_height: Height of the rows, pixels, which then have no header of their own; 0 leaves
            the rows' header as it is.
    """
    table.setAccessibleName(name)
    table.setObjectName(name)
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    table.setTabKeyNavigation(False)  # Tab leaves the table; the arrow keys move in it
    columns = table.horizontalHeader()
    columns.setHighlightSections(False)
    columns.setMinimumSectionSize(least_column)
    if row_height:
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(row_height)
