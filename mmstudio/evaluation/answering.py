"""A run's best model answers all rows of a split, for every subset of its inputs."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmstudio.data.alike import lengths_of
from mmstudio.data.batches import Batch, make_batch, prefetched, row_batches
from mmstudio.data.groups import groups_of
from mmstudio.data.prepare import Dataset, Progress
from mmstudio.errors import UserError
from mmstudio.evaluation.depends import files_of
from mmstudio.evaluation.plain_figures import to_plain
from mmstudio.evaluation.scores import CLASSIFICATION, REGRESSION, Scores, TaskScores
from mmstudio.experiment import SplitShares
from mmstudio.inference.evaluate import (
    Asked,
    evaluation_of,
    recall_of,
    rows_asked,
    weights_of,
)
from mmstudio.threads import fitting_threads
from mmstudio.training.alignment_figures import Embedded, Embeddings
from mmstudio.training.ensemble_file import is_ensemble, members_of
from mmstudio.training.input_figures import InputScores
from mmstudio.training.input_scores import (
    MOST_NUMBERS,
    answers_of_subsets,
    score_inputs,
    scores_of_answers,
    subsets_asked,
)
from mmstudio.training.memory_chunks import MemoryChunks
from mmstudio.training.model import MultimodalModel
from mmstudio.training.retrieval import Retrieval
from mmstudio.training.validate import BATCH_SIZE

Outputs = dict[str, np.ndarray]
"""Per target ``(S, N, …)`` float32."""
TRAITS_AT_ONCE = 512


def answered(
    run: Path, split: str, table: Path | None, device: str
) -> Generator[Progress, None, tuple[Scores, list[str]]]:
    """Have the model answer; gives the scores and the files that they are of.

    Raises:
        UserError: As ``scores_of``.
    """
    asked, found = yield from _of_run(run, split, table, device)
    rows, every, outputs = found.rows, np.concatenate([found.rows, found.more]), found.outputs
    evaluation = evaluation_of(
        asked, rows, {n: o[0][: len(rows)] for n, o in outputs.items()},
        {n: outputs[n][0][_places(every, asked.unseen()[n])] for n in found.never},
        _inputs(asked, rows, found.subsets, {n: o[:, : len(rows)] for n, o in outputs.items()},
                found.present[: len(rows)]), found.retrieval)
    order = np.argsort(every, kind="stable")
    every = every[order]
    predictor, plain = asked.predictor, asked.dataset
    scores = Scores(
        run, split, table, tuple(predictor.model.names), found.subsets, every,
        found.present[order],
        {n: _task(asked, n, o[:, order], every) for n, o in outputs.items()},
        groups_of(predictor.experiment, plain.table, every),
        _traits(predictor.model, plain, every), to_plain(evaluation), _names(asked, every))
    project = Path(run).resolve().parent.parent
    values = [[column[r] for r in every.tolist()] for column in plain.values.values()]
    return scores, files_of(values, project)


@dataclass(frozen=True)
class _Answers:
    """A model's outputs for rows whose label training knows, and behind them the ``more``.

    ``never`` holds per task that counts them those whose label training never saw.
    """

    rows: np.ndarray
    more: np.ndarray
    never: tuple[str, ...]
    subsets: np.ndarray
    outputs: Outputs
    present: np.ndarray
    retrieval: list[Retrieval]


def _of_run(
    run: Path, split: str, table: Path | None, device: str
) -> Generator[Progress, None, tuple[Asked, _Answers]]:
    """The rows and the answers of a run; of an ensemble the weighted mean of its members'."""
    if not is_ensemble(run):
        asked = yield from rows_asked(run, split, table, device)
        return asked, (yield from _all_answers(asked))
    project = Path(run).resolve().parent.parent
    first: tuple[Asked, _Answers] | None = None
    outputs: Outputs = {}
    for path, weight in members_of(run):
        asked = yield from rows_asked(path, split, table, device, project)
        # a member that aligns its inputs knows rows without a label too, which others don't
        one = yield from _all_answers(asked, labelled=True)
        for name, values in one.outputs.items():
            part = np.float32(weight) * values
            outputs[name] = outputs[name] + part if name in outputs else part
        first = (asked, one) if first is None else first
    if first is None:
        raise UserError(f"{run} has no members.", "Make the ensemble again.")
    return first[0], dataclasses.replace(first[1], outputs=outputs, retrieval=[])


def _all_answers(asked: Asked, labelled: bool = False) -> Generator[Progress, None, _Answers]:
    """What one model answers to the rows, or those with a label, for every subset of its inputs."""
    predictor, plain = asked.predictor, asked.dataset
    model = predictor.model
    with asked.answering():
        dataset = predictor.with_features(plain)
        rows = dataset.labelled_rows(asked.split) if labelled else dataset.rows(asked.split)
        never = {name: np.setdiff1d(unseen, rows) for name, unseen in asked.unseen().items()
                 if predictor.tasks[name] == CLASSIFICATION}
        more = np.unique(np.concatenate([np.zeros(0, np.int64), *never.values()]))
        subsets = _subsets(model, len(rows) + len(more))
        embeddings = (None if labelled or model.alignment is None
                      else Embeddings(model.alignment))
        outputs, present = yield from _gathered(
            model, dataset, rows, predictor.device, subsets, embeddings)
        # features are kept of the rows alone whose label training knows
        others, there = yield from _gathered(model, plain, more, predictor.device, subsets)
    found = [] if embeddings is None else recall_of(predictor, dataset, rows, embeddings)
    return _Answers(rows, more, tuple(never), subsets,
                    {n: np.concatenate([outputs[n], others[n]], axis=1) for n in outputs},
                    np.concatenate([present, there]), found)


def _places(every: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Where rows stand among all of them."""
    order = np.argsort(every, kind="stable")
    return order[np.searchsorted(every[order], rows)]


def _subsets(model: MultimodalModel, rows: int) -> np.ndarray:
    """``(S, M)`` bool, all inputs first; so many that their answers can be held."""
    count = len(model.names)
    most = MOST_NUMBERS // max(1, rows * sum(task.outputs for task in model.tasks.values()))
    all_of_them = subsets_asked(count)
    all_of_them = all_of_them[np.argsort(-all_of_them.sum(axis=1), kind="stable")]
    sizes = all_of_them.sum(axis=1)
    for kept in (all_of_them, all_of_them[np.isin(sizes, (1, count - 1, count))]):
        if len(kept) <= most:
            return kept
    return all_of_them[:1]


def _inputs(
    asked: Asked, rows: np.ndarray, subsets: np.ndarray, outputs: Outputs, present: np.ndarray
) -> InputScores | None:
    """What the inputs are worth, where the answers of all subsets are there that tell it."""
    model = asked.predictor.model
    count = len(model.names)
    wanted = subsets_asked(count)
    if len(wanted) != len(subsets):
        return None
    at = [int(np.flatnonzero((subsets == subset).all(axis=1))[0]) for subset in wanted]
    # by chance, as the mean contributions are taken from the first of them
    order = np.random.default_rng(0).permutation(len(rows))
    labels = {n: of.of(rows[order]) for n, of in asked.dataset.labels.items()}
    return scores_of_answers(
        model, wanted, {n: o[at][:, order] for n, o in outputs.items()}, present[order], labels,
        weights_of(asked.predictor))


def worth_anew(
    run: Path, split: str, table: Path | None, device: str
) -> Generator[Progress, None, InputScores]:
    """What the inputs are worth on some of the rows, where all answers are too many to be held."""
    asked = yield from rows_asked(run, split, table, device)
    predictor = asked.predictor
    with asked.answering():
        dataset = predictor.with_features(asked.dataset)
        return score_inputs(predictor.model, dataset, dataset.rows(split), predictor.device,
                            weights_of(predictor))


def _gathered(
    model: MultimodalModel, dataset: Dataset, rows: np.ndarray, device: torch.device,
    subsets: np.ndarray, embeddings: Embeddings | None = None,
) -> Generator[Progress, None, tuple[Outputs, np.ndarray]]:
    """Per target the outputs of these rows for all subsets, in the rows' order; who is present."""
    outputs = {n: np.zeros((len(subsets), len(rows), task.outputs), np.float32)
               for n, task in model.tasks.items()}
    present = np.zeros((len(rows), len(model.names)), bool)
    lengths = None if embeddings is not None else lengths_of(dataset)
    # rows of like length together: a short sound beside a long one is mostly padding
    order = np.arange(len(rows)) if lengths is None else np.argsort(lengths[rows], kind="stable")
    held = MemoryChunks(device, "answering")
    done = 0
    batches = prefetched(make_batch(dataset, model.modalities, chosen)
                         for chosen in row_batches(rows[order], BATCH_SIZE) if len(chosen))
    with contextlib.closing(batches):
        for batch in batches:
            with fitting_threads(), torch.inference_mode():
                found = held.tried(
                    len(batch), partial(_answered, model, batch, device, subsets, embeddings))
            for answers, there, embedded in found:
                at = order[done : done + len(there)]
                done += len(at)
                present[at] = there
                for name, values in answers.items():
                    outputs[name][:, at] = values.reshape(len(subsets), len(at), -1)
                if embeddings is not None:
                    embeddings.keep(embedded)
            yield Progress("Answering", done, len(rows))
    return outputs, present


def _answered(
    model: MultimodalModel, batch: Batch, device: torch.device, subsets: np.ndarray,
    embeddings: Embeddings | None, parts: list[slice],
) -> list[tuple[Outputs, np.ndarray, Embedded | None]]:
    """For each part of a batch per target ``(S, B, …)``, who is present, and the embeddings."""
    found = []
    for part in parts:
        features, present = model.encoded(model.prepared(batch.part(part).to(device)))
        embedded = None if embeddings is None else embeddings.of(features, present)
        answers = [model.answered(features, present),
                   *(answers_of_subsets(model, features, present, s) for s in subsets[1:])]
        found.append(({n: torch.stack([a[n] for a in answers]).float().cpu().numpy()
                       for n in model.task_names}, present.cpu().numpy(), embedded))
    return found


def _task(asked: Asked, name: str, outputs: np.ndarray, rows: np.ndarray) -> TaskScores:
    """One target's answers with its labels, those that training never saw numbered too."""
    predictor = asked.predictor
    task: Any = predictor.model.tasks[name]
    kind = predictor.tasks[name]
    spec = predictor.schema.targets[name]
    labels = asked.dataset.labels[name].of(rows)
    values, known = labels.values, labels.known
    classes: list[str] = spec.get("classes", []) if kind != REGRESSION else []
    unseen: list[str] = []
    if kind == REGRESSION:
        values = np.where(known, values.astype(np.float64) * task.deviation + task.mean, 0.0)
    elif kind == CLASSIFICATION and name in (never := asked.unseen()):
        column = asked.dataset.table.column(predictor.experiment.targets[name].column)
        there = np.isin(rows, never[name])
        cells = column[rows[there].tolist()].to_list()
        unseen = sorted(set(cells))
        numbers = {label: len(classes) + i for i, label in enumerate(unseen)}
        values, known = values.copy(), known | there
        values[there] = [numbers[cell] for cell in cells]
    return TaskScores(
        kind, tuple(classes), tuple(unseen), outputs, values, known,
        float(getattr(task, "threshold", 0.5)), float(getattr(task, "mean", 0.0)),
        float(getattr(task, "deviation", 1.0)), str(getattr(task, "unit", "")))


def _traits(model: MultimodalModel, dataset: Dataset, rows: np.ndarray) -> dict[str, np.ndarray]:
    """What can be asked of each input's contents, nan where it is absent."""
    found: dict[str, np.ndarray] = {}
    for name, decoded in dataset.decoded.items():
        there = rows[np.diff(decoded.starts)[rows] > 0]
        for begin in range(0, len(there), TRAITS_AT_ONCE):
            some = there[begin : begin + TRAITS_AT_ONCE]
            arrays = [a for a in map(decoded.row, some.tolist()) if a is not None]
            told = model.modalities[name].traits(arrays, dataset.schema.inputs[name])
            for trait, values in told.items():
                key = f"{name} {trait}"
                found.setdefault(key, np.full(len(rows), np.nan, np.float32))
                found[key][np.searchsorted(rows, some)] = values
    return found


def _names(asked: Asked, rows: np.ndarray) -> np.ndarray:
    """The rows' ids, a line each, as bytes; none where no column holds them."""
    shares = asked.predictor.experiment.data.split
    table = asked.dataset.table
    if not isinstance(shares, SplitShares) or shares.id not in table.columns:
        return np.zeros(0, np.uint8)
    cells = table.column(str(shares.id))[rows.tolist()].to_list()
    text = "\n".join(str(row) if cell is None else cell.replace("\n", " ")
                     for row, cell in zip(rows.tolist(), cells, strict=True))
    return np.frombuffer(text.encode("utf-8", "replace"), np.uint8)
