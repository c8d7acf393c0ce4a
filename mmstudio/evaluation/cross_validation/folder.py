"""A cross-validation is a folder of a project's runs; its folds are runs beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.reading import read_json, reading
from mmstudio.safe_files import refuse_links, write_whole
from mmstudio.shapes import fitted_to
from mmstudio.training.run_folder import RunFolder

FILES = ("folds.toml", "folds.json", "result.json", "answers.safetensors")
MOST_BYTES = 1 << 28


class FoldsFolder:
    """The files of a cross-validation ``runs/NAME``.

    ``folds.toml``, the experiment that was asked for; ``folds.json``, how many folds there are;
    ``answers.safetensors``, the answers to all held-out rows, and ``result.json``, their figures,
    once all folds are trained. The folds are the runs ``runs/NAME.fold1`` and so on: a run finds
    its project from where it lies, and everything that works on a run works on them.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.name = self.path.name
        self.answers = self.path / "answers.safetensors"

    @property
    def exists(self) -> bool:
        """Whether a cross-validation was begun here."""
        return (self.path / "folds.json").is_file()

    @classmethod
    def existing(cls, path: Path) -> FoldsFolder:
        """A folder that is a cross-validation.

        Raises:
            UserError: It is not there, is none, or holds links in place of its files.
        """
        found = cls(path)
        refuse_links(found.path, FILES)
        if not found.exists:
            raise UserError(f"{path} is not a cross-validation.",
                            "Give the folder that 'mmstudio train --folds' has written.")
        return found

    @property
    def project(self) -> Path:
        """The project's folder."""
        return self.path.resolve().parent.parent

    def fold(self, number: int) -> RunFolder:
        """The run in which a fold, counted from 1, is held out."""
        return RunFolder(self.path.with_name(f"{self.name}.fold{number}"))

    def check_free(self, folds: int) -> None:
        """Look whether a new one may be made here. Raises UserError where something is there."""
        for path in (self.path, *(self.fold(n).path for n in range(1, folds + 1))):
            if path.exists() and not (path.is_dir() and not any(path.iterdir())):
                raise UserError(f"{path} already exists.",
                                "Take another name, or go on with it by --resume.")

    def begin(self, experiment: Experiment, folds: int) -> None:
        """Write what is asked for. Raises OSError."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_whole(self.path / "folds.toml",
                    experiment.seen_from(self.path).to_toml(full=False))
        self._write_json("folds.json", {"folds": folds})

    def experiment(self) -> Experiment:
        """The experiment that was asked for. Raises UserError."""
        return Experiment.load(self.path / "folds.toml")

    def folds(self) -> int:
        """How many folds there are. Raises UserError."""
        path = self.path / "folds.json"
        with reading(path, "Cross-validate again, under another name."):
            data = fitted_to(read_json(path, MOST_BYTES), {"folds": range(2, 101)})
            count: int = data["folds"]
            return count

    def result(self) -> dict[str, Any] | None:
        """The figures; None before all folds are trained. Raises UserError."""
        path = self.path / "result.json"
        refuse_links(self.path, FILES)
        if not path.is_file():
            return None
        with reading(path, "Go on with the cross-validation by --resume: it is written anew."):
            data: dict[str, Any] = fitted_to(read_json(path, MOST_BYTES), {
                "samples": int, "folds": int, "tasks": {"*": dict}, "each": [dict]})
            return data

    def write_result(self, result: dict[str, Any]) -> None:
        """Keep the figures. Raises OSError."""
        self._write_json("result.json", result)

    def _write_json(self, name: str, data: dict[str, Any]) -> None:
        write_whole(self.path / name, json.dumps(data, ensure_ascii=False, indent=1))
