"""A run's answers to all rows of a split, for every subset of its inputs; kept beside the run."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mmstudio.data.prepare import Progress
from mmstudio.data.split import SPLITS
from mmstudio.errors import UserError, nearest
from mmstudio.evaluation.arrays import read_arrays, write_arrays
from mmstudio.evaluation.depends import MOST_FILES, depends_on, state_of
from mmstudio.reading import reading
from mmstudio.shapes import fitted_to
from mmstudio.tasks.kinds import LABEL_SET, NUMBER, ONE_LABEL
from mmstudio.training.answers_digest import FOLDER
from mmstudio.training.run_folder import RunFolder

FORMAT = 1
"""Of the kept files; another one is worked out anew."""
OTHER_TABLE = "table"
"""What the scores of another table than the run's own are kept as: those of the last one."""
CLASSIFICATION, MULTILABEL, REGRESSION = ONE_LABEL.task, LABEL_SET.task, NUMBER.task
KINDS = (CLASSIFICATION, MULTILABEL, REGRESSION)


@dataclass(frozen=True)
class TaskScores:
    """One target's answers.

    Attributes:
        kind: The task's name: ``classification``, ``multilabel``, ``regression``, or one of the
            user's own, of whose outputs nothing is known here.
        classes: The C labels of the outputs; none of a number.
        unseen: Labels that these rows have and training never saw.
        outputs: ``(S, N, C)`` float32 as the head gave them: logits; of a number ``(S, N, 1)`` in
            deviations from the training rows' mean.
        values: ``(N,)`` int64 class numbers, those of ``unseen`` behind those of ``classes``;
            ``(N, C)`` uint8 of label sets; ``(N,)`` float64 numbers in the data's own units.
            0 where unknown.
        known: ``(N,)`` bool, whether the label is known; it is where training never saw it.
        threshold: Of label sets: the least probability of a label that is answered.
        mean: Of a number, of the training rows.
        deviation: Likewise.
        unit: Of a number.
    """

    kind: str
    classes: tuple[str, ...]
    unseen: tuple[str, ...]
    outputs: np.ndarray
    values: np.ndarray
    known: np.ndarray
    threshold: float = 0.5
    mean: float = 0.0
    deviation: float = 1.0
    unit: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels that ``values`` number, those that training never saw last."""
        return (*self.classes, *self.unseen)

    @property
    def seen(self) -> np.ndarray:
        """``(N,)`` bool, whether the label is known and one that training saw."""
        if self.kind != CLASSIFICATION:
            return self.known
        return np.asarray(self.known & (self.values < len(self.classes)))

    def scores(self, at: int, temperatures: float | np.ndarray = 1.0) -> np.ndarray:
        """``(N, C)`` float64, probabilities of the labels; the numbers themselves of a number.

        Args:
            at: The subset's place in ``subsets``.
            temperatures: What the logits are divided by: one for all, or ``(N,)``.
        """
        if self.kind == REGRESSION:
            return np.asarray(self.outputs[at].astype(np.float64) * self.deviation + self.mean)
        logits = self.outputs[at].astype(np.float64)
        logits /= np.broadcast_to(temperatures, len(logits))[:, None]
        if self.kind == MULTILABEL:
            with np.errstate(over="ignore"):
                return np.asarray(1 / (1 + np.exp(-logits)))
        logits -= logits.max(axis=1, keepdims=True)
        np.exp(logits, out=logits)
        return np.asarray(logits / logits.sum(axis=1, keepdims=True))

    def answers(self, at: int) -> np.ndarray:
        """``(N,)`` int64 class numbers, ``(N, C)`` bool label sets, or ``(N,)`` float64 numbers."""
        if self.kind == REGRESSION:
            return self.scores(at)[:, 0]
        if self.kind == MULTILABEL:
            return np.asarray(self.scores(at) >= self.threshold)
        return np.asarray(self.outputs[at].argmax(axis=1))


@dataclass(frozen=True)
class Scores:
    """A run's answers to N rows, for S subsets of its M inputs.

    Attributes:
        run: The run's folder.
        split: Which split the rows are of.
        table: The other table that they are of; None for the run's own.
        inputs: The names of the M inputs.
        subsets: ``(S, M)`` bool, all inputs first, then by size: all 2^M - 1 of them up to six
            inputs; beyond, all inputs, all but one, and each alone. Fewer where the answers would
            be too many to be held; all inputs are there always.
        rows: ``(N,)`` int64, the rows' places in the table, ascending: those that have an input
            and a label.
        present: ``(N, M)`` bool, which inputs each row has.
        tasks: Per target its answers.
        groups: ``(N,)`` int64, equal where rows belong together, such as those of one speaker;
            None where no column says so.
        traits: Per name, such as "face brightness" of an input "face", ``(N,)`` float32 of each
            row's content, nan where it is absent.
        told: Further plain data that was found on the way.
        names: The rows' ids, one per line; empty where the data has no column of ids.
    """

    run: Path
    split: str
    table: Path | None
    inputs: tuple[str, ...]
    subsets: np.ndarray
    rows: np.ndarray
    present: np.ndarray
    tasks: Mapping[str, TaskScores]
    groups: np.ndarray | None = None
    traits: Mapping[str, np.ndarray] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)
    names: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint8))

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.rows)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Per row its id: that of the column ``data.split.id``, else its place in the table."""
        if len(self.names):
            return tuple(self.names.tobytes().decode("utf-8", "replace").split("\n"))
        return tuple(map(str, self.rows.tolist()))

    def at(self, inputs: Collection[str]) -> int:
        """The place of a subset in ``subsets``.

        Raises:
            UserError: It was not answered.
        """
        wanted = np.array([name in inputs for name in self.inputs])
        found = np.flatnonzero((self.subsets == wanted).all(axis=1))
        if not len(found):
            raise UserError(f"There are no answers from {', '.join(inputs) or 'nothing'} alone.",
                            "Ask for all inputs, all but one, or one of them.")
        return int(found[0])

    def subset(self, at: int) -> tuple[str, ...]:
        """The names of a subset's inputs."""
        return tuple(n for n, there in zip(self.inputs, self.subsets[at], strict=True) if there)

    def counted(self, at: int) -> np.ndarray:
        """``(N,)`` bool: the rows that have any of a subset's inputs.

        The others are answered from nothing, which tells nothing of the inputs.
        """
        return np.asarray((self.present & self.subsets[at]).any(axis=1))

    def whole(self, at: int) -> np.ndarray:
        """``(N,)`` bool: the rows that have all of a subset's inputs."""
        return np.asarray((self.present | ~self.subsets[at]).all(axis=1))


def scores_of(
    run: Path, split: str = "test", table: Path | None = None, device: str = "auto"
) -> Iterator[Progress | Scores]:
    """A run's answers: those that were kept, where they still hold; else they are worked out.

    They are kept in the run's folder, unless it can't be written to.

    Args:
        run: The run folder, in a project's ``runs``.
        split: ``train``, ``validation`` or ``test``.
        table: Another table of the same columns, all of whose rows count.
        device: As in ``training.device``.

    Yields:
        Progress, last the scores.

    Raises:
        UserError: No such run, table or split, or no rows with a label.
    """
    yield (yield from scored(run, split, table, device))


def scored(
    run: Path, split: str = "test", table: Path | None = None, device: str = "auto"
) -> Generator[Progress, None, Scores]:
    """As ``scores_of``, for ``yield from``: passes the progress on and gives the scores back."""
    found = kept_scores(run, split, table)
    if found is not None:
        return found
    from mmstudio.evaluation.answering import answered

    files = RunFolder.existing(run)
    before = depends_on(files, split, table)
    found, places = yield from answered(run, split, table, device)
    if before is not None and before == depends_on(files, split, table):
        with suppress(OSError):  # of somebody else's run, say: they serve without being kept
            _keep(found, before, places)
    return found


def kept_scores(run: Path, split: str = "test", table: Path | None = None) -> Scores | None:
    """The scores that were kept, mapped from the disk; None where there are none that hold.

    Raises:
        UserError: No such run or split.
    """
    if split not in SPLITS:
        raise UserError(f"There is no split '{split}'.", nearest(split, SPLITS))
    files = RunFolder.existing(run)
    path = _place(files, split, table)
    if not path.is_file():
        return None
    key = depends_on(files, split, table)
    try:
        with reading(path, ""):
            arrays, told = read_arrays(path)
            if key is None or told["format"] != FORMAT or told["key"] != key:
                return None
            fitted_to(told, _SHAPE | _KEPT)
            project = files.path.resolve().parent.parent
            if len(told["places"]) > MOST_FILES or told["state"] != state_of(
                    told["places"], project):
                return None
            return scores_from(files.path, split, table, arrays, told)
    except UserError:
        return None  # torn, or of somebody else: as good as none


_TASK = {"kind": str, "classes": [str], "unseen": [str], "threshold": (0.0, 1.0), "mean": float,
         "deviation": float, "unit": str}
_SHAPE = {"inputs": [str], "tasks": {"**": _TASK}, "traits": [str]}
_KEPT = {"places": [str], "state": str}


def _place(files: RunFolder, split: str, table: Path | None) -> Path:
    return files.path / FOLDER / f"{split if table is None else OTHER_TABLE}.safetensors"


def _keep(found: Scores, key: str, places: list[str]) -> None:
    """Write them. Raises OSError."""
    files = RunFolder(found.run)
    arrays, told = arrays_of(found)
    told |= {"key": key, "places": places,
             "state": state_of(places, files.path.resolve().parent.parent)}
    path = _place(files, found.split, found.table)
    path.parent.mkdir(exist_ok=True)
    write_arrays(path, arrays, told)


def arrays_of(found: Scores) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Scores as arrays and plain data, from which ``scores_from`` makes them again."""
    arrays = {"subsets": found.subsets, "rows": found.rows, "present": found.present}
    if found.groups is not None:
        arrays["groups"] = found.groups
    if len(found.names):
        arrays["names"] = found.names
    tasks = {}
    for number, (name, task) in enumerate(found.tasks.items()):
        arrays |= {f"outputs{number}": task.outputs, f"values{number}": task.values,
                   f"known{number}": task.known}
        tasks[name] = {"kind": task.kind, "classes": list(task.classes),
                       "unseen": list(task.unseen), "threshold": task.threshold,
                       "mean": task.mean, "deviation": task.deviation, "unit": task.unit}
    for number, trait in enumerate(found.traits.values()):
        arrays[f"trait{number}"] = trait
    return arrays, {"format": FORMAT, "inputs": list(found.inputs), "tasks": tasks,
                    "traits": list(found.traits), "found": dict(found.told)}


def scores_from(
    run: Path, split: str, table: Path | None, arrays: dict[str, np.ndarray], told: dict[str, Any]
) -> Scores:
    """What ``arrays_of`` gave. Raises ValueError, or another error of a damaged file."""
    fitted_to(told, _SHAPE)
    tasks = {}
    for number, (name, one) in enumerate(told["tasks"].items()):
        tasks[name] = TaskScores(
            one["kind"], tuple(one["classes"]), tuple(one["unseen"]), arrays[f"outputs{number}"],
            arrays[f"values{number}"], arrays[f"known{number}"],
            float(one["threshold"]), float(one["mean"]), float(one["deviation"]), one["unit"])
    found = Scores(
        run, split, table, tuple(told["inputs"]), arrays["subsets"], arrays["rows"],
        arrays["present"], tasks, arrays.get("groups"),
        {name: arrays[f"trait{number}"] for number, name in enumerate(told["traits"])},
        told["found"], arrays.get("names", np.zeros(0, np.uint8)))
    check_scores(found)
    return found


def check_scores(scores: Scores) -> None:
    """Raise ValueError where parts don't fit each other."""
    rows, inputs, subsets = len(scores.rows), len(scores.inputs), len(scores.subsets)
    wanted: list[tuple[np.ndarray, tuple[int, ...], str]] = [
        (scores.rows, (rows,), "i"), (scores.subsets, (subsets, inputs), "b"),
        (scores.present, (rows, inputs), "b")]
    if scores.groups is not None:
        wanted.append((scores.groups, (rows,), "i"))
    wanted += [(trait, (rows,), "f") for trait in scores.traits.values()]
    for task in scores.tasks.values():
        width = task.outputs.shape[-1]
        wanted += [(task.outputs, (subsets, rows, width), "f"), (task.known, (rows,), "b")]
        if task.kind not in KINDS:  # what a task of the user's own learns is of any kind
            wanted.append((task.values, (rows, *task.values.shape[1:]), task.values.dtype.kind))
        elif task.kind == MULTILABEL:
            wanted.append((task.values, (rows, len(task.classes)), "u"))
        else:
            wanted.append((task.values, (rows,), "f" if task.kind == REGRESSION else "i"))
        if task.kind in KINDS and width != max(1, len(task.classes)):
            raise ValueError("there are not as many outputs as labels")
        if task.kind == CLASSIFICATION and not (
                (task.values >= 0) & (task.values < len(task.labels))).all():
            raise ValueError("a label has no name")
        if not np.isfinite(task.outputs).all() or not np.isfinite(task.values).all():
            raise ValueError("an answer is not a number")
    if any(array.shape != shape or array.dtype.kind != kind for array, shape, kind in wanted):
        raise ValueError("its parts don't fit each other")
    if not rows or not subsets or not scores.subsets[0].all():
        raise ValueError("it holds no answers of all inputs")
