"""One input of a sample: what was dropped, seen, heard or typed for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from mmstudio.gui import style
from mmstudio.gui.media.image import LoadedImage
from mmstudio.gui.media.medium import medium_of
from mmstudio.gui.media.tabular import FieldsEditor
from mmstudio.gui.media.views.heat import strongest
from mmstudio.gui.media.views.picture_view import PictureView
from mmstudio.gui.media.views.player import Player
from mmstudio.gui.media.views.sound_picture import SoundPicture
from mmstudio.gui.media.views.wave_view import WaveView
from mmstudio.gui.pages.testing.drop_area import DropTarget
from mmstudio.gui.pages.testing.text_box import TextBox
from mmstudio.gui.plain_text import PlainLabel, plain_tip
from mmstudio.modalities import MODALITIES

TYPING_PAUSE_MS = 150
_DEVICE_SEARCH_DELAY_MS = 150


class SampleCard(DropTarget):
    """The card of one input: header with `Use NAME` and a cross, the content, a caption.

    Signals:
        dropped: something was dropped onto this very card.
        text_edited: the text box rests after typing.
        use_changed: the input was muted or used again.
        removed: the cross was pressed.
    """

    text_edited = Signal(str)
    pasted = Signal(object)
    use_changed = Signal(bool)
    removed = Signal()

    def __init__(
        self, name: str, modality: str, spec: Mapping[str, Any] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        """Make the empty card of the input `name`; `spec` is what its modality learnt."""
        super().__init__(parent)
        self.name = name
        self.modality = modality
        self.spec = dict(spec or {})
        self._shown_as = medium_of(modality).shown_as
        kind = MODALITIES.get(modality)
        self.typed = kind.in_cells
        """Whether a person types its content; else it is a file."""
        self.fields: FieldsEditor | None = (
            FieldsEditor(name, self.spec) if kind.several_columns else None)
        self.value: str | Path | None = None
        self._sound: SoundPicture | None = None
        self.setObjectName(f"Input: {name}")
        self.setAccessibleName(f"Input: {name}")
        style.mark(self, "card")
        self._typing = QTimer(self, singleShot=True, interval=TYPING_PAUSE_MS)
        self._typing.timeout.connect(self._typed)
        self._build()
        style.changed.connect(self._restyle)
        self._restyle()
        self.show_absent()

    @property
    def used(self) -> bool:
        """Whether the model may see this input."""
        return self.use_box.isChecked()

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 10, 14, 12)
        layout.setSpacing(8)
        layout.addLayout(self._build_header())
        self._stack = QStackedWidget(self)
        self._stack.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._absent = self._build_absent()
        self._stack.addWidget(self._absent)
        self._content = self._build_content()
        self._stack.addWidget(self._content)
        layout.addWidget(self._stack, 1)
        layout.addLayout(self._build_footer())

    def _build_header(self) -> QHBoxLayout:
        self._icon = PlainLabel(self)
        self._title = style.mark(PlainLabel(self.name, self), "section")
        self.use_box = QCheckBox(self.tr("Use {name}").format(name=self.name), self)
        self.use_box.setObjectName(f"Use {self.name}")
        self.use_box.setAccessibleName(f"Use {self.name}")
        self.use_box.setChecked(True)
        self.use_box.setToolTip(
            plain_tip(self.tr("Clear to see what the model answers without {name}").format(
                name=self.name))
        )
        self.use_box.toggled.connect(self._use_toggled)
        self.remove_button = QToolButton(self)
        self.remove_button.setObjectName(f"Remove {self.name}")
        self.remove_button.setAccessibleName(f"Remove {self.name}")
        self.remove_button.setToolTip(
            plain_tip(self.tr("Take {name} out of the sample").format(name=self.name))
        )
        self.remove_button.clicked.connect(self.removed)
        policy = self.remove_button.sizePolicy()
        policy.setRetainSizeWhenHidden(True)  # else the card would jump when a file comes
        self.remove_button.setSizePolicy(policy)
        style.mark(self.remove_button, "ghost")
        header = QHBoxLayout()
        header.setSpacing(8)
        header.addWidget(self._icon)
        header.addWidget(self._title)
        header.addStretch(1)
        header.addWidget(self.use_box)
        header.addWidget(self.remove_button)
        return header

    def _build_absent(self) -> QWidget:
        page = QWidget(self)
        self._absent_icon = PlainLabel(page)
        self._absent_text = style.mark(PlainLabel(page), "muted")
        for label in (self._absent_icon, self._absent_text):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._absent_text.setWordWrap(True)
        layout = QVBoxLayout(page)
        layout.addStretch(1)
        layout.addWidget(self._absent_icon)
        layout.addWidget(self._absent_text)
        layout.addStretch(1)
        return page

    def _build_content(self) -> QWidget:
        if self._shown_as == "picture":
            self.picture = PictureView(self)
            return self.picture
        if self._shown_as == "sound":
            self.wave = WaveView(self)
            self.player = Player(self)
            self.player.position_changed.connect(self.wave.set_position)
            self.player.stopped.connect(self._restyle)
            return self.wave
        if self.fields is not None:
            self.fields.edited.connect(self._typing.start)
            return self.fields
        self.text_box = TextBox(self)
        self.text_box.setObjectName(f"Text: {self.name}")
        self.text_box.setAccessibleName(f"Text: {self.name}")
        font = self.text_box.font()
        font.setPointSizeF(font.pointSizeF() * 1.15)
        self.text_box.setFont(font)
        self.text_box.setReadOnly(not self.typed)  # else it is a file's name
        self.text_box.setPlaceholderText(self.tr("Type or drop a text …"))
        self.text_box.textChanged.connect(self._typing.start)
        self.text_box.dropped_content.connect(self.pasted)
        return self.text_box

    def _build_footer(self) -> QHBoxLayout:
        self.caption = style.mark(PlainLabel(self), "small")
        self.caption.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        footer = QHBoxLayout()
        footer.addWidget(self.caption, 1)
        if self._shown_as == "sound":
            self.play_button = QPushButton(self.tr("Play"), self)
            self.play_button.setObjectName(f"Play {self.name}")
            self.play_button.setAccessibleName(f"Play {self.name}")
            self.play_button.clicked.connect(self._play_or_stop)
            style.mark(self.play_button, "ghost")
            footer.addWidget(self.play_button)
        return footer

    def sizeHint(self) -> QSize:
        """A card that shows its content well."""
        return QSize(320, 250)

    def minimumSizeHint(self) -> QSize:
        """The least at which it still does."""
        return QSize(230, 170)

    def show_absent(self) -> None:
        """Nothing is there for this input; the model answers without it."""
        self.value = None
        self._sound = None
        self.caption.setText("")
        self.caption.setToolTip("")
        if self._shown_as == "sound":
            self.player.stop()
            self.wave.show_sound(None)
            self._enable_play()
        if self.typed:
            # The text box is its own empty state: a person can type at once.
            self._put_text("")
            self.caption.setText(self._absent_words())
            self._stack.setCurrentWidget(self._content)
        else:
            if self._shown_as == "picture":
                self.picture.show_image(None)
            self._absent_text.setText(self._absent_sentence())
            self._stack.setCurrentWidget(self._absent)
        self._restyle()

    def show_waiting(self, path: Path) -> None:
        """A file is being read; keep what is on the screen until it is there."""
        self.value = path
        self._say(path.name, str(path))

    def show_content(self, content: object, origin: str = "") -> None:
        """Show what `load_for_show` gave; `origin` is the file's name."""
        if isinstance(content, LoadedImage):
            self.picture.show_image(content.image)
            size = f"{content.width} × {content.height}"
            self._say(f"{size} · {origin}" if origin else size, origin)
        elif isinstance(content, SoundPicture):
            self.player.stop()
            self._sound = content
            self.wave.show_sound(content)
            kilohertz = f"{content.sample_rate_hz / 1000:g} kHz"
            self._say(f"{content.seconds:.2f} s · {kilohertz} · {origin}", origin)
            self._enable_play()
        elif isinstance(content, str):
            if self.typed:
                self.value = content
            self._put_text(content)
            self._say(self.fields.remarks() if self.fields is not None else origin, origin)
        self._stack.setCurrentWidget(self._content)
        self._restyle()

    def show_why(self, marks: Any, spots: Sequence[Any], in_units: bool = True) -> None:
        """Show what of the content counted; None takes it away.

        Args:
            marks: What its medium made of the map.
            spots: The map's places, for a screen reader and tips.
            in_units: Their weights have a unit; else they are told as shares of the strongest.
        """
        told = "" if marks is None else strongest(spots, in_units)
        text = self.tr("Counted the most: {0}").format(told) if told else ""
        drawn = self._shown_as in ("picture", "sound")
        self._content.setAccessibleDescription(text or (self.caption.text() if drawn else ""))
        if self._shown_as == "picture":
            self.picture.show_heat(marks)
        elif self._shown_as == "sound":
            self.wave.show_heat(marks)
        elif self.fields is not None:
            self.fields.show_weights(marks or (), in_units)
            return  # its fields tell themselves
        else:
            self.text_box.show_weights(marks or (), in_units)
            return
        self._content.setToolTip(plain_tip(text))

    def stop_playing(self) -> None:
        """Be silent."""
        if self._shown_as == "sound":
            self.player.stop()

    def _say(self, text: str, tip: str) -> None:
        self.caption.setText(text)
        self.caption.setToolTip(plain_tip(tip))
        if self._shown_as in ("picture", "sound"):
            self._content.setAccessibleDescription(text)

    def _absent_sentence(self) -> str:
        if self._shown_as == "picture":
            return self.tr("No picture — the model answers without it")
        if self._shown_as == "sound":
            return self.tr("No sound — the model answers without it")
        return self.tr("No file — the model answers without it")

    def _absent_words(self) -> str:
        """What an empty card that a person types into says."""
        if self.fields is not None:
            return self.fields.remarks()
        return self.tr("No text — the model answers without it")

    def _put_text(self, text: str) -> None:
        if self.fields is not None:
            self.fields.show_record(text or None)
            self._typing.stop()
            return
        if self.text_box.toPlainText() != text:
            self.text_box.blockSignals(True)
            self.text_box.setPlainText(text)
            self.text_box.blockSignals(False)
        self._typing.stop()

    def _typed(self) -> None:
        text = (self.text_box.toPlainText() if self.fields is None
                else self.fields.record() or "")
        self.value = text if text.strip() else None
        told = "" if self.fields is None else self.fields.remarks()
        self._say(told if self.value else self._absent_words(), "")
        self._restyle()
        self.text_edited.emit(text)

    def _use_toggled(self, on: bool) -> None:
        self._content.setEnabled(on)
        self._restyle()
        self.use_changed.emit(on)

    def _play_or_stop(self) -> None:
        if self.player.playing:
            self.player.stop()
        elif self._sound is not None:
            self.player.play(self._sound.samples, self._sound.sample_rate_hz)
        self._restyle()

    def _enable_play(self) -> None:
        if self._sound is None:
            self.play_button.setEnabled(False)
            self.play_button.setToolTip(self.tr("There is no sound to play"))
            return
        if self.player.reason is None:
            # Looking for sound devices takes a while: the answer is shown first.
            QTimer.singleShot(_DEVICE_SEARCH_DELAY_MS, self._find_device)
            return
        self.play_button.setEnabled(not self.player.reason)
        self.play_button.setToolTip(plain_tip(self.player.reason or self.tr("Play this sound")))

    def _find_device(self) -> None:
        self.player.prepare()
        self._enable_play()

    def _restyle(self) -> None:
        muted = "muted" if self.used else "faint"
        self._icon.setPixmap(style.modality_icon(self.modality, muted).pixmap(18, 18))
        self._absent_icon.setPixmap(style.modality_icon(self.modality, "border").pixmap(44, 44))
        self.remove_button.setIcon(style.icon("mdi6.close", "muted"))
        self.remove_button.setVisible(self.value is not None)
        if self._shown_as == "sound":
            playing = self.player.playing
            self.play_button.setText(self.tr("Stop playing") if playing else self.tr("Play"))
            self.play_button.setIcon(style.icon("mdi6.stop" if playing else "mdi6.play", "text"))

    def _light(self, on: bool) -> None:
        super()._light(on)
        style.mark(self, "notice" if on else "card")
