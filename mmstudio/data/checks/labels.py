"""Labels that training can't learn from, and labels spelt in several ways."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator

from mmstudio.data.checks.cells import far_problems
from mmstudio.data.checks.examined import Examined, has_labels, labels_of
from mmstudio.data.checks.problem import Problem, problem, row_problems
from mmstudio.numbers import read_numbers
from mmstudio.tasks.kinds import kind_of

LOPSIDED = 0.95


def label_problems(examined: Examined) -> Iterator[Problem]:
    """Labels with one sample, missing from training, or near-equal to another."""
    for name, target in examined.experiment.active_targets.items():
        if target.column not in examined.table.columns:
            continue
        if not has_labels(target):
            yield from _no_numbers(examined, name, target.column)
            continue
        labels = labels_of(examined.table, target)
        used = [found if split else [] for found, split in
                zip(labels, examined.splits, strict=True)]
        rows_of: dict[str, list[int]] = defaultdict(list)
        for row, found in enumerate(used):
            for label in found:
                rows_of[label].append(row)
        similar = similar_labels({label: len(rows) for label, rows in rows_of.items()})
        for label, into in similar.items():
            rows = rows_of[label]
            yield problem(
                rows[0], target.column, "similar_label",
                f"'{label}' in {_rows(len(rows))} is nearly '{into}' in"
                f" {_rows(len(rows_of[into]))}.",
                "Merge them, if they mean the same.", rows=rows,
                detail={"target": name, "label": label, "into": into})
        yield from _few(examined, name, target.column, rows_of, set(similar))
        if kind_of(target.task).one_label:
            yield from _lopsided(name, target.column, rows_of)
        if target.columns:
            known = [s != "" and c is not None for s, c in zip(
                examined.splits, examined.table.column(target.column), strict=True)]
            yield from _seldom(name, rows_of, sum(known))


def _few(
    examined: Examined, name: str, column: str, rows_of: dict[str, list[int]], similar: set[str]
) -> Iterator[Problem]:
    splits = examined.splits
    for label, rows in rows_of.items():
        if label in similar:
            continue  # merged, it is neither rare nor unknown
        trained = [row for row in rows if splits[row] == "train"]
        if not trained:
            for row in rows:
                yield problem(
                    row, column, "unknown_label",
                    f"'{label}' does not occur in the training rows of '{name}'.",
                    "Add training rows, or correct the spelling.")
        elif len(trained) == 1:
            yield problem(
                trained[0], column, "rare_label",
                f"'{label}' occurs once in the training rows of '{name}'.",
                "Add samples, merge it with another class, or leave the row out.")


def _lopsided(name: str, column: str, rows_of: dict[str, list[int]]) -> Iterator[Problem]:
    """One label that nearly all rows have."""
    count = sum(map(len, rows_of.values()))
    most = max(rows_of, key=lambda label: len(rows_of[label]), default="")
    if 1 < len(rows_of) and len(rows_of[most]) >= LOPSIDED * count:
        rest = [row for label, rows in rows_of.items() if label != most for row in rows]
        yield problem(
            -1, column, "lopsided",
            f"{len(rows_of[most]):,} of {count:,} rows have the label '{most}' of '{name}'.",
            f"Set targets.{name}.class_weights = true, or add samples of the others.",
            rows=sorted(rest))


def _seldom(name: str, rows_of: dict[str, list[int]], count: int) -> Iterator[Problem]:
    """Columns of yes and no that nearly always say no, which as targets of their own are told too.

    Lists of labels hold many such, and nobody needs to be told.
    """
    for label, rows in rows_of.items():
        if 1 < len(rows) <= (1 - LOPSIDED) * count + 1e-9:
            yield problem(
                -1, label, "lopsided", f"'{label}' of '{name}' applies to {len(rows):,} of "
                f"{count:,} rows.",
                f"Set targets.{name}.class_weights = true, or add samples of it.",
                rows=sorted(rows))


def _no_numbers(examined: Examined, name: str, column: str) -> Iterator[Problem]:
    """Cells that hold no number, and numbers far from all others."""
    cells = examined.table.column(column)
    numbers = read_numbers(cells)
    odd = numbers.odd[examined.splits[numbers.odd] != ""].tolist()
    yield from row_problems(
        odd, column, "no_number",
        lambda row: f"'{cells[row]}' is not a number, but '{name}' is a regression.",
        "Write it like 3.5, or empty the cell.")
    yield from far_problems(examined, cells, numbers, name, column, "far_off")


def similar_labels(counts: dict[str, int]) -> dict[str, str]:
    """Labels that differ from a more frequent one in case, blanks or dashes only: to that one."""
    spelt: dict[str, list[str]] = defaultdict(list)
    for label in counts:
        spelt[_plain(label)].append(label)
    result: dict[str, str] = {}
    for plain, labels in spelt.items():
        if plain and len(labels) > 1:
            first, *others = sorted(labels, key=lambda label: (-counts[label], label))
            result |= dict.fromkeys(others, first)
    return result


def _plain(label: str) -> str:
    text = unicodedata.normalize("NFKC", label).casefold()
    # a dash before a number is its sign
    kept = "".join(" " if c in "-_" and i else c for i, c in enumerate(text))
    return "".join(kept.split())


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"
