"""Choosing the encoders that nobody chose, by quick evidence on a part of the rows."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmstudio.combining.describer import Describer
from mmstudio.combining.fitting import tried
from mmstudio.combining.machines import PUBLISHED, Block
from mmstudio.combining.material import Known, Material
from mmstudio.data.fitted import fitted
from mmstudio.data.labels import fit_labels, read_labels
from mmstudio.data.merged_labels import merged
from mmstudio.data.prepare import Progress
from mmstudio.data.schema import modality_of, values_of
from mmstudio.data.split import split_of
from mmstudio.data.store import key_of
from mmstudio.data.store_space import fitted_dir
from mmstudio.data.table import Table, read_table
from mmstudio.encoders import ENCODERS
from mmstudio.encoders.pretrained import PretrainedEncoder
from mmstudio.errors import UserError
from mmstudio.experiment import AUTO, Component, Experiment, InputSettings
from mmstudio.modalities import MODALITIES
from mmstudio.modalities.base import Value
from mmstudio.modalities.text import read_text
from mmstudio.pretrained.automatic import most_unexplained, starter_model
from mmstudio.pretrained.catalogue import KINDS
from mmstudio.pretrained.language import knows_english_only, looks_english
from mmstudio.pretrained.preprocessing import PREFIX, wanted
from mmstudio.tasks import TASKS, Task
from mmstudio.threads import one_thread

MOST_TRAINED, MOST_VALIDATION = 400, 200
"""Rows on which encoders are tried."""
CLEARLY = 0.95
"""A published model is taken where its answers' error is below this share of the other's."""
MOST_SHARE = 0.35
"""Of a training's time that encoding all rows once may take."""
AT_ONCE = 16
NOTHING_PUBLISHED = "The usual encoder of its kind; no published model reads it."
NOTHING_TO_TRY = "No published model that could be tried is on this computer."


@dataclass(frozen=True)
class Choice:
    """Which encoder an input got.

    Attributes:
        input: Its name.
        encoder: The encoder with its options.
        reason: Why, as a sentence.
    """

    input: str
    encoder: Component
    reason: str


@dataclass(frozen=True)
class Chosen:
    """The experiment with all encoders named, and the choices."""

    experiment: Experiment
    choices: tuple[Choice, ...]


def without_auto(experiment: Experiment) -> Experiment:
    """The experiment with the usual network from scratch wherever the encoder is left open."""
    inputs = {
        n: replace(i, encoder=usual_encoder(i)) if i.encoder.name == AUTO else i
        for n, i in experiment.inputs.items()}
    return replace(experiment, inputs=inputs)


def with_encoders_of(run: Experiment, experiment: Experiment) -> Experiment:
    """The experiment with what a run has for the encoders that it leaves open."""
    inputs = {
        n: replace(i, encoder=run.inputs[n].encoder)
        if i.encoder.name == AUTO and n in run.inputs
        and run.inputs[n].modality == i.modality else i
        for n, i in experiment.inputs.items()}
    return replace(experiment, inputs=inputs)


def usual_encoder(settings: InputSettings) -> Component:
    """The network from scratch of an input's modality."""
    return Component(MODALITIES.get(settings.modality).default_encoder)


def choose(experiment: Experiment, folder: Path) -> Iterator[Progress | Chosen]:
    """Name the encoders that the experiment leaves open.

    A published model on this disk is tried against plain descriptions of the same rows, by linear
    answers in the space of kernels; where it does clearly better, and all rows can be encoded in
    time, it is taken, frozen; one that knows a part of its field only where it explains most of
    the labels. English models are not given texts in other languages.

    Args:
        experiment: With ``encoder = "auto"`` for some inputs, or for none.
        folder: What ``data.table`` is relative to.

    Yields:
        Progress, last what was chosen.

    Raises:
        UserError: The table can't be read.
    """
    left_open = {n: i for n, i in experiment.active_inputs.items() if i.encoder.name == AUTO}
    choices = []
    candidates = {n: model for n, i in left_open.items()
                  if (model := starter_model(i.modality)) is not None}
    if candidates:
        yield Progress("Looking at the inputs", 0, 1)
        table = merged(read_table(folder / experiment.data.table), experiment)
        rows = _rows(split_of(experiment, table, folder))
        for name, model in candidates.items():
            yield Progress(f"Choosing an encoder for {name}", 0, 1)
            choices.append(_choice(experiment, table, rows, name, model))
    choices += [
        Choice(n, usual_encoder(i), NOTHING_TO_TRY if i.modality in KINDS else NOTHING_PUBLISHED)
        for n, i in left_open.items() if n not in candidates]
    chosen = {c.input: c.encoder for c in choices}
    inputs = {n: replace(i, encoder=chosen[n]) if n in chosen else i
              for n, i in experiment.inputs.items()}
    yield Chosen(without_auto(replace(experiment, inputs=inputs)), tuple(choices))


@dataclass(frozen=True)
class _Rows:
    """The rows that are looked at, those of the training first; and how many there are in all."""

    numbers: np.ndarray
    trained: np.ndarray
    all_trained: int


def _rows(splits: np.ndarray) -> _Rows:
    chance = np.random.default_rng(0)
    some = [np.sort(chance.permutation(np.flatnonzero(splits == split))[:most])
            for split, most in (("train", MOST_TRAINED), ("validation", MOST_VALIDATION))]
    return _Rows(np.concatenate(some), np.repeat([True, False], [len(s) for s in some]),
                 int((splits == "train").sum()))


def _choice(
    experiment: Experiment, table: Table, rows: _Rows, name: str, model: str
) -> Choice:
    """The encoder of one input; what was chosen before for the same contents is looked up."""
    settings = experiment.inputs[name]
    usual = usual_encoder(settings)
    published = Component(f"{PREFIX}{settings.modality}", {"model": model})
    values = values_of(table, settings)
    some = [values[r] for r in rows.numbers]
    words = MODALITIES.get(settings.modality).holds_words
    if words and knows_english_only(model) and not looks_english(
            [_text(v) for v in some if v is not None]):
        return Choice(name, usual, f"The texts are not all English, which {model} needs.")
    labels = {n: (t.task, [table.column(t.column)[int(r)] for r in rows.numbers])
              for n, t in experiment.active_targets.items()}
    asked = {"model": model, "labels": labels, "options": settings.options,
             "rows": rows.all_trained}
    path = fitted_dir() / f"choice-{key_of(modality_of(settings), asked, some)}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(path.read_text(encoding="utf-8"))
        return Choice(name, Component(known["encoder"]["name"], known["encoder"]["options"]),
                      str(known["reason"]))
    try:
        compared = _compared(experiment, name, published, some, rows, labels)
    except UserError as error:
        return Choice(name, usual, f"{model} was not tried: {error.message}")
    found = _decided(name, usual, published, model, compared, experiment, rows)
    beside = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(asdict(found)), encoding="utf-8")
        beside.replace(path)
    return found


def _text(value: Value) -> str | None:
    try:
        return read_text(value)
    except UserError:
        return None


@dataclass(frozen=True)
class _Compared:
    """Mean squared errors as shares of the labels' variance, and seconds per encoded row."""

    plain: float
    published: float
    seconds: float


def _decided(
    name: str, usual: Component, published: Component, model: str, compared: _Compared,
    experiment: Experiment, rows: _Rows,
) -> Choice:
    """Which of the two, and why."""
    limit_s = experiment.training.seconds_for(rows.all_trained)
    needed_s = compared.seconds * rows.all_trained * 1.4  # with those of validation and test
    figures = (f"on {rows.trained.sum()} training rows its features leave "
               f"{compared.published:.0%} of the labels unexplained, plain descriptions "
               f"{compared.plain:.0%}")
    if compared.published > CLEARLY * compared.plain:
        return Choice(name, usual, f"{model} does not do clearly better: {figures}.")
    if compared.published > most_unexplained(model):
        return Choice(name, usual, f"{model} does not explain enough; a network from scratch may "
                                   f"do better: {figures}.")
    if limit_s is not None and needed_s > MOST_SHARE * limit_s:
        return Choice(name, usual, f"{model} does better, but would take {needed_s:.0f} s for all "
                                   "rows; set training.minutes to allow more.")
    return Choice(name, published, f"{model} does better: {figures}.")


def _compared(
    experiment: Experiment, name: str, published: Component, values: Sequence[Value | None],
    rows: _Rows, labels: Mapping[str, tuple[str, list[str | None]]],
) -> _Compared:
    settings = replace(experiment.inputs[name], encoder=published)
    modality = modality_of(settings)
    there = [v for v, trained in zip(values, rows.trained, strict=True)
             if trained and v is not None]
    spec = fitted(modality, there, wanted(settings))
    arrays: list[np.ndarray | None] = []
    for value in values:
        try:
            arrays.append(None if value is None else modality.decode(value, spec))
        except UserError:
            arrays.append(None)
    present = np.array([a is not None for a in arrays])
    describer = Describer(settings.modality, spec)
    found = [np.zeros((0, describer.width), np.float32)]
    gists, seconds = [], 0.0
    encoder = ENCODERS.get(published.name)(spec, **published.options)
    if not isinstance(encoder, PretrainedEncoder):
        raise TypeError(f"{published.name} stands on no published model")
    encoder.eval()
    for begin in range(0, len(arrays), AT_ONCE):
        some = arrays[begin : begin + AT_ONCE]
        found.append(describer.of_arrays(modality, some, spec).numpy())
        began = time.perf_counter()
        gists.append(_gists(encoder, modality, some, spec))
        seconds += time.perf_counter() - began
    described, whole = np.concatenate(found), np.concatenate(gists)
    blocks, numbers = _blocks(describer, described, whole)
    targets, tasks = _targets(experiment, labels, rows.trained)
    material = Material(blocks, numbers, present[:, None], rows.trained, targets, tasks)
    with one_thread():
        errors = tried(material)
    plain = min(e for machine, e in errors if all(blocks[b].name != PUBLISHED
                                                  for b in machine.blocks))
    best = min(e for machine, e in errors if any(blocks[b].name == PUBLISHED
                                                 for b in machine.blocks))
    return _Compared(plain, best, seconds / max(1, present.sum()))


def _gists(
    encoder: PretrainedEncoder, modality: Any, arrays: Sequence[np.ndarray | None],
    spec: Mapping[str, Any],
) -> np.ndarray:
    there = [i for i, a in enumerate(arrays) if a is not None]
    width = encoder.linear.in_features
    found = np.zeros((len(arrays), width), np.float32)
    if there:
        values, mask = modality.collate([arrays[i] for i in there], spec)
        with torch.inference_mode():
            found[there] = encoder.gist(encoder.encode(modality.prepare(values), mask)).numpy()
    return found


def _blocks(
    describer: Describer, described: np.ndarray, gists: np.ndarray
) -> tuple[list[Block], list[Any]]:
    from scipy.sparse import csr_array

    blocks, numbers = [], []
    for part in describer.parts:
        columns = described[:, part.begin : part.end]
        if part.counts or columns.std() > 0:
            blocks.append(Block(0, part.name, part.begin, part.end, part.counts))
            numbers.append(csr_array(columns) if part.counts else columns)
    return [*blocks, Block(0, PUBLISHED, 0, 0, False)], [*numbers, gists]


def _targets(
    experiment: Experiment, labels: Mapping[str, tuple[str, list[str | None]]],
    trained: np.ndarray,
) -> tuple[dict[str, Known], dict[str, Task]]:
    targets, tasks = {}, {}
    rows = np.flatnonzero(trained)
    for name, (kind, cells) in labels.items():
        options = experiment.targets[name].options
        try:
            spec = fit_labels(kind, options, cells, rows, name)
            read = read_labels(kind, spec, cells, np.ones(len(cells), dtype=bool), name)
        except UserError:
            continue  # too few of its labels are among these rows
        tasks[name] = TASKS.get(kind)(1, spec, **options)
        targets[name] = Known(tasks[name].regressed(read.values), read.known, read.values)
    if not targets:
        raise UserError("no target has enough labels among the rows that were looked at.")
    return targets, tasks
