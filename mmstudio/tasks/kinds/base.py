"""What a kind of target is: what its cells hold, before any model is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mmstudio.column_cells import Cells as ColumnCells
from mmstudio.errors import UserError

if TYPE_CHECKING:
    import polars as pl

Cells = Sequence[str | None]
MOST_CLASSES = 10_000


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


@dataclass(frozen=True)
class Metric:
    """How a figure is read.

    Attributes:
        name: As in JSON.
        share: Whether it is a share from 0 to 1, shown in percent.
        higher_is_better: Otherwise it is an error.
        title: For people; made from the name where it is empty.
        short: For narrow places; the title where it is empty.
    """

    name: str
    share: bool = True
    higher_is_better: bool = True
    title: str = ""
    short: str = ""

    def __post_init__(self) -> None:
        """Fill in the titles."""
        words = self.name.replace("_", " ").replace("f1", "F1").replace("r2", "R²")
        object.__setattr__(self, "title", self.title or words)
        object.__setattr__(self, "short", self.short or self.title)

    @property
    def heading(self) -> str:
        """The title at the beginning of a line."""
        return self.title[:1].upper() + self.title[1:]

    def text(self, value: float) -> str:
        """A value for people: a share in percent, others with three digits."""
        return f"{100 * value:.1f} %" if self.share else f"{value:.3g}"


@dataclass(frozen=True)
class Proposed:
    """Why a column is proposed as a target.

    Attributes:
        reason: A sentence.
        options: Of the task.
        sure: Whether the column's name says so too.
    """

    reason: str
    options: Mapping[str, Any] = field(default_factory=dict)
    sure: bool = False


class TargetKind:
    """What the cells of a target hold: how they are read, proposed, judged and worded.

    The way of a cell: ``proposed`` (is the column one of these?), ``fit`` (once, on the training
    rows: the target's entry in the schema), ``read`` (every row's label as numbers).
    """

    task: ClassVar[str]
    """The task that is proposed for such a column."""
    use_title: ClassVar[str]
    """What using a column so means, such as ``Predict a label``."""
    numeric: ClassVar[bool] = False
    """Whether cells hold numbers rather than labels."""
    several: ClassVar[bool] = False
    """Whether a cell may hold several labels."""
    needs: ClassVar[tuple[str, ...]] = ()
    """The keys of the schema's entry without which a model can't be made."""
    metrics: ClassVar[tuple[Metric, ...]] = ()
    """Its figures besides the loss."""
    error_metric: ClassVar[str] = ""
    """The figure that says how far an answer is off as a rule."""

    @property
    def one_label(self) -> bool:
        """Whether each cell is one label."""
        return not self.numeric and not self.several

    def proposed(self, cells: ColumnCells) -> Proposed | None:
        """Why a column is one of these; None where it does not seem so."""
        return None

    def fit(
        self, options: Mapping[str, Any], cells: Cells, rows: list[int], target: str
    ) -> dict[str, Any]:
        """What is learnt from the training rows, plain data for ``schema.json``.

        Args:
            options: The task's.
            cells: Every row's cell, None where it is empty.
            rows: The training rows whose cell is filled, at least one.
            target: The target's name, for messages.

        Raises:
            UserError: Nothing can be learnt from these.
        """
        raise NotImplementedError

    def read(self, spec: Mapping[str, Any], cells: Cells, target: str) -> Labels:
        """Every row's label.

        Args:
            spec: What ``fit`` gave.
            cells: None where a cell is empty, or where its label does not matter.
            target: The target's name, for messages.

        Raises:
            UserError: A cell can't be read; names its row.
        """
        raise NotImplementedError

    def labels_in(self, cell: str, options: Mapping[str, Any]) -> list[str]:
        """The labels in a filled cell."""
        return [cell]

    def merged(
        self, cells: pl.Series, merge: Mapping[str, str], options: Mapping[str, Any]
    ) -> pl.Series:
        """The cells with labels under their other name."""
        return cells.replace(dict(merge))

    def by_value(self, cells: pl.Series) -> pl.Series:
        """The cells, written alike where they mean the same."""
        return cells


def check_repeating(classes: list[str], labels: int, target: str, hint: str) -> None:
    """Refuse classes that are too many to be learnt.

    Raises:
        UserError: Too many, or nearly one per row; with the hint.
    """
    if len(classes) > MOST_CLASSES or (len(classes) > 50 and len(classes) > 0.5 * labels):
        raise UserError(
            f"Target '{target}' has {len(classes)} classes in {labels} training rows.", hint)


def sorted_labels(labels: Sequence[str]) -> list[str]:
    """Numbers in their order, before words in theirs."""

    def key(label: str) -> tuple[int, float, str]:
        try:
            number = float(label)
        except ValueError:
            return (1, 0.0, label)
        return (0, number, label) if number == number else (1, 0.0, label)

    return sorted(labels, key=key)
