"""A run is a folder, and all that is known of the run is in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from mmstudio.data.schema import Schema
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.training.events import EncoderChosen, RunEvent, RunFinished, event_from_json
from mmstudio.training.history import RunHistory


class RunFolder:
    """The files of one run.

    ``experiment.toml`` as run, ``schema.json``, ``events.jsonl``, ``best.safetensors``,
    ``last.safetensors``, ``state.pt``; ``answers.safetensors``, what it weighs its answers with,
    where they are not the fusion's alone; ``published.json`` where it stands on published models,
    whose own weights are not in it. All but the event log are written beside and renamed.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.name = self.path.name
        self.best = self.path / "best.safetensors"
        self.last = self.path / "last.safetensors"
        self.answers = self.path / "answers.safetensors"
        self.state = self.path / "state.pt"
        self.log = self.path / "events.jsonl"

    @classmethod
    def existing(cls, path: Path) -> RunFolder:
        """A folder that is a run.

        Raises:
            UserError: It is not there, or is no run.
        """
        run = cls(path)
        if not (run.path / "experiment.toml").is_file():
            raise UserError(f"{path} is no run folder.",
                            "Give a folder of a project's runs, such as runs/first.")
        return run

    def has_model(self) -> bool:
        """Whether weights were written."""
        return self.best.is_file() and (self.path / "schema.json").is_file()

    def experiment(self) -> Experiment:
        """The experiment as run. Raises UserError."""
        return Experiment.load(self.path / "experiment.toml")

    def schema(self) -> Schema:
        """What was learnt from its training rows. Raises UserError."""
        return Schema.load(self.path / "schema.json")

    def events(self) -> Iterator[RunEvent]:
        """The log's events; a torn or damaged line is passed over."""
        if not self.log.is_file():
            return
        with self.log.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    event = event_from_json(json.loads(line))
                except (ValueError, KeyError, TypeError):
                    continue
                if event is not None:
                    yield event

    def history(self) -> RunHistory:
        """All events replayed."""
        history = RunHistory()
        for event in self.events():
            history.apply(event)
        return history

    def end_torn_line(self) -> None:
        """End the log's last line where a kill tore it: the next event stands on its own line."""
        if self.log.is_file() and not self.log.read_bytes().endswith(b"\n"):
            with self.log.open("a", encoding="utf-8") as log:
                log.write("\n")

    def write_text(self, name: str, text: str) -> None:
        """Write a file by way of a rename."""
        beside = self.path / f"{name}.new"
        beside.write_text(text, encoding="utf-8")
        beside.replace(self.path / name)


@dataclass(frozen=True)
class RunSummary:
    """A run in one line.

    Attributes:
        status: ``completed``, ``early_stopped``, ``stopped`` or ``unfinished``.
        metrics: ``{"digit accuracy": 0.97}``, validation figures of what the run answers with.
        chosen: Per input whose encoder was left open which one it got, and why.
    """

    name: str
    path: Path
    created: datetime
    status: str
    data: str
    fusion: str
    inputs: tuple[str, ...]
    encoders: tuple[str, ...]
    best_epoch: int | None
    metrics: dict[str, float] = field(default_factory=dict)
    chosen: dict[str, EncoderChosen] = field(default_factory=dict)


def list_runs(project: Path) -> list[RunSummary]:
    """The runs of a project, newest first; folders that are no runs are passed over."""
    folder = Path(project) / "runs"
    if not folder.is_dir():
        return []
    runs = []
    for path in folder.iterdir():
        try:
            runs.append(summarise(RunFolder.existing(path)))
        except (UserError, OSError):
            continue
    return sorted(runs, key=lambda run: (run.created, run.name), reverse=True)


def summarise(run: RunFolder) -> RunSummary:
    """One run in one line. Raises UserError when its experiment can't be read."""
    experiment = run.experiment()
    history = run.history()
    main = history.started.tasks if history.started is not None else {}
    best = history.answered()
    finished: RunFinished | None = history.finished
    return RunSummary(
        name=run.name,
        path=run.path,
        created=datetime.fromtimestamp((run.path / "experiment.toml").stat().st_mtime),
        status="unfinished" if finished is None else finished.reason,
        data=experiment.data.table,
        fusion=experiment.fusion.name,
        inputs=tuple(experiment.active_inputs),
        encoders=tuple(i.encoder.name for i in experiment.active_inputs.values()),
        best_epoch=history.best_epoch,
        metrics={f"{task} {figure}": best[task][figure]
                 for task, figure in main.items() if figure in best.get(task, {})},
        chosen=history.encoders_chosen,
    )


def next_run_name(project: Path, experiment: Experiment) -> str:
    """A free name that says what is in it: ``concat-image-words-1``."""
    words = [experiment.fusion.name, *experiment.active_inputs]
    stem = re.sub(r"[^\w-]+", "_", "-".join(words))[:60]
    taken = {p.name for p in (Path(project) / "runs").glob("*")}
    number = 1
    while f"{stem}-{number}" in taken:
        number += 1
    return f"{stem}-{number}"
