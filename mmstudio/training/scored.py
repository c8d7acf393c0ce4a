"""An epoch's validation and its score; those of other rows are made again where a run goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from mmstudio.data.prepare import Dataset
from mmstudio.data.row_marks import TRAIN, VALIDATION, marks_of
from mmstudio.experiment import Experiment
from mmstudio.tasks.kinds import Labels
from mmstudio.training.alignment_figures import Embeddings, alignment_figures
from mmstudio.training.best import Best, Score, score_of
from mmstudio.training.candidate_weights import most_candidates
from mmstudio.training.distributed.shared_outputs import shared_outputs
from mmstudio.training.step import Run
from mmstudio.training.validate import figures_of, outputs_of


def validated(
    run: Run, dataset: Dataset, rows: np.ndarray, labels: Mapping[str, Labels], batch_size: int
) -> tuple[dict[str, Any], Score, dict[str, Any]]:
    """The validation's figures, what "best" goes by, and what is reported of the alignment."""
    alignment = run.model.alignment
    found = None if alignment is None else Embeddings(alignment)
    if run.ranks is None:
        outputs = outputs_of(
            run.model, dataset, rows, run.device, run.held, found, kept_for=labels)
    else:
        outputs = shared_outputs(
            run.ranks, run.model, dataset, rows, run.held, found, labels)
    figures = figures_of(run.model, outputs, labels, run.weights, kept=True)
    score = score_of(
        run.model.tasks, figures, {n: int(of.known.sum()) for n, of in labels.items()},
        run.usual_losses)
    if alignment is None or found is None or run.contents is None:
        return figures, score, {}
    aligned = alignment_figures(
        alignment, run.model.names, found, run.contents[rows], batch_size)
    if run.alone:
        figures["loss"] = aligned.loss
    return figures, aligned.score if run.alone else score, {
        "train": {"loss": run.aligned}, "validation": {"loss": aligned.loss},
        "temperature": alignment.temperature,
        "retrieval": [one.to_json() for one in aligned.retrieval]}


def scored_on(experiment: Experiment, dataset: Dataset) -> str:
    """What says whether two scores compare: a digest of the rows that they go by.

    Those of the validation, and those of the training too, whose labels are the measure of the
    losses.
    """
    rows = marks_of(experiment, dataset.table, dataset.splits)
    digest = hashlib.blake2b(rows.probe.encode(), digest_size=16)
    digest.update(rows.marks[np.isin(rows.splits, (TRAIN, VALIDATION))].astype("<u8").tobytes())
    return digest.hexdigest()


def score_again(
    run: Run, dataset: Dataset, rows: np.ndarray, labels: Mapping[str, Labels], batch_size: int
) -> None:
    """Score the epochs that may be the best on other rows, by the weights that are kept of them.

    Args:
        run: Its best epoch is found again among them; how long it has waited for one stays.
        dataset: Where the rows are.
        rows: The numbers of the validation rows.
        labels: Per target theirs.
        batch_size: Of the training.
    """
    best, epoch = Best(), run.epoch
    try:
        for one in sorted(c.epoch for c in run.best.candidates):
            run.epoch = one - 1  # whether it trained the alignment alone goes by this
            with run.kept.in_place(one, run.model):
                _, score, _ = validated(run, dataset, rows, labels, batch_size)
            best.take(one, score, most_candidates(run.model, run.watch))
    finally:
        run.epoch = epoch
    best.gained = run.best.gained
    run.best = best
    run.kept.only([c.epoch for c in best.candidates])
