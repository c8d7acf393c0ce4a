"""Find similar: the contents of a run's data that lie nearest to a picture, a text or a sound."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmstudio.data.batches import Batch, make_batch, prefetched
from mmstudio.data.contents import content_numbers
from mmstudio.data.prepare import Dataset, Progress, prepared
from mmstudio.inference.predictor import Predictor
from mmstudio.modalities.base import Value
from mmstudio.safe_files import written_whole
from mmstudio.threads import fitting_threads
from mmstudio.training.device import choose_precision
from mmstudio.training.encode_once import encoded_once
from mmstudio.training.memory_chunks import MemoryChunks

FILE = "similar.safetensors"
"""In the run folder: the embeddings of its data."""
FORMAT = 2
BATCH_SIZE = 64
BLOCK = 2 ** 16
"""Rows whose cosines are worked out at once."""
MOST_USUAL = 2000
"""Rows that tell how near what belongs together is."""
LEAST_SCALE = 0.2
"""Where what belongs together lies hardly nearer than chance, nothing is called near for that."""
PARTS = ("rows", "copies", "places", "embeddings")


@dataclass(frozen=True)
class Similar:
    """One content of the data that is near.

    Attributes:
        row: The first row that holds it.
        cosine: 1 lies in the same direction, 0 has nothing in common.
        nearness: The same on a scale of its own for these two inputs, which may lie apart as a
            whole: 0 is the median of rows that were drawn, 1 that of what stands in one row.
        value: The file or the text.
        copies: How many rows hold this content.
        split: Of that row; empty where it is in none.
        targets: That row's labels, as they stand in the table.
    """

    row: int
    cosine: float
    value: Value
    nearness: float = 1.0
    copies: int = 1
    split: str = ""
    targets: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it."""
        return {"row": self.row, "cosine": self.cosine, "nearness": self.nearness,
                "value": str(self.value), "copies": self.copies, "split": self.split,
                "targets": self.targets}


@dataclass(frozen=True)
class Embedded:
    """One input's different contents: ``rows (K,)`` that hold them, ``copies (K,)`` of each.

    ``embeddings`` are ``(K, W)`` float32 of length 1; ``places (N,)`` says which of them a row of
    the table holds, -1 where the input is absent.
    """

    rows: np.ndarray
    copies: np.ndarray
    places: np.ndarray
    embeddings: np.ndarray


@dataclass(frozen=True)
class SimilarIndex:
    """All contents of a run's data in the shared representation, ready to be asked."""

    dataset: Dataset
    targets: dict[str, str]
    inputs: dict[str, Embedded]

    def nearest(self, asked: str, query: np.ndarray, count: int = 5) -> dict[str, list[Similar]]:
        """Per input its ``count`` nearest contents, the nearest first.

        Args:
            asked: The input that the query is of.
            query: ``(W,)`` as ``Predictor.embedding`` gives it.
            count: How many, at most.
        """
        return {name: self._told(asked, name, query, count) for name in self.inputs}

    def usual_cosines(self, a: str, b: str) -> tuple[float, float]:
        """The median cosines of two inputs: of two rows that are drawn, and of one row.

        0 and 1 where no row has both.
        """
        first, second = self.inputs[a], self.inputs[b]
        rows = np.flatnonzero((first.places >= 0) & (second.places >= 0))
        if not len(rows):
            return 0.0, 1.0
        rows = np.random.default_rng(0).permutation(rows)[:MOST_USUAL]
        one = first.embeddings[first.places[rows]]
        other = second.embeddings[second.places[rows]]
        apart = float(np.median((one * np.roll(other, 1, axis=0)).sum(axis=1)))
        return apart, 1.0 if a == b else float(np.median((one * other).sum(axis=1)))

    def _told(self, asked: str, name: str, query: np.ndarray, count: int) -> list[Similar]:
        one, table = self.inputs[name], self.dataset.table
        apart, together = self.usual_cosines(asked, name)
        scale = max(together - apart, LEAST_SCALE)
        found = []
        for at, cosine in zip(*nearest_rows(one.embeddings, query, count), strict=True):
            row = int(one.rows[at])
            value = self.dataset.values[name][row]
            if value is None:
                continue
            cells = {n: table.cell(row, column) for n, column in self.targets.items()
                     if column in table.columns}
            labels = {n: cell for n, cell in cells.items() if cell is not None}
            found.append(Similar(
                row, float(cosine), value, (float(cosine) - apart) / scale, int(one.copies[at]),
                str(self.dataset.splits[row]), labels))
        return found


def nearest_rows(
    embeddings: np.ndarray, query: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """The numbers and cosines of the nearest rows of ``(K, W)``, the nearest first.

    Among equals the earlier row comes first.
    """
    numbers, cosines = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
    for begin in range(0, len(embeddings), BLOCK):
        part = embeddings[begin:begin + BLOCK] @ query
        best = np.arange(len(part))
        if len(part) > count:
            best = np.sort(np.argpartition(-part, count - 1)[:count])
        numbers = np.concatenate([numbers, begin + best])
        cosines = np.concatenate([cosines, part[best]])
        order = np.argsort(-cosines, kind="stable")[:count]
        numbers, cosines = numbers[order], cosines[order]
    return numbers, np.clip(cosines, -1, 1)


def find_similar(
    predictor: Predictor, index: SimilarIndex, name: str, value: Value | None, count: int = 5
) -> dict[str, list[Similar]]:
    """Per input, the asked one too, the nearest contents of the data.

    Args:
        predictor: Of the run that the index is of.
        index: Its data.
        name: The input that is given.
        value: A file's path or a text.
        count: How many per input, at most.

    Raises:
        UserError: No such input, nothing given, or a file that can't be read.
    """
    return index.nearest(name, predictor.embedding(name, value), count)


def similar_index(predictor: Predictor) -> Iterator[Progress | SimilarIndex]:
    """Have the embeddings of all rows of a run's data, in whatever split, with or without labels.

    They are kept in the run folder, and worked out again once the weights or the data changed.
    Closing the generator stops the work.

    Args:
        predictor: Of a run with alignment.

    Yields:
        Progress, last the index.

    Raises:
        UserError: The run has no alignment, or its data can't be read.
    """
    predictor.check_alignment()
    project = predictor.run.path.resolve().parent.parent
    dataset = yield from prepared(predictor.experiment, project, schema=predictor.schema)
    targets = {n: t.column for n, t in predictor.experiment.active_targets.items()}
    path, key = predictor.run.path / FILE, _key(predictor, dataset)
    inputs = _read(path, key, predictor.model.names)
    if inputs is None:
        inputs = {}
        dtype = choose_precision(predictor.experiment.training.precision, predictor.device)
        # what the training kept of frozen encoders is read, and not computed once more
        for step in encoded_once(predictor.model, dataset, predictor.device, dtype):
            if isinstance(step, Dataset):
                dataset = step
            elif isinstance(step, Progress):
                yield step
        for name in predictor.model.names:
            for made in _embedded(predictor, dataset, name):
                if isinstance(made, Embedded):
                    inputs[name] = made
                else:
                    yield made
        _write(path, key, inputs)
    yield SimilarIndex(dataset, targets, inputs)


def _embedded(
    predictor: Predictor, dataset: Dataset, name: str
) -> Iterator[Progress | Embedded]:
    """One input's different contents, each embedded once."""
    numbers = content_numbers(dataset.decoded[name])
    _, rows, copies = np.unique(numbers[numbers >= 0], return_index=True, return_counts=True)
    rows = np.flatnonzero(numbers >= 0)[rows]
    # rows with kept features first: a batch is made of those, or of decoded content
    order = np.argsort(~dataset.used[rows], kind="stable")
    rows, copies = rows[order], copies[order]
    kept = int(dataset.used[rows].sum())
    cuts = sorted({*range(0, kept, BATCH_SIZE), *range(kept, len(rows), BATCH_SIZE)} - {0})
    held = MemoryChunks(predictor.device, "finding similar")
    modalities = {name: predictor.model.modalities[name]}
    chosen = np.split(rows, cuts)
    batches = prefetched(make_batch(dataset, modalities, c) for c in chosen if len(c))
    parts: list[np.ndarray] = []
    done = 0
    try:
        for batch in batches:
            yield Progress(f"Comparing {name}", done, len(rows))
            with fitting_threads():
                parts += held.tried(len(batch), lambda cut, batch=batch: [  # type: ignore[misc]
                    _embeddings(predictor, batch.part(piece), name) for piece in cut])
            done += len(batch)
    finally:
        batches.close()
    width = 0 if predictor.model.alignment is None else predictor.model.alignment.width
    place_of = np.zeros(len(rows), dtype=np.int64)
    place_of[numbers[rows]] = np.arange(len(rows))
    places = np.where(numbers < 0, -1, place_of[numbers] if len(rows) else -1)
    yield Embedded(rows, copies, places, np.concatenate([*parts, np.zeros((0, width), np.float32)]))


def _embeddings(predictor: Predictor, batch: Batch, name: str) -> np.ndarray:
    """``(B, W)`` of one input's batch."""
    model = predictor.model
    with torch.inference_mode():
        return predictor.embedded(name, model.prepared(batch.to(predictor.device))[name])


# Keeping ---------------------------------------------------------------------------------------


def _key(predictor: Predictor, dataset: Dataset) -> str:
    """What the embeddings depend on: the weights, and what each input decodes."""
    with predictor.run.best.open("rb") as file:
        weights = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    used = hashlib.blake2b(dataset.splits.astype(str).tobytes(), digest_size=16).hexdigest()
    return json.dumps([FORMAT, weights, used,
                       [dataset.decoded[n].key for n in predictor.model.names]])


def _read(path: Path, key: str, names: Sequence[str]) -> dict[str, Embedded] | None:
    """What was kept; None where nothing was, or of other weights or data."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            if (file.metadata() or {}).get("key") != key:
                return None
            return {name: Embedded(*(file.get_tensor(f"{part}.{i}")
                                     for part in PARTS))
                    for i, name in enumerate(names)}
    except (OSError, SafetensorError):
        return None


def _write(path: Path, key: str, inputs: dict[str, Embedded]) -> None:
    """Keep the embeddings; a folder that can't be written makes the next time slower only."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    tensors = {f"{part}.{i}": np.ascontiguousarray(getattr(one, part))
               for i, one in enumerate(inputs.values()) for part in PARTS}
    with suppress(OSError, SafetensorError), written_whole(path) as beside:
        save_file(tensors, beside, metadata={"key": key})
