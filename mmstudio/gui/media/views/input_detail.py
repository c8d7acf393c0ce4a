"""One input of one sample, to look at, to listen to, to read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QPushButton, QWidget

from mmstudio.errors import UserError
from mmstudio.gui import style
from mmstudio.gui.media.image import LoadedImage
from mmstudio.gui.media.medium import medium_of
from mmstudio.gui.media.views.picture_view import PictureView
from mmstudio.gui.media.views.player import Player
from mmstudio.gui.media.views.sample_loading import load_for_show
from mmstudio.gui.media.views.sound_picture import SoundPicture
from mmstudio.gui.media.views.wave_view import WaveView
from mmstudio.gui.parts.cards import Card, ElidedLabel, IconLabel, button, label
from mmstudio.gui.plain_text import plain_tip
from mmstudio.gui.state.job_runner import JobRunner

DEVICE_SEARCH_DELAY_MS = 150


class InputDetail(Card):
    """A picture, a sound with a button that plays it, or a text; read in the background."""

    def __init__(
        self, jobs: JobRunner, name: str, modality: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(name, parent)
        self._jobs = jobs
        self._modality = modality
        self._medium = medium_of(modality)
        self._name = name
        self._wanted: tuple[Any, ...] = ()
        self._sound: SoundPicture | None = None
        self.heading.insertWidget(0, IconLabel(self._medium.icon, 18))
        self.content = self._make_content()
        self.content.setFixedHeight(self._medium.height)
        self.body.addWidget(self.content)
        self._instead = label("", "muted", wrap=True)
        self._instead.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._instead.setMinimumHeight(48)
        self.body.addWidget(self._instead)
        row = QHBoxLayout()
        self._caption = ElidedLabel("", "small", mode=Qt.TextElideMode.ElideMiddle)
        row.addWidget(self._caption, 1)
        if self._medium.shown_as == "sound":
            row.addWidget(self._make_play())
        self.body.addLayout(row)
        self._jobs.small_things.done.connect(self._on_made)
        self._jobs.small_things.dropped.connect(self._on_dropped)

    def _make_content(self) -> QWidget:
        if self._medium.shown_as == "picture":
            self._picture = PictureView()
            return self._picture
        if self._medium.shown_as == "sound":
            self._wave = WaveView()
            self._player = Player(self)
            self._player.position_changed.connect(self._wave.set_position)
            self._player.stopped.connect(self._show_playing)
            return self._wave
        self._text = QPlainTextEdit()
        self._text.setReadOnly(True)
        self._text.setTabChangesFocus(True)
        self._text.setAccessibleName(self.tr("Text of {0}").format(self._name))
        return self._text

    def _make_play(self) -> QPushButton:
        name = self.tr("Play {0}").format(self._name)
        self._play = button(self.tr("Play"), "mdi6.play", "ghost", name=name)
        self._play.clicked.connect(self.play_or_stop)
        return self._play

    def show_value(self, row: int, value: str | Path | None) -> None:
        """Show a file or a text of a row; None where the input is missing."""
        self.forget()
        self._describe(row)
        if value is None:
            self._say(self.tr("Missing in this sample"))
            return
        if isinstance(value, str):
            self._show(value)
            return
        self._caption.set_text(value.name)
        self._wanted = ("detail", id(self), row, str(value))
        modality, path = self._modality, value

        def make() -> Any:
            try:
                return load_for_show(modality, path)
            except UserError as error:
                return error

        self._make = make
        self._jobs.small_things.ask(self._wanted, make)

    def _describe(self, row: int) -> None:
        """Say what is shown to those who hear the window."""
        if self._medium.shown_as != "words":
            self.content.setAccessibleName(
                self.tr("{0} of sample {1}").format(self._name, f"{row + 1:,}"))

    def forget(self) -> None:
        """Show nothing, wait for nothing, be silent."""
        self._wanted = ()
        self._caption.set_text("")
        self._sound = None
        if self._medium.shown_as == "sound":
            self._player.stop()
            self._wave.show_sound(None)
            self._show_playing()

    def play_or_stop(self) -> None:
        """Play the sound, or stop it."""
        if self._player.playing:
            self._player.stop()
        elif self._sound is not None:
            self._player.play(self._sound.samples, self._sound.sample_rate_hz)
        self._show_playing()

    def _on_made(self, key: object, made: object) -> None:
        if key == self._wanted:
            self._wanted = ()
            self._show(made)

    def _on_dropped(self, key: object) -> None:
        # Thumbnails asked for later pushed it out; it is looked at, so it is asked for again.
        if key == self._wanted:
            self._jobs.small_things.ask(key, self._make)

    def _show(self, content: object) -> None:
        if isinstance(content, UserError):
            self._say(f"{content.message} {content.hint}")
            return
        if content is None:
            self._say(self.tr("This file can't be read."))
            return
        self.content.show()
        self._instead.hide()
        name = self._caption.toolTip() or self._caption.accessibleName()
        if isinstance(content, LoadedImage):
            self._picture.show_image(content.image)
            self._caption.set_text(f"{content.width} × {content.height} · {name}")
        elif isinstance(content, SoundPicture):
            self._sound = content
            self._wave.show_sound(content)
            rate = f"{content.sample_rate_hz / 1000:g} kHz"
            self._caption.set_text(f"{content.seconds:.2f} s · {rate} · {name}")
            # Looking for sound devices takes a while: the sound is shown first.
            QTimer.singleShot(DEVICE_SEARCH_DELAY_MS, self, self._find_device)
        else:
            self._text.setPlainText(str(content))
        self.content.setAccessibleDescription(
            self._caption.toolTip() or self._caption.accessibleName())

    def _say(self, text: str) -> None:
        self.content.hide()
        self._instead.show()
        self._instead.setText(text)

    def _find_device(self) -> None:
        self._player.prepare()
        self._show_playing()

    def _show_playing(self) -> None:
        playing, reason = self._player.playing, self._player.reason
        self._play.setEnabled(self._sound is not None and not reason)
        self._play.setText(self.tr("Stop playing") if playing else self.tr("Play"))
        self._play.setIcon(style.icon("mdi6.stop" if playing else "mdi6.play", "muted"))
        self._play.setToolTip(plain_tip(reason or self.tr("Play this sound")))
