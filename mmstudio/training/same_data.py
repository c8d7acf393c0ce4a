"""The data that a run goes on with, or is evaluated on, beside the data that it was trained on."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl

from mmstudio.data.row_marks import (
    MOST_BYTES,
    Changes,
    RowMarks,
    changes,
    marks_of,
    marks_repeat,
    missing_columns,
    together,
)
from mmstudio.data.schema import Schema
from mmstudio.data.table import Table
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment, SplitShares
from mmstudio.reading import read_bytes
from mmstudio.safe_files import write_whole
from mmstudio.tasks.kinds.label_set import split_cell
from mmstudio.training.events import Warned
from mmstudio.training.run_folder import RunFolder

NAME = "rows.bin"
MOST_RELABELLED = 0.5
"""Of the rows: with more other labels, they mean something else now."""
SHOWN = 3
REMEDY = "Put the table back as it was, or start a new run on the table as it is."


def note_rows(
    files: RunFolder, experiment: Experiment, table: Table, splits: np.ndarray, going_on: bool,
    began_from: RunFolder | None = None,
) -> None:
    """Write the marks of the rows that a run is trained on, those that are gone included.

    The rows of the run that it starts from are among them: its weights were learnt from those.

    Raises:
        OSError: They can't be written.
    """
    now = marks_of(experiment, table, splits)
    earlier = files if going_on else began_from
    before = None if earlier is None else _marks(earlier)
    if before is not None:
        now = together(before, now, marks_repeat(experiment))
    write_whole(files.path / NAME, now.to_bytes())


def check_same_data(
    files: RunFolder, experiment: Experiment, table: Table, splits: np.ndarray
) -> list[Warned]:
    """Look whether a run can go on with the data as it is now.

    Args:
        files: The run.
        experiment: What it goes on with.
        table: The rows, merged labels and all.
        splits: ``(N,)`` their splits.

    Returns:
        What has changed and may: it is told.

    Raises:
        UserError: The model would be wrong: columns or labels are no more, rows of the validation
            or the test were trained on, or hardly a row is the same.
    """
    inputs, targets = experiment.active_inputs.values(), experiment.active_targets.values()
    for column in [c for i in inputs for c in i.read_columns] + [t.column for t in targets]:
        try:
            table.column(column)
        except UserError as error:
            raise UserError(f"{error.message} {files.path} was trained on it.",
                            f"{error.hint} {REMEDY}".strip()) from None
    warnings = list(_labels_changed(files, experiment, files.schema(), table, splits))
    before = _marks(files)
    found = None if before is None else changes(
        before, marks_of(experiment, table, splits), marks_repeat(experiment))
    if found is None:
        return [*warnings, Warned(
            f"Whether the rows are those that {files.shown} was trained on can't be checked: it "
            + ("holds no record of them." if before is None
               else "was trained with another version of polars."),
            "If the table or its split has changed since, start a new run.")]
    _refuse(files, experiment, found)
    told = _told(found)
    return [*warnings, *([Warned(f"The data has changed since {files.shown} began: {told}.",
                                 "Training continues with the rows as they are now.")]
                        if told else [])]


def changed_since(
    files: RunFolder, experiment: Experiment, table: Table, splits: np.ndarray, split: str,
    own: bool,
) -> tuple[int, list[str]]:
    """What an evaluation should tell of rows that are not those of the training.

    Args:
        files: The run.
        experiment: Its own.
        table: The rows that are looked at.
        splits: ``(N,)`` their splits.
        split: The one that is looked at.
        own: Whether the table is the experiment's.

    Returns:
        How many of the rows were trained on, and sentences.
    """
    missing = missing_columns(experiment, table)
    if missing:
        return 0, [f"{table.path.name} has no column {_listed(missing)}, which the run reads: what "
                   "it held is absent in every row."] if own else []
    before = _marks(files)
    if before is None:
        return 0, []
    found = changes(before, marks_of(experiment, table, splits), marks_repeat(experiment), own)
    if found is None:
        return 0, []
    trained, earlier, sentences = found.trained.get(split, 0), found.earlier.get(split, 0), []
    if trained:
        sentences.append(
            f"{_of(trained, found.held[split])} were trained on, as they or rows of the same "
            "content stood in the training split then: the figures come out too good.")
    if earlier:
        sentences.append(f"{_of(earlier, found.held[split])} were trained on by the run that this "
                         "one started from: the figures come out too good.")
    if own and split == "test" and found.chosen:
        sentences.append(f"{_of(found.chosen, found.held[split])} were validation rows when the "
                         "best epoch was chosen: the figures come out a little too good.")
    if own and (told := _told(found)):
        sentences.append(f"The data has changed since the training: {told}.")
    return trained + earlier, sentences


def _marks(files: RunFolder) -> RowMarks | None:
    """What the run noted; None where it is of a version without, or the note is damaged."""
    path = files.path / NAME
    if not os.path.lexists(path):
        return None
    try:
        return RowMarks.from_bytes(read_bytes(path, MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return None  # as good as none, and told as such


def _labels_changed(
    files: RunFolder, experiment: Experiment, schema: Schema, table: Table, splits: np.ndarray
) -> Iterator[Warned]:
    """Labels that the run never saw. Raises UserError where one that it learns is no more."""
    for name, target in experiment.active_targets.items():
        spec = schema.targets[name]
        if "classes" not in spec:
            continue
        cells = table.column(target.column)
        held = _labels_in(cells.filter(pl.Series(splits != "")), spec.get("separator"))
        trained = _labels_in(cells.filter(pl.Series(splits == "train")), spec.get("separator"))
        known = set(spec["classes"])
        new = {label: count for label, count in held.items() if label not in known}
        lost = [label for label in spec["classes"] if label not in trained]
        unseen = _never_seen(name, new) if new else ""
        if lost:
            raise UserError(
                f"{files.path} can't be resumed: no training row has the label {_listed(lost)} of "
                f"'{name}' any more, which it learns" + (f"; {unseen}." if unseen else "."),
                f"{REMEDY} A label that is only spelt in another way can be merged: "
                f"targets.{name}.merge.")
        if unseen:
            yield Warned(f"{unseen}.", "A new run learns it." if len(new) == 1
                         else "A new run learns them.")


def _never_seen(target: str, new: dict[str, int]) -> str:
    rows = sum(new.values())
    one = len(new) == 1
    return (f"{_listed(new)} {'is a label' if one else 'are labels'} of '{target}' that the run "
            f"never saw, and {_rows(rows)} of {'it' if one else 'them'} "
            f"{'is' if rows == 1 else 'are'} left out")


def _labels_in(cells: pl.Series, separator: str | None) -> Counter[str]:
    """Per label in how many cells it is."""
    counts: Counter[str] = Counter()
    for cell, count in cells.drop_nulls().value_counts(sort=True).iter_rows():
        for label in [cell] if separator is None else split_cell(cell, separator):
            counts[label] += count
    return counts


def _refuse(files: RunFolder, experiment: Experiment, found: Changes) -> None:
    """Raises UserError where a run must not go on with such rows."""
    wrong = [f"{_of(count, found.held[split])} of the {split} split"
             for split, count in found.trained.items() if count]
    if wrong:
        raise UserError(
            f"{files.path} can't be resumed: {' and '.join(wrong)} were trained on, so its figures "
            f"would come out too good. Changed since it began: {_told(found)}.",
            f"{REMEDY} {_moved_by_strata(experiment, found)}".strip())
    if found.rows and not found.kept:
        raise UserError(
            f"{files.path} can't be resumed: not one of the {_rows(found.rows)} that it began with "
            f"is in the table; {_rows(sum(found.added.values()))} are others.",
            f"{REMEDY} A file is known by its path as it stands in the table.")
    if found.kept and found.relabelled > MOST_RELABELLED * found.kept:
        raise UserError(
            f"{files.path} can't be resumed: {_of(found.relabelled, found.kept)} have other labels "
            "than it was trained on.", REMEDY)


def _moved_by_strata(experiment: Experiment, found: Changes) -> str:
    """Why rows may be in another split though nobody moved them; "" where that can't be."""
    shares = experiment.data.split
    if not (isinstance(shares, SplitShares) and shares.stratify and found.moved):
        return ""
    return (f"Shares that are stratified (data.split.stratify is '{shares.stratify}') move rows "
            "next to a cut where others are new or gone. In a run without data.split.stratify, or "
            "with a column that says each row's split, new rows move no other.")


def _told(found: Changes) -> str:
    """What has changed, in words; "" where nothing has."""
    parts = [f"{_rows(count)} {'is' if count == 1 else 'are'} new in {split}"
             for split, count in found.added.items() if count]
    parts += [f"{_rows(count)} of {split} {'is' if count == 1 else 'are'} gone"
              for split, count in found.gone.items() if count]
    if found.moved:
        parts.append(f"{_rows(found.moved)} {'is' if found.moved == 1 else 'are'} in another split")
    if found.relabelled:
        has = "has" if found.relabelled == 1 else "have"
        parts.append(f"{_rows(found.relabelled)} {has} another label")
    return ", ".join(parts)


def _listed(labels: Iterable[str]) -> str:
    names = [f"'{label[:60]}'" for label in labels]
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more"
                                       if len(names) > SHOWN else "")


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"


def _of(count: int, all_of: int) -> str:
    return f"{count:,} of {_rows(all_of)}"
