"""An experiment is a frozen value, read from and written to a small TOML file.

Only ``[data] table``, one input and one target are required. Names and options of modalities are
checked here; those of encoders, fusions and tasks by ``training.model.completed``, which knows
their classes (they need torch, and reading a file must not).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmstudio.errors import UserError, nearest
from mmstudio.experiment_reading import (
    INPUT_KEYS,
    TARGET_KEYS,
    only_known,
    read_component,
    read_data,
    read_input,
    read_target,
    table_at,
)
from mmstudio.experiment_settings import (
    AUTO,
    MODALITY_DROPOUT,
    Component,
    DataSettings,
    Fold,
    InputSettings,
    SplitShares,
    TargetSettings,
    TrainingSettings,
    training_options,
)
from mmstudio.experiment_writing import (
    bring_to,
    data_table,
    input_table,
    target_table,
    training_table,
)
from mmstudio.portable import relative
from mmstudio.reading import parse_toml, read_text, reading
from mmstudio.registry import checked_options
from mmstudio.safe_files import write_whole

MOST_BYTES = 1_000_000
"""Of an experiment file; with a thousand inputs it has a tenth of that."""

__all__ = [
    "AUTO",
    "MODALITY_DROPOUT",
    "Component",
    "DataSettings",
    "Experiment",
    "Fold",
    "InputSettings",
    "SplitShares",
    "TargetSettings",
    "TrainingSettings",
    "training_options",
    "value_of_text",
]


@dataclass(frozen=True)
class Experiment:
    """All that a run needs to know."""

    data: DataSettings
    inputs: dict[str, InputSettings]
    targets: dict[str, TargetSettings]
    fusion: Component = field(default_factory=lambda: Component("concat"))
    training: TrainingSettings = field(default_factory=TrainingSettings)

    @property
    def active_inputs(self) -> dict[str, InputSettings]:
        """The inputs that the model uses."""
        return {name: i for name, i in self.inputs.items() if i.use}

    @property
    def input_dropout(self) -> list[float]:
        """Per input that the model uses, the chance that it is hidden from a training sample."""
        general = self.training.modality_dropout
        return [general if i.modality_dropout is None else i.modality_dropout
                for i in self.active_inputs.values()]

    @property
    def active_targets(self) -> dict[str, TargetSettings]:
        """The targets that the model learns."""
        return {name: t for name, t in self.targets.items() if t.use}

    @classmethod
    def load(cls, path: Path | str) -> Experiment:
        """Read an experiment file; published models that lie beside it get their whole paths.

        Raises:
            UserError: The file is missing, not TOML, or holds something that is not allowed.
        """
        path = Path(path)
        try:
            text = read_text(path, MOST_BYTES)
        except FileNotFoundError:
            raise UserError(f"There is no experiment file {path}.",
                            "Give the path of an experiment.toml.") from None
        except IsADirectoryError:
            raise UserError(f"{path} is a folder.",
                            f"Give the file in it: {path / 'experiment.toml'}.") from None
        except (OSError, ValueError) as error:
            raise UserError(f"{path} can't be read: {error}.", "It must be UTF-8 text.") from None
        try:
            with reading(path, "Fix it, or write it again."):
                return cls.parse(text)._with_models_in(path.resolve().parent)
        except UserError as error:
            named = error.message.startswith(str(path))
            raise UserError(error.message if named else f"{path}: {error.message}",
                            error.hint) from None

    def _with_models_in(self, folder: Path) -> Experiment:
        """With whole paths for the models that are named from ``folder``: a run lies elsewhere."""
        inputs = dict(self.inputs)
        for name, settings in inputs.items():
            model = settings.encoder.options.get("model")
            if not isinstance(model, str) or not model or Path(model).is_absolute():
                continue
            place = folder / model
            if place.is_file() or (place / "config.json").is_file():
                encoder = Component(settings.encoder.name,
                                    settings.encoder.options | {"model": str(place.resolve())})
                inputs[name] = replace(settings, encoder=encoder)
        return replace(self, inputs=inputs)

    def seen_from(self, folder: Path) -> Experiment:
        """With published models that lie on this disk named from ``folder``, as a file there may.

        ``load`` gives them their whole paths again.
        """
        inputs = dict(self.inputs)
        for name, settings in inputs.items():
            model = settings.encoder.options.get("model")
            if isinstance(model, str):
                options = settings.encoder.options | {"model": relative(model, folder)}
                encoder = Component(settings.encoder.name, options)
                inputs[name] = replace(settings, encoder=encoder)
        return replace(self, inputs=inputs)

    @classmethod
    def parse(cls, text: str) -> Experiment:
        """Read an experiment from TOML text. Raises UserError."""
        try:
            return cls.from_dict(parse_toml(text))
        except tomllib.TOMLDecodeError as error:
            raise UserError(f"Not valid TOML: {error}.", "Fix that line.") from None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Experiment:
        """Check plain data and make an experiment of it. Raises UserError with the key's path."""
        only_known(data, "", {"data", "inputs", "fusion", "targets", "training"})
        inputs = {n: read_input(t, f"inputs.{n}") for n, t in table_at(data, "inputs", "").items()}
        targets = {
            n: read_target(t, n, f"targets.{n}") for n, t in table_at(data, "targets", "").items()
        }
        for kind, group in (("input", inputs), ("target", targets)):
            if not group:
                raise UserError(f"The experiment has no {kind}.",
                                f"Add a table [{kind}s.NAME] with its column.")
            if not any(item.use for item in group.values()):
                raise UserError(f"Every {kind} is switched off.",
                                f"Set use = true for at least one {kind}.")
        if "loss" in targets:
            # figures stand under their target's name beside "loss", the sum over the targets
            raise UserError("targets.loss is a reserved name.",
                            'Choose another name, and keep column = "loss".')
        training = table_at(data, "training", "")
        return cls(
            data=read_data(table_at(data, "data", "")),
            inputs=inputs,
            targets=targets,
            fusion=read_component(data.get("fusion", {}), "fusion", "concat"),
            training=TrainingSettings(**checked_options(training_options(), training, "training")),
        )

    def to_dict(self, *, full: bool = True) -> dict[str, Any]:
        """Plain data; without ``full``, what equals its default is left out."""
        data = {
            "data": data_table(self.data, full),
            "inputs": {n: input_table(i, full) for n, i in self.inputs.items()},
            "fusion": self.fusion.to_dict(),
            "targets": {n: target_table(t, n, full) for n, t in self.targets.items()},
        }
        if training := training_table(self.training, full):
            data["training"] = training
        return data

    def to_toml(self, *, full: bool = True) -> str:
        """The experiment as TOML text, every default written out when ``full``."""
        import tomlkit

        document = tomlkit.document()
        bring_to(document, self.to_dict(full=full), self.to_dict())
        return tomlkit.dumps(document)

    def save(self, path: Path) -> None:
        """Write the file, by way of a rename; comments of a file that is there are kept.

        Raises:
            OSError: It can't be written.
        """
        import tomlkit
        from tomlkit.exceptions import ParseError, TOMLKitError

        path = Path(path)
        document = tomlkit.document()
        if path.exists():
            try:
                document = tomlkit.parse(path.read_text(encoding="utf-8"))
            except (ParseError, UnicodeDecodeError):
                path.replace(path.with_suffix(".toml.broken"))
        try:
            bring_to(document, self.to_dict(full=False), self.to_dict())
            text = tomlkit.dumps(document)
            kept = Experiment.parse(text) == self
        except (UserError, TOMLKitError, ValueError):
            kept = False
        if not kept:
            # a layout that can't be edited in place, such as dotted keys: comments are lost
            text = self.to_toml(full=False)
        write_whole(path, text)

    def replaced(self, key: str | Sequence[str], value: Any) -> Experiment:
        """A copy with one key changed.

        Args:
            key: The key's path as in the file, ``"training.epochs"``, or its parts
                ``("inputs", "my picture", "use")``. A new name of an encoder, fusion or task
                drops the options of the old one; a new modality of an input, its encoder too.
            value: Its new value.

        Raises:
            UserError: The key or the value is not allowed.
        """
        parts = _key_parts(key) if isinstance(key, str) else list(key)
        data = self.to_dict()
        table: Any = data
        for i, part in enumerate(parts[:-1]):
            if isinstance(table, dict) and part not in table and len(parts) > 2 and i < 2:
                raise UserError(f"{'.'.join(parts[: i + 1])} is not a known key.",
                                nearest(part, table))
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                raise UserError(f"{'.'.join(parts[: i + 1])} holds no keys.",
                                "Give a value for the key itself.")
        component = parts[0] == "fusion" or (len(parts) == 4 and parts[2] == "encoder")
        if component and parts[-1] == "name" and table.get("name") != value:
            table.clear()
        if len(parts) == 3 and parts[0] == "inputs" and parts[-1] == "modality":
            if table.get("modality") != value:
                for option in set(table) - (INPUT_KEYS - {"encoder"}):
                    del table[option]
                if columns := table.pop("columns", None):  # not every modality reads several
                    table["column"] = columns[0]
        if len(parts) == 3 and parts[0] == "targets" and parts[-1] == "task":
            if table.get("task") != value:
                for option in set(table) - TARGET_KEYS:
                    del table[option]
        table[parts[-1]] = value
        return self.from_dict(data)


def value_of_text(text: str) -> Any:
    """The TOML value that a command line's ``key=TEXT`` means; what is not TOML is a string."""
    try:
        data = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return data["value"] if set(data) == {"value"} else text


def _key_parts(key: str) -> list[str]:
    """The parts of a dotted TOML key; quotes guard dots and blanks."""
    try:
        node: Any = tomllib.loads(f"{key} = 0")
    except tomllib.TOMLDecodeError:
        raise UserError(f"{key!r} is not a key.", "Write it like training.epochs.") from None
    parts = []
    while isinstance(node, dict):
        part, node = next(iter(node.items()))
        parts.append(part)
    return parts
