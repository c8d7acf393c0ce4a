"""An experiment is a frozen value, read from and written to a small TOML file.

Only ``[data] table``, one input and one target are required. Names and options of modalities are
checked here; those of encoders, fusions and tasks by ``training.model.completed``, which knows
their classes (they need torch, and reading a file must not).
"""

from __future__ import annotations

import dataclasses
import functools
import tomllib
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from mmstudio.errors import UserError, nearest
from mmstudio.modalities import MODALITIES
from mmstudio.registry import (
    Help,
    Option,
    Range,
    checked_options,
    option_from_annotation,
    options_of,
)


@dataclass(frozen=True)
class Component:
    """An encoder or a fusion: its name and the options that the user set."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As it stands in the file."""
        return {"name": self.name, **self.options}


@dataclass(frozen=True)
class SplitShares:
    """Shares of the rows, drawn by the rows' ids.

    Attributes:
        train: Share for training; likewise ``validation`` and ``test``.
        group: A column; rows that are equal in it stay together.
        stratify: A column; each of its values is shared out alike.
        id: A column that names the sample; without it the inputs' cells do.
    """

    train: float = 0.8
    validation: float = 0.1
    test: float = 0.1
    group: str | None = None
    stratify: str | None = None
    id: str | None = None


@dataclass(frozen=True)
class DataSettings:
    """Where the rows come from, and which serve for what.

    Attributes:
        table: A file or folder, relative to the experiment file.
        split: A column's name, or shares.
        group: A column; where a column gives the split, rows equal in ``group`` should lie in one
            split. The check looks at it.
        leave_out: A CSV file beside the experiment file that lists rows to leave out.
    """

    table: str
    split: str | SplitShares = SplitShares()
    group: str | None = None
    leave_out: str | None = None


@dataclass(frozen=True)
class InputSettings:
    """One input: a column of one modality with its encoder; ``options`` are the modality's.

    ``modality_dropout`` is the chance that it is hidden from a training sample; None takes the
    one of ``[training]``.
    """

    column: str
    modality: str
    encoder: Component
    use: bool = True
    options: dict[str, Any] = field(default_factory=dict)
    modality_dropout: float | None = None


@dataclass(frozen=True)
class TargetSettings:
    """One target: a column, its task, its weight in the loss; ``options`` are the task's.

    ``merge`` says which labels mean another one: ``{"Cat" = "cat"}``.
    """

    task: str
    column: str
    weight: float = 1.0
    use: bool = True
    options: dict[str, Any] = field(default_factory=dict)
    merge: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingSettings:
    """How the model is trained. Each field's annotation holds its range and help."""

    epochs: Annotated[int, Range(1, 10_000, "passes over the training rows, at most")] = 40
    batch_size: Annotated[int, Range(1, 4096, "samples per step")] = 64
    learning_rate: Annotated[float, Range(1e-6, 1.0, "highest learning rate")] = 2e-3
    weight_decay: Annotated[float, Range(0.0, 1.0, "pull of the weights towards zero")] = 0.02
    warm_up: Annotated[float, Range(0.0, 0.9, "share of the steps with a rising rate")] = 0.1
    gradient_clip: Annotated[float, Range(0.01, 1000.0, "largest norm of the gradient")] = 1.0
    patience: Annotated[
        int, Range(1, 10_000, "epochs without better validation figures before it stops")
    ] = 16
    modality_dropout: Annotated[
        float, Range(0.0, 0.9, "chance that an input is hidden from a training sample")
    ] = 0.3
    input_loss: Annotated[
        float, Range(0.0, 10.0, "how much each input must answer on its own; 0 only watches it")
    ] = 0.0
    gradient_modulation: Annotated[
        Literal["off", "ogm", "ogm-ge"],
        Help("slow the inputs that learn faster than the others; ogm-ge adds noise"),
    ] = "off"
    modulation_strength: Annotated[
        float, Range(0.0, 10.0, "how much gradient modulation slows them")
    ] = 0.3
    balancing: Annotated[
        Literal["fixed", "uncertainty"],
        Help("how the targets' losses are brought together: by their weights, or by learned "
             "uncertainty too"),
    ] = "fixed"
    augment: Annotated[bool, Help("vary the training samples a little: shifts, noise, masks")] = (
        True
    )
    seed: Annotated[int, Range(0, 2**31 - 1, "the same seed gives the same run")] = 0
    device: Annotated[str, Help("auto, cpu, cuda, cuda:1 or mps")] = "auto"
    precision: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        Help("number format of the layers; auto takes the fastest safe one"),
    ] = "auto"


@functools.cache
def training_options() -> dict[str, Option]:
    """The options of ``[training]``, for the file, the command line and the form."""
    hints = typing.get_type_hints(TrainingSettings, include_extras=True)
    return {
        f.name: option_from_annotation(f.name, hints[f.name], f.default)
        for f in dataclasses.fields(TrainingSettings)
    }


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
    def load(cls, path: Path) -> Experiment:
        """Read an experiment file.

        Raises:
            UserError: The file is missing, not TOML, or holds something that is not allowed.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise UserError(f"There is no experiment file {path}.",
                            "Give the path of an experiment.toml.") from None
        except IsADirectoryError:
            raise UserError(f"{path} is a folder.",
                            f"Give the file in it: {Path(path) / 'experiment.toml'}.") from None
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path} can't be read: {error}.", "It must be UTF-8 text.") from None
        try:
            return cls.parse(text)
        except UserError as error:
            raise UserError(f"{path}: {error.message}", error.hint) from None

    @classmethod
    def parse(cls, text: str) -> Experiment:
        """Read an experiment from TOML text. Raises UserError."""
        try:
            return cls.from_dict(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise UserError(f"Not valid TOML: {error}.", "Mend that line.") from None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Experiment:
        """Check plain data and make an experiment of it. Raises UserError with the key's path."""
        _only(data, "", {"data", "inputs", "fusion", "targets", "training"})
        inputs = {n: _input(t, f"inputs.{n}") for n, t in _table(data, "inputs", "").items()}
        targets = {
            n: _target(t, n, f"targets.{n}") for n, t in _table(data, "targets", "").items()
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
            raise UserError("targets.loss can't be named so: the name is taken.",
                            'Name it otherwise, and keep column = "loss".')
        training = _table(data, "training", "")
        return cls(
            data=_data(_table(data, "data", "")),
            inputs=inputs,
            targets=targets,
            fusion=_component(data.get("fusion", {}), "fusion", "concat"),
            training=TrainingSettings(**checked_options(training_options(), training, "training")),
        )

    def to_dict(self, *, full: bool = True) -> dict[str, Any]:
        """Plain data; without ``full``, what equals its default is left out."""
        split = self.data.split
        if isinstance(split, SplitShares):
            shares = {k: v for k, v in dataclasses.asdict(split).items() if v is not None}
            table = {"table": self.data.table, "split": shares}
            if not full and split == SplitShares():
                del table["split"]
        else:
            table = {"table": self.data.table, "split": split}
        for key in ("group", "leave_out"):
            if (value := getattr(self.data, key)) is not None:
                table[key] = value
        training = dataclasses.asdict(self.training)
        if not full:
            defaults = dataclasses.asdict(TrainingSettings())
            training = {k: v for k, v in training.items() if v != defaults[k]}
        data = {
            "data": table,
            "inputs": {n: _input_dict(i, full) for n, i in self.inputs.items()},
            "fusion": self.fusion.to_dict(),
            "targets": {n: _target_dict(t, n, full) for n, t in self.targets.items()},
        }
        if training:
            data["training"] = training
        return data

    def to_toml(self, *, full: bool = True) -> str:
        """The experiment as TOML text, every default written out when ``full``."""
        import tomlkit

        document = tomlkit.document()
        _merge(document, self.to_dict(full=full), self.to_dict())
        return tomlkit.dumps(document)

    def save(self, path: Path) -> None:
        """Write the file, by way of a rename; comments of a file that is there are kept."""
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
            _merge(document, self.to_dict(full=False), self.to_dict())
            text = tomlkit.dumps(document)
            kept = Experiment.parse(text) == self
        except (UserError, TOMLKitError, ValueError):
            kept = False
        if not kept:
            # a layout that can't be edited in place, such as dotted keys: comments are lost
            text = self.to_toml(full=False)
        beside = path.with_name(path.name + ".new")
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)

    def replaced(self, key: str | Sequence[str], value: Any) -> Experiment:
        """A copy with one key changed.

        Args:
            key: The key's path as in the file, ``"training.epochs"``, or its parts
                ``("inputs", "my picture", "use")``. A new name of an encoder, fusion or task
                drops the options of the old one.
            value: Its new value.

        Raises:
            UserError: The key or the value is not allowed.
        """
        parts = _key_parts(key) if isinstance(key, str) else list(key)
        data = self.to_dict()
        table: Any = data
        for i, part in enumerate(parts[:-1]):
            if isinstance(table, dict) and part not in table and len(parts) > 2 and i < 2:
                raise UserError(f"{'.'.join(parts[: i + 1])} is no known key.",
                                nearest(part, table))
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                raise UserError(f"{'.'.join(parts[: i + 1])} holds no keys.",
                                "Give a value for the key itself.")
        component = parts[0] == "fusion" or (len(parts) == 4 and parts[2] == "encoder")
        if component and parts[-1] == "name" and table.get("name") != value:
            table.clear()
        if len(parts) == 3 and parts[0] == "targets" and parts[-1] == "task":
            if table.get("task") != value:
                for option in set(table) - _TARGET_KEYS:
                    del table[option]
        table[parts[-1]] = value
        return self.from_dict(data)


def value_of_text(text: str) -> Any:
    """The TOML value that a command line's ``key=TEXT`` means; what is no TOML is a string."""
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


def _only(table: Mapping[str, Any], path: str, known: set[str]) -> None:
    for key in table:
        if key not in known:
            raise UserError(f"{path}{'.' if path else ''}{key} is no known key.",
                            nearest(key, known))


def _table(data: Mapping[str, Any], key: str, path: str) -> Mapping[str, Any]:
    value = data.get(key, {})
    if not isinstance(value, Mapping):
        raise UserError(f"{path}{key} = {value!r} is no table.", f"Write it as [{key}].")
    return value


def _text(table: Mapping[str, Any], key: str, path: str, default: str | None = None) -> str:
    value = table.get(key, default)
    if value is None:
        raise UserError(f"{path}.{key} is missing.", f'Add {key} = "…".')
    if not isinstance(value, str) or not value:
        raise UserError(f"{path}.{key} = {value!r} is no text.", "Put it in quotes.")
    return value


_USE = Option("use", "bool", True, "")
MODALITY_DROPOUT = Option(
    "modality_dropout", "float", TrainingSettings.modality_dropout,
    "chance that this input is hidden from a training sample", 0.0, 0.9)
_WEIGHT = Option("weight", "float", 1.0, "", 0.0, 1e6)
_TARGET_KEYS = {"task", "column", "weight", "use", "merge"}
_SHARE = Option("share", "float", 0.1, "", 0.0, 1.0)


def _component(value: Any, path: str, default: str) -> Component:
    if isinstance(value, str):
        return Component(_text({"name": value}, "name", path))
    if not isinstance(value, Mapping):
        raise UserError(f"{path} = {value!r} is no table.",
                        f'Write {path.rpartition(".")[2]} = {{ name = "{default}" }}.')
    name = _text(value, "name", path, default)
    return Component(name, {k: v for k, v in value.items() if k != "name"})


def _data(table: Mapping[str, Any]) -> DataSettings:
    _only(table, "data", {"table", "split", "group", "leave_out"})
    more = {k: _text(table, k, "data") for k in ("group", "leave_out") if k in table}
    split = table.get("split", {})
    if isinstance(split, Mapping):
        columns = ("group", "stratify", "id")
        _only(split, "data.split", {"train", "validation", "test", *columns})
        values: dict[str, Any] = {
            k: _text(split, k, "data.split") if k in columns
            else _SHARE.checked(v, f"data.split.{k}") for k, v in split.items()}
        shares = SplitShares(**values)
        total = shares.train + shares.validation + shares.test
        if abs(total - 1) > 0.001 or shares.train <= 0:
            raise UserError(f"The shares in data.split add up to {total:g}.",
                            "Let train, validation and test add up to 1, with train above 0.")
        return DataSettings(_text(table, "table", "data"), shares, **more)
    return DataSettings(_text(table, "table", "data"), _text(table, "split", "data"), **more)


def _input(table: Any, path: str) -> InputSettings:
    if not isinstance(table, Mapping):
        raise UserError(f"{path} = {table!r} is no table.", f"Write it as [{path}].")
    modality = _text(table, "modality", path)
    cls = MODALITIES.get(modality, f"{path}.modality")
    options = options_of(cls)
    _only(table, path, {"column", "modality", "encoder", "use", "modality_dropout", *options})
    given = {k: v for k, v in table.items() if k in options}
    dropout = table.get("modality_dropout")
    return InputSettings(
        column=_text(table, "column", path),
        modality=modality,
        encoder=_component(table.get("encoder", {}), f"{path}.encoder", cls.default_encoder),
        use=_USE.checked(table.get("use", True), f"{path}.use"),
        options=checked_options(options, given, path),
        modality_dropout=None if dropout is None else MODALITY_DROPOUT.checked(
            dropout, f"{path}.modality_dropout"),
    )


def _target(table: Any, name: str, path: str) -> TargetSettings:
    if not isinstance(table, Mapping):
        raise UserError(f"{path} = {table!r} is no table.", f"Write it as [{path}].")
    merge = _table(table, "merge", f"{path}.")
    for label in merge:
        _text(merge, label, f"{path}.merge")
    return TargetSettings(
        task=_text(table, "task", path, "classification"),
        column=_text(table, "column", path, name),
        weight=_WEIGHT.checked(table.get("weight", 1.0), f"{path}.weight"),
        use=_USE.checked(table.get("use", True), f"{path}.use"),
        options={k: v for k, v in table.items() if k not in _TARGET_KEYS},
        merge=dict(merge),
    )


def _input_dict(settings: InputSettings, full: bool) -> dict[str, Any]:
    defaults = {k: o.default for k, o in options_of(MODALITIES.get(settings.modality)).items()}
    data: dict[str, Any] = {
        "column": settings.column,
        "modality": settings.modality,
        "encoder": settings.encoder.to_dict(),
    }
    if full or not settings.use:
        data["use"] = settings.use
    if settings.modality_dropout is not None:
        data["modality_dropout"] = settings.modality_dropout
    return data | {k: v for k, v in settings.options.items() if full or v != defaults[k]}


def _target_dict(settings: TargetSettings, name: str, full: bool) -> dict[str, Any]:
    data: dict[str, Any] = {"task": settings.task}
    if full or settings.column != name:
        data["column"] = settings.column
    if full or settings.weight != 1.0:
        data["weight"] = settings.weight
    if full or not settings.use:
        data["use"] = settings.use
    if settings.merge:
        data["merge"] = dict(settings.merge)
    return data | settings.options


def _merge(document: Any, data: Mapping[str, Any], full: Mapping[str, Any]) -> None:
    """Bring a tomlkit table to ``data``; a key that stands in it and only in ``full`` is kept."""
    import tomlkit

    for key in list(document):
        if key not in data and key not in full:
            del document[key]
    for key in [*data, *(k for k in full if k in document and k not in data)]:
        value = data.get(key, full.get(key))
        if not isinstance(value, Mapping):
            if key not in document or document[key] != value:
                document[key] = value
            continue
        # an inline table can hold no other kind
        inline = (key in ("encoder", "split", "merge")
                  or isinstance(document, tomlkit.items.InlineTable))
        if not isinstance(document.get(key), Mapping):
            document[key] = tomlkit.inline_table() if inline else tomlkit.table(
                is_super_table=key in ("inputs", "targets"))
        _merge(document[key], data.get(key, {}), full.get(key, {}))
