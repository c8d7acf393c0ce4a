"""Whether a published model is on this computer, and the button that fetches it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from mmstudio.gui.parts.cards import IconLabel, button, label
from mmstudio.gui.state.download_manager import DownloadManager, ModelState
from mmstudio.pretrained import published
from mmstudio.units import size_of_text, size_text, time_left_text

_STEPS = 1000


class ModelStateView(QWidget):
    """One model's state: here, or a button to fetch it, its progress, what went wrong.

    Args:
        models: Fetches it.
        name: The input's name, for the controls' accessible names.
    """

    def __init__(self, models: DownloadManager, name: str) -> None:
        super().__init__()
        self._models = models
        self._model = self._kind = ""
        self._size = 0
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(6)
        self._line = self._make_line()
        box.addWidget(self._line)
        self.download = button("", "mdi6.download", "primary", name=f"Download {name} model")
        self.download.clicked.connect(self._fetch)
        box.addWidget(self.download, 0, Qt.AlignmentFlag.AlignLeft)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(f"{name} download")
        self.bar.setObjectName(f"{name} download")
        box.addWidget(self.bar)
        self._going = QWidget()
        row = QHBoxLayout(self._going)
        row.setContentsMargins(0, 0, 0, 0)
        self.words = label("", "small", wrap=True)
        self.words.setAccessibleName(f"{name} download progress")
        row.addWidget(self.words, 1)
        self.stop = button(self.tr("Stop"), "mdi6.stop", name=f"Stop {name} download",
                           tip=self.tr("What has arrived is kept; you can continue later"))
        self.stop.clicked.connect(lambda: self._models.stop(self._model))
        row.addWidget(self.stop)
        box.addWidget(self._going)
        self.trouble = label("", "bad", wrap=True)
        self.hint = label("", "small", wrap=True)
        for text in (self.trouble, self.hint):
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            box.addWidget(text)
        self.trouble.setObjectName(f"{name} model problem")
        self._models.changed.connect(self._refresh)

    def _make_line(self) -> QWidget:
        line = QWidget()
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(IconLabel("mdi6.check-circle-outline", 16, "good"))
        row.addWidget(label(self.tr("On this computer"), "small"), 1)
        return line

    def show_model(self, model: str, kind: str, size: int) -> None:
        """Show a model; `size` is the bytes of its download, 0 where not known."""
        self._model, self._kind, self._size = model, kind, size
        self._refresh()

    def _refresh(self) -> None:
        if self._model:
            self._show(self._models.state(self._model, self._kind))

    def _show(self, state: ModelState) -> None:
        held = self.window().focusWidget() in (self.download, self.stop)
        self._line.setVisible(state.here is True)
        self._going.setVisible(state.loading)
        self.bar.setVisible(state.loading)
        can_fetch = state.here is False and not state.loading and (
            published.is_downloaded(self._model))
        self.download.setVisible(can_fetch)
        self.download.setText(self._offer(state))
        if state.loading:
            self.bar.setRange(0, _STEPS if state.total else 0)
            self.bar.setValue(round(_STEPS * state.done / state.total) if state.total else 0)
            self.words.setText(self._progress(state))
        for text, words in ((self.trouble, state.message), (self.hint, state.hint)):
            text.setText(words)
            text.setVisible(bool(words))
        # each of the two takes the other's place: the keyboard stays with them
        if held and (state.loading or can_fetch):
            (self.stop if state.loading else self.download).setFocus()

    def _offer(self, state: ModelState) -> str:
        total = state.total or self._size
        if not total:
            return self.tr("See size and licence")
        if state.done:
            left = size_text(max(0, total - state.done))
            return self.tr("Resume download ({0} left)").format(left)
        return self.tr("Download ({0})").format(size_text(total))

    def _progress(self, state: ModelState) -> str:
        if state.stopping:
            return self.tr("Stopping …")
        if not state.total:
            return self.tr("Asking for the files …")
        words = size_of_text(state.done, state.total)
        if state.remaining_s is None:
            return words
        left = self.tr("about {0} left").format(time_left_text(state.remaining_s))
        return f"{words} · {left}"

    def _fetch(self) -> None:
        models = self._models
        state = models.state(self._model, self._kind)
        if state.total or self._size:
            models.download(self._model)
        else:
            models.see_size(self._model, self._kind)
