"""One thing that is wrong, and the kinds of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Mend = Literal["", "leave_out", "merge_labels", "split_by_group"]


@dataclass(frozen=True)
class Kind:
    """A kind of problem.

    Attributes:
        title: Its name for people.
        why: Why it matters.
        mend: What `data.mend` can do about it; "" where only the person can.
    """

    title: str
    why: str
    mend: Mend = ""


MOST_SINGLE = 200
"""Rows of one column and kind that are told one by one."""

KINDS: dict[str, Kind] = {
    "table": Kind("Table", "Nothing can be trained like this."),
    "table_note": Kind(
        "How the table was read", "Check that this is what you meant."),
    "unreadable": Kind(
        "Unreadable", "This input counts as absent in this row; the row's other inputs are used.",
        "leave_out"),
    "truncated": Kind(
        "Cut off", "The file ends early. What is there is used, and may miss what matters.",
        "leave_out"),
    "huge": Kind("Huge", "It takes long to read, and most of it is reduced or cut off."),
    "cut": Kind("Cut off or reduced to fit", "The model never sees it, in training or later."),
    "wrong_suffix": Kind(
        "Other format than named", "It is read all the same, though other programs may refuse it."),
    "many_channels": Kind("Many channels", "All channels are mixed into one."),
    "silent": Kind(
        "Silent sound", "There is nothing in it to learn from, and it still counts as present.",
        "leave_out"),
    "blank": Kind(
        "Blank picture", "There is nothing in it to learn from, and it still counts as present.",
        "leave_out"),
    "no_input": Kind("No input", "The row is left out of training."),
    "unknown_label": Kind("Label missing from training", "The model can't learn it."),
    "rare_label": Kind(
        "Label with one sample", "One training sample teaches little, and none is left to test.",
        "leave_out"),
    "lopsided": Kind(
        "Nearly always the same label", "A model that always answers so is right as often: look at"
        " the figures of each label, not at the share of right answers."),
    "no_number": Kind("No number", "The row can't teach this target.", "leave_out"),
    "far_off": Kind(
        "Number far from all others", "It makes the mean error large, whatever the model learns.",
        "leave_out"),
    "odd_cell": Kind(
        "Not a number among numbers", "It counts as missing; the row's other columns are used."),
    "far_off_input": Kind(
        "Input far from all others", "To the model it is the most extreme value that it knows.",
        "leave_out"),
    "mostly_empty": Kind(
        "Column that is mostly empty", "The model can learn little from it."),
    "constant": Kind("Column that is always the same", "The model can learn nothing from it."),
    "new_category": Kind(
        "Categories that training lacks", "To the model they are all one: new."),
    "tells_label": Kind(
        "Column gives away the label", "The model reads the answer from it instead of learning it,"
        " and fails where it is not known yet."),
    "similar_label": Kind(
        "Labels spelt in several ways", "The model takes them for different classes.",
        "merge_labels"),
    "contradiction": Kind(
        "Same sample, different labels", "The model can't be right on all of these rows."),
    "text_holds_label": Kind(
        "Text contains the label", "The model reads the answer instead of learning it, and fails on"
        " texts without it."),
    "new_words": Kind(
        "Words that training lacks", "An encoder that learns from your texts alone can only guess"
        " what they mean."),
    "name_holds_label": Kind(
        "File name contains the label", "Who tests by hand sees the answer. The model never reads"
        " names, unless a text holds them."),
    "duplicate": Kind(
        "Same content in two splits", "The model has seen the answer: its figures on the other"
        " split come out too good.", "leave_out"),
    "straddling_group": Kind(
        "Group in two splits", "The model knows the group from training: its figures on the other"
        " split come out too good.", "split_by_group"),
}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        row: Row of the table, 0 the first below the header; -1 means the whole table.
        column: The column, or the key of the experiment file.
        kind: One of ``KINDS``.
        message: What is wrong.
        hint: Why it matters, and the remedy.
        rows: All rows that it is about.
        out: The rows to leave out, where that mends it.
        detail: What else mending needs: ``target``, ``label`` and ``into``, or ``group``.
    """

    row: int
    column: str
    kind: str
    message: str
    hint: str = ""
    rows: tuple[int, ...] = ()
    out: tuple[int, ...] = ()
    detail: dict[str, str] = field(default_factory=dict)

    @property
    def mend(self) -> Mend:
        """What can be done about it; "" where only the person can."""
        return KINDS[self.kind].mend

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        data = {"row": self.row, "column": self.column, "kind": self.kind,
                "message": self.message, "hint": self.hint, "rows": list(self.rows)}
        return data | ({"mend": self.mend} if self.mend else {})


def problem(
    row: int, column: str, kind: str, message: str, remedy: str = "", **more: Any
) -> Problem:
    """A problem whose hint is why its kind matters, and the remedy."""
    hint = f"{KINDS[kind].why} {remedy}".strip()
    rows = more.pop("rows", (row,) if row >= 0 else ())
    if KINDS[kind].mend == "leave_out":
        more.setdefault("out", (row,) if row >= 0 else tuple(rows))
    return Problem(row, column, kind, message, hint, tuple(rows), **more)


def row_problems(
    rows: Sequence[int], column: str, kind: str, message: Callable[[int], str], remedy: str
) -> Iterator[Problem]:
    """A problem per row; where they are very many, one of all that tells of the first.

    Args:
        rows: All that have it.
        column: Where.
        kind: One of ``KINDS``.
        message: What is wrong in a row.
        remedy: What to do.
    """
    if len(rows) <= MOST_SINGLE:
        for row in rows:
            yield problem(row, column, kind, message(row), remedy)
    else:
        yield problem(-1, column, kind, f"{len(rows):,} rows are like row {rows[0] + 1}: "
                      f"{message(rows[0])}", remedy, rows=rows)


@dataclass(frozen=True)
class Report:
    """The outcome of a check."""

    rows: int
    problems: tuple[Problem, ...]

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it."""
        return {"rows": self.rows, "problems": [p.to_json() for p in self.problems]}


def by_kind(problems: Iterable[Problem]) -> dict[str, list[Problem]]:
    """Problems by kind, in the order of ``KINDS``."""
    found: dict[str, list[Problem]] = {kind: [] for kind in KINDS}
    for one in problems:
        found[one.kind].append(one)
    return {kind: listed for kind, listed in found.items() if listed}
