"""What a search may vary, and between which values: the registries' own ranges say it."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from mmstudio.comparison.plan import fusion_for, usual_fusions
from mmstudio.errors import UserError, nearest
from mmstudio.experiment import Component, Experiment, training_options
from mmstudio.experiment_settings import AUTO
from mmstudio.pretrained.automatic import starter_model
from mmstudio.registry import Option, options_of
from mmstudio.shapes import fitted_to

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.distributions import BaseDistribution

Value = str | int | float | bool

LEARNING_RATE = 5.0
"""A search looks at learning rates up to so many times higher and lower."""
WIDE = 100.0
"""A range whose ends are further apart than this is searched on a logarithmic scale."""
NARROWED: dict[str, tuple[float, float]] = {
    "dropout": (0.0, 0.6), "width": (32, 512), "training.input_loss": (0.0, 4.0),
    "training.modality_dropout": (0.0, 0.6), "training.weight_decay": (1e-4, 0.3),
}
"""The part of an option's range in which good models lie; the rest of it trains badly or long."""
USUAL = ("fusion", "encoder", "training.learning_rate", "width", "dropout", "training.input_loss")
"""What varies where nobody says otherwise."""
FIXED = ("epochs", "minutes", "patience", "seed", "device", "precision", "threads",
         "memory_layout", "combine", "batch_size", "alignment_epochs", "tensorboard")
"""Of ``[training]``, what a search never varies: how long, where, by chance, what is written."""

SEARCHED = ("int", "float", "bool", "choice")
"""The kinds of options that have ends, or few values."""


@dataclass(frozen=True)
class Dimension:
    """One thing that may vary.

    Attributes:
        key: Its name: the key of the experiment file, such as ``training.learning_rate``,
            ``inputs.image.encoder``; ``width`` and ``dropout`` are those of all encoders.
        title: For people.
        choices: What it may be; empty for a range.
        low: The range's lower end.
        high: The range's upper end.
        whole: Whether only whole numbers are taken.
        log: Whether it is searched on a logarithmic scale.
        usual: Whether it varies where nobody says otherwise.
    """

    key: str
    title: str
    choices: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    whole: bool = False
    log: bool = False
    usual: bool = False

    def suggested(self, trial: Trial) -> Value:
        """What a trial of Optuna's tries."""
        if self.choices:
            return cast(Value, trial.suggest_categorical(self.key, self.choices))
        if self.whole:
            return trial.suggest_int(self.key, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(self.key, self.low, self.high, log=self.log)

    def holds(self, value: Value) -> bool:
        """Whether the value lies in it."""
        if self.choices:
            return value in self.choices
        return isinstance(value, int | float) and self.low <= value <= self.high

    def nearest(self, value: Value) -> Value:
        """The value itself where it lies in it, else the nearest end, or the first choice."""
        if self.choices:
            return value if value in self.choices else self.choices[0]
        if not isinstance(value, int | float):
            return self.low
        bounded = min(max(value, self.low), self.high)
        return int(bounded) if self.whole else float(bounded)

    def widened(self, value: Value | None) -> Dimension:
        """With an experiment's own value in it, where that lies outside."""
        if value is None or self.holds(value):
            return self
        if self.choices:
            return replace(self, choices=(*self.choices, value))
        if not isinstance(value, int | float):
            return self
        low, high = min(self.low, value), max(self.high, value)
        return replace(self, low=low, high=high, log=self.log and low > 0)

    def distribution(self) -> BaseDistribution:
        """The same in Optuna's terms."""
        from optuna.distributions import (
            CategoricalDistribution,
            FloatDistribution,
            IntDistribution,
        )

        if self.choices:
            return CategoricalDistribution(self.choices)
        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log)
        return FloatDistribution(self.low, self.high, log=self.log)

    def to_dict(self) -> dict[str, Any]:
        """All of it, for ``search.json``."""
        return dataclasses.asdict(self)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Dimension:
        """Of what ``to_dict`` gave. Raises KeyError, TypeError or ValueError."""
        choices = data["choices"]
        if not isinstance(choices, list) or not all(isinstance(c, Value) for c in choices):
            raise ValueError("the choices are not plain values")
        plain = fitted_to({k: v for k, v in data.items() if k != "choices"}, {
            "key": str, "title": str, "low": float, "high": float, "whole": bool, "log": bool,
            "usual": bool}, "a dimension")
        return cls(**plain, choices=tuple(choices))

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        if self.choices:
            return {"key": self.key, "choices": list(self.choices), "usual": self.usual}
        return {"key": self.key, "low": self.low, "high": self.high, "log": self.log,
                "usual": self.usual}


def space_of(experiment: Experiment) -> tuple[Dimension, ...]:
    """All that may vary in an experiment, what varies by default first.

    Args:
        experiment: With its encoders named.
    """
    found = [*_components(experiment), *_shared(experiment), *_training(experiment)]
    # what the experiment itself has is always among what may be
    found = [d.widened(_value_of(experiment, d.key)) for d in found]
    return tuple(sorted(found, key=lambda d: not d.usual))


def chosen(
    space: Sequence[Dimension], vary: Sequence[str] = (), fix: Sequence[str] = ()
) -> tuple[Dimension, ...]:
    """The dimensions that vary: the usual ones, with some more and without others.

    Args:
        space: All.
        vary: Keys of those that vary too; ``all`` takes every one.
        fix: Keys of those that don't.

    Raises:
        UserError: A key that is not in the space, or nothing is left to vary.
    """
    known = [d.key for d in space]
    for key in [*vary, *fix]:
        if key not in known and key != "all":
            raise UserError(f"'{key}' is not something that a search can vary.",
                            nearest(key, known))
    left = tuple(d for d in space
                 if (d.usual or d.key in vary or "all" in vary) and d.key not in fix)
    if not left:
        raise UserError("Nothing is left to vary.", f"Known: {', '.join(known)}.")
    return left


def applied(experiment: Experiment, values: Mapping[str, Value]) -> Experiment:
    """The experiment with a trial's values.

    A fusion or an encoder that changes keeps what the experiment sets for options that both have;
    widths and dropouts are those of every encoder that has them.

    Args:
        experiment: With its encoders named.
        values: Per dimension's key its value.
    """
    for key, value in values.items():
        if key == "fusion":
            experiment = replace(experiment, fusion=fusion_for(str(value), experiment))
        elif _input_of(key, experiment):
            experiment = _with_encoder(experiment, _input_of(key, experiment), str(value))
    for key, value in values.items():
        if key in ("width", "dropout"):
            experiment = _on_encoders(experiment, key, value)
        elif key.startswith("training."):
            experiment = experiment.replaced(key, value)
    return experiment


def values_of(experiment: Experiment, space: Sequence[Dimension]) -> dict[str, Value]:
    """Where an experiment lies in a space, or the place in it that is nearest to it."""
    found: dict[str, Value] = {}
    for dimension in space:
        value = _value_of(experiment, dimension.key)
        if value is not None:
            found[dimension.key] = dimension.nearest(value)
    return found


def _value_of(experiment: Experiment, key: str) -> Value | None:
    if key == "fusion":
        return experiment.fusion.name
    if name := _input_of(key, experiment):
        return experiment.inputs[name].encoder.name
    if key.startswith("training."):
        value: Value = getattr(experiment.training, key.removeprefix("training."))
        return value
    each = [_option_of(i.encoder, key) for i in experiment.active_inputs.values()]
    own = [value for value in each if value is not None]
    return statistics.median_low(own) if own else None  # encoders may differ


def _option_of(encoder: Component, name: str) -> Any:
    from mmstudio.encoders import ENCODERS

    option = options_of(ENCODERS.get(encoder.name, "encoder")).get(name)
    return None if option is None else encoder.options.get(name, option.default)


def _input_of(key: str, experiment: Experiment) -> str:
    """The input whose encoder a key means; "" where it means something else."""
    name = key.removeprefix("inputs.").removesuffix(".encoder")
    return name if key == f"inputs.{name}.encoder" and name in experiment.inputs else ""


def _with_encoder(experiment: Experiment, name: str, encoder: str) -> Experiment:
    settings = experiment.inputs[name]
    if settings.encoder.name == encoder:
        return experiment
    options = {}
    model = starter_model(settings.modality) if _is_published(encoder) else None
    if model is not None:
        options["model"] = model
    inputs = experiment.inputs | {name: replace(settings, encoder=Component(encoder, options))}
    return replace(experiment, inputs=inputs)


def _on_encoders(experiment: Experiment, option: str, value: Value) -> Experiment:
    inputs = dict(experiment.inputs)
    for name, settings in experiment.active_inputs.items():
        if _option_of(settings.encoder, option) is not None:
            options = settings.encoder.options | {option: value}
            inputs[name] = replace(settings, encoder=Component(settings.encoder.name, options))
    return replace(experiment, inputs=inputs)


def _components(experiment: Experiment) -> list[Dimension]:
    found = []
    fusions = usual_fusions(experiment) if len(experiment.active_inputs) > 1 else []
    if len(fusions) > 1:
        found.append(Dimension("fusion", "Fusion", tuple(fusions), usual=True))
    for name, settings in experiment.active_inputs.items():
        encoders = _encoders_for(settings.modality, settings.encoder)
        if len(encoders) > 1:
            found.append(Dimension(
                f"inputs.{name}.encoder", f"{name} encoder", encoders, usual=True))
    return found


def _encoders_for(modality: str, own: Component) -> tuple[str, ...]:
    """Those from scratch, a published one where its weights are on this disk, and its own."""
    from mmstudio.encoders import ENCODERS

    here = starter_model(modality) is not None
    return tuple(name for name, cls in ENCODERS.classes().items()
                 if cls.modality == modality and name != AUTO
                 and (name == own.name or here or not _is_published(name)))


def _is_published(encoder: str) -> bool:
    from mmstudio.encoders import ENCODERS

    return "model" in options_of(ENCODERS.get(encoder, "encoder"))


def _shared(experiment: Experiment) -> list[Dimension]:
    """The options that several encoders have under one name."""
    from mmstudio.encoders import ENCODERS

    found = []
    for name, title in (("width", "Encoders' width"), ("dropout", "Encoders' dropout")):
        options = [options_of(ENCODERS.get(i.encoder.name, "encoder")).get(name)
                   for i in experiment.active_inputs.values()]
        theirs = [o for o in options if o is not None]
        if theirs:
            found.append(_ranged(name, title, theirs[0]))
    return found


def _training(experiment: Experiment) -> list[Dimension]:
    found = []
    several = len(experiment.active_inputs) > 1
    for name, option in training_options().items():
        alone = name in ("input_loss", "modality_dropout", "gradient_modulation",
                         "modulation_strength", "alignment")
        if name in FIXED or option.kind not in SEARCHED or (alone and not several):
            continue
        if name == "balancing" and len(experiment.active_targets) < 2:
            continue
        title = name.replace("_", " ").capitalize()
        key = f"training.{name}"
        if name == "learning_rate":
            rate = experiment.training.learning_rate
            low, high = (min(max(r, option.minimum or 0.0), option.maximum or r)
                         for r in (rate / LEARNING_RATE, rate * LEARNING_RATE))
            found.append(Dimension(key, title, low=low, high=high, log=True, usual=True))
        else:
            found.append(_ranged(key, title, option))
    return found


def _ranged(key: str, title: str, option: Option) -> Dimension:
    """A dimension over an option's own range, or the part of it in which good models lie."""
    usual = key in USUAL
    if option.kind == "bool":
        return Dimension(key, title, (False, True), usual=usual)
    if option.kind == "choice":
        return Dimension(key, title, option.choices, usual=usual)
    low, high = NARROWED.get(key, (option.minimum or 0.0, option.maximum or 1.0))
    whole = option.kind == "int"
    log = low > 0 and (whole or math.log(high / low) > math.log(WIDE))
    return Dimension(key, title, low=low, high=high, whole=whole, log=log, usual=usual)
