"""One ranked list of what to look at in a run's data: label errors, leaks, copies, outliers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmstudio.data.merged_labels import merged
from mmstudio.data.prepare import Dataset, Progress, prepared
from mmstudio.data.split import split_of
from mmstudio.data.table import Table
from mmstudio.errors import UserError
from mmstudio.evaluation.cross_validation.folder import FoldsFolder
from mmstudio.evaluation.cross_validation.out_of_fold import (
    held_out_answers,
    label_scores_of,
    spec_of,
)
from mmstudio.evaluation.findings import (
    COPY,
    DOUBTED,
    FIRST,
    LABEL,
    LEAK,
    LIKELY,
    OUTLIER,
    Finding,
    Said,
)
from mmstudio.evaluation.held_out import level
from mmstudio.evaluation.label_errors import contradicts, order_of, suspected
from mmstudio.evaluation.label_scores import (
    LabelScores,
    descriptions_of,
    judged,
    label_scores,
    passed_over,
    represented_splits,
)
from mmstudio.evaluation.near_duplicates import (
    Pair,
    close_rows,
    compared_rows,
    same_contents,
)
from mmstudio.evaluation.outliers import FAR, remoteness
from mmstudio.evaluation.representation import ALL, Represented
from mmstudio.evaluation.scores import Scores
from mmstudio.inference.predictor import Predictor

URGENCY = {(LABEL, FIRST): 0, (LEAK, LIKELY): 1, (LABEL, LIKELY): 2, (COPY, LIKELY): 3,
           (OUTLIER, LIKELY): 4, (LABEL, DOUBTED): 5}
"""Which findings stand before which; among equals the score decides."""


@dataclass(frozen=True)
class Review:
    """All findings, the most urgent first, and the ``table`` they are of.

    ``looked_at`` counts the rows that have an input and a label; ``not_judged`` are the targets of
    tasks of the user's own, whose labels are not understood here. ``passed_over`` counts labels of
    training rows that were not judged, as there are too many to cross-validate.
    """

    table: Table
    looked_at: int
    findings: list[Finding]
    not_judged: tuple[str, ...] = ()
    passed_over: int = 0

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it."""
        return {"rows": len(self.table), "looked_at": self.looked_at,
                "not_judged": list(self.not_judged), "passed_over": self.passed_over,
                "findings": [finding.to_json() for finding in self.findings]}


def review_labels(run: Path, device: str = "auto") -> Iterator[Progress | Review]:
    """Look for likely label errors, leaks, near-duplicates and outliers in a run's data.

    Of a cross-validation the labels are judged by its answers to held-out rows, all else by the
    model of its first fold; the test split is not looked at.

    Args:
        run: The run folder, in a project's ``runs``, or the folder of a cross-validation.
        device: As in ``training.device``.

    Yields:
        Progress, last the review.

    Raises:
        UserError: No such run, its data can't be read, or not all folds are trained.
    """
    folds = FoldsFolder.existing(run) if FoldsFolder(run).exists else None
    held_out = None if folds is None else held_out_answers(folds)
    predictor = Predictor(run if folds is None else folds.fold(1).path, device)
    folder = predictor.run.path.resolve().parent.parent
    dataset = yield from prepared(predictor.experiment, folder, schema=predictor.schema)
    if folds is not None:
        dataset = _as_asked(dataset, folds)
    dataset = predictor.with_features(dataset)
    splits: dict[str, Represented] = {}
    for step in represented_splits(predictor, dataset):
        if isinstance(step, Progress):
            yield step
        else:
            splits = step
    if not splits:
        raise UserError(f"No row of {dataset.table.path} has an input and a known label.",
                        "Label some rows first.")
    findings: list[Finding] = []
    for found in _found(predictor, dataset, splits, held_out):
        if isinstance(found, Progress):
            yield found
        else:
            findings += found
    rows = [row for some in splits.values() for row in some.rows]
    findings.sort(key=lambda f: (URGENCY[f.kind, f.certainty], f.score, f.row))
    known = judged(predictor)
    left = 0
    if folds is None and "train" in splits:
        left = passed_over(predictor, dataset, splits["train"])
    yield Review(dataset.table, len(rows), findings,
                 tuple(name for name in predictor.tasks if name not in known), left)


def _as_asked(dataset: Dataset, folds: FoldsFolder) -> Dataset:
    """A fold's dataset with the split that was asked for, its test rows in none."""
    experiment = folds.experiment()
    splits = split_of(experiment, merged(dataset.table, experiment), folds.project)
    return dataclasses.replace(dataset, splits=np.where(splits == "test", "", splits))


def _found(
    predictor: Predictor, dataset: Dataset, splits: dict[str, Represented],
    held_out: Scores | None,
) -> Iterator[Progress | list[Finding]]:
    """Progress, and the findings of one kind after the other."""
    views, rows = _joined(predictor, splits)
    descriptions: dict[str, np.ndarray] = {}
    for step in descriptions_of(predictor, dataset, rows):
        if isinstance(step, Progress):
            yield step
        else:
            descriptions = step
    # the training rows come first
    learnt = len(splits["train"].rows) if "train" in splits else 0
    specs = predictor.schema.targets
    steps: Iterable[Progress | LabelScores]
    if held_out is None:
        steps = label_scores(
            predictor, dataset, splits, {n: d[:learnt] for n, d in descriptions.items()})
    else:
        steps = label_scores_of(held_out)
        specs = {n: spec_of(task, specs[n]) for n, task in held_out.tasks.items()}
    for scored in steps:
        if isinstance(scored, Progress):
            yield scored
        else:
            yield list(_label_errors(predictor, dataset, scored, specs[scored.target]))
    yield Progress("Looking for outliers", 0, 1)
    # what a model was not taught to tell apart may be far off in a plain description
    plain = [(n, d, views[n][1]) for n, d in descriptions.items() if d.shape[1]]
    yield list(_outliers(dataset, [*((n, *view) for n, view in views.items()), *plain], rows))
    pairs: list[Pair] = []
    for pair in _pairs(predictor, dataset, views, rows):
        if isinstance(pair, Progress):
            yield pair
        else:
            pairs.append(pair)
    yield list(_copies(dataset, pairs))


def _label_errors(
    predictor: Predictor, dataset: Dataset, scores: LabelScores, spec: Mapping[str, Any]
) -> Iterator[Finding]:
    suspicion = suspected(scores.together, scores.labels, scores.thresholds.get(ALL))
    against = {}
    for name, alone in scores.alone.items():
        there = scores.present[name]
        against[name] = np.zeros(len(scores.rows), dtype=bool)
        if there.any():
            against[name][there] = contradicts(
                alone[there], scores.labels[there], suspicion.suggested[there],
                scores.thresholds.get(name))
    witnesses = np.sum(list(against.values()), axis=0)
    column = predictor.experiment.targets[scores.target].column
    for at in order_of(suspicion, witnesses):
        row = int(scores.rows[at])
        certainty = FIRST if witnesses[at] > 1 else LIKELY if suspicion.wrong[at] else DOUBTED
        yield Finding(
            LABEL, row, str(dataset.splits[row]), float(suspicion.quality[at]), certainty,
            scores.target, dataset.table.cell(row, column) or "",
            written(spec, suspicion.suggested[at]),
            tuple(name for name, some in against.items() if some[at]),
            says=tuple(_said(spec, scores, name, int(at))
                       for name in scores.alone if scores.present[name][at]))


def _said(spec: Mapping[str, Any], scores: LabelScores, name: str, at: int) -> Said:
    """What one input alone says of a row."""
    alone = scores.alone[name][at]
    if scores.labels.ndim > 1:
        return Said(name, written(spec, alone >= 0.5))
    if scores.labels.dtype.kind != "i":
        return Said(name, written(spec, alone))
    best = int(alone.argmax())
    return Said(name, written(spec, best), float(alone[best]))


def written(spec: Mapping[str, Any], label: Any) -> str:
    """A label as it would stand in the table.

    Args:
        spec: What the schema knows of its target.
        label: As ``Labels`` hold it: a class number, 0 or 1 per label, or a number.
    """
    if "separator" in spec:
        chosen = [spec["classes"][c] for c in np.flatnonzero(label)]
        return str(spec["separator"]).join(chosen) or str(spec["separator"])
    if "classes" in spec:
        return str(spec["classes"][int(label)])
    number = float(label) * spec["deviation"] + spec["mean"]
    # three digits beyond what numbers of the target usually differ by
    places = max(0, 3 - math.floor(math.log10(abs(spec["deviation"]) or 1.0)))
    return f"{number:.{min(places, 15)}f}"


Views = dict[str, tuple[np.ndarray, np.ndarray]]


def _joined(predictor: Predictor, splits: dict[str, Represented]) -> tuple[Views, np.ndarray]:
    """The views of all splits one after the other, leveled, and the rows' numbers."""
    each = [some.views() for some in splits.values()]
    views: Views = {}
    for name in (ALL, *predictor.model.names):
        vectors, there = (np.concatenate(part) for part in zip(
            *(view[name] for view in each), strict=True))
        leveled = np.zeros(vectors.shape, dtype=np.float32)
        leveled[there] = level(vectors[there])
        views[name] = leveled, there
    return views, np.concatenate([some.rows for some in splits.values()])


def _outliers(
    dataset: Dataset, views: list[tuple[str, np.ndarray, np.ndarray]], rows: np.ndarray
) -> Iterator[Finding]:
    """Rows that lie far from all others by one of their inputs, or by all together."""
    names: dict[int, list[str]] = {}
    worst: dict[int, float] = {}
    for name, vectors, there in views:
        far = remoteness(vectors[there])
        for row, how_far in zip(rows[there].tolist(), far.tolist(), strict=True):
            if how_far > FAR:
                names.setdefault(row, []).extend([name] if name != ALL else [])
                worst[row] = max(worst.get(row, 0.0), how_far)
    for row, how_far in worst.items():
        yield Finding(OUTLIER, row, str(dataset.splits[row]), FAR / how_far / 2,
                      inputs=tuple(dict.fromkeys(names[row])))


def _pairs(
    predictor: Predictor, dataset: Dataset, views: Views, rows: np.ndarray
) -> Iterator[Progress | Pair]:
    """Copies by fingerprints in any input, and rows that are all but the same in every input."""
    compared = compared_rows(dataset.splits, rows)
    for name, modality in predictor.model.modalities.items():
        yield from same_contents(dataset, modality, name, compared)
    yield Progress("Looking for near-duplicates", 0, 1)
    at = np.flatnonzero(np.isin(rows, compared))
    yield from close_rows({n: (x[at], there[at]) for n, (x, there) in views.items() if n != ALL},
                          rows[at])


def _copies(dataset: Dataset, pairs: list[Pair]) -> Iterator[Finding]:
    """A finding for each row that has an earlier copy, or one in a later split."""
    partners: dict[int, set[int]] = {}
    inputs: dict[int, set[str]] = {}
    likeness: dict[int, float] = {}
    for pair in pairs:
        # of a leak the training row is to go: the figures of the others stay comparable
        one, other = sorted((pair.one, pair.other), key=lambda r: (
            dataset.splits[r] == "test", dataset.splits[r] == "validation", -r))
        partners.setdefault(one, set()).add(other)
        inputs.setdefault(one, set()).update(pair.inputs)
        likeness[one] = max(likeness.get(one, 0.0), pair.likeness)
    for row, others in partners.items():
        leak = any(dataset.splits[other] != dataset.splits[row] for other in others)
        yield Finding(
            LEAK if leak else COPY, row, str(dataset.splits[row]), 1 - likeness[row],
            inputs=tuple(n for n in dataset.decoded if n in inputs[row]),
            others=tuple(sorted(others)))
