"""A run's calibration: the one that is kept, or one found on the validation rows and kept."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress

from mmstudio.data.prepare import Progress
from mmstudio.evaluation.calibration import calibrated_on
from mmstudio.evaluation.scores import Scores, kept_scores, scored
from mmstudio.inference.calibrated import (
    Calibration,
    read_calibration,
    weights_now,
    write_calibration,
)
from mmstudio.training.run_folder import RunFolder


def calibration_for(
    scores: Scores, weights: str | None = None, *, device: str = "auto", answer: bool = True,
    before: Callable[[], None] = lambda: None,
) -> Generator[Progress, None, Calibration | None]:
    """What brings a run's scores to what they say.

    What is found is kept in the run's folder, for the weights that it was found for.

    Args:
        scores: The run's, of any split.
        weights: What ``weights_now`` gave before these scores were looked up; None where nobody
            asked then.
        device: As in ``training.device``.
        answer: Have the model answer the validation rows where that is not kept.
        before: Called before a model answers.

    Yields:
        Progress.

    Returns:
        The calibration; None where it takes answers that are not kept.

    Raises:
        UserError: The validation rows can't be answered.
    """
    files = RunFolder.existing(scores.run)
    found = read_calibration(files, scores.inputs)
    if found is not None:
        return found
    own = scores if scores.split == "validation" and scores.table is None else None
    validation = None if weights is None else own
    if validation is None:
        weights = weights_now(files)
        validation = kept_scores(scores.run, "validation")
    if validation is None and own is not None:
        validation, weights = own, None  # of weights that may have changed since
    if validation is None and answer:
        before()
        validation = yield from scored(scores.run, "validation", None, device)
    if validation is None:
        return None
    found = calibrated_on(validation)
    with suppress(OSError):  # of somebody else's run, say: it serves without being kept
        write_calibration(files, found, weights)
    return found
