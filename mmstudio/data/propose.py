"""A first proposal of what a table's columns are: inputs, targets, the split, what to leave."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from mmstudio.column_cells import Cells
from mmstudio.data.columns import Column, Guess, guess_column
from mmstudio.data.joined_labels import INTO, is_one_label, joined_targets
from mmstudio.data.propose_table import with_table
from mmstudio.data.table import Table
from mmstudio.errors import UserError
from mmstudio.experiment import (
    AUTO,
    Component,
    DataSettings,
    Experiment,
    InputSettings,
    SplitShares,
    TargetSettings,
)
from mmstudio.modalities import MODALITIES
from mmstudio.tasks.kinds import ONE_LABEL, find_kind

__all__ = ["Column", "experiment_from_columns", "propose_columns"]

TWIN_ROWS = 200
LEAST_OFTEN = 4
MOST_SWITCHES = 64
MOST_TARGETS = 4
"""With more columns that could be predicted, only those count whose name says so."""


def propose_columns(table: Table) -> list[Column]:
    """One proposal per column, with its reason.

    At most one split and one group; at least one target where that is possible. Columns are
    looked at together too: of two splits the one that keeps groups together is taken, of two
    columns that say the same only one is to be predicted, and numbers and categories that are left
    make one input.
    """
    guesses = {name: guess_column(table, name) for name in table.columns}
    columns = [_made(table, cells, guess) for cells, guess in guesses.values()]
    columns = _no_twin_files(table, columns)
    columns = _some_target(columns, guesses)
    columns = _no_coarser_groups(table, columns)
    columns = _one_group(columns)
    columns = _one_split(table, columns)
    columns = _no_twins(table, columns)
    columns = _fewer_targets(columns, guesses)
    return with_table(table, columns, guesses)


def _made(table: Table, cells: Cells, guess: Guess) -> Column:
    return Column(
        cells.name, guess.role, guess.kind if guess.role == "input" else None,
        guess.kind if guess.role == "target" else None, cells.distinct,
        len(table) - len(cells.known), tuple(cells.some[:3]), dict(guess.options), guess.reason)


def _in_cells(column: Column) -> bool:
    """Whether an input's contents stand in the cells, and in no folder of files."""
    return (column.modality is not None and MODALITIES.get(column.modality).in_cells
            and not column.options)


def _left(column: Column, reason: str) -> Column:
    return replace(column, role="ignore", modality=None, task=None, options={}, reason=reason)


def _no_twin_files(table: Table, columns: Sequence[Column]) -> list[Column]:
    """Of columns that name the same files (id and path) the one that does so by itself is used."""
    chosen: dict[tuple[str, ...], Column] = {}
    left = {}
    for column in columns:
        if column.role != "input" or _in_cells(column):
            continue
        places = table.places(column.name)
        cells = table.column(column.name).head(TWIN_ROWS).to_list()
        files = tuple("" if c is None else str(places.path(c)) for c in cells)
        other = chosen.setdefault(files, column)
        if other is column or places.share == 0:
            continue
        worse = column
        if places.level < table.places(other.name).level:
            chosen[files], worse = column, other
        left[worse.name] = f"Names the same files as '{chosen[files].name}'."
    return [_left(c, left[c.name]) if c.name in left else c for c in columns]


def _some_target(
    columns: Sequence[Column], guesses: Mapping[str, tuple[Cells, Guess]]
) -> list[Column]:
    """Where nothing else can be predicted, what would be a group is asked for: which animal."""
    groups = [c for c in columns
              if c.role == "group" and guesses[c.name][0].repeated >= LEAST_OFTEN]
    if not groups or any(c.role == "target" and not guesses[c.name][1].seldom for c in columns):
        return list(columns)
    chosen = min(groups, key=lambda c: c.distinct)
    return [replace(c, role="target", task=ONE_LABEL.task, reason=(
        f"{c.distinct:,} different values that repeat, and nothing else can be predicted. Choose "
        "“Keep together” if it says who or what a row is of."))
        if c is chosen else c for c in columns]


def _no_coarser_groups(table: Table, columns: Sequence[Column]) -> list[Column]:
    """A column that a label determines is a coarser label, no group: families of instruments."""
    labels = [c for c in columns if is_one_label(c)]
    result = []
    for column in columns:
        finer = next((c for c in labels if column.role == "group"
                      and determines(table, c.name, column.name)), None)
        result.append(column if finer is None else replace(
            column, role="target", task=ONE_LABEL.task,
            reason=f"Follows from '{finer.name}': a coarser label, not who or what a row is of."))
    return result


def determines(table: Table, finer: str, coarser: str) -> bool:
    """Whether all rows of one value of a column have one value of another, which are fewer."""
    pairs = table.frame.select(pl.col(finer).alias("finer"), pl.col(coarser).alias("coarser"))
    pairs = pairs.drop_nulls().unique()
    fine, coarse = pairs["finer"].n_unique(), pairs["coarser"].n_unique()
    return 1 < coarse <= fine == pairs.height


def _one_group(columns: Sequence[Column]) -> list[Column]:
    """The group with the fewest values holds the others, as a hospital its patients."""
    groups = [c for c in columns if c.role == "group"]
    if len(groups) < 2:
        return list(columns)
    # a person is what a model recognises; of what is left, the finer one leaves more to draw from
    chosen = max(groups, key=lambda c: (_is_being(c.name), c.distinct))
    return [c if c.role != "group" or c is chosen else
            _left(c, f"Rows can be kept together by one column only: '{chosen.name}' does.")
            for c in columns]


def _is_being(name: str) -> bool:
    return re.search(r"speaker|person|patient|subject|participant|user|author", name.lower()
                     ) is not None


def _one_split(table: Table, columns: Sequence[Column]) -> list[Column]:
    splits = [c for c in columns if c.role == "split"]
    group = next((c for c in columns if c.role == "group"), None)
    if not splits:
        return list(columns)
    straddling = {c.name: _straddling(table, c.name, group) for c in splits}
    chosen = min(splits, key=lambda c: (straddling[c.name], c.name.lower() != "split",
                                        len(c.name)))
    result = []
    for column in columns:
        bad = straddling.get(column.name, 0)
        if column is chosen:
            reason = column.reason
            if group is not None:
                reason = (f"{reason} {bad} values of '{group.name}' are in several of its parts."
                          if bad else f"Keeps all rows of one '{group.name}' in one part, so the "
                          "test is of ones never met in training.")
            column = replace(column, reason=reason)
        elif column.role == "split":
            why = f"'{chosen.name}' is the split"
            if bad and group is not None:
                why += (f": in this one {bad} of {group.distinct} values of '{group.name}' are "
                        "in several parts, which makes the test too easy")
            column = _left(column, f"{why}.")
        elif column is group:
            told = ("is kept together by" if not straddling[chosen.name] else
                    "should stay together, but is not kept so by")
            column = replace(column, reason=f"Each '{column.name}' {told} the split "
                                            f"'{chosen.name}'.")
        result.append(column)
    return result


def _straddling(table: Table, split: str, group: Column | None) -> int:
    """How many groups have rows in several parts of a split."""
    if group is None:
        return 0
    pairs = table.frame.select(pl.col(group.name).alias("group"), pl.col(split).alias("split"))
    kinds = pairs.drop_nulls().group_by("group").agg(pl.col("split").n_unique())
    return int((kinds["split"] > 1).sum())


def _no_twins(table: Table, columns: Sequence[Column]) -> list[Column]:
    """Of columns that say the same in other words (label, label_id) one is to be predicted."""
    result: list[Column] = []
    for column in columns:
        twin = None
        if is_one_label(column):
            twin = next((c for c in result if is_one_label(c)
                         and c.distinct == column.distinct and _same(table, c, column)), None)
        if twin is None:
            result.append(column)
            continue
        told, coded = (twin, column)
        if _is_coded(twin) and not _is_coded(column):
            told, coded = column, twin
        left = _left(coded, f"Says the same as '{told.name}'.")
        result = [left if c is coded else c for c in result] + [told if coded is twin else left]
    return result


def _same(table: Table, a: Column, b: Column) -> bool:
    pairs = table.frame.select(a.name, b.name).drop_nulls().unique()
    return pairs.height == a.distinct == b.distinct


def _is_coded(column: Column) -> bool:
    return all(e.lstrip("-").isdigit() for e in column.examples)


def _fewer_targets(
    columns: Sequence[Column], guesses: Mapping[str, tuple[Cells, Guess]]
) -> list[Column]:
    """The columns that are most likely asked for stay targets.

    Of switches (0 or 1) that are three or more, all are treated alike.
    """
    targets = [c for c in columns if c.role == "target"]
    usual = [c for c in targets if not guesses[c.name][1].seldom] or targets
    sure = [c for c in usual if guesses[c.name][1].sure]
    switches = [c for c in usual if c not in sure and guesses[c.name][0].is_switch]
    switches = switches if 3 <= len(switches) <= MOST_SWITCHES else []
    others = [c for c in usual if c not in switches]
    numbers_only = all(_is_number(c) for c in usual)
    labelled = not all(_is_number(c) for c in sure)
    if len(others) > MOST_TARGETS:
        kept = (sure or others)[:MOST_TARGETS]
    else:
        # a number beside a label is more often a measurement than what is asked for
        kept = [c for c in others if c in sure or not (
            (_is_number(c) and (not numbers_only or switches))
            or (labelled and (_is_coded(c) or guesses[c.name][0].is_switch)))]
    kept += switches if not labelled else []
    return [replace(c, reason=_of_switches(c, len(switches))) if c in kept and c in switches
            else c if c.role != "target" or c in kept else _left(c, _not_asked(c, usual))
            for c in columns]


def _is_number(column: Column) -> bool:
    kind = find_kind(column.task)
    return kind is not None and kind.numeric


def _gives_strata(target: TargetSettings) -> bool:
    kind = find_kind(target.task)
    return kind is not None and kind.one_label


def _of_switches(column: Column, count: int) -> str:
    return (f"Says of each row whether it is so, as {count} columns do: each is a label of its "
            "own. They can be one target of several labels.")


def _not_asked(column: Column, usual: Sequence[Column]) -> str:
    if column not in usual:
        return ("Could be predicted too; times, sizes, places and counts of votes are seldom what "
                "one wants to predict.")
    return "Could be predicted too; choose its task to do so."


TABLE = "table"
"""The usual name of an input of several columns."""


def _free_name(columns: Sequence[Column]) -> str:
    """A name for the input of several columns that is not a column's."""
    taken = {c.name for c in columns if c.role in ("input", "target")}
    return next(n for n in (TABLE, *(f"{TABLE} {i}" for i in range(2, len(taken) + 3)))
                if n not in taken)


def _with_column(before: InputSettings | None, column: Column) -> InputSettings:
    """The input that reads one more column."""
    if before is None:
        return InputSettings("", str(column.modality), Component(AUTO), columns=(column.name,))
    return replace(before, columns=(*before.columns, column.name))


def experiment_from_columns(table_text: str, columns: Sequence[Column]) -> Experiment:
    """The experiment with default settings that these roles mean.

    Where shares give the split, the first target's classes are shared out alike.

    Args:
        table_text: The table as the experiment file names it.
        columns: The roles, as proposed or as the user changed them.

    Raises:
        UserError: No input or no target among them.
    """
    inputs: dict[str, InputSettings] = {}
    targets = {}
    split: str | SplitShares = SplitShares()
    group = next((c.name for c in columns if c.role == "group"), None)
    if group is not None:
        split = SplitShares(group=group)
    for column in columns:
        if column.role == "input" and column.modality is not None:
            encoder = Component(AUTO)
            if MODALITIES.get(column.modality).several_columns:
                name = str(column.options.get("input", _free_name(columns)))
                inputs[name] = _with_column(inputs.get(name), column)
                continue
            plain = column.name.lower() in ("file_name", "filename", "file", "path")
            name = re.sub(r"_(file_?name|file|path)$", "", column.name)
            name = column.modality if plain else name
            name = column.name if name in inputs or not name else name
            inputs[name] = InputSettings(column.name, column.modality, encoder,
                                         folder=column.options.get("folder"))
        elif column.role == "target" and INTO not in column.options:
            name = "loss label" if column.name == "loss" else column.name  # "loss" is taken
            task = column.task or ONE_LABEL.task
            targets[name] = TargetSettings(task, column.name, options=dict(column.options))
        elif column.role == "split":
            split = column.name
    targets |= joined_targets(columns)
    if not inputs:
        raise UserError("No column holds pictures, texts, sounds or numbers to learn from.",
                        "Mark at least one column as an input.")
    if not targets:
        raise UserError("No column says what to predict.", "Mark at least one as a target.")
    if isinstance(split, SplitShares) and group is None:
        # a rare class that luck leaves out of the training or the validation costs most
        split = replace(split, stratify=next(
            (t.column for t in targets.values() if _gives_strata(t)), None))
    # beside a column that gives the split, the check looks whether it keeps the group together
    apart = group if isinstance(split, str) else None
    experiment = Experiment(DataSettings(table_text, split, group=apart), inputs, targets)
    return Experiment.from_dict(experiment.to_dict())
