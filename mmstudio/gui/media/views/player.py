"""Playing a sound, where the machine can.

QtMultimedia is loaded the first time a sound is shown: it needs libpulse, which a server may lack,
and the window must open without it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from PySide6.QtCore import (
    QBuffer,
    QByteArray,
    QIODevice,
    QLoggingCategory,
    QObject,
    QTimer,
    Signal,
    qInstallMessageHandler,
)

_POSITION_INTERVAL_MS = 33

T = TypeVar("T")


class Player(QObject):
    """Plays one sound at a time.

    `reason` says why nothing can be played here; it is empty where playing works, and None until
    `prepare` was called.
    """

    position_changed = Signal(object)
    stopped = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        """Load nothing yet."""
        super().__init__(parent)
        self.reason: str | None = None
        self._sink: Any = None
        self._buffer: QBuffer | None = None
        self._bytes = QByteArray()
        self._seconds = 0.0
        self._timer = QTimer(self)
        self._timer.setInterval(_POSITION_INTERVAL_MS)
        self._timer.timeout.connect(self._tell_position)

    @property
    def playing(self) -> bool:
        """Whether a sound is being played."""
        return self._sink is not None

    def prepare(self) -> str:
        """Find out whether sounds can be played here; returns `reason`."""
        if self.reason is not None:
            return self.reason
        try:
            load_multimedia()
            from PySide6 import QtMultimedia
        except ImportError as error:
            self.reason = self.tr(
                "Sounds cannot be played here: a system library is missing ({error})."
            ).format(error=str(error).split(":")[0])
            return self.reason
        if _silently(QtMultimedia.QMediaDevices.defaultAudioOutput).isNull():
            self.reason = self.tr("Sounds cannot be played here: no sound device was found.")
        else:
            self.reason = ""
        return self.reason

    def play(self, samples: np.ndarray, sample_rate_hz: int) -> None:
        """Play a mono sound from its start; a sound that plays already is stopped.

        Args:
            samples: (samples,) float in -1..1.
            sample_rate_hz: its rate.
        """
        self.stop()
        if self.prepare():
            return
        from PySide6 import QtMultimedia

        wanted = QtMultimedia.QAudioFormat()
        wanted.setSampleRate(int(sample_rate_hz))
        wanted.setChannelCount(1)
        wanted.setSampleFormat(QtMultimedia.QAudioFormat.SampleFormat.Int16)
        device = QtMultimedia.QMediaDevices.defaultAudioOutput()
        whole = (np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2")
        self._bytes = QByteArray(whole.tobytes())
        self._seconds = max(1e-3, len(samples) / sample_rate_hz)
        self._buffer = QBuffer(self._bytes, self)
        self._buffer.open(QIODevice.OpenModeFlag.ReadOnly)
        self._sink = QtMultimedia.QAudioSink(device, wanted, self)
        self._sink.stateChanged.connect(self._state_changed)
        self._sink.start(self._buffer)
        self._timer.start()

    def stop(self) -> None:
        """Stop playing; harmless when nothing plays."""
        if self._sink is None:
            return
        sink, self._sink = self._sink, None
        self._timer.stop()
        sink.stateChanged.disconnect(self._state_changed)
        sink.stop()
        sink.deleteLater()
        if self._buffer is not None:
            self._buffer.close()
            self._buffer.deleteLater()
            self._buffer = None
        self.position_changed.emit(None)
        self.stopped.emit()

    def _tell_position(self) -> None:
        if self._sink is not None:
            played_s = self._sink.processedUSecs() / 1e6
            self.position_changed.emit(min(1.0, played_s / self._seconds))

    def _state_changed(self, state: object) -> None:
        from PySide6 import QtMultimedia

        if state in (QtMultimedia.QAudio.State.IdleState, QtMultimedia.QAudio.State.StoppedState):
            # Not from inside the sink's own signal: it would be deleted under its feet.
            QTimer.singleShot(0, self.stop)


def load_multimedia() -> None:
    """Import QtMultimedia; may be called in a job, so that the window does not wait for it.

    Raises:
        ImportError: A system library that it needs is missing.
    """
    # Optional libraries that are not there are normal, and not worth lines on the terminal.
    QLoggingCategory.setFilterRules("qt.multimedia.*=false")
    from PySide6 import QtMultimedia  # noqa: F401


def _silently(work: Callable[[], T]) -> T:
    """Call `work` without Qt's lines on the terminal: no sound server here is normal."""
    before = qInstallMessageHandler(lambda kind, context, text: None)
    try:
        return work()
    finally:
        qInstallMessageHandler(before)
