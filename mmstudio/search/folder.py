"""A search is a folder: what it began with, its journal of trials, what it found."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.reading import read_json, reading
from mmstudio.safe_files import refuse_links, write_whole
from mmstudio.search.space import Dimension
from mmstudio.shapes import fitted_to
from mmstudio.training.run_folder import RunFolder

FOLDER = "searches"
FILES = ("experiment.toml", "base.toml", "found.toml", "search.json", "result.json",
         "journal.log", "trials", "workers", "baseline.lock", "finals.lock")
"""What is in a search; none of it is a link."""
MOST_BYTES = 1 << 22


@dataclass(frozen=True)
class SearchPlan:
    """What is searched, as it was begun.

    Attributes:
        experiment: Where it begins.
        space: What varies.
        target: Whose figure counts; None is the mean of all.
        minutes: How long it may take; None where only the trials are counted.
        trials: How many at most; None takes as many as the time allows.
        ensemble: Whether the best models are to answer together at the end.
    """

    experiment: Experiment
    space: tuple[Dimension, ...]
    target: str | None = None
    minutes: float | None = None
    trials: int | None = None
    ensemble: bool = False


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

    def begin(self, plan: SearchPlan) -> None:
        """Write what is searched; harmless where it already exists."""
        if self.exists:
            return
        self.workers.mkdir(parents=True, exist_ok=True)
        self._write_experiment("experiment.toml", plan.experiment)
        self._write_json("search.json", {
            "vary": [d.to_dict() for d in plan.space], "target": plan.target or "",
            "minutes": plan.minutes or 0, "trials": plan.trials or 0,
            "ensemble": plan.ensemble})

    def refuse_links(self) -> None:
        """Raise UserError where a file of the search is a link."""
        refuse_links(self.path, FILES)

    def plan(self) -> SearchPlan:
        """What is searched.

        Raises:
            UserError: There is no search here, or its files are links or damaged.
        """
        self.refuse_links()
        if not self.exists:
            raise UserError(f"{self.path} is not a search.",
                            "Give the name of a folder in the project's searches.")
        path = self.path / "search.json"
        with reading(path, "Start a new search."):
            data = read_json(path, MOST_BYTES)
            space = tuple(Dimension.of(one) for one in data.pop("vary"))
            data = fitted_to(data, {"target": str, "minutes": float, "trials": int,
                                    "ensemble?": bool})
        experiment = Experiment.load(self.path / "experiment.toml")
        return SearchPlan(experiment, space, data["target"] or None, data["minutes"] or None,
                          data["trials"] or None, data.get("ensemble", False))

    def base(self) -> Experiment | None:
        """The experiment with its encoders named, once the first trial has named them."""
        path = self.path / "base.toml"
        return Experiment.load(path) if path.is_file() else None

    def write_base(self, experiment: Experiment) -> None:
        """Keep the experiment with its encoders named."""
        self._write_experiment("base.toml", experiment)

    def write_settings_found(self, experiment: Experiment, result: dict[str, Any]) -> None:
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

    @property
    def baseline(self) -> RunFolder:
        """The run folder of the experiment as it is."""
        return RunFolder(self.path / "trials" / "baseline")

    @staticmethod
    def drop_weights_of(run: RunFolder) -> None:
        """Keep a trial's curves and settings, and let its weights go."""
        for path in (run.best, run.last, run.state, run.answers,
                     *run.path.glob("epoch-*.safetensors")):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    @staticmethod
    def drop_state_of(run: RunFolder) -> None:
        """Keep a trial's best model, and let go what only a resume needs."""
        for path in (run.last, run.state, *run.path.glob("epoch-*.safetensors")):
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
    # runs of a search that was deleted are not those of a new one
    while (SearchFolder.of(project, f"search-{number}").path.exists()
           or any((Path(project) / "runs").glob(f"search-{number}.trial*"))):
        number += 1
    return f"search-{number}"


def latest(project: Path) -> str | None:
    """The search that was begun last; None where there is none."""
    found = list((Path(project) / FOLDER).glob("*/search.json"))
    return max(found, key=lambda p: (p.stat().st_mtime, p)).parent.name if found else None
