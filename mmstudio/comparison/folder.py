"""A comparison is a folder: its plan, the scores of its runs, its report.

The runs themselves are ordinary runs in the project's ``runs``.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from mmstudio.comparison.plan import Plan
from mmstudio.comparison.scores import RunScores
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.portable import without_places
from mmstudio.reading import opened, parse_toml, read_json, read_text, reading
from mmstudio.safe_files import refuse_links, remove_begun, write_whole, written_whole
from mmstudio.shapes import fitted_to
from mmstudio.training import looks

FOLDER = "comparisons"
FILES = ("plan.toml", "experiment.toml", "scores", "report.html", "ranking.csv", looks.FILE)
"""What is in a comparison; none of it is a link."""
MOST_BYTES = 1_000_000
MOST_ARRAY_BYTES = 1 << 28
SHAPE = {"run": str, "contestant": str, "seed": int, "validation": float, "split": str,
         "fingerprint": str, "metrics": {"*": float}, "epochs": int, "seconds_per_epoch": float,
         "seconds": float, "parameters": int, "bytes": int, "device": str}
"""Of a run's scores."""


@dataclass(frozen=True)
class Failure:
    """A run that could not be trained, and why."""

    run: str
    contestant: str
    message: str
    hint: str


class ComparisonFolder:
    """The files of one comparison.

    ``plan.toml``, ``experiment.toml``, per run ``scores/RUN.json`` and ``scores/RUN.npz``,
    ``report.html``, ``ranking.csv``. All are written beside and renamed, but for ``looks.jsonl``,
    which gets a line whenever test rows are scored.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.name = self.path.name
        self.report = self.path / "report.html"
        self.table = self.path / "ranking.csv"
        self._scores = self.path / "scores"

    @classmethod
    def of(cls, project: Path, name: str) -> ComparisonFolder:
        """A project's comparison of that name, whether it is there or not."""
        return cls(Path(project) / FOLDER / name)

    @property
    def exists(self) -> bool:
        """Whether a comparison was begun here."""
        return (self.path / "plan.toml").is_file()

    def write_plan(self, plan: Plan) -> None:
        """Begin, or go on with more contestants or seeds.

        Raises:
            UserError: Files of the comparison are links.
        """
        import tomlkit

        refuse_links(self.path, FILES)
        self._scores.mkdir(parents=True, exist_ok=True)
        for folder in (self.path, self._scores):
            remove_begun(folder)
        experiment = plan.experiment.seen_from(self.path)
        write_whole(self.path / "experiment.toml", experiment.to_toml(full=False))
        write_whole(self.path / "plan.toml", tomlkit.dumps(plan.to_dict()).encode())

    def plan(self) -> Plan:
        """What is compared.

        Raises:
            UserError: There is no comparison here, or its files are links or damaged.
        """
        refuse_links(self.path, FILES)
        if not self.exists:
            raise UserError(f"{self.path} is not a comparison.",
                            "Give the name of a folder in the project's comparisons.")
        experiment = Experiment.load(self.path / "experiment.toml")
        path = self.path / "plan.toml"
        with reading(path, "Start a new comparison."):
            data = parse_toml(read_text(path, MOST_BYTES))
            return Plan.from_dict(self.name, data, experiment)

    def write_scores(self, scores: RunScores) -> None:
        """Keep a run's scores; the JSON comes last, and says that they are there."""
        with (written_whole(self._scores / f"{scores.run}.npz") as beside,
              beside.open("wb") as file):
            groups: dict[str, Any] = {} if scores.groups is None else {"groups": scores.groups}
            np.savez_compressed(file, rows=scores.rows, scores=scores.scores, **groups)
        self._write_json(scores.run, scores.figures())

    def write_failure(self, failure: Failure) -> None:
        """Keep why a run could not be trained."""
        project = self.path.parent.parent
        self._write_json(failure.run, without_places({
            "run": failure.run, "contestant": failure.contestant,
            "failed": failure.message, "hint": failure.hint}, [project]))

    def scores(self, run: str) -> RunScores | Failure | None:
        """What is known of a run; None where it has yet to be trained, or its file is damaged."""
        path = self._scores / f"{run}.json"
        try:
            with reading(path, ""):
                data = read_json(path, MOST_BYTES)
                if "failed" in data:
                    fitted_to(data, {"contestant": str, "failed": str, "hint": str})
                    return Failure(run, data["contestant"], data["failed"], data["hint"])
                return RunScores.of(fitted_to(data, SHAPE), *self._arrays(run))
        except UserError:
            return None

    def _arrays(self, run: str) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Rows, scores and groups. Raises whatever reading a damaged file raises."""
        with opened(self._scores / f"{run}.npz", MOST_ARRAY_BYTES) as file:
            with zipfile.ZipFile(file) as parts:
                if sum(part.file_size for part in parts.infolist()) > MOST_ARRAY_BYTES:
                    raise ValueError("its arrays are too large")
            file.seek(0)
            with np.load(file) as arrays:
                rows, scores = arrays["rows"], arrays["scores"]
                groups = arrays["groups"] if "groups" in arrays else None
        if rows.ndim != 1 or rows.shape != scores.shape or not np.isfinite(scores).all():
            raise ValueError("its arrays don't fit each other")
        if groups is not None and (groups.shape != rows.shape or groups.dtype.kind != "i"):
            raise ValueError("its groups don't fit its rows")
        return rows, scores, groups

    def note_look(self, runs: int) -> None:
        """Keep that this many runs' figures of the test rows were to be seen. Raises OSError."""
        looks.note_look(self.path, f"a comparison of {runs} runs")

    def looks(self) -> int:
        """How often figures of the test rows were to be seen. Raises UserError."""
        return looks.count_looks(self.path)

    def write_text(self, path: Path, text: str) -> None:
        """Write the report or the table."""
        write_whole(path, text)

    def _write_json(self, run: str, data: dict[str, Any]) -> None:
        write_whole(self._scores / f"{run}.json", json.dumps(data, ensure_ascii=False).encode())


@dataclass(frozen=True)
class ComparisonSummary:
    """A comparison in one line: how many of its runs are done."""

    name: str
    path: Path
    created: datetime
    done: int
    total: int

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to train."""
        return self.done == self.total


def list_comparisons(project: Path) -> list[ComparisonSummary]:
    """The comparisons of a project, newest first; damaged ones are skipped."""
    found = []
    for file in (Path(project) / FOLDER).glob("*/plan.toml"):
        folder = ComparisonFolder(file.parent)
        try:
            runs = folder.plan().runs()
        except UserError:
            continue
        done = sum(folder.scores(r.run) is not None for r in runs)
        created = datetime.fromtimestamp(file.stat().st_mtime)
        found.append(ComparisonSummary(folder.name, folder.path, created, done, len(runs)))
    return sorted(found, key=lambda c: (c.created, c.name), reverse=True)
