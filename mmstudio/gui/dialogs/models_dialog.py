"""Where downloaded models are kept, how much room they take, and buttons that remove them."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QMessageBox,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from mmstudio.gui import style
from mmstudio.gui.parts.cards import ElidedLabel, button, label
from mmstudio.gui.parts.emptied import empty
from mmstudio.gui.plain_text import plain_box
from mmstudio.gui.state.download_manager import DownloadManager
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.pretrained import published
from mmstudio.units import size_text


class ModelsDialog(QDialog):
    """The dialog `Published models`."""

    def __init__(
        self, jobs: JobRunner, models: DownloadManager, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._jobs, self._models = jobs, models
        self.setObjectName("Published models")
        self.setWindowTitle(self.tr("Published models"))
        self.setMinimumSize(560, 420)
        box = QVBoxLayout(self)
        box.setContentsMargins(24, 20, 24, 20)
        box.setSpacing(2 * style.SPACE)
        box.addWidget(label(self.tr(
            "Models that were downloaded stay on this computer, so that they work without the "
            "network. The folder belongs to Hugging Face's tools: other programs may use the "
            "same models."), wrap=True))
        self.size_label = label(self.tr("Looking …"), "section")
        self.size_label.setAccessibleName("Size of published models")
        box.addWidget(self.size_label)
        self.where = label("", "small", wrap=True)
        self.where.setAccessibleName("Folder of published models")
        self.where.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        box.addWidget(self.where)
        box.addWidget(self._make_list(), 1)
        self.trouble = label("", "bad", wrap=True)
        self.trouble.hide()
        box.addWidget(self.trouble)
        row = QHBoxLayout()
        row.addStretch(1)
        close = button(self.tr("Close"), name="Close")
        close.setDefault(True)
        close.clicked.connect(self.accept)
        row.addWidget(close)
        box.addLayout(row)
        self._look()

    def _make_list(self) -> QScrollArea:
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        holder = QWidget()
        self._rows = QVBoxLayout(holder)
        self._rows.setContentsMargins(0, 0, 8, 0)
        self._rows.setSpacing(6)
        scroll.setWidget(holder)
        return scroll

    def _look(self) -> None:
        self._jobs.start(lambda: (published.places(), published.kept()), self._show_kept)

    def _show_kept(self, found: tuple[list[Path], list[published.Kept]]) -> None:
        places, kept = found
        self.where.setText("\n".join(map(str, places)))
        total = sum(one.bytes for one in kept)
        text = self.tr("1 model, {1}") if len(kept) == 1 else self.tr("{0} models, {1}")
        self.size_label.setText(text.format(len(kept), size_text(total)) if kept else self.tr(
            "No model has been downloaded yet. The Model page offers them in the box of an "
            "encoder."))
        self.size_label.setWordWrap(True)
        empty(self._rows, hide=False)
        for one in kept:
            self._rows.addWidget(self._row_of(one))
        self._rows.addStretch(1)

    def _row_of(self, one: published.Kept) -> QWidget:
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(ElidedLabel(one.model), 1)
        size = size_text(one.bytes)
        words = size if one.whole else self.tr("{0}, not all of it").format(size)
        line.addWidget(label(words, "muted"))
        remove = button(self.tr("Remove"), "mdi6.trash-can-outline", "danger",
                        name=f"Remove {one.model}")
        remove.clicked.connect(lambda: self._ask(one))
        line.addWidget(remove)
        return row

    def _ask(self, one: published.Kept) -> None:
        box = plain_box(self)
        box.setWindowTitle(self.tr("Remove a model"))
        box.setText(self.tr("Remove {0} from this computer?").format(one.model))
        box.setInformativeText(self.tr(
            "{0} become free. Runs that were trained with it need it: they can be used again "
            "once it has been downloaded again.").format(size_text(one.bytes)))
        remove = box.addButton(self.tr("Remove"), QMessageBox.ButtonRole.DestructiveRole)
        keep = box.addButton(self.tr("Keep"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(keep)

        def done() -> None:
            if box.clickedButton() is remove:
                self.remove(one.model)
            box.deleteLater()

        box.finished.connect(done)
        box.open()

    def remove(self, model: str) -> None:
        """Delete a model from this disk."""
        self.trouble.hide()
        self._models.remove(model, self._look, self._say)

    def _say(self, message: str, hint: str) -> None:
        self.trouble.setText(f"{message} {hint}".strip())
        self.trouble.show()
        self._look()
