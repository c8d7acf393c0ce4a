"""What in the data lies nearest to the sample: small cards, per input the nearest first."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QProgressBar, QStackedWidget, QVBoxLayout
from PySide6.QtWidgets import QWidget as Widget

from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.media.medium import medium_of
from mmstudio.gui.media.views.player import Player
from mmstudio.gui.media.views.sample_loading import load_for_show
from mmstudio.gui.pages.testing.similar_card import SimilarCard
from mmstudio.gui.parts.card_grid import scrolled
from mmstudio.gui.parts.cards import EmptyState, button, label
from mmstudio.gui.parts.emptied import empty
from mmstudio.gui.plain_text import plain_tip
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.predictor_store import PredictorStore
from mmstudio.gui.state.similar import SimilarStore

DEVICE_SEARCH_DELAY_MS = 150


class SimilarColumn(Widget):
    """Follows the sample of the Test page while it is on show.

    Signals:
        page_asked: Another page is wanted.
    """

    page_asked = Signal(str)

    def __init__(
        self, jobs: JobRunner, testing: PredictorStore, similar: SimilarStore,
        parent: Widget | None = None
    ) -> None:
        """Make it empty."""
        super().__init__(parent)
        self.setAccessibleName(self.tr("Similar"))
        self._jobs, self._testing, self._similar = jobs, testing, similar
        self._values: dict[str, str | Path] = {}
        self._reading = JobSlot(jobs, testing.scope)
        self.cards: dict[str, list[SimilarCard]] = {}
        self._player = Player(self)
        self._build()
        self._similar.found.connect(self._show_found)
        self._similar.progressed.connect(self._show_progress)
        self._similar.failed.connect(self._show_failure)

    def _build(self) -> None:
        train = button(self.tr("Go to the Train page"), name="Turn alignment on")
        train.clicked.connect(lambda: self.page_asked.emit("Train"))
        self.empty = EmptyState(
            "mdi6.vector-link",
            self.tr("This model can't find similar samples"),
            self.tr(
                "Train one with alignment: set Alignment to 1 on the Train page, More options. "
                "It learns which pictures, texts and sounds belong together, and finds here "
                "what is similar."
            ),
            train,
        )
        self.status = label("", "small", wrap=True)
        self.status.setObjectName("Similar status")
        self.progress = QProgressBar()
        self.progress.setAccessibleName(self.tr("Reading the data"))
        self.progress.setTextVisible(False)
        self.progress.hide()
        self._list = QVBoxLayout()
        self._list.setSpacing(6)
        inside = Widget(self)
        box = QVBoxLayout(inside)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(6)
        box.addLayout(self._build_query())
        box.addWidget(self.status)
        box.addWidget(self.progress)
        box.addLayout(self._list)
        box.addStretch(1)
        self._stack = QStackedWidget(self)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(scrolled(inside, self))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._stack)

    def _build_query(self) -> QHBoxLayout:
        self._query_label = label(self.tr("Similar to"), "muted")
        self.query_box = QComboBox()
        self.query_box.setObjectName("Similar to")
        self.query_box.setAccessibleName("Similar to")
        self.query_box.setToolTip(self.tr("Which of the sample's inputs is compared"))
        self.query_box.activated.connect(lambda _: self._look())
        guard_wheel(self.query_box)
        row = QHBoxLayout()
        row.addWidget(self._query_label)
        row.addWidget(self.query_box, 1)
        return row

    # What is asked -------------------------------------------------------------------------

    def show_model(self) -> None:
        """Another model is loaded, or none."""
        self._stack.setCurrentIndex(1 if self._similar.possible else 0)
        self._clear()
        self._values = {}
        self.query_box.clear()

    def show_sample(self, values: Mapping[str, str | Path | None], used: set[str]) -> None:
        """The sample is another one; looks for what is similar where the column is on show."""
        self._values = {n: v for n, v in values.items() if v is not None and n in used}
        names, chosen = list(self._values), self.query_box.currentText()
        self.query_box.clear()
        self.query_box.addItems(names)
        if chosen in names:
            self.query_box.setCurrentText(chosen)
        for widget in (self._query_label, self.query_box):
            widget.setVisible(bool(names))
        self._look()

    def showEvent(self, event: Any) -> None:
        """Look for what was not looked for while it was hidden."""
        super().showEvent(event)
        self._look()

    def hideEvent(self, event: Any) -> None:
        """Be silent, and spare the work that nobody looks at."""
        super().hideEvent(event)
        self._player.stop()
        self._similar.leave_off()

    def _look(self) -> None:
        similar, name = self._similar, self.query_box.currentText()
        if not self.isVisible() or not similar.possible:
            return
        if name not in self._values:
            similar.leave_off()
            self._clear()
            self._say(self.tr(
                "Drop a picture, a text or a sound, or press “Next test sample”: what is most "
                "similar in the data appears here."))
            return
        similar.ask(name, self._values[name])

    # What comes back -----------------------------------------------------------------------

    def _show_progress(self, message: str, done: int, total: int) -> None:
        self._say(self.tr("Getting the data ready, once per model: {0} …").format(
            message.lower()))
        self.progress.setRange(0, max(1, total))
        self.progress.setValue(done)
        self.progress.show()

    def _show_failure(self, message: str, hint: str) -> None:
        self._clear()
        self._say(f"{message} {hint}".strip())

    def _show_found(self, found: dict[str, list[Any]]) -> None:
        self._clear()
        predictor, asked = self._testing.predictor, self.query_box.currentText()
        if predictor is None:
            return
        # what is of another kind than the question comes first: that is what alignment is for
        names = sorted(found, key=lambda name: name == asked)
        for name in names:
            self._list.addWidget(label(self.tr("Nearest in {0}").format(name), "section"))
            self.cards[name] = []
            for place, similar in enumerate(found[name], start=1):
                modality = predictor.inputs[name]
                card = SimilarCard(self._jobs, name, modality, similar, place)
                card.play_asked.connect(partial(self._play, card))
                self.cards[name].append(card)
                self._list.addWidget(card)
            if not found[name]:
                self._list.addWidget(label(self.tr("The data has none."), "muted"))
        if any(medium_of(m).shown_as == "sound" for m in predictor.inputs.values()):
            # looking for sound devices takes a while: the cards are shown first
            QTimer.singleShot(DEVICE_SEARCH_DELAY_MS, self, self._find_device)

    def _say(self, text: str) -> None:
        self.status.setText(text)
        self.status.setVisible(bool(text))

    def _clear(self) -> None:
        self._player.stop()
        self._say("")
        self.progress.hide()
        self.cards = {}
        empty(self._list)

    # Sounds --------------------------------------------------------------------------------

    def _find_device(self) -> None:
        reason = self._player.prepare()
        for cards in self.cards.values():
            for card in cards:
                if reason and hasattr(card, "play_button"):
                    card.play_button.setEnabled(False)
                    card.play_button.setToolTip(plain_tip(reason))

    def _play(self, card: SimilarCard) -> None:
        path, modality = Path(card.similar.value), card.modality

        def heard(sound: Any) -> None:
            self._player.play(sound.samples, sound.sample_rate_hz)

        self._reading.run(lambda: load_for_show(modality, path), heard)
