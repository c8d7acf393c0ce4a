"""What a person decided on rows: keep, another label, leave out; kept in a file of the project.

A row is known by the cells that the inputs read, as a digest: so decisions hold whatever the order
of the table's rows, and in the table that is written anew. Its number only tells equal rows apart.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmstudio.data.table import Table
from mmstudio.errors import UserError
from mmstudio.evaluation.findings import LABEL, UNLABELLED, Finding
from mmstudio.experiment import Experiment
from mmstudio.reading import read_bytes, reading
from mmstudio.safe_files import write_whole

KEEP, RELABEL, LEAVE_OUT, SKIP = "keep", "relabel", "leave out", "skip"
VERDICTS = (KEEP, RELABEL, LEAVE_OUT, SKIP)
FILE_NAME = "label_decisions.jsonl"
MOST_BYTES = 256 << 20
_BYTES = 16
"""Of a row's digest."""


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
        digest: Of its cells in these columns.
    """

    row: int
    verdict: str
    about: str
    target: str = ""
    label: str = ""
    columns: tuple[str, ...] = ()
    digest: str = ""

    @property
    def question(self) -> tuple[int, str, str]:
        """What it answers; a later answer to the same question takes its place."""
        return self.row, self.about, self.target if self.about in (LABEL, UNLABELLED) else ""


def identity_columns(table: Table, experiment: Experiment) -> tuple[str, ...]:
    """The columns that a row is known by: those of the inputs, all where there are none."""
    read = {c for settings in experiment.inputs.values() for c in settings.read_columns}
    return tuple(sorted(read & set(table.columns))) or tuple(sorted(table.columns))


def digest_of(cells: Sequence[str | None]) -> str:
    """A digest of a row's cells."""
    text = json.dumps(list(cells), ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=_BYTES).hexdigest()


def identified(
    decisions: Sequence[Decision], table: Table, columns: tuple[str, ...]
) -> list[Decision]:
    """The same decisions, which know their rows again."""
    if not decisions:
        return []
    cells = table.frame.select(columns)[[d.row for d in decisions]]
    return [dataclasses.replace(decision, columns=columns, digest=digest_of(own))
            for decision, own in zip(decisions, cells.iter_rows(), strict=True)]


def placed(decisions: Iterable[Decision], table: Table) -> list[Decision]:
    """The same decisions with the rows' numbers in this table, -1 for those that it lacks."""
    decisions = list(decisions)
    rows: dict[tuple[str, ...], dict[str, list[int]]] = {}
    for columns in dict.fromkeys(d.columns for d in decisions):
        rows[columns] = {}
        if columns and set(columns) <= set(table.columns):
            for row, cells in enumerate(table.frame.select(columns).iter_rows()):
                rows[columns].setdefault(digest_of(cells), []).append(row)
    found = []
    for decision in decisions:
        same = rows[decision.columns].get(decision.digest, [])
        row = decision.row if decision.row in same else (same[0] if same else -1)
        found.append(dataclasses.replace(decision, row=row))
    return found


def effective(decisions: Iterable[Decision]) -> list[Decision]:
    """Of several answers to one question the last; in the order in which they came."""
    last: dict[tuple[int, str, str], Decision] = {}
    for decision in decisions:
        if decision.row >= 0:
            last.pop(decision.question, None)
            last[decision.question] = decision
    return list(last.values())


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
        lines = read_bytes(path, MOST_BYTES).decode("utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise UserError(f"{path} can't be read: {error}.", hint) from None
    found = []
    for number, line in enumerate(lines, start=1):
        with reading(Path(f"{path}, line {number},"), hint):
            data = json.loads(line)
            decision = Decision(
                int(data["row"]), str(data["verdict"]), str(data["about"]),
                str(data.get("target", "")), str(data.get("label", "")),
                tuple(str(c) for c in data["columns"]), str(data["cells"]))
            if decision.verdict not in VERDICTS:
                raise ValueError(f"'{decision.verdict}' is no decision")
        found.append(decision)
    return found


def write_decisions(folder: Path, decisions: Iterable[Decision]) -> None:
    """Write all decisions of a project, whole or not at all.

    Raises:
        UserError: It can't be written.
    """
    lines = [json.dumps({
        "row": d.row, "verdict": d.verdict, "about": d.about, "target": d.target,
        "label": d.label, "columns": list(d.columns), "cells": d.digest}, ensure_ascii=False)
        for d in decisions]
    try:
        write_whole(folder / FILE_NAME, "".join(f"{line}\n" for line in lines))
    except OSError as error:
        raise UserError(f"{folder / FILE_NAME} can't be written: {error}.",
                        "Make room there and allow writing.") from None
