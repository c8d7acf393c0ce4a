"""Ask for a published model that is not in the list: an id of Hugging Face, a folder or a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QFileDialog, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.media.medium import medium_of
from mmstudio.gui.parts.cards import button, label
from mmstudio.gui.state.download_manager import DownloadManager
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.pretrained import published

if TYPE_CHECKING:
    from mmstudio.pretrained.download import Plan

WEIGHTS_FILTER = "*.pth *.pt *.safetensors"


class OtherModelDialog(QDialog):
    """The dialog `Other model`; `chosen` brings a model that was checked to fit.

    Args:
        jobs: Looks at the disk, and asks the network once `Use this model` was pressed.
        models: Knows what a download would fetch.
        input_name: The input that it is for.
        kind: What the model must read: image, text or audio.
        parent: The Qt parent.
    """

    chosen = Signal(str)

    def __init__(
        self, jobs: JobRunner, models: DownloadManager, input_name: str, kind: str,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._jobs, self._models = jobs, models
        self._kind = kind
        self._checking = JobSlot(jobs, jobs.scope)
        self.setObjectName("Other model")
        self.setWindowTitle(self.tr("Other model for “{0}”").format(input_name))
        self.setMinimumWidth(520)
        box = QVBoxLayout(self)
        box.setContentsMargins(24, 20, 24, 20)
        box.setSpacing(2 * style.SPACE)
        box.addWidget(label(self._intro(), wrap=True))
        box.addLayout(self._make_field())
        self.trouble = label("", "bad", wrap=True)
        self.trouble.setObjectName("Model problem")
        self.hint = label("", "muted", wrap=True)
        box.addWidget(self.trouble)
        box.addWidget(self.hint)
        box.addStretch(1)
        box.addLayout(self._make_buttons())
        self._say("", "")
        self.field.setFocus()

    def _intro(self) -> str:
        return self.tr(
            "Type a model's id as it stands on huggingface.co, or choose one on this computer. "
            "Nothing is downloaded yet.") + " " + medium_of(self._kind).published()

    def _make_field(self) -> QVBoxLayout:
        box = QVBoxLayout()
        box.setSpacing(style.SPACE)
        title = label(self.tr("Model"), "muted")
        box.addWidget(title)
        self.field = QLineEdit()
        self.field.setAccessibleName("Model")
        self.field.setObjectName("Model")
        self.field.setPlaceholderText(
            self.tr("for example {0}").format(medium_of(self._kind).example))
        self.field.textChanged.connect(self._typed)
        title.setBuddy(self.field)
        box.addWidget(self.field)
        row = QHBoxLayout()
        row.setSpacing(style.SPACE)
        folder = button(self.tr("Choose a folder …"), "mdi6.folder-outline",
                        tip=self.tr("A folder with a config.json and the weights"),
                        name="Choose a folder")
        folder.clicked.connect(lambda: self._browse(folders=True))
        row.addWidget(folder)
        self.file_button = button(
            self.tr("Choose a file …"), "mdi6.file-outline",
            tip=self.tr("Weights that torchvision published: a VGG or ResNet as .pth"),
            name="Choose a file")
        self.file_button.clicked.connect(lambda: self._browse(folders=False))
        self.file_button.setVisible(medium_of(self._kind).single_files)
        row.addWidget(self.file_button)
        row.addStretch(1)
        box.addLayout(row)
        return box

    def _make_buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addStretch(1)
        cancel = button(self.tr("Cancel"), name="Cancel")
        cancel.clicked.connect(self.reject)
        row.addWidget(cancel)
        self.use = button(self.tr("Use this model"), mark="primary", name="Use this model")
        self.use.setDefault(True)
        self.use.setEnabled(False)
        self.use.clicked.connect(self.check)
        row.addWidget(self.use)
        return row

    def done(self, result: int) -> None:
        """An answer that is still on its way is not wanted any more."""
        self._checking.cancel()
        super().done(result)
        self.deleteLater()

    def check(self) -> None:
        """See whether the model fits; take it and close where it does."""
        model, kind = self.field.text().strip(), self._kind
        if not model or self._checking.busy:
            return
        self.use.setEnabled(False)
        self._say("", self.tr("Looking …"))

        def fits(found: tuple[str, Plan | None]) -> None:
            self._models.take_plan(*found)
            self.chosen.emit(found[0])
            self.accept()

        def failed(message: str, hint: str) -> None:
            self.use.setEnabled(True)
            self._say(message, hint)

        self._checking.run(
            lambda should_stop: published.checked(model, kind, should_stop), fits, failed,
            stoppable=True)

    def _typed(self, text: str) -> None:
        self._checking.cancel()
        self.use.setEnabled(bool(text.strip()))
        self._say("", "")

    def _say(self, message: str, hint: str) -> None:
        for shown, text in ((self.trouble, message), (self.hint, hint)):
            shown.setText(text)
            shown.setVisible(bool(text))
        # a dialog does not grow by itself for a text that wraps
        layout = self.layout()
        needed = 0 if layout is None else layout.totalHeightForWidth(self.width())
        if needed > self.height():
            self.resize(self.width(), needed)

    def _browse(self, *, folders: bool) -> None:
        dialog = QFileDialog(self, self.tr("Choose a model"))
        if folders:
            dialog.setFileMode(QFileDialog.FileMode.Directory)
            dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        else:
            dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
            weights = self.tr("Weights ({0})").format(WEIGHTS_FILTER)
            dialog.setNameFilters([weights, self.tr("All files (*)")])
        dialog.fileSelected.connect(self.field.setText)
        dialog.open()
