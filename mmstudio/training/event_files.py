"""TensorBoard's event files beside ``events.jsonl``: figures of steps and epochs, and the settings.

They are made of a run's events, by whoever iterates them, as its log is. tensorboardX gives the
records; its writer would add a thread and a queue between processes, which a few numbers per step
do not need.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmstudio.errors import UserError
from mmstudio.training.events import EpochDone, RunEvent, RunFinished, Started, StepDone, WentBack

COMMAND = 'pip install ".[tensorboard]"'
VERSION = "brain.Event:2"
"""Of the format; the first record of a file says it."""


def check_installed() -> None:
    """Refuse to begin without what the records are made with.

    Raises:
        UserError: It is missing; tells the command.
    """
    try:
        import tensorboardX  # noqa: F401
    except ImportError:
        raise UserError("training.tensorboard needs a package that is missing: tensorboardX.",
                        f"Install it:  {COMMAND}, or set training.tensorboard = false.") from None


class EventFiles:
    """Writes what TensorBoard shows of a run, ``events.out.tfevents…`` in its folder.

    All figures stand over the number of steps, epochs' too: where a run goes on or goes back, what
    it makes once more is hidden. A file begins with the event ``Started``, so a run that does not
    begin has none.

    Args:
        folder: The run's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: Any = None
        self._step = 0

    def take(self, event: RunEvent) -> None:
        """Write what an event tells; of ``Started`` the run's ``experiment.toml`` too.

        Raises:
            OSError: It can't be written.
        """
        if isinstance(event, Started):
            self._step = max(event.first_step - 1, 0)
            self._begin(self._step + 1 if self._step else None)
            settings = (self._folder / "experiment.toml").read_text(encoding="utf-8")
            # as Markdown has what is to be left as it is
            self._text("settings", "\n".join(f"    {line}" for line in settings.splitlines()))
        elif self._file is None:
            return
        elif isinstance(event, StepDone):
            self._step = event.step
            self._scalars({"step/loss": event.loss, "step/learning_rate": event.learning_rate,
                           "step/samples_per_s": event.samples_per_s})
        elif isinstance(event, EpochDone):
            self._scalars(dict(_figures(event)))
            self._file.flush()
        elif isinstance(event, WentBack):
            self._step = event.step - 1
            self._begin(event.step)
        elif isinstance(event, RunFinished):
            self.close()

    def close(self) -> None:
        """Write what waits; more events are then left out."""
        file, self._file = self._file, None
        if file is not None:
            file.flush()
            file.close()

    def _begin(self, from_step: int | None) -> None:
        """Begin a file; figures of earlier ones from this step on no longer count."""
        from tensorboardX.proto.event_pb2 import SessionLog
        from tensorboardX.record_writer import RecordWriter

        self.close()
        # TensorBoard reads files by their names: the time first, then what tells them apart
        now = f"{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"
        self._file = RecordWriter(str(self._folder / f"events.out.tfevents.{now}"))
        self._record(file_version=VERSION)
        if from_step is not None:
            self._record(step=from_step, session_log=SessionLog(status=SessionLog.START))

    def _record(self, **fields: Any) -> None:
        from tensorboardX.proto.event_pb2 import Event

        self._file.write(Event(wall_time=time.time(), **fields).SerializeToString())

    def _scalars(self, values: Mapping[str, float | None]) -> None:
        from tensorboardX.proto.summary_pb2 import Summary

        told = [Summary.Value(tag=tag, simple_value=value)
                for tag, value in values.items() if value is not None]
        self._record(step=self._step, summary=Summary(value=told))

    def _text(self, tag: str, text: str) -> None:
        from tensorboardX.summary import text as text_summary

        self._record(step=self._step, summary=text_summary(tag, text))


def _figures(event: EpochDone) -> Iterator[tuple[str, float | None]]:
    """The scalars of an epoch, by their tags."""
    for split, told in (("train", event.train), ("validation", event.validation)):
        for name, value in told.items():
            if isinstance(value, dict):
                yield from ((f"{name}/{figure}/{split}", one) for figure, one in value.items())
            else:
                yield f"epoch/{name}/{split}", value
        loss = event.alignment.get(split, {}).get("loss")
        if loss is not None:
            yield f"alignment/loss/{split}", loss
    for name, told in event.inputs.items():
        yield from ((f"inputs/{name}/{figure}", one) for figure, one in told.items())
    yield "epoch/seconds", event.seconds
    yield "epoch/samples_per_s", event.samples_per_s
