"""How far the answers from one subset of the inputs can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmstudio.evaluation.calibration import (
    AnsweredCurve,
    Covered,
    Reliability,
    answered_curve,
    confidences,
    covered,
    reliability,
    temperatures_for,
)
from mmstudio.evaluation.row_facts import RowFacts
from mmstudio.evaluation.scores import CLASSIFICATION, REGRESSION
from mmstudio.inference.calibrated import Calibration

ASKED = 0.9
"""The coverage of the sets."""


@dataclass(frozen=True)
class SubsetTrust:
    """Figures of one subset; None where they are not known.

    Attributes:
        at: The subset's place.
        rows: How many rows they are of.
        before: Reliability of the scores as the model gives them.
        after: Of the calibrated ones.
        answered: What is gained by saying *not sure*, calibrated where that is known.
        temperature: What logits are divided by where all of the subset is there.
        covered: Of sets or intervals for 90 %.
    """

    at: int
    rows: int
    before: Reliability | None = None
    after: Reliability | None = None
    answered: AnsweredCurve | None = None
    temperature: float | None = None
    covered: Covered | None = None


def trust_of(facts: RowFacts, at: int, calibration: Calibration | None) -> SubsetTrust:
    """The figures of a subset.

    Args:
        facts: Of the target.
        at: The subset's place.
        calibration: What was found on the validation rows; None for none.
    """
    scores, task, name = facts.scores, facts.task, facts.name
    rows = np.flatnonzero(task.known & scores.counted(at))
    if not len(rows):
        return SubsetTrust(at, 0)
    found = None if calibration is None else calibration.of(name, scores.subset(at))
    sets = None if calibration is None else covered(scores, name, at, calibration).get(ASKED)
    temperature = None if found is None else found.temperature
    if task.kind == REGRESSION:
        return SubsetTrust(at, len(rows), covered=sets)
    sure, right = confidences(task, at, rows)
    before, after = reliability(sure, right), None
    if found is not None:
        sure, right = confidences(task, at, rows, temperatures_for(scores, name, at, calibration))
        after = reliability(sure, right)
    answered = answered_curve(sure, right) if task.kind == CLASSIFICATION else None
    return SubsetTrust(at, len(rows), before, after, answered, temperature, sets)
