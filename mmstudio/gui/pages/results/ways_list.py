"""The ways in which inputs can get worse, to choose from."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from mmstudio.evaluation.robustness_curves import ways_of
from mmstudio.experiment import Experiment
from mmstudio.gui import style
from mmstudio.gui.parts.cards import button, label

Way = tuple[str, str]
"""An input, and what makes it worse."""
WIDTH = 176


class WaysList(QWidget):
    """A list per input, with a box to tick before each way."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedWidth(WIDTH)
        self.tree = QTreeWidget(self)
        self.tree.setAccessibleName("Ways in which inputs get worse")
        self.tree.setObjectName("Ways in which inputs get worse")
        self.tree.setHeaderHidden(True)
        self.tree.setRootIsDecorated(False)
        self.tree.setIndentation(14)
        self.tree.setItemsExpandable(False)
        every = button(self.tr("All"), mark="link", name="All ways")
        every.clicked.connect(lambda: self._tick(Qt.CheckState.Checked))
        none = button(self.tr("None"), mark="link", name="No way")
        none.clicked.connect(lambda: self._tick(Qt.CheckState.Unchecked))
        head = QHBoxLayout()
        head.addWidget(label(self.tr("Gets worse"), "muted"), 1)
        head.addWidget(every)
        head.addWidget(none)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(style.SPACE)
        layout.addLayout(head)
        layout.addWidget(self.tree, 1)

    def show_experiment(self, experiment: Experiment) -> None:
        """Offer the ways of an experiment's inputs; what was ticked of the same ones stays."""
        ways = [(name, corruption.name) for name, corruption in ways_of(experiment)]
        if ways == self._ways():
            return
        self.tree.clear()
        heads: dict[str, QTreeWidgetItem] = {}
        for name, corruption in ways:
            if name not in heads:
                heads[name] = QTreeWidgetItem(self.tree, [name])
                _box(heads[name], Qt.ItemFlag.ItemIsAutoTristate)
            _box(QTreeWidgetItem(heads[name], [corruption]))
        self.tree.expandAll()

    def chosen(self) -> list[Way]:
        """The ways that are ticked."""
        return [(head.text(0), way.text(0)) for head, way in self._items()
                if way.checkState(0) == Qt.CheckState.Checked]

    def _ways(self) -> list[Way]:
        return [(head.text(0), way.text(0)) for head, way in self._items()]

    def _items(self) -> list[tuple[QTreeWidgetItem, QTreeWidgetItem]]:
        heads = [self.tree.topLevelItem(i) for i in range(self.tree.topLevelItemCount())]
        return [(head, way) for head in heads if head is not None
                for i in range(head.childCount()) if (way := head.child(i)) is not None]

    def _tick(self, state: Qt.CheckState) -> None:
        for _, way in self._items():
            way.setCheckState(0, state)


def _box(item: QTreeWidgetItem, more: Qt.ItemFlag = Qt.ItemFlag.NoItemFlags) -> None:
    item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable | more)
    item.setCheckState(0, Qt.CheckState.Checked)
