"""Labels: how a target's cells become numbers, and what is learnt from the training rows for it.

A task's name says which of three kinds its cells are: one class, a set of labels, or a number.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmstudio.errors import UserError
from mmstudio.numbers import NOTHING, Numbers, far_off, read_numbers

SEPARATOR = ";"
"""What stands between the labels of one cell, where the experiment names nothing else."""
MOST_CLASSES = 10_000
MOST_LABEL_BYTES = 2 * 2**30

Cells = Sequence[str | None]


@dataclass(frozen=True)
class Labels:
    """The labels of one target.

    Attributes:
        values: ``(N,)`` int64 class numbers, ``(N, C)`` uint8 with 1 for each label that is
            there, or ``(N,)`` float32 numbers in deviations from the training rows' mean (numbers
            far from all others don't count in either); 0 where the label is unknown.
        known: ``(N,)`` bool.
    """

    values: np.ndarray
    known: np.ndarray

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.known)

    def of(self, rows: np.ndarray) -> Labels:
        """Those of some rows, in their order."""
        return Labels(self.values[rows], self.known[rows])


def fit_labels(
    task: str, options: Mapping[str, Any], cells: Cells, rows: np.ndarray, target: str
) -> dict[str, Any]:
    """Learn a target's spec from the training rows.

    Args:
        task: The task's name.
        options: The task's options.
        cells: Every row's cell, None where it is empty.
        rows: The training rows.
        target: The target's name, for messages.

    Returns:
        Plain data: ``classes`` with their ``counts``; for label sets also the ``separator`` and
        the number of ``rows``; for numbers their ``mean`` and ``deviation``.

    Raises:
        UserError: No label, too few or too many classes, or a cell that is not a number.
    """
    known = [int(r) for r in rows if cells[r] is not None]
    if not known:
        raise UserError(f"Target '{target}' has no label in any training row.",
                        f"Choose another column for targets.{target}.")
    fit = _KINDS.get(task, _KINDS["classification"])[0]
    return fit(options, cells, known, target)


def read_labels(
    task: str, spec: Mapping[str, Any], cells: Cells, used: np.ndarray, target: str
) -> Labels:
    """Every row's label.

    Args:
        task: The task's name.
        spec: What ``fit_labels`` gave.
        cells: Every row's cell, None where it is empty.
        used: ``(N,)`` bool; the labels of other rows don't matter and stay unknown.
        target: The target's name, for messages.

    Raises:
        UserError: A cell that is not a number where one is needed; names its row.
    """
    read = _KINDS.get(task, _KINDS["classification"])[1]
    return read(spec, [c if u else None for c, u in zip(cells, used, strict=True)], target)


def split_cell(cell: str, separator: str) -> list[str]:
    """The labels in a cell, each once; none in a cell that holds only the separator."""
    parts = (part.strip() for part in cell.split(separator))
    return list(dict.fromkeys(part for part in parts if part))


def number_of(cell: str) -> float | None:
    """The number in a cell; nan, which programs write for what is missing, is None.

    Raises:
        ValueError: It holds no number, or an infinite one.
    """
    value = float(cell)
    if math.isinf(value):
        raise ValueError(cell)
    return None if math.isnan(value) else value


def number_text(number: float, digits: int) -> str:
    """A number for people, with so many significant digits; no whole digit is cut off.

    40123.4 is "40123" with four digits, and 0.123456 is "0.1235".
    """
    text = f"{number:.{digits}g}"
    return f"{number:.0f}" if "e+" in text and abs(number) < 1e9 else text


def sorted_labels(labels: Sequence[str]) -> list[str]:
    """Numbers in their order, before words in theirs."""

    def key(label: str) -> tuple[int, float, str]:
        try:
            number = float(label)
        except ValueError:
            return (1, 0.0, label)
        return (0, number, label) if number == number else (1, 0.0, label)

    return sorted(labels, key=key)


def _fit_classes(
    options: Mapping[str, Any], cells: Cells, rows: list[int], target: str
) -> dict[str, Any]:
    counts = Counter(str(cells[r]) for r in rows)
    classes = sorted_labels(list(counts))
    if len(classes) < 2:
        raise UserError(f"Target '{target}' has one class only, '{classes[0]}'.",
                        "A classification needs two or more.")
    _check_repeating(classes, len(rows), target, "Choose a column whose values repeat.")
    return {"classes": classes, "counts": [counts[c] for c in classes]}


def _read_classes(spec: Mapping[str, Any], cells: Cells, target: str) -> Labels:
    """A class that training never saw is unknown."""
    number = {label: i for i, label in enumerate(spec["classes"])}
    found = np.array([-1 if c is None else number.get(c, -1) for c in cells], dtype=np.int64)
    return Labels(found.clip(min=0), found >= 0)


def _fit_sets(
    options: Mapping[str, Any], cells: Cells, rows: list[int], target: str
) -> dict[str, Any]:
    separator = options.get("separator", SEPARATOR)
    if not separator:
        raise UserError(f"targets.{target}.separator is empty.",
                        f"Give what stands between the labels, such as \"{SEPARATOR}\".")
    counts = Counter(label for r in rows for label in split_cell(str(cells[r]), separator))
    if not counts:
        raise UserError(f"Target '{target}' has no label in any training row.",
                        f"Choose another column for targets.{target}.")
    classes = sorted_labels(list(counts))
    _check_repeating(
        classes, max(len(rows), counts.total()), target,
        f"Choose a column whose labels repeat, or set targets.{target}.separator; "
        f"now it is \"{separator}\".")
    if len(cells) * len(classes) > MOST_LABEL_BYTES:
        raise UserError(
            f"Target '{target}' has {len(classes)} classes in {len(cells)} rows: too many to hold.",
            f"Leave out rare labels; {MOST_LABEL_BYTES // len(cells)} classes are possible.")
    return {"classes": classes, "counts": [counts[c] for c in classes], "rows": len(rows),
            "separator": separator}


def _read_sets(spec: Mapping[str, Any], cells: Cells, target: str) -> Labels:
    """A label that training never saw is passed over: the others of its cell are known."""
    number = {label: i for i, label in enumerate(spec["classes"])}
    values = np.zeros((len(cells), len(number)), dtype=np.uint8)
    for row, cell in enumerate(cells):
        if cell is not None:
            places = [number.get(label) for label in split_cell(cell, spec["separator"])]
            values[row, [p for p in places if p is not None]] = 1
    return Labels(values, np.array([c is not None for c in cells], dtype=bool))


def _fit_numbers(
    options: Mapping[str, Any], cells: Cells, rows: list[int], target: str
) -> dict[str, Any]:
    read = _numbers(cells, target)
    numbers = read.values[rows]
    numbers = numbers[~np.isnan(numbers)]
    if len(numbers) == 0:
        raise UserError(f"Target '{target}' has no number in any training row.",
                        f"Choose another column for targets.{target}.")
    # one slip of the comma would make all others equal
    usual = np.delete(numbers, far_off(numbers))
    # scaled first: the squares of very large numbers would overflow
    size = float(np.abs(usual).max()) or 1.0
    mean = float((usual / size).mean()) * size
    deviation = float((usual / size).std()) * size
    # equal numbers may differ from their mean by a rounding error
    if usual.min() == usual.max() or deviation == 0.0:
        raise UserError(f"Target '{target}' has one value only, {numbers[0]:g}.",
                        "A regression needs values that vary.")
    spec: dict[str, Any] = {"mean": mean, "deviation": deviation}
    return spec | ({"unit": read.unit} if read.unit else {})


def _read_numbers(spec: Mapping[str, Any], cells: Cells, target: str) -> Labels:
    """A cell that is not a number, among such as are, is unknown: the check tells of it."""
    numbers = _numbers(cells, target, spec.get("unit", "")).values
    known = ~np.isnan(numbers)
    scaled = (np.where(known, numbers, spec["mean"]) - spec["mean"]) / spec["deviation"]
    return Labels(scaled.astype(np.float32), known)


def _numbers(cells: Cells, target: str, unit: str = "") -> Numbers:
    """The numbers of a column. Raises UserError where too many of its cells are none."""
    numbers = read_numbers(cells, unit)
    if not numbers.usual and len(numbers.odd) > numbers.gaps:
        row = next(int(r) for r in numbers.odd if str(cells[r]).strip().lower() not in NOTHING)
        raise UserError(
            f"Target '{target}', row {row + 1}: '{str(cells[row])[:60]}' is not a number.",
            "Write it like 3.5, empty the cell, or choose another task for "
            f"targets.{target}.")
    return numbers


def _check_repeating(classes: list[str], labels: int, target: str, hint: str) -> None:
    if len(classes) > MOST_CLASSES or (len(classes) > 50 and len(classes) > 0.5 * labels):
        raise UserError(
            f"Target '{target}' has {len(classes)} classes in {labels} training rows.", hint)


_Fit = Callable[[Mapping[str, Any], Cells, list[int], str], dict[str, Any]]
_Read = Callable[[Mapping[str, Any], Cells, str], Labels]
_KINDS: dict[str, tuple[_Fit, _Read]] = {
    "classification": (_fit_classes, _read_classes),
    "multilabel": (_fit_sets, _read_sets),
    "regression": (_fit_numbers, _read_numbers),
}
