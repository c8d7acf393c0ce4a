"""One content of the data that is similar: small, with how near it is in plain words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QCoreApplication, Signal
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from mmstudio.errors import UserError
from mmstudio.gui import style
from mmstudio.gui.media.image import LoadedImage
from mmstudio.gui.media.medium import medium_of
from mmstudio.gui.media.views.picture_view import PictureView
from mmstudio.gui.media.views.sample_loading import load_for_show
from mmstudio.gui.media.views.thumbnails import SIDE, WAVE_WIDTH
from mmstudio.gui.pages.data.samples_model import split_title
from mmstudio.gui.parts.cards import ElidedLabel, button, label
from mmstudio.gui.plain_text import PlainLabel, plain_tip
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.modalities import MODALITIES
from mmstudio.modalities.records import plain_record

if TYPE_CHECKING:
    from mmstudio.inference.similar import Similar

PICTURE = 64
"""Side of a picture, pixels."""
LONGEST_TEXT = 160
SAME = 0.9995
"""From this cosine on it is the same: the rest is rounding."""


class SimilarCard(QFrame):
    """A picture, a text or a sound; `play_asked` when its sound is to be heard.

    Args:
        jobs: Makes the small pictures in its thread.
        name: The input.
        modality: Its modality.
        similar: What is shown.
        place: 1 for the nearest.
    """

    play_asked = Signal()

    def __init__(
        self, jobs: JobRunner, name: str, modality: str, similar: Similar, place: int,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        style.mark(self, "raised")
        self.similar = similar
        self.modality = modality
        self.nearness = nearness_words(similar)
        self.setObjectName(f"Similar {name} {place}")
        self.setAccessibleName(f"Similar {name} {place}")
        self.setAccessibleDescription(f"{self._content()}, {self.nearness}")
        self._jobs = jobs
        self._key = ("similar", id(self))
        shown_as = medium_of(modality).shown_as
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 8, 10, 8)
        row.setSpacing(10)
        if shown_as == "picture":
            self._picture = PictureView()
            self._picture.setFixedSize(PICTURE, PICTURE)
            row.addWidget(self._picture)
        elif shown_as == "sound":
            self._wave = PlainLabel()
            self._wave.setFixedSize(WAVE_WIDTH, SIDE)
            row.addWidget(self._wave)
        row.addLayout(self._build_words(modality), 1)
        if shown_as == "sound":
            self.play_button = button(
                "", "mdi6.play", "ghost", self.tr("Play this sound"),
                name=f"Play similar {name} {place}")
            self.play_button.clicked.connect(self.play_asked)
            row.addWidget(self.play_button)
        self._typed = MODALITIES.get(modality).in_cells
        if not self._typed:
            self._jobs.small_things.done.connect(self._on_made)
            self._ask_for_picture(modality)

    def _build_words(self, modality: str) -> QVBoxLayout:
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addStretch(1)
        labels = ", ".join(f"{name} {value}" for name, value in self.similar.targets.items())
        below = [self.nearness]
        if self.similar.copies > 1:
            below.append(self.tr("in {0} rows").format(self.similar.copies))
        if MODALITIES.get(modality).in_cells:
            words.addWidget(label(self._content(), wrap=True))
            below += [labels] if labels else []
        else:
            words.addWidget(ElidedLabel(labels or self._content()))
        words.addWidget(ElidedLabel(" · ".join(below), "small"))
        words.addStretch(1)
        self.setToolTip(plain_tip(self._tip()))
        return words

    def _content(self) -> str:
        value = self.similar.value
        text = plain_record(value) if isinstance(value, str) else value.name
        return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT - 1]}…"

    def _tip(self) -> str:
        split = split_title(self.similar.split) if self.similar.split else self.tr("no split")
        return self.tr(
            "{content}\nRow {row}, {split}. The cosine is {cosine}: 1 is the same, 0 has nothing "
            "in common. The words go by what is usual between these two inputs."
        ).format(content=self._content(), row=self.similar.row + 1, split=split.lower(),
                 cosine=f"{self.similar.cosine:.2f}")

    def _ask_for_picture(self, modality: str) -> None:
        path, color = Path(self.similar.value), style.palette().accent
        medium = medium_of(modality)
        thumbnail = medium.thumbnail if medium.shown_as == "sound" else None

        def make() -> Any:
            if thumbnail is not None:
                return thumbnail(path, color)
            try:
                return load_for_show(modality, path)
            except UserError as error:
                return error

        self._jobs.small_things.ask(self._key, make)

    def _on_made(self, key: object, made: object) -> None:
        if key != self._key or made is None:
            return
        if isinstance(made, LoadedImage):
            self._picture.show_image(made.image)
        elif isinstance(made, QImage):
            self._wave.setPixmap(QPixmap.fromImage(made))


def nearness_words(similar: Similar) -> str:
    """A cosine in plain words; the number stands in the card's tip.

    The words go by the nearness: pictures and texts may lie apart as a whole, and half of the
    cosine of two texts is then much. Beside them "0.99" would deny a "hardly similar".
    """
    words = (
        (0.8, QCoreApplication.translate("SimilarCard", "very similar")),
        (0.5, QCoreApplication.translate("SimilarCard", "similar")),
        (0.25, QCoreApplication.translate("SimilarCard", "a little similar")),
        (float("-inf"), QCoreApplication.translate("SimilarCard", "hardly similar")),
    )
    if similar.cosine > SAME:
        return QCoreApplication.translate("SimilarCard", "the same")
    return next(word for least, word in words if similar.nearness >= least)
