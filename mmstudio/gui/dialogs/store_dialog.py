"""How much room decoded data takes, how much it may take, and a button that clears it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDoubleSpinBox, QHBoxLayout, QVBoxLayout, QWidget

from mmstudio.data.store_space import (
    clear_store,
    limit_bytes,
    make_room,
    set_limit_gb,
    store_bytes,
    store_dir,
    stored_limit,
)
from mmstudio.gui import style
from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.parts.cards import button, label
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.units import size_text

GB = 10**9
MOST_GB = 100_000.0


class StoreDialog(QDialog):
    """The dialog `Decoded data`."""

    def __init__(self, jobs: JobRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self.setWindowTitle(self.tr("Decoded data"))
        self.setMinimumWidth(460)
        box = QVBoxLayout(self)
        box.setContentsMargins(24, 20, 24, 20)
        box.setSpacing(2 * style.SPACE)
        box.addWidget(label(self.tr(
            "Pictures, sounds and texts are decoded once and kept on the disk, so that the next "
            "training starts at once. What is cleared is decoded again when it is needed; your "
            "own files are never touched."), wrap=True))
        self.size_label = label(self.tr("Looking …"), "section")
        self.size_label.setAccessibleName("Size of decoded data")
        box.addWidget(self.size_label)
        where = label(str(store_dir()), "small", wrap=True)
        where.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        box.addWidget(where)
        box.addLayout(self._make_limit())
        box.addLayout(self._make_buttons())
        self._look()

    def _make_limit(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(label(self.tr("Keep at most")))
        self.limit = QDoubleSpinBox()
        self.limit.setAccessibleName("Limit of decoded data")
        self.limit.setObjectName("Limit of decoded data")
        self.limit.setRange(0.0, MOST_GB)
        self.limit.setDecimals(1)
        self.limit.setSuffix(self.tr(" GB"))
        self.limit.setSpecialValueText(self.tr("Automatic"))
        self.limit.setToolTip(self.tr(
            "The least recently used goes first. Automatic: 20 GB, or half of what is free"))
        self.limit.setKeyboardTracking(False)
        try:
            self.limit.setValue(float(str(stored_limit() or 0.0)))
        except ValueError:
            self.limit.setValue(0.0)
        guard_wheel(self.limit)
        self.limit.valueChanged.connect(self._set_limit)
        row.addWidget(self.limit)
        row.addStretch(1)
        return row

    def _make_buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addStretch(1)
        self.clear = button(self.tr("Clear decoded data"), "mdi6.broom", "danger",
                            name="Clear decoded data")
        self.clear.clicked.connect(self._clear)
        row.addWidget(self.clear)
        close = button(self.tr("Close"), name="Close")
        close.setDefault(True)
        close.clicked.connect(self.accept)
        row.addWidget(close)
        return row

    def _look(self, *_: object) -> None:
        self._jobs.start(lambda: (store_bytes(), limit_bytes()), self._show_sizes)

    def _show_sizes(self, sizes: tuple[int, int]) -> None:
        taken, limit = sizes
        text = self.tr("{0} of at most {1}").format(size_text(taken), size_text(limit))
        self.size_label.setText(text)
        self.clear.setEnabled(taken > 0)

    def _set_limit(self, value: float) -> None:
        set_limit_gb(value or None)
        self._jobs.start(make_room, self._look)

    def _clear(self) -> None:
        self.clear.setEnabled(False)
        self._jobs.start(lambda: (clear_store(), store_bytes()), self._on_cleared)

    def _on_cleared(self, sizes: tuple[int, int]) -> None:
        freed, left = sizes
        text = self.tr("{0} cleared").format(size_text(freed))
        if left:
            text = self.tr("{0} cleared; {1} is in use and stays").format(
                size_text(freed), size_text(left))
        self.size_label.setText(text)
