"""A search is a folder: what it began with, its journal of trials, what it found."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.reading import read_json, reading
from mmstudio.safe_files import refuse_links, write_whole
from mmstudio.shapes import fitted_to
from mmstudio.training.run_folder import RunFolder

FOLDER = "searches"
FILES = ("experiment.toml", "base.toml", "found.toml", "search.json", "result.json",
         "journal.log", "trials", "workers")
"""What is in a search; none of it is a link."""
MOST_BYTES = 1 << 22


class SearchFolder:
    """The files of one search.

    ``experiment.toml``, what it began with; ``base.toml``, the same with its encoders named;
    ``search.json``, what varies; ``journal.log``, Optuna's journal of trials, which several
    processes may write at once; ``trials/NUMBER``, their run folders without weights;
    ``found.toml``, the experiment with the best settings, and ``result.json``.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.name = self.path.name
        self.journal = self.path / "journal.log"
        self.workers = self.path / "workers"
        self.found = self.path / "found.toml"

    @classmethod
    def of(cls, project: Path, name: str) -> SearchFolder:
        """A project's search of that name, whether it is there or not."""
        return cls(Path(project) / FOLDER / name)

    @property
    def exists(self) -> bool:
        """Whether a search was begun here."""
        return (self.path / "search.json").is_file()

    def begin(self, experiment: Experiment, keys: list[str], target: str | None) -> None:
        """Write what is searched; harmless where it is there already."""
        if self.exists:
            return
        self.workers.mkdir(parents=True, exist_ok=True)
        self._write_experiment("experiment.toml", experiment)
        self._write_json("search.json", {"vary": keys, "target": target or ""})

    def plan(self) -> tuple[Experiment, list[str], str | None]:
        """What is searched: the experiment, the keys that vary, the target that counts.

        Raises:
            UserError: There is no search here, or its files are links or damaged.
        """
        refuse_links(self.path, FILES)
        if not self.exists:
            raise UserError(f"{self.path} is not a search.",
                            "Give the name of a folder in the project's searches.")
        path = self.path / "search.json"
        with reading(path, "Start a new search."):
            data = fitted_to(read_json(path, MOST_BYTES), {"vary": [str], "target": str})
        experiment = Experiment.load(self.path / "experiment.toml")
        return experiment, data["vary"], data["target"] or None

    def base(self) -> Experiment | None:
        """The experiment with its encoders named, once the first trial has named them."""
        path = self.path / "base.toml"
        return Experiment.load(path) if path.is_file() else None

    def write_base(self, experiment: Experiment) -> None:
        """Keep the experiment with its encoders named."""
        self._write_experiment("base.toml", experiment)

    def write_found(self, experiment: Experiment, result: dict[str, Any]) -> None:
        """Keep what was found."""
        self._write_experiment("found.toml", experiment)
        self._write_json("result.json", result)

    def result(self) -> dict[str, Any] | None:
        """What was found; None before the end. Raises UserError where it is damaged."""
        path = self.path / "result.json"
        if not path.is_file():
            return None
        with reading(path, "Search again."):
            data: dict[str, Any] = read_json(path, MOST_BYTES)
            return data

    def trial(self, number: int) -> RunFolder:
        """A trial's run folder."""
        return RunFolder(self.path / "trials" / f"{number:04}")

    def drop_weights(self, number: int) -> None:
        """Keep a trial's curves and settings, and let its weights go."""
        run = self.trial(number)
        for path in (run.best, run.last, run.state, run.answers):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def drop_trial(self, number: int) -> None:
        """Remove what a trial that was cut off has left."""
        shutil.rmtree(self.trial(number).path, ignore_errors=True)

    def _write_experiment(self, name: str, experiment: Experiment) -> None:
        write_whole(self.path / name, experiment.seen_from(self.path).to_toml(full=False))

    def _write_json(self, name: str, data: dict[str, Any]) -> None:
        write_whole(self.path / name, json.dumps(data, ensure_ascii=False, indent=1).encode())


def free_name(project: Path) -> str:
    """A name that no search has yet: ``search-1``."""
    number = 1
    while SearchFolder.of(project, f"search-{number}").path.exists():
        number += 1
    return f"search-{number}"


def latest(project: Path) -> str | None:
    """The search that was begun last; None where there is none."""
    found = list((Path(project) / FOLDER).glob("*/search.json"))
    return max(found, key=lambda p: (p.stat().st_mtime, p)).parent.name if found else None
