"""What a run's model makes of each row before it answers: shared by all inputs, and of each."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mmstudio.data.prepare import Progress
from mmstudio.evaluation.arrays import read_arrays, write_arrays
from mmstudio.evaluation.depends import depends_on
from mmstudio.evaluation.map_points import KEPT, principal
from mmstudio.evaluation.scores import Scores
from mmstudio.reading import reading
from mmstudio.training.answers_digest import FOLDER
from mmstudio.training.run_folder import RunFolder

SHARED = ""
"""The name of what all inputs share; the others are called like their input."""
FORMAT = 1


def load_representations(scores: Scores) -> dict[str, np.ndarray] | None:
    """What was kept, per name ``(N, K)`` float32 in the rows' order; None where none holds."""
    files = RunFolder(scores.run)
    path = _place(scores)
    if not path.is_file():
        return None
    from mmstudio.errors import UserError

    try:
        with reading(path, ""):
            arrays, told = read_arrays(path)
            rows = arrays.pop("rows")
            if told["format"] != FORMAT or told["key"] != depends_on(
                    files, scores.split, scores.table) or not np.array_equal(rows, scores.rows):
                return None
            return {_called(name): values for name, values in arrays.items()
                    if len(values) == len(rows)}
    except UserError:
        return None  # torn, or of somebody else: as good as none


def represented(
    scores: Scores, device: str = "auto"
) -> Generator[Progress, None, dict[str, np.ndarray]]:
    """Per name ``(N, K)`` float32: the principal components of what the model makes of each row.

    Rows in which an input is absent have its absent token's. They are kept in the run's folder,
    unless it can't be written to.

    Args:
        scores: Whose rows.
        device: As in ``training.device``.

    Raises:
        UserError: No such run, table or split.
    """
    found = load_representations(scores)
    if found is not None:
        return found
    key = depends_on(RunFolder(scores.run), scores.split, scores.table)
    found = {}
    for name, values in (yield from _gathered(scores, device)).items():
        found[name] = principal(values, KEPT)
    if key is not None:
        with suppress(OSError):
            path = _place(scores)
            path.parent.mkdir(exist_ok=True)
            write_arrays(path, {f"of {name}": values for name, values in found.items()} |
                         {"rows": scores.rows}, {"format": FORMAT, "key": key})
    return found


def _gathered(scores: Scores, device: str) -> Generator[Progress, None, dict[str, np.ndarray]]:
    """Per name what the model makes of each row, ``(N, D)`` float32."""
    from mmstudio.data.batches import make_batch, prefetched, row_batches
    from mmstudio.inference.evaluate import rows_asked
    from mmstudio.training.memory_chunks import MemoryChunks
    from mmstudio.training.validate import BATCH_SIZE

    asked = yield from rows_asked(scores.run, scores.split, scores.table, device)
    model = asked.predictor.model
    found: dict[str, np.ndarray] = {}
    with asked.answering():
        held = MemoryChunks(asked.predictor.device, "looking at")
        done = 0
        batches = prefetched(
            make_batch(asked.dataset, model.modalities, chosen)
            for chosen in row_batches(scores.rows, BATCH_SIZE) if len(chosen))
        with contextlib.closing(batches):
            for batch in batches:
                for part in held.tried(len(batch), partial(_of_batch, asked.predictor, batch)):
                    count = len(part[SHARED])
                    for name, values in part.items():
                        if name not in found:
                            found[name] = np.zeros((len(scores), values.shape[1]), np.float32)
                        found[name][done : done + count] = values
                    done += count
                yield Progress("Placing the samples", done, len(scores))
    return found


def _of_batch(predictor: Any, batch: Any, parts: list[slice]) -> list[dict[str, np.ndarray]]:
    import torch

    from mmstudio.threads import fitting_threads

    model, found = predictor.model, []
    with fitting_threads(), torch.inference_mode():
        for part in parts:
            inputs = model.prepared(batch.part(part).to(predictor.device))
            features, present = model.encoded(inputs)
            fused = model.fusion(features, present)
            shared = (fused.views * fused.weights.unsqueeze(-1)).sum(dim=1)
            of = {SHARED: shared} | {
                name: one.pooled() for name, one in zip(model.names, features, strict=True)}
            found.append({name: values.float().cpu().numpy() for name, values in of.items()})
    return found


def _place(scores: Scores) -> Path:
    name = scores.split if scores.table is None else "table"
    return scores.run / FOLDER / f"{name}-map.safetensors"


def _called(name: str) -> str:
    return name.removeprefix("of ")
