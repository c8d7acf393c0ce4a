"""What brings a run's scores to what they say, per target and subset of its inputs; kept with it.

``calibration.json`` in the run's folder is written where an evaluation was asked for. It holds for
the weights that it was found for; with others, and where it is damaged, there is as good as none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmstudio.errors import UserError
from mmstudio.reading import read_json, reading
from mmstudio.shapes import fitted_to
from mmstudio.training.answers_digest import answers_digest
from mmstudio.training.run_folder import RunFolder

FILE = "calibration.json"
FORMAT = 1
MOST_BYTES = 1 << 24
LEAST_TEMPERATURE, MOST_TEMPERATURE = 0.05, 20.0


@dataclass(frozen=True)
class SubsetCalibration:
    """Of one target, where one subset of the inputs is there.

    Attributes:
        rows: How many validation rows it was found on.
        temperature: What logits are divided by; 1 of a number.
        quantiles: Per coverage that is asked for, such as 0.9, how far a label's score may be
            from 1, or a number from the answer, to be in the set; None where all are in it.
        thresholds: Of label sets: per label, in the schema's order, the calibrated score from
            which on answering with it has the highest F1.
    """

    rows: int
    temperature: float = 1.0
    quantiles: Mapping[float, float | None] = field(default_factory=dict)
    thresholds: tuple[float, ...] = ()


@dataclass(frozen=True)
class Calibration:
    """Of all targets and subsets of the inputs.

    Attributes:
        inputs: The names of the M inputs.
        tasks: Per target and subset of the inputs.
    """

    inputs: tuple[str, ...]
    tasks: Mapping[str, Mapping[frozenset[str], SubsetCalibration]]

    def of(self, task: str, present: Iterable[str]) -> SubsetCalibration | None:
        """Where these inputs are there; a subset that was not looked at has that of all inputs.

        None where nothing is there, or nothing is known of the target.
        """
        found, there = self.tasks.get(task, {}), frozenset(present)
        if not there:
            return None
        return found.get(there, found.get(frozenset(self.inputs)))

    def temperatures(self, task: str, present: np.ndarray) -> np.ndarray:
        """``(B,)`` float64 what logits are divided by, of ``(B, M)`` bool; 1 where unknown."""
        kinds, which = np.unique(present, axis=0, return_inverse=True)
        each = []
        for there in kinds:
            one = self.of(task, (n for n, t in zip(self.inputs, there, strict=True) if t))
            each.append(1.0 if one is None else one.temperature)
        return np.array(each)[which.reshape(-1)]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"inputs": list(self.inputs), "tasks": {
            name: [{"inputs": sorted(there, key=self.inputs.index), "rows": one.rows,
                    "temperature": one.temperature,
                    "quantiles": {str(level): q for level, q in one.quantiles.items()},
                    "thresholds": list(one.thresholds)}
                   for there, one in of.items()]
            for name, of in self.tasks.items()}}


_SHAPE = {"format": int, "weights": str, "inputs": [str], "tasks": {"**": [
    {"inputs": [str], "rows": int, "temperature": (LEAST_TEMPERATURE, MOST_TEMPERATURE),
     "quantiles": {"**": float}, "thresholds": [(0.0, 1.0)]}]}}


def weights_now(files: RunFolder) -> str | None:
    """What stands for the weights before rows are scored; None where they can't be read."""
    try:
        return answers_digest(files)
    except OSError:
        return None


def write_calibration(files: RunFolder, calibration: Calibration, weights: str | None) -> None:
    """Keep it; nothing is kept where a training has written other weights meanwhile.

    Args:
        files: The run.
        calibration: What was found.
        weights: What ``weights_now`` gave before the rows were scored that it was found on.

    Raises:
        OSError: It can't be written.
    """
    if weights is None or weights != answers_digest(files):
        return
    data = {"format": FORMAT, "weights": weights} | calibration.to_json()
    files.write_text(FILE, json.dumps(data, ensure_ascii=False, indent=1))


def read_calibration(files: RunFolder, inputs: Sequence[str]) -> Calibration | None:
    """What was kept; None where there is none, or it is of other weights, or damaged.

    Args:
        files: The run.
        inputs: The names of its inputs.
    """
    path = files.path / FILE
    if not path.is_file():
        return None
    try:
        with reading(path, ""):
            data = fitted_to(read_json(path, MOST_BYTES), _SHAPE)
            if (data["format"], data["weights"], data["inputs"]) != (
                    FORMAT, answers_digest(files), list(inputs)):
                return None
            return Calibration(tuple(data["inputs"]), {
                name: {frozenset(one["inputs"]): SubsetCalibration(
                    one["rows"], float(one["temperature"]),
                    {float(level): q for level, q in one["quantiles"].items()},
                    tuple(one["thresholds"]))
                    for one in of} for name, of in data["tasks"].items()})
    except UserError:
        return None  # an evaluation writes it anew
