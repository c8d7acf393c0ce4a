"""All that is told of a run on one split: figures, their intervals, calibration, worst slices."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmstudio.data.prepare import Progress
from mmstudio.data.table import read_table
from mmstudio.errors import UserError
from mmstudio.evaluation.calibrating import calibration_for
from mmstudio.evaluation.details import calibration_dict, figures_dict
from mmstudio.evaluation.information import information_dict
from mmstudio.evaluation.plain_figures import from_plain
from mmstudio.evaluation.scores import Scores, scored
from mmstudio.evaluation.slices import Slice, slices_of
from mmstudio.inference.calibrated import (
    Calibration,
    weights_now,
)
from mmstudio.inference.evaluation import Evaluation, looked_at
from mmstudio.reading import reading
from mmstudio.training.events import without_nan
from mmstudio.training.run_folder import RunFolder


@dataclass(frozen=True)
class Evaluated:
    """An evaluation, and what more the scores tell.

    Attributes:
        evaluation: The figures.
        details: Per target ``confusion``, ``interval``, ``per_class``, ``calibration``,
            ``slices`` and, with the inputs, ``information``, as plain data; those that there are.
        slices: Per target the groups in which it is worse beyond chance.
        scores: What they were worked out of.
        calibration: What was found on the validation rows; None where that can't be had.
        note: Why it can't.
    """

    evaluation: Evaluation
    details: Mapping[str, Mapping[str, Any]]
    slices: Mapping[str, list[Slice]]
    scores: Scores
    calibration: Calibration | None = None
    note: str = ""

    def warnings(self) -> Iterator[str]:
        """What people should know of the figures, as sentences."""
        yield from self.evaluation.warnings()
        if self.note:
            yield self.note

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it; null where a figure is not known."""
        data = self.evaluation.to_json()
        for name, told in self.details.items():
            data["tasks"][name] |= without_nan(dict(told))
        return data


def evaluated(
    run: Path, split: str = "test", table: Path | None = None, device: str = "auto",
    inputs: bool = False,
) -> Iterator[Progress | Evaluated]:
    """Evaluate a run's best model; what was worked out before is not worked out again.

    The calibration that is found on the way is kept in the run's folder: from then on its
    answers are calibrated.

    Args:
        run: The run folder, in a project's ``runs``.
        split: ``train``, ``validation`` or ``test``.
        table: Another table of the same columns, all of whose rows count.
        device: As in ``training.device``.
        inputs: Tell too what each input is worth.

    Yields:
        Progress, last the evaluation.

    Raises:
        UserError: No such run, table or split, or no rows with a label.
    """
    weights = weights_now(RunFolder.existing(run))
    scores = yield from scored(run, split, table, device)
    with reading(run / "evaluation", "Delete this folder."):
        evaluation = from_plain(scores.told)
    worth = evaluation.inputs
    if inputs and worth is None:  # too many answers to be held: of some rows
        from mmstudio.evaluation.answering import worth_anew

        worth = yield from worth_anew(run, split, table, device)
    calibration, note = yield from _calibration(scores, weights, device)
    cells = read_table(_table_of(run, table))
    yield Progress("Looking for the worst groups of rows", 0, 1)
    slices = {name: slices_of(scores, name, cells) for name in scores.tasks}
    details = {name: _details(scores, name, calibration, slices[name], inputs)
               for name in scores.tasks}
    looks = looked_at(RunFolder(run).path, split, table)
    yield Evaluated(
        dataclasses.replace(evaluation, inputs=worth if inputs else None, looks=looks), details,
        slices, scores, calibration, note)


def _table_of(run: Path, table: Path | None) -> Path:
    if table is not None:
        return table
    project = Path(run).resolve().parent.parent
    return project / RunFolder(run).experiment().data.table


def _details(
    scores: Scores, name: str, calibration: Calibration | None, slices: list[Slice], inputs: bool
) -> dict[str, Any]:
    told = figures_dict(scores, name, subsets=inputs)
    if not told:
        return {}
    if calibration is not None:
        found = calibration.of(name, scores.inputs)
        if found is not None and found.thresholds:
            for label, threshold in zip(scores.tasks[name].classes, found.thresholds, strict=True):
                told["per_class"][label]["best_threshold"] = threshold
        told["calibration"] = calibration_dict(scores, name, calibration)
    if inputs:
        told["information"] = information_dict(scores, name)
    return told | {"slices": [one.to_json() for one in slices]}


def _calibration(
    scores: Scores, weights: str | None, device: str
) -> Generator[Progress, None, tuple[Calibration | None, str]]:
    """The run's calibration, and why there is none."""
    try:
        return (yield from calibration_for(scores, weights, device=device)), ""
    except UserError as error:  # the run's own data may be elsewhere: the figures stand
        return None, f"Scores could not be calibrated: {error.message}"
