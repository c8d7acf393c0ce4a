"""One sample's cards: takes what is dropped, finds each part's input, reads and shows it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QTemporaryDir, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget

from mmstudio.data.placing import Placement, accepted_suffixes, place_files
from mmstudio.gui.media.medium import medium_of
from mmstudio.gui.media.tabular import shows
from mmstudio.gui.media.views.sample_loading import load_for_show
from mmstudio.gui.pages.testing.sample_card import SampleCard
from mmstudio.gui.parts.card_grid import CardGrid
from mmstudio.gui.parts.dropped import Dropped
from mmstudio.gui.state.job_slot import JobSlot

if TYPE_CHECKING:
    from mmstudio.gui.state.job_runner import JobRunner

_LEAST_CARD_WIDTH = 290
_SHOWN_NAMES = 3


class SampleCards(CardGrid):
    """A card per input of the model.

    Signals:
        touched: A person begins to change something; the time to the answer counts from here.
        replaced: The sample is no longer the one that was shown before; the set of the inputs
            that differ.
        changed: The model should be asked again.
        message: A text, its hint and its kind, for the page to show.
    """

    touched = Signal()
    replaced = Signal(set)
    changed = Signal()
    message = Signal(str, str, str)

    def __init__(self, jobs: JobRunner, parent: QWidget | None = None) -> None:
        """Make it empty; `jobs` read files."""
        super().__init__(_LEAST_CARD_WIDTH, parent)
        self._jobs = jobs
        self._reading: dict[str, JobSlot] = {}
        self._pasted = QTemporaryDir()
        self._pasted_count = 0
        self.cards: dict[str, SampleCard] = {}

    def set_inputs(
        self, inputs: Mapping[str, str], specs: Mapping[str, Mapping[str, Any]] | None = None
    ) -> None:
        """Have a card for each input; a sample that still fits stays.

        Args:
            inputs: Per input its modality.
            specs: Per input what its modality learnt: which fields it has.
        """
        specs = specs or {}
        old = self.cards
        self.cards = {}
        for name, modality in inputs.items():
            kept = old.pop(name, None)
            spec = specs.get(name, {})
            if kept is not None and kept.modality == modality and (
                    kept.fields is None or kept.spec == spec):
                self.cards[name] = kept
                continue
            if kept is not None:
                old[name] = kept
            self.cards[name] = self._new_card(name, modality, spec)
        for name, card in old.items():
            card.stop_playing()
            self._drop_job(name)
        self.show_cards(list(self.cards.values()))

    def _new_card(self, name: str, modality: str, spec: Mapping[str, Any]) -> SampleCard:
        card = SampleCard(name, modality, spec)
        card.dropped.connect(partial(self._take_onto, name))
        card.pasted.connect(partial(self._take_onto, name))
        card.text_edited.connect(partial(self._text_edited, name))
        card.use_changed.connect(self._use_changed)
        card.removed.connect(partial(self._remove, name))
        return card

    # What the model gets -------------------------------------------------------------------

    def values(self) -> dict[str, str | Path | None]:
        """Each input's file or text; a text file that is still being read counts as absent."""
        return {
            name: None if card.typed and isinstance(card.value, Path) else card.value
            for name, card in self.cards.items()
        }

    def used(self) -> set[str]:
        """The inputs that the model may see."""
        return {name for name, card in self.cards.items() if card.used}

    def kinds(self) -> list[str]:
        """The modalities that this model takes."""
        return list(dict.fromkeys(card.modality for card in self.cards.values()))

    # What comes in -------------------------------------------------------------------------

    def take(self, found: Dropped, onto: str | None = None) -> None:
        """Put what was dropped or pasted into its inputs; `onto` is the card that was hit."""
        self.touched.emit()
        if found.files:
            self._take_files(found.files, onto)
        elif found.images:
            self._take_images(found.images, onto)
        elif found.text:
            self._take_text(found.text, onto)
        elif found.web:
            self.message.emit(
                self.tr("{address} is on the web.").format(address=found.web[0][:80]),
                self.tr("Nothing is downloaded here. Save the file first, then drop it."),
                "warn",
            )
        else:
            message = self.tr("There is nothing in it that a model could read.")
            self.message.emit(message, self._accepted(), "warn")

    def show_sample(self, inputs: Mapping[str, str | Path | None]) -> None:
        """Show a row of the table instead of what is there."""
        self.touched.emit()
        for name, card in self.cards.items():
            self._drop_job(name)
            if inputs.get(name) is None:
                card.show_absent()
        self._fill({name: value for name, value in inputs.items() if value is not None})

    def clear(self) -> None:
        """Take the whole sample away."""
        for name, card in self.cards.items():
            self._drop_job(name)
            card.show_absent()
        self.replaced.emit(set(self.cards))
        self.changed.emit()

    def stop_playing(self) -> None:
        """Be silent."""
        for card in self.cards.values():
            card.stop_playing()

    def _take_onto(self, name: str, found: Dropped) -> None:
        self.take(found, name)

    def _take_files(self, files: tuple[Path, ...], onto: str | None) -> None:
        inputs = {name: card.modality for name, card in self.cards.items()}
        placement = place_files(files, inputs, lambda name: self.cards[name].value is None, onto)
        if placement.placed:
            self.replaced.emit(set(placement.placed))
            self._fill(placement.placed)
        self._tell(placement)

    def _take_images(self, images: tuple[QImage, ...], onto: str | None) -> None:
        """A picture without a file is written to a scratch folder: the model reads files."""
        self._pasted_count += 1
        path = Path(self._pasted.filePath(f"pasted-{self._pasted_count}.png"))
        image = images[0]
        self._jobs.start(
            lambda: image.save(str(path)), lambda saved: self._take_files((path,), onto)
        )

    def _take_text(self, text: str, onto: str | None) -> None:
        # a record fills the fields; any other text is a text
        names = [name for name, card in self.cards.items()
                 if card.fields is not None and shows(card.fields, text)]
        names = names or [name for name, card in self.cards.items()
                          if card.typed and card.fields is None]
        if not names:
            self.message.emit(self.tr("This model takes no text."), self._accepted(), "warn")
            return
        names.sort(key=lambda name: (name != onto, self.cards[name].value is not None))
        self.replaced.emit({names[0]})
        self._drop_job(names[0])
        self.cards[names[0]].show_content(text)
        self.changed.emit()

    def _fill(self, values: Mapping[str, str | Path]) -> None:
        """Put files and texts into their cards; the model is asked before files are shown."""
        files = {}
        for name, value in values.items():
            if name not in self.cards:
                continue
            self._drop_job(name)
            if isinstance(value, str):
                self.cards[name].show_content(value)
            else:
                self.cards[name].show_waiting(value)
                files[name] = value
        self.changed.emit()
        for name, path in files.items():
            self._load(name, path)

    def _load(self, name: str, value: Path) -> None:
        card = self.cards[name]

        def shown(content: object) -> None:
            card.show_content(content, value.name)
            if card.typed:
                self.changed.emit()

        def failed(message: str, hint: str) -> None:
            card.show_absent()
            self.message.emit(message, hint, "bad")
            self.changed.emit()

        modality = card.modality
        slot = self._reading.setdefault(name, JobSlot(self._jobs, self._jobs.scope))
        slot.run(lambda: load_for_show(modality, value), shown, failed)

    def _drop_job(self, name: str) -> None:
        if name in self._reading:
            self._reading[name].cancel()

    def _text_edited(self, name: str, text: str) -> None:
        self.touched.emit()
        self.replaced.emit({name})
        self.changed.emit()

    def _use_changed(self, on: bool) -> None:
        self.touched.emit()
        self.changed.emit()

    def _remove(self, name: str) -> None:
        self.touched.emit()
        self._drop_job(name)
        self.cards[name].show_absent()
        self.changed.emit()

    # Messages ------------------------------------------------------------------------------

    def _tell(self, placement: Placement) -> None:
        if placement.surplus and not (
            placement.unknown or placement.unwanted or placement.missing
        ):
            message = self.tr("Left out: {files}. One sample is tested at a time.")
            self.message.emit(message.format(files=_names(placement.surplus)), "", "info")
            return
        unwanted: dict[str, list[Path]] = {}
        for path, kind in placement.unwanted:
            unwanted.setdefault(kind, []).append(path)
        messages = [
            self.tr("{files}: this model takes no {kinds}.").format(
                files=_names(paths), kinds=medium_of(kind).plural() or kind)
            for kind, paths in unwanted.items()]
        if placement.unknown:
            messages.append(self.tr("{files}: this kind of file is not known.").format(
                files=_names(placement.unknown)))
        if placement.missing:
            messages.append(self.tr("{files}: a folder, or gone.").format(
                files=_names(placement.missing)))
        if messages:
            self.message.emit(" ".join(messages), self._accepted(), "warn")

    def _accepted(self) -> str:
        return self.tr("Accepted: {kinds}.").format(kinds=accepted_suffixes(self.kinds()))


def _names(paths: list[Path]) -> str:
    shown = ", ".join(path.name for path in paths[:_SHOWN_NAMES])
    return shown if len(paths) <= _SHOWN_NAMES else f"{shown} …"
