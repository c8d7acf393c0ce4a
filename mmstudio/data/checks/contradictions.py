"""Rows that hold the same in every input and say different things of it."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from mmstudio.data.checks.examined import Examined
from mmstudio.data.checks.problem import MOST_SINGLE, Problem, problem
from mmstudio.modalities import MODALITIES
from mmstudio.tasks.kinds import kind_of

SHORTEST_TEXT = 20
"""Characters: shorter texts alone repeat by nature, as 'yes' and 'thank you' do."""
REMEDY = ("Correct them; where several labels apply to one sample, write them into one cell of one "
          "row, such as 'cat|dog'.")


def contradiction_problems(examined: Examined) -> Iterator[Problem]:
    """One problem per sample and target that rows of the same sample label differently.

    Samples are the same where all inputs' cells are: the same file, the same text. Rows of
    numbers and categories alone may well be alike and differ in what becomes of them.
    """
    columns = _columns(examined)
    if not columns:
        return
    frame = examined.table.frame.select(columns).with_row_index("\0row")
    frame = frame.filter(pl.Series(examined.splits != ""))
    frame = frame.filter(pl.any_horizontal(pl.col(c).is_not_null() for c in columns))
    alike = frame.group_by(columns, maintain_order=True).agg(pl.col("\0row")).filter(
        pl.col("\0row").list.len() > 1)
    for target in examined.experiment.active_targets.values():
        if target.column not in examined.table.columns or not kind_of(target.task).one_label:
            continue
        labels = examined.table.column(target.column).to_list()
        found = []
        for rows in alike["\0row"].to_list():
            known = [row for row in rows if labels[row] is not None]
            said = list(dict.fromkeys(labels[row] for row in known))
            if len(said) > 1:
                found.append((known, said))
        if len(found) > MOST_SINGLE:  # as where several people labelled each sample
            every = sorted(row for rows, _ in found for row in rows)
            yield problem(every[0], target.column, "contradiction",
                          f"{len(found):,} samples are in several rows, with different labels.",
                          REMEDY, rows=every)
            continue
        for rows, said in found:
            yield _problem(target.column, columns, examined, rows, said)


def _columns(examined: Examined) -> list[str]:
    """Those that tell samples apart; none where cells repeat by nature."""
    found, telling = [], False
    for content in examined.inputs.values():
        settings = content.settings
        modality = MODALITIES.get(settings.modality)
        named = [c for c in (settings.columns or [settings.column])
                 if c in examined.table.columns]
        found += named
        if content.fingerprints is not None:
            telling = True
        elif modality.holds_words and named:
            lengths = examined.table.column(named[0]).str.len_chars()
            telling |= float(lengths.mean() or 0) >= SHORTEST_TEXT  # type: ignore[arg-type]
    return list(dict.fromkeys(found)) if telling else []


def _problem(
    column: str, columns: list[str], examined: Examined, rows: list[int], said: list[str]
) -> Problem:
    sample = examined.table.cell(rows[0], columns[0]) or columns[0]
    shown = sample if len(sample) <= 60 else f"{sample[:57]}…"
    labels = " and ".join(f"'{label}'" for label in said[:3]) + (" …" if len(said) > 3 else "")
    return problem(
        rows[0], column, "contradiction", f"{shown} is in {len(rows)} rows, as {labels}.",
        REMEDY, rows=rows)
