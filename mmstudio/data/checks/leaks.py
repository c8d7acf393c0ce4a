"""Texts and file names that tell the label."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from mmstudio.data.checks.examined import Examined, Input, has_labels, labels_of, words_of
from mmstudio.data.checks.problem import Problem, problem
from mmstudio.errors import UserError
from mmstudio.experiment import TargetSettings
from mmstudio.modalities import MODALITIES
from mmstudio.modalities.text import read_text

FEWEST_ROWS = 10
LEAST_OWN = 0.9
MOST_OTHERS = 0.1
"""A class is suspicious whose label stands in so many of its texts, and in no more of others'."""
LEAST_CONCERNED = 0.05
"""Of all labelled texts, in suspicious classes together. That the few texts about hearts say
"heart" is language; from here on it makes the figures."""
OTHERS_LOOKED_AT = 2000
LEAST_RIGHT = 0.8
FEWEST_NAMES = 3
"""Of the names that hold any label, so many must hold their own: fewer is chance."""
MOST_WORDS = 6


def text_problems(examined: Examined) -> Iterator[Problem]:
    """Classes whose label stands in nearly all of their texts, and hardly in others'."""
    for content in examined.inputs.values():
        if not MODALITIES.get(content.settings.modality).holds_words:
            continue
        texts = [_spaced(value) for value in content.values]
        for name, target in _targets(examined):
            labels = [found if text and split else [] for found, text, split in zip(
                labels_of(examined.table, target), texts, examined.splits, strict=True)]
            known = sum(bool(found) for found in labels)
            telling = _telling(labels, texts)
            if sum(len(rows) for rows, _ in telling.values()) < LEAST_CONCERNED * known:
                continue
            for label, (rows, count) in telling.items():
                yield problem(
                    rows[0], content.settings.column, "text_holds_label",
                    f"{len(rows):,} of {count:,} texts of '{label}' ({name}) hold that label, and"
                    " hardly any other text does.",
                    "Take the label out of the texts, if they will come without it.", rows=rows)


def _telling(labels: list[list[str]], texts: list[str]) -> dict[str, tuple[list[int], int]]:
    """Per suspicious label the rows whose text holds it, and how many rows have it."""
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, found in enumerate(labels):
        for label in found:
            rows_of[label].append(row)
    result = {}
    for label, rows in rows_of.items():
        mark = f" {' '.join(words_of(label))} "
        if len(rows) < FEWEST_ROWS or not mark.strip():
            continue
        holding = [row for row in rows if mark in texts[row]]
        if len(holding) >= LEAST_OWN * len(rows):
            others = [row for row, found in enumerate(labels) if found and label not in found]
            if _rare_elsewhere(mark, texts, others):
                result[label] = holding, len(rows)
    return result


def _rare_elsewhere(mark: str, texts: list[str], rows: list[int]) -> bool:
    step = max(1, len(rows) // OTHERS_LOOKED_AT)
    looked = rows[::step]
    return sum(mark in texts[row] for row in looked) <= MOST_OTHERS * len(looked)


def name_problems(examined: Examined) -> Iterator[Problem]:
    """File names that hold their row's label, where that can't be chance."""
    for content in examined.inputs.values():
        for name, target in _targets(examined):
            yield from _names(examined, content, name, target)


def _names(
    examined: Examined, content: Input, name: str, target: TargetSettings
) -> Iterator[Problem]:
    labels = labels_of(examined.table, target)
    known = {" ".join(words_of(label)): label for found in labels for label in found}
    known.pop("", None)
    telling, wrong, files = [], 0, 0
    for row, value in enumerate(content.values):
        if not isinstance(value, Path) or not examined.splits[row]:
            continue
        files += 1
        held = _labels_in(value.stem, known)
        own = set(labels[row])
        if held and held <= own:
            telling.append(row)
        elif held:
            wrong += 1
    if len(telling) < FEWEST_NAMES or len(telling) < LEAST_RIGHT * (len(telling) + wrong):
        return
    if len(telling) > files / 2:
        yield problem(
            -1, content.settings.column, "name_holds_label",
            f"{len(telling):,} of {files:,} file names hold the label of '{name}', as"
            f" {Path(str(content.values[telling[0]])).name!r}.",
            "Rename the files, if that matters.", rows=telling)
        return
    for row in telling:
        yield problem(
            row, content.settings.column, "name_holds_label",
            f"The name {Path(str(content.values[row])).name!r} holds the label"
            f" '{', '.join(labels[row])}' of '{name}'.", "Rename the file, if that matters.")


def _labels_in(stem: str, known: dict[str, str]) -> set[str]:
    words = words_of(stem)
    return {
        known[text]
        for first in range(len(words))
        for last in range(first + 1, min(first + MOST_WORDS, len(words)) + 1)
        if (text := " ".join(words[first:last])) in known
    }


def _targets(examined: Examined) -> Iterator[tuple[str, TargetSettings]]:
    for name, target in examined.experiment.active_targets.items():
        if has_labels(target) and target.column in examined.table.columns:
            yield name, target


def _spaced(value: str | Path | None) -> str:
    """A text's words between blanks; "" where there is none."""
    try:
        words = words_of(read_text(value)) if value is not None else []
    except UserError:
        return ""
    return f" {' '.join(words)} " if words else ""
