"""In which settings experiments differ, every default counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mmstudio.experiment import Experiment
from mmstudio.experiment_keys import by_path


@dataclass(frozen=True)
class Difference:
    """A setting that is not the same in all experiments.

    Attributes:
        key: Its path as in the file: ``training.epochs``, ``inputs.image.encoder.name``.
        values: Per experiment its value as plain data; None where it has no such setting.
    """

    key: str
    values: tuple[Any, ...]


def differing_settings(experiments: Sequence[Experiment]) -> list[Difference]:
    """The settings in which experiments differ, in the order in which files have them.

    An input that only some have is one difference, ``inputs.sound``: true or None, and its
    settings are not told one by one; so is a target.
    """
    all_settings = [dict(_settings(experiment)) for experiment in experiments]
    keys = dict.fromkeys(key for settings in all_settings for key in settings)
    found = []
    for key in keys:
        values = tuple(settings.get(key) for settings in all_settings)
        lacked = any(_owner(key) not in settings for settings in all_settings)
        if lacked and key != _owner(key):
            continue
        if any(value != values[0] for value in values[1:]):
            found.append(Difference(".".join(key), values))
    return found


def _settings(experiment: Experiment) -> Iterator[tuple[tuple[str, ...], Any]]:
    data = experiment.to_dict()
    for kind in ("inputs", "targets"):
        for name, table in list(data[kind].items()):
            if not table.get("use", True):
                del data[kind][name]
    for section, table in data.items():
        if section in ("inputs", "targets"):
            for name, settings in table.items():
                yield (section, name), True
                yield from by_path(settings, (section, name))
        else:
            yield from by_path(table, (section,))


def _owner(key: tuple[str, ...]) -> tuple[str, ...]:
    """The input or target that a setting is of; other settings are there or None by themselves."""
    return key[:2] if key[0] in ("inputs", "targets") else key
