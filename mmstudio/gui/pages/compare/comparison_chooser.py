"""The box `Comparison`: a new one, or one of the earlier ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QComboBox, QWidget

from mmstudio.gui.forms import guard_wheel

if TYPE_CHECKING:
    from mmstudio.gui.state.comparison import ComparisonController


class ComparisonChooser(QComboBox):
    """Lists the project's comparisons and leads to the one that is chosen."""

    def __init__(self, comparing: ComparisonController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._comparing = comparing
        self.setObjectName("Comparison")
        self.setAccessibleName("Comparison")
        self.setMinimumWidth(160)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.setToolTip(self.tr("Set up a new comparison, or look at an earlier one"))
        guard_wheel(self)
        self.activated.connect(lambda index: comparing.show(self.itemData(index)))
        comparing.listed.connect(self.show_list)
        self.show_list()

    def show_list(self) -> None:
        """Show the comparisons that there are now, and which of them is on show."""
        comparing = self._comparing
        entries = self._entries()
        self.blockSignals(True)
        # its list may be open: it must not be emptied where only the counts have changed
        if [self.itemData(i) for i in range(self.count())] != [name for _, name in entries]:
            self.clear()
            for text, name in entries:
                self.addItem(text, name)
        for index, (text, _) in enumerate(entries):
            self.setItemText(index, text)
        self.setCurrentIndex(max(0, self.findData(comparing.chosen)))
        self.blockSignals(False)

    def show_chosen(self) -> None:
        """Show which comparison is on show."""
        place = self.findData(self._comparing.chosen)
        if place < 0:
            self.show_list()
        else:
            self.setCurrentIndex(place)

    def _entries(self) -> list[tuple[str, str]]:
        """Per entry its text and the comparison's name."""
        comparing = self._comparing
        entries = [(self.tr("New comparison"), "")]
        for summary in comparing.comparisons:
            text = summary.name if summary.is_complete else self.tr("{0} ({1} of {2})").format(
                summary.name, summary.done, summary.total)
            entries.append((text, summary.name))
        if comparing.shown and comparing.shown not in [name for _, name in entries]:
            entries.append((comparing.shown, comparing.shown))
        return entries
