"""Mending problems by changing the experiment: the data's own files stay as they are.

Rows are left out by a list beside the experiment file, labels are merged by ``merge`` of their
target, and groups are kept together by shares in place of a split column.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmstudio.data.checks.problem import KINDS, Problem
from mmstudio.data.excluded import FILE_NAME, with_rows
from mmstudio.data.merged_labels import merged
from mmstudio.data.split import SPLITS, split_of
from mmstudio.data.table import Table, read_table
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment, SplitShares
from mmstudio.safe_files import write_whole

SMALLEST_SHARE = 0.02


@dataclass(frozen=True)
class Mended:
    """What mending comes to.

    Attributes:
        experiment: The experiment as it should be.
        left_out: The new text of the list of rows to leave out; None leaves the list as it is.
        summary: What was done, as a sentence.
    """

    experiment: Experiment
    left_out: str | None
    summary: str

    def write(self, folder: Path) -> None:
        """Write the list of rows to leave out; the experiment is the caller's to save."""
        if self.left_out is not None and self.experiment.data.leave_out is not None:
            write_list(folder / self.experiment.data.leave_out, self.left_out)


def mended(experiment: Experiment, folder: Path, problems: Sequence[Problem]) -> Mended:
    """How to mend problems of one kind. Reads the table; writes nothing.

    Args:
        experiment: The experiment that was checked.
        folder: What its paths are relative to.
        problems: Problems of one kind, as the check found them.

    Raises:
        UserError: This kind can't be mended here, or the table can't be read.
    """
    kind = problems[0].kind
    mend = KINDS[kind].mend
    if mend == "merge_labels":
        return _merged(experiment, problems)
    if mend == "":
        able = ", ".join(name for name, kind in KINDS.items() if kind.mend)
        raise UserError(f"Problems of the kind '{kind}' can't be fixed automatically.",
                        f"These can: {able}.")
    table = read_table(folder / experiment.data.table)
    if mend == "split_by_group":
        return _split_by_group(experiment, table, folder, problems)
    reasons = {row: f"{p.kind}: {p.message}" for p in problems for row in p.out}
    data = dataclasses.replace(
        experiment.data, leave_out=experiment.data.leave_out or FILE_NAME)
    # the same text may stand in other rows, with a number that is right
    by_cell = kind in ("no_number", "far_off", "far_off_input")
    wrong = {p.column for p in problems} if by_cell else ()
    rows = "1 row is" if len(reasons) == 1 else f"{len(reasons):,} rows are"
    return Mended(
        dataclasses.replace(experiment, data=data),
        with_rows(experiment, table, folder, reasons, wrong),
        f"{rows} left out, as {data.leave_out} says.")


def _merged(experiment: Experiment, problems: Sequence[Problem]) -> Mended:
    targets = dict(experiment.targets)
    for problem in problems:
        name, label, into = (problem.detail[k] for k in ("target", "label", "into"))
        merge = {old: into if new == label else new for old, new in targets[name].merge.items()}
        targets[name] = dataclasses.replace(targets[name], merge=merge | {label: into})
    labels = "1 label is" if len(problems) == 1 else f"{len(problems):,} labels are"
    return Mended(dataclasses.replace(experiment, targets=targets), None,
                  f"{labels} taken for the more frequent spelling.")


def _split_by_group(
    experiment: Experiment, table: Table, folder: Path, problems: Sequence[Problem]
) -> Mended:
    group = Counter(p.detail["group"] for p in problems).most_common(1)[0][0]
    split = experiment.data.split
    if not isinstance(split, SplitShares):
        split = _shares_of(split_of(experiment, merged(table, experiment), folder))
    data = dataclasses.replace(
        experiment.data, split=dataclasses.replace(split, group=group), group=None)
    return Mended(dataclasses.replace(experiment, data=data), None,
                  f"The rows are split again; those of one '{group}' stay together.")


def _shares_of(splits: np.ndarray) -> SplitShares:
    """The shares that a split has, to the hundredth."""
    counts = [int((splits == split).sum()) for split in SPLITS]
    validation, test = (
        max(SMALLEST_SHARE, round(count / sum(counts), 2)) if count else 0.0
        for count in counts[1:])
    return SplitShares(round(1 - validation - test, 2), validation, test)


def read_left_out(experiment: Experiment, folder: Path) -> str | None:
    """The text of the list of rows to leave out, None where there is none; for undoing."""
    name = experiment.data.leave_out or FILE_NAME
    try:
        return (folder / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def write_list(path: Path, text: str | None) -> None:
    """Write the list, by way of a rename; None removes it. Raises UserError."""
    try:
        if text is None:
            path.unlink(missing_ok=True)
            return
        write_whole(path, text)
    except OSError as error:
        raise UserError(f"{path} can't be written: {error}.",
                        "Check the folder's permissions.") from None
