"""Work off the GUI thread. Only here does the window make threads.

A `Job` runs a callable, or walks a generator, and reports on the GUI thread. Whoever cancels a
job hears nothing more from it: all signals are sent by the job object itself, on the GUI thread,
and it keeps silent once it was cancelled.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from functools import partial
from types import GeneratorType
from typing import Any

from PySide6.QtCore import QObject, QThread, QTimer, Signal, Slot
from shiboken6 import isValid

from mmstudio.errors import UserError
from mmstudio.paths import config_dir

EVENT_INTERVAL_MS, LONG_INTERVAL_MS = 50, 200
"""Events are handed over in lists, at most this often; those of long jobs less often, as what
shows them takes time from the job, and a text that changes more often can't be read."""

LOW_PRIORITY = 3
"""How many steps "nicer" than the window a long job is, on Linux."""

log = logging.getLogger("mmstudio.gui")


def explain(error: BaseException) -> tuple[str, str]:
    """A message and a hint for an error; what is not the user's to mend goes into the log."""
    if isinstance(error, UserError):
        return error.message, error.hint
    log.error("unexpected error", exc_info=error)
    first = str(error).strip().splitlines()
    text = first[0][:200] if first else type(error).__name__
    return (
        f"Something went wrong: {text}",
        f"The details are in {config_dir() / 'mmstudio.log'}",
    )


def while_it_lives(answer: Callable[..., Any]) -> Callable[..., None]:
    """Pass calls on to a widget's own method as long as the widget is there.

    A window that closed has deleted its dialogs; what still holds such a method would touch labels
    that are gone. Other callables are called always.
    """
    owner = getattr(answer, "__self__", None)

    def pass_on(*values: Any) -> None:
        if not isinstance(owner, QObject) or isValid(owner):
            answer(*values)

    return pass_on


class Job(QThread):
    """One piece of work in a thread of its own.

    Args:
        work: What to do. A generator is walked, and what it yields is sent by `events`; what it
            returns is the result.
        low_priority: A long job: let the window, and all else, go first (Linux).
        orderly: When it is cancelled, the generator is walked to its end (it asks whether it
            should stop) instead of being left.
        stoppable: `work` takes `should_stop`, which may be asked in its thread.
    """

    result = Signal(object)
    failed = Signal(str, str)
    events = Signal(list)
    _done = Signal()
    _begun = Signal()

    def __init__(
        self, work: Callable[..., Any], *, low_priority: bool = False, orderly: bool = False,
        stoppable: bool = False,
    ) -> None:
        super().__init__()
        self._work = partial(work, self.should_stop) if stoppable else work
        self._orderly = orderly
        self._low_priority = low_priority
        self._queue: deque[Any] = deque()
        self._answer: tuple[str, Any] | None = None
        self._go = threading.Event()
        self._go.set()
        self._stop = threading.Event()
        self._cancelled = self._abandoned = self._over = False
        self._timer = QTimer(self)
        self._timer.setInterval(LONG_INTERVAL_MS if low_priority else EVENT_INTERVAL_MS)
        self._timer.timeout.connect(self._hand_over)
        self._begun.connect(self._hand_over)  # the first step need not wait for the timer
        self._done.connect(self._finish)

    def begin(self) -> Job:
        """Start the thread and the handing over of its events; not of one that was cancelled."""
        if self._cancelled:
            return self
        self._timer.start()
        self.start()
        return self

    def pause(self, paused: bool) -> None:
        """Hold the generator before its next step, or let it go on."""
        if paused:
            self._go.clear()
        else:
            self._go.set()

    def stop(self) -> None:
        """Ask the work to end soon; its result still comes."""
        self._stop.set()
        self._go.set()

    def should_stop(self) -> bool:
        """Whether it was asked to end; the work may ask this from its own thread."""
        return self._stop.is_set()

    def cancel(self) -> None:
        """Say nothing more, and end soon."""
        self._cancelled = True
        self._abandoned = not self._orderly
        self._timer.stop()
        self.stop()

    @property
    def over(self) -> bool:
        """Whether its thread has ended and its answer was handed over: it may be let go.

        Between the two the answer waits in the event queue, and would be lost with the job.
        """
        return self._over and self.isFinished()

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self._cancelled

    def run(self) -> None:
        """The thread. Not to be called: use `begin`."""
        if self._low_priority:
            _lower_priority()
        try:
            value = self._work()
            if isinstance(value, GeneratorType):
                value = self._walk(value)
            self._answer = ("result", value)
        except Exception as error:  # the border between the work and the window
            self._answer = ("failed", explain(error))
        self._work = _nothing  # what the work held (a model, a device) is let go in its thread
        self._done.emit()

    def _walk(self, steps: Iterator[Any]) -> Any:
        first = True
        while True:
            self._go.wait()
            if self._abandoned:
                steps.close()  # type: ignore[attr-defined]
                return None
            try:
                self._queue.append(next(steps))
            except StopIteration as end:
                return end.value
            if first:
                first = False
                self._begun.emit()

    @Slot()
    def _hand_over(self) -> None:
        batch = []
        while self._queue:
            batch.append(self._queue.popleft())
        if batch and not self._cancelled:
            self.events.emit(batch)

    @Slot()
    def _finish(self) -> None:
        self._over = True
        self._timer.stop()
        self._hand_over()
        answer, self._answer = self._answer, None
        if self._cancelled or answer is None:
            return
        kind, value = answer
        if kind == "result":
            self.result.emit(value)
        else:
            self.failed.emit(*value)


class LatestFirst(QThread):
    """A thread that makes small things (thumbnails) in the order of the newest wish first.

    Wishes beyond `limit` are dropped, oldest first, so that fast scrolling costs nothing;
    `dropped` tells which. `done` brings the key and what was made, or None where it could not be
    made.
    """

    done = Signal(object, object)
    dropped = Signal(object)

    def __init__(self, parent: QObject | None = None, *, limit: int = 128) -> None:
        super().__init__(parent)
        self._limit = limit
        self._wishes: dict[Hashable, Callable[[], Any]] = {}
        self._changed = threading.Condition()
        self._ended = False

    def ask(self, key: Hashable, make: Callable[[], Any]) -> None:
        """Wish for `make()`; a key asked again moves to the front."""
        dropped = []
        with self._changed:
            if self._ended:
                return
            self._wishes.pop(key, None)
            self._wishes[key] = make
            while len(self._wishes) > self._limit:
                dropped.append(next(iter(self._wishes)))
                del self._wishes[dropped[-1]]
            self._changed.notify()
        for old in dropped:
            self.dropped.emit(old)
        if not self.isRunning():
            self.start()

    def clear(self) -> None:
        """Forget all wishes."""
        with self._changed:
            self._wishes.clear()

    def end(self) -> None:
        """Stop the thread and wait for it."""
        with self._changed:
            self._ended = True
            self._wishes.clear()
            self._changed.notify()
        self.wait()

    def run(self) -> None:
        """The thread. Starts with the first wish."""
        _lower_priority()
        while True:
            with self._changed:
                while not self._wishes and not self._ended:
                    self._changed.wait()
                if self._ended:
                    return
                key, make = self._wishes.popitem()
            try:
                made = make()
            except Exception as error:  # a broken picture is shown as such, not reported
                log.debug("could not make %s: %s", key, error)
                made = None
            self.done.emit(key, made)


def _nothing() -> None:
    return None


def _lower_priority() -> None:
    """Let the window go first (Linux, where QThread's own priorities do nothing).

    Threads that the work starts (OpenMP's) inherit this.
    """
    if sys.platform == "linux":
        try:
            thread = threading.get_native_id()
            now = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, min(19, now + LOW_PRIORITY))
        except OSError as error:
            log.debug("priority not lowered: %s", error)
