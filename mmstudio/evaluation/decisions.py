"""What a person decided on rows: keep, another label, leave out; kept in a file of the project.

A row is known by digests of what the inputs read (see `row_contents`): so decisions hold whatever
the order of the table's rows, and in the table that is written anew, in this folder or another. Of
equal rows it is the first, the second and so on; where there are more or fewer of them than when it
was decided, nobody can say which was meant, and the decision waits.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmstudio.data.table import Table
from mmstudio.errors import UserError
from mmstudio.evaluation.findings import LABEL, UNLABELLED, Finding
from mmstudio.evaluation.row_contents import RowContents, digest_of
from mmstudio.reading import read_bytes, reading
from mmstudio.safe_files import write_whole

KEEP, RELABEL, LEAVE_OUT, SKIP = "keep", "relabel", "leave out", "skip"
VERDICTS = (KEEP, RELABEL, LEAVE_OUT, SKIP)
FILE_NAME = "label_decisions.jsonl"
MOST_BYTES = 256 << 20
FEW = 8
"""Rows that are looked up one by one; of more all rows of the table are gone through at once."""


@dataclass(frozen=True)
class Decision:
    """One decision on one row.

    Attributes:
        row: Its number in the table, from 0; -1 where the table does not have it now.
        verdict: One of ``VERDICTS``.
        about: The kind of finding that it answers.
        target: Of a label: whose.
        label: Of ``RELABEL``: the new one, as it stands in a cell.
        columns: What the row is known by.
        digest: Of its cells in these columns, as they stand.
        content: Of the same with files where they lie; "" where that was not noted.
        copies: How many rows had these cells when it was decided, 0 where that was not noted.
        copy: Which of them it is, from 0.
    """

    row: int
    verdict: str
    about: str
    target: str = ""
    label: str = ""
    columns: tuple[str, ...] = ()
    digest: str = ""
    copies: int = 0
    copy: int = 0
    content: str = ""

    @property
    def question(self) -> tuple[int, str, str]:
        """What it answers: a kind of finding on a row, of labels that of a target."""
        return self.row, self.about, self.target if self.about in (LABEL, UNLABELLED) else ""


def identified(decisions: Sequence[Decision], contents: RowContents) -> list[Decision]:
    """The same decisions, which know their rows again.

    Args:
        decisions: On rows of the table.
        contents: Of the table.
    """
    if not decisions:
        return []
    rows = [d.row for d in decisions]
    places = _places(contents.table, contents.columns, rows)
    return [dataclasses.replace(
                decision, columns=contents.columns, digest=digest_of(own), copies=copies,
                copy=copy, content=contents.content_digest(own))
            for decision, own, (copies, copy) in zip(
                decisions, contents.cells(rows), places, strict=True)]


def _places(
    table: Table, columns: tuple[str, ...], rows: Sequence[int]
) -> list[tuple[int, int]]:
    """Per row how many rows have its cells, and which of them it is."""
    import polars as pl

    frame = table.frame.select(columns)
    if len(rows) > FEW:
        counted = frame.select(
            pl.len().over(columns).alias("copies"),
            pl.int_range(pl.len()).over(columns).alias("copy"))[list(rows)]
        return [(int(copies), int(copy)) for copies, copy in counted.iter_rows()]
    found = []
    for row in rows:
        own = frame.row(row)
        same = frame.select(pl.all_horizontal(
            pl.col(c).eq_missing(pl.lit(v, dtype=frame.schema[c]))
            for c, v in zip(columns, own, strict=True)).alias("same"))["same"].arg_true()
        found.append((len(same), same.to_list().index(row)))
    return found


def placed(decisions: Iterable[Decision], contents: RowContents) -> list[Decision]:
    """The same decisions with the rows' numbers in a table, -1 for those that it lacks.

    Args:
        decisions: As they were kept.
        contents: Of the table.
    """
    decisions = list(decisions)
    found = {columns: _rows_by_digest(contents.of(columns))
             for columns in dict.fromkeys(d.columns for d in decisions)}

    def row_of(decision: Decision) -> int:
        by_content, by_cells = found[decision.columns]
        row = _row_among(by_content.get(decision.content, []), decision)
        # where the files were moved, the cells may still tell
        return row if row >= 0 else _row_among(by_cells.get(decision.digest, []), decision)

    return [dataclasses.replace(decision, row=row_of(decision)) for decision in decisions]


def _rows_by_digest(
    contents: RowContents
) -> tuple[Mapping[str, list[int]], Mapping[str, list[int]]]:
    """The rows by what they hold, and by their cells as they stand."""
    by_content: dict[str, list[int]] = {}
    by_cells: dict[str, list[int]] = {}
    if contents.are_there:
        for row, cells in enumerate(contents.cells()):
            by_content.setdefault(contents.content_digest(cells), []).append(row)
            by_cells.setdefault(digest_of(cells), []).append(row)
    return by_content, by_cells


def _row_among(same: Sequence[int], decision: Decision) -> int:
    """Which of equal rows is meant; -1 where that can't be said."""
    if decision.copies:
        return same[decision.copy] if len(same) == decision.copies else -1
    if decision.row in same:
        return decision.row
    return same[0] if len(same) == 1 else -1


def effective(decisions: Iterable[Decision]) -> list[Decision]:
    """Of several answers to one question the last; in the order in which they came.

    One row may get new labels of several targets by the same question.
    """
    last: dict[tuple[int, str, str], dict[str, tuple[int, Decision]]] = {}
    for at, decision in enumerate(decisions):
        if decision.row < 0:
            continue
        answers = last.setdefault(decision.question, {})
        if decision.verdict != RELABEL:
            answers.clear()
        answers.pop("", None)
        key = decision.target if decision.verdict == RELABEL else ""
        answers[key] = at, decision
    ordered = sorted((one for answers in last.values() for one in answers.values()),
                     key=lambda pair: pair[0])
    return [decision for _, decision in ordered]


def answers_to(
    findings: Sequence[Finding], decisions: Iterable[Decision]
) -> list[Decision | None]:
    """Per finding the decision that settles it, None where it is open.

    A finding is settled by an answer of its own, by its row being left out, and a label error by a
    new label wherever that was given.
    """
    of_row: dict[int, list[Decision]] = {}
    for decision in effective(decisions):
        of_row.setdefault(decision.row, []).append(decision)

    def answer(finding: Finding) -> Decision | None:
        if finding.row not in of_row:  # most are open, and there may be very many
            return None
        question = finding.row, finding.kind, (
            finding.target if finding.kind in (LABEL, UNLABELLED) else "")
        for decision in reversed(of_row[finding.row]):
            relabelled = (decision.verdict == RELABEL and decision.target == finding.target
                          and finding.kind in (LABEL, UNLABELLED))
            if decision.question == question or decision.verdict == LEAVE_OUT or relabelled:
                return decision
        return None

    return [answer(finding) for finding in findings]


def without_last(
    decisions: Sequence[Decision], kinds: Collection[str], count: int = 1
) -> tuple[tuple[Decision, ...], Decision | None]:
    """The decisions less the last ones that answer such findings, and the first of these."""
    places = [at for at, d in enumerate(decisions) if d.about in kinds and d.row >= 0][-count:]
    gone = set(places)
    return (tuple(d for at, d in enumerate(decisions) if at not in gone),
            decisions[places[0]] if places else None)


def read_decisions(folder: Path) -> list[Decision]:
    """The decisions of a project, none where there is no file; rows as they were numbered then.

    Raises:
        UserError: It can't be read.
    """
    path = folder / FILE_NAME
    hint = "Fix that line, or move the file away: the decisions in it are lost then."
    try:
        lines = read_bytes(path, MOST_BYTES).decode("utf-8").split("\n")
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise UserError(f"{path} can't be read: {error}.", hint) from None
    found = []
    if not lines[-1]:
        lines.pop()  # behind the last line's end
    for number, line in enumerate(lines, start=1):
        with reading(Path(f"{path}, line {number},"), hint):
            data = json.loads(line)
            decision = Decision(
                int(data["row"]), str(data["verdict"]), str(data["about"]),
                str(data.get("target", "")), str(data.get("label", "")),
                tuple(str(c) for c in data["columns"]), str(data["cells"]),
                int(data.get("copies", 0)), int(data.get("copy", 0)),
                str(data.get("content", "")))
            if not 0 <= decision.copy < max(1, decision.copies):
                raise ValueError(f"copy {decision.copy} of {decision.copies}")
            if decision.verdict not in VERDICTS:
                raise ValueError(f"'{decision.verdict}' is not a decision")
        found.append(decision)
    return found


def write_decisions(folder: Path, decisions: Iterable[Decision]) -> None:
    """Write all decisions of a project, whole or not at all.

    Raises:
        UserError: It can't be written.
    """
    lines = [json.dumps({
        "row": d.row, "verdict": d.verdict, "about": d.about, "target": d.target,
        "label": d.label, "columns": list(d.columns), "cells": d.digest,
        "copies": d.copies, "copy": d.copy, "content": d.content})
        for d in decisions]
    try:
        write_whole(folder / FILE_NAME, "".join(f"{line}\n" for line in lines))
    except OSError as error:
        raise UserError(f"{folder / FILE_NAME} can't be written: {error}.",
                        "Make room there and allow writing.") from None
