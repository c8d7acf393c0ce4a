"""What was found of a run's robustness, kept beside the run as long as it holds."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmstudio.errors import UserError
from mmstudio.evaluation.depends import MOST_FILES, depends_on, files_of, state_of
from mmstudio.evaluation.robustness_curves import Curve, Point, Robustness
from mmstudio.reading import read_json, reading
from mmstudio.safe_files import write_whole
from mmstudio.shapes import fitted_to
from mmstudio.training.answers_digest import FOLDER
from mmstudio.training.run_folder import RunFolder

FORMAT = 1
MOST_BYTES = 1 << 26
_POINT = {"strength": float, "figures": {"**": float}, "shares": {"**": {"**": (0.0, 1.0)}}}
_SHAPE = {
    "places": [str], "state": str, "rows": int, "main_figures": {"**": str}, "clean": _POINT,
    "curves": [{"input": str, "corruption": str, "unit": str, "points": [_POINT]}]}


class Keeper:
    """Reads and writes the file of one run and split.

    Args:
        files: The run.
        split: Whose rows are looked at.
        most_rows: As in ``robustness``; other rows, or another seed, are begun anew.
        seed: Likewise.
    """

    def __init__(self, files: RunFolder, split: str, most_rows: int, seed: int) -> None:
        self._files, self._split = files, split
        self._project = files.path.resolve().parent.parent
        self._path = files.path / FOLDER / f"robustness of {split}.json"
        self._asked = [most_rows, seed]
        self._key = depends_on(files, split, None)

    def read(self) -> Robustness | None:
        """What was kept; None where there is nothing that holds."""
        if not self._path.is_file():
            return None
        try:
            with reading(self._path, ""):
                data = read_json(self._path, MOST_BYTES)
                if self._key is None or (data["format"], data["key"], data["asked"]) != (
                        FORMAT, self._key, self._asked):
                    return None
                fitted_to(data, _SHAPE)
                if len(data["places"]) > MOST_FILES or data["state"] != state_of(
                        data["places"], self._project):
                    return None
                return Robustness(
                    str(self._files.path), self._split, data["rows"], data["main_figures"],
                    _point(data["clean"]),
                    [Curve(c["input"], c["corruption"], c["unit"], list(map(_point, c["points"])))
                     for c in data["curves"]])
        except UserError:
            return None  # torn, or of somebody else: as good as none

    def write(self, result: Robustness, values: Sequence[Sequence[str | Path | None]]) -> None:
        """Write it down, unless the run can't be written to or was changed meanwhile.

        Args:
            result: What was found.
            values: Per input the values of the rows that were looked at.
        """
        if self._key is None or self._key != depends_on(self._files, self._split, None):
            return
        places = files_of(values, self._project)
        data = result.to_json() | {
            "format": FORMAT, "key": self._key, "asked": self._asked, "places": places,
            "state": state_of(places, self._project)}
        del data["run"]  # it may be moved
        with suppress(OSError):
            self._path.parent.mkdir(exist_ok=True)
            write_whole(self._path, json.dumps(data, ensure_ascii=False))


def kept_robustness(
    run: Path, split: str = "test", most_rows: int = 500, seed: int = 0
) -> Robustness | None:
    """What was found of a run's robustness before; None where there is nothing that holds.

    Raises:
        UserError: No such run.
    """
    return Keeper(RunFolder.existing(run), split, most_rows, seed).read()


def _point(data: dict[str, Any]) -> Point:
    """A point from plain data, in which null is a figure that is not known."""
    figures = {n: math.nan if v is None else float(v) for n, v in data["figures"].items()}
    return Point(float(data["strength"]), figures, data["shares"])
