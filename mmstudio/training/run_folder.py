"""A run is a folder, and all that is known of the run is in it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from mmstudio.data.schema import Schema, check_schema
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.portable import without_places
from mmstudio.reading import opened, reading
from mmstudio.safe_files import append_text, cut_text, refuse_links, write_whole
from mmstudio.training import looks, run_identity, run_notes, run_summary
from mmstudio.training.ensemble_file import refuse_ensemble
from mmstudio.training.events import (
    RunEvent,
    Warned,
    event_from_json,
)
from mmstudio.training.history import RunHistory
from mmstudio.training.run_hold import HOLDER, LOCK, RunHold
from mmstudio.training.run_identity import draw_identity
from mmstudio.training.step_lines import BEGIN, StepLines

FILES = ("experiment.toml", "schema.json", "events.jsonl", "best.safetensors",
         "last.safetensors", "answers.safetensors", "state.pt", "published.json", "rows.bin",
         "environment.json", "components", looks.FILE, HOLDER, LOCK, "evaluation",
         "calibration.json", run_notes.FILE, run_summary.FILE, run_identity.FILE)
"""What may be in a run, none of it a link: files, a folder of texts, the components', and one of
scores that were kept."""
EPOCH = re.compile(r"epoch-\d+\.safetensors")
"""So are the files of epochs' weights named."""
MOST_LINE_BYTES = 1 << 22
MOST_LOG_BYTES = 1 << 29
"""Some million steps."""


class RunFolder:
    """The files of one run.

    ``experiment.toml`` as run, ``schema.json``, ``events.jsonl``, ``best.safetensors``,
    ``last.safetensors``, ``state.pt``; ``answers.safetensors``, what it weighs its answers with,
    where they are not the fusion's alone; ``published.json`` where it stands on published models,
    whose own weights are not in it; ``rows.bin``, a mark of each row that it was trained on;
    ``environment.json``, the versions, the device and so on that it began and went on with;
    ``looks.jsonl`` where its figures of the test rows were asked for, a line each time;
    ``components``, the sources of a user's own ones, as text; ``evaluation``, the answers to whole
    splits, and ``calibration.json``, once an evaluation was asked for; ``epoch-7.safetensors``, the
    weights of the latest epoch and of those that may be the best, which a resume needs: where the
    disk can, ``last`` and ``best`` are second names of them; ``notes.json``, a person's own;
    ``summary.json``, the run in one line; ``identity.txt``, a mark that no other run has. All but
    the two logs are written beside and renamed. While it is trained, ``training.lock`` and
    ``training.json`` hold it and say who does.

    Attributes:
        writes: Whether this process writes into it; see ``FollowedFolder``.
    """

    writes = True

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.name = self.path.name
        self.best = self.path / "best.safetensors"
        self.last = self.path / "last.safetensors"
        self.answers = self.path / "answers.safetensors"
        self.state = self.path / "state.pt"
        self.log = self.path / "events.jsonl"
        self._hold = RunHold(self.path)

    @classmethod
    def existing(cls, path: Path) -> RunFolder:
        """A folder that is a run.

        Raises:
            UserError: It is not there, is not a run, or holds links in place of its files.
        """
        run = cls(path)
        refuse_links(run.path, [*FILES, *(path.name for path in run.epoch_files())])
        if not (run.path / "experiment.toml").is_file():
            if (run.path / "folds.json").is_file():
                raise UserError(f"{path} is a cross-validation, not one run.",
                                f"Its figures are in result.json; its runs are {path}.fold1 and "
                                "so on.")
            raise UserError(f"{path} is not a run folder.",
                            "Give a folder of a project's runs, such as runs/first.")
        return run

    @property
    def shown(self) -> str:
        """Its name for people, as seen from its project: ``runs/first``."""
        return f"{self.path.parent.name}/{self.name}"

    def weights_of(self, epoch: int) -> Path:
        """The file of an epoch's weights."""
        return self.path / f"epoch-{epoch}.safetensors"

    def epoch_files(self) -> list[Path]:
        """The files of epochs' weights that are there."""
        if not self.path.is_dir():
            return []
        return [path for path in self.path.iterdir() if EPOCH.fullmatch(path.name)]

    def has_model(self) -> bool:
        """Whether weights were written."""
        return self.best.is_file() and (self.path / "schema.json").is_file()

    def experiment(self) -> Experiment:
        """The experiment as run. Raises UserError."""
        return Experiment.load(self.path / "experiment.toml")

    def schema(self) -> Schema:
        """What was learnt from its training rows. Raises UserError."""
        path = self.path / "schema.json"
        schema = Schema.load(path)
        check_schema(schema, self.experiment(), path)
        return schema

    def events(self, *, steps: bool = True) -> Iterator[RunEvent]:
        """The log's events; a torn or damaged line is skipped.

        Args:
            steps: Without them it is far quicker: they are most of a log.

        Raises:
            UserError: The log can't be read.
        """
        for line in self._lines(steps=steps):
            event = _event_of(line)
            if event is not None:
                yield event

    def history(self, *, steps: bool = True) -> RunHistory:
        """All events replayed, those of steps only where asked for. Raises UserError."""
        history, gathered = RunHistory(), StepLines()
        for line in self._lines(steps=steps):
            if gathered.take(line):
                continue
            event = _event_of(line)
            if event is not None:
                gathered.give(history)
                history.apply(event)
        gathered.give(history)
        return history

    def _lines(self, *, steps: bool) -> Iterator[bytes]:
        """The log's lines, with their ends; those that are too long are left out."""
        if not self.log.is_file():
            return
        hint = "Check its permissions."
        with reading(self.log, hint), opened(self.log, MOST_LOG_BYTES) as file:
            while line := file.readline(MOST_LINE_BYTES):
                if len(line) == MOST_LINE_BYTES and not line.endswith(b"\n"):
                    _skip_line(file)
                elif steps or not line.startswith(BEGIN):
                    yield line

    def check_free(self) -> None:
        """Look whether a new run may be made here.

        Raises:
            UserError: Something is here already; where it is being trained, by whom.
        """
        if self.path.is_dir():
            self._hold.refuse_if_held()
        if self.path.exists() and self._is_used():
            raise self._there_already()

    def claim(self, *, resume: bool = False) -> None:
        """Hold the folder for one training, and make it where the run is new.

        Raises:
            UserError: Another training holds it, or has made it since it was looked at.
            OSError: It can't be written to.
        """
        if not resume:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # an empty folder may be there; whether it still is, the holder of the lock sees
            with suppress(FileExistsError):
                self.path.mkdir()
        self._hold.take()
        if not resume and self._is_used():
            self.release()
            raise self._there_already()

    def release(self) -> None:
        """Let another training have the folder."""
        self._hold.release()

    def refuse_if_held(self) -> None:
        """Raise UserError where a training has the folder at this moment; names its process."""
        self._hold.refuse_if_held()

    def is_held(self) -> bool:
        """Whether a training has the folder at this moment."""
        try:
            self.refuse_if_held()
        except UserError:
            return True
        return False

    def _is_used(self) -> bool:
        return not self.path.is_dir() or any(
            p.name not in (HOLDER, LOCK, run_identity.FILE) for p in self.path.iterdir())

    def _there_already(self) -> UserError:
        return UserError(f"{self.path} already exists.", "Take another name, or resume the run.")

    def check_can_go_on(self) -> None:
        """Refuse to overwrite what was trained; a run without a whole epoch may start over.

        Raises:
            UserError: There are weights or whole epochs, but no state to go on from; or it is an
                ensemble.
        """
        refuse_ensemble(self.path)
        if self.state.is_file():
            return
        if self.best.exists() or self.last.exists() or self.history(steps=False).epochs:
            raise UserError(
                f"{self.path} holds a trained model but no {self.state.name}: it can't be "
                "resumed.", f"Put {self.state.name} back, or train under another name; resuming "
                "would start over and replace the model.")

    def end_torn_line(self) -> None:
        """End the log's last line where a kill tore it: the next event stands on its own line."""
        if not self.log.is_file():
            return
        with self.log.open("rb") as log:
            if log.seek(0, os.SEEK_END) == 0:
                return
            log.seek(-1, os.SEEK_END)
            torn = log.read(1) != b"\n"
        if torn:
            append_text(self.log, "\n")

    def log_event(self, event: RunEvent, folders: Sequence[Path] = ()) -> None:
        """Write an event at the log's end.

        Args:
            event: What happened.
            folders: Paths within these are written as seen from there.

        Raises:
            OSError: It can't be written.
        """
        data = event.to_json()
        if isinstance(event, Warned):  # the other events name no files
            data = without_places(data, folders)
        append_text(self.log, json.dumps(data) + "\n")

    def rewind_log(self, length: int, told: Sequence[str]) -> None:
        """Have the log as it was at a checkpoint: what came later comes once more.

        Args:
            length: Its bytes then.
            told: The lines that followed at once, and belong to it.

        Raises:
            OSError: It can't be written.
        """
        # another length is of a log that was lost or edited: its points are dropped when it is read
        if self.log.is_file() and cut_text(self.log, length) and told:
            append_text(self.log, "".join(f"{line}\n" for line in told))

    def write_experiment(self, experiment: Experiment) -> None:
        """Write the experiment as run, models beside it as seen from here. Raises OSError.

        With it a folder is a run, and has a mark.
        """
        draw_identity(self.path)
        self.write_text("experiment.toml", experiment.seen_from(self.path).to_toml())

    def write_text(self, name: str, text: str) -> None:
        """Write a file by way of a rename. Raises OSError."""
        write_whole(self.path / name, text)


def _event_of(line: bytes) -> RunEvent | None:
    """The event of a line of the log; None where it is damaged, or of a kind not known here."""
    try:
        return event_from_json(json.loads(line.decode("utf-8", "replace")))
    except (ValueError, RecursionError):
        return None


def _skip_line(file: BinaryIO) -> None:
    """Read on to the end of a line that is too long."""
    while (part := file.readline(MOST_LINE_BYTES)) and not part.endswith(b"\n"):
        pass
