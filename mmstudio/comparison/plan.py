"""What is compared with what: the contestants, their seeds, and the runs that this makes."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mmstudio.comparison.figure import Figure
from mmstudio.errors import UserError, nearest
from mmstudio.experiment import Component, Experiment
from mmstudio.experiment_keys import by_key
from mmstudio.shapes import fitted_to

PLAIN_FUSION = "concat"
"""What stands between an input that is trained alone and the heads."""
MOST_SEEDS = 20


@dataclass(frozen=True)
class Contestant:
    """A fusion of all inputs, one input alone, or all answers together.

    Fusions and inputs answer by themselves, so that who studies them studies them; in the
    combination the experiment's own fusion answers with what else can, weighed.

    Attributes:
        kind: ``fusion``, ``input`` or ``combination``.
        name: The fusion's or the input's name; of the combination ``weighed``.
        title: For people: "Gated fusion", "sound alone".
    """

    kind: Literal["fusion", "input", "combination"]
    name: str
    title: str

    @property
    def key(self) -> str:
        """Names it among all: ``fusion:gated``."""
        return f"{self.kind}:{self.name}"


COMBINATION = Contestant("combination", "weighed", "All together, weighed")
_ORDER = ("fusion", "combination", "input")


@dataclass(frozen=True)
class PlannedRun:
    """One training: a contestant with a seed; ``run`` is its run folder's name."""

    run: str
    contestant: Contestant
    seed: int


@dataclass(frozen=True)
class Plan:
    """A comparison before anything was trained.

    Attributes:
        name: Of its folder, and what its runs' names begin with.
        experiment: Data, inputs, targets and training that all runs share.
        contestants: The fusions, then the combination, then the inputs alone.
        seeds: How many; they count from the experiment's own.
        target: By whose figure the contestants are ranked.
        figure: What that figure is.
    """

    name: str
    experiment: Experiment
    contestants: tuple[Contestant, ...]
    seeds: int
    target: str
    figure: Figure

    def runs(self) -> list[PlannedRun]:
        """All runs, seed by seed, so that there is a ranking soon."""
        first = self.experiment.training.seed
        stems = _stems(self.contestants)
        return [
            PlannedRun(f"{self.name}.{stems[c.key]}.seed{seed}", c, seed)
            for seed in range(first, first + self.seeds) for c in self.contestants
        ]

    def experiment_of(self, planned: PlannedRun) -> Experiment:
        """What one of the runs trains."""
        base, contestant = self.experiment, planned.contestant
        training = dataclasses.replace(
            base.training, seed=planned.seed, combine=contestant.kind == "combination",
            start_from="")  # all begin alike
        if contestant.kind == "combination":
            return dataclasses.replace(base, training=training)
        if contestant.kind == "fusion":
            fusion = fusion_for(contestant.name, base)
            return dataclasses.replace(base, fusion=fusion, training=training)
        inputs = {n: dataclasses.replace(i, use=n == contestant.name)
                  for n, i in base.inputs.items()}
        return dataclasses.replace(
            base, inputs=inputs, fusion=fusion_for(PLAIN_FUSION, base), training=training)

    def on_device(self, device: str) -> Plan:
        """The same on another device."""
        return dataclasses.replace(
            self, experiment=self.experiment.replaced("training.device", device))

    def joined(self, other: Plan) -> Plan:
        """This comparison with the other's contestants and seeds too; what was done counts."""
        known = {c.key for c in self.contestants}
        more = [c for c in other.contestants if c.key not in known]
        return dataclasses.replace(
            self, contestants=_in_order([*self.contestants, *more]),
            seeds=max(self.seeds, other.seeds))

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``plan.toml``; the experiment has a file of its own."""
        return {
            "target": self.target, "seeds": self.seeds,
            "figure": dataclasses.asdict(self.figure),
            "contestants": [dataclasses.asdict(c) for c in self.contestants],
        }

    @classmethod
    def from_dict(cls, name: str, data: Mapping[str, Any], experiment: Experiment) -> Plan:
        """Of what ``to_dict`` gave. Raises KeyError, TypeError or ValueError."""
        fitted_to(data, {
            "seeds": range(1, MOST_SEEDS + 1), "target": str, "figure": {"name": str, "unit?": str},
            "contestants": [{"kind": str, "name": str, "title": str}]}, "plan")
        if any(c["kind"] not in ("fusion", "input", "combination") for c in data["contestants"]):
            raise ValueError("a contestant is neither a fusion, an input nor the combination")
        if data["target"] not in experiment.targets:
            raise ValueError(f"the experiment has no target '{data['target']}'")
        return cls(
            name, experiment, tuple(Contestant(**c) for c in data["contestants"]),
            int(data["seeds"]), str(data["target"]), Figure(**data["figure"]))


def make_plan(
    experiment: Experiment, name: str, *, fusions: Sequence[str] | None = None,
    single: bool = True, combination: bool | None = None, seeds: int = 3,
    target: str | None = None,
) -> Plan:
    """Plan a comparison.

    Args:
        experiment: What all runs share.
        name: The comparison's name.
        fusions: By their names; None takes one of each kind, ``usual_fusions``.
        single: Train each input alone too.
        combination: Train the experiment's own fusion too, answering together with what else
            can; None takes what ``training.combine`` says.
        seeds: How many trainings of each contestant.
        target: The target to rank by; None takes the first.

    Raises:
        UserError: An unknown fusion or target, fewer than two inputs, or nothing to compare.
    """
    from mmstudio.fusion import FUSIONS
    from mmstudio.tasks import TASKS
    from mmstudio.training.model import completed

    completed(experiment)  # every key must be in order before hours are spent
    inputs, targets = list(experiment.active_inputs), experiment.active_targets
    if len(inputs) < 2:
        raise UserError(f"The experiment uses one input, '{inputs[0]}': there is nothing to fuse.",
                        "Switch on a second input.")
    if not name or re.search(r"[/\\]", name) or name.startswith("."):
        raise UserError(f"'{name}' is not a name for a comparison.", "Give a name without slashes.")
    if not 1 <= seeds <= MOST_SEEDS:
        raise UserError(f"{seeds} seeds are out of range.", f"Allowed: 1 to {MOST_SEEDS}.")
    if target is None:
        target = next(iter(targets))
    if target not in targets:
        raise UserError(f"There is no target '{target}'.", nearest(target, targets))
    if fusions is None:
        fusions = usual_fusions(experiment)
    chosen = [Contestant("fusion", f, FUSIONS.get(f, "fusion").title)
              for f in dict.fromkeys(fusions)]
    if experiment.training.combine if combination is None else combination:
        chosen.append(COMBINATION)
    if single:
        chosen += [Contestant("input", n, f"{n} alone") for n in inputs]
    if len(chosen) < 2:
        raise UserError("A comparison needs at least two to compare.",
                        "Choose more fusions, or train each input alone too.")
    unit = str(targets[target].options.get("unit", ""))
    figure = Figure(TASKS.get(targets[target].task).row_figure, unit)
    return Plan(name, experiment, tuple(chosen), seeds, target, figure)


USUAL = ("concat", "gated", "low_rank", "bottleneck", "late")
"""One of each kind: plain, weighing, multiplying, attending, deciding. All of them would take a
newcomer's first comparison three times as long."""


def usual_fusions(experiment: Experiment) -> list[str]:
    """One fusion of each kind and the experiment's own, those that suit the inputs."""
    return [n for n in sensible_fusions(experiment) if n in (*USUAL, experiment.fusion.name)]


def sensible_fusions(experiment: Experiment) -> list[str]:
    """All fusions but those that need a word of caution with so many inputs."""
    from mmstudio.fusion import FUSIONS

    many = len(experiment.active_inputs)
    return [
        name for name, cls in FUSIONS.classes().items()
        if cls.caution(many, fusion_for(name, experiment).options) is None
    ]


def fusion_for(name: str, experiment: Experiment) -> Component:
    """A fusion with what the experiment sets for its own, as far as both have such an option.

    A width that was chosen for one fusion is then the width of all, and the comparison fair.
    """
    from mmstudio.fusion import FUSIONS
    from mmstudio.registry import options_of

    own = experiment.fusion
    if own.name == name:
        return own
    options = options_of(FUSIONS.get(name, "fusion.name"))
    theirs = options_of(FUSIONS.get(own.name, "fusion.name"))
    carried = {}
    for key, value in own.options.items():
        if key in options and key in theirs and options[key].kind == theirs[key].kind:
            try:
                carried[key] = options[key].checked(value, key)
            except UserError:  # beyond what this one takes: its default then
                continue
    return Component(name, carried)


def changes_between(before: Experiment, now: Experiment) -> list[str]:
    """The keys in which two experiments differ, but for what contestants and devices change."""
    from mmstudio.training.model import completed

    old, new = (by_key(completed(e).to_dict()) for e in (before, now))
    keys = sorted(k for k in old.keys() | new.keys() if old.get(k) != new.get(k))
    # the last is said by a contestant's kind
    apart = ("training.device", "training.tensorboard", "training.combine")
    return [k for k in keys if not k.startswith("fusion.") and k not in apart]


def _in_order(contestants: Sequence[Contestant]) -> tuple[Contestant, ...]:
    return tuple(sorted(contestants, key=lambda c: _ORDER.index(c.kind)))


def _stems(contestants: Sequence[Contestant]) -> dict[str, str]:
    """Per contestant its part of a run's name; two that would be the same are numbered."""
    stems: dict[str, str] = {}
    for contestant in contestants:
        word = re.sub(r"[^\w-]+", "_", contestant.name)
        stem = {"fusion": word, "input": f"only-{word}"}.get(contestant.kind, f"all-{word}")
        taken = sum(re.sub(r"~\d+$", "", s) == stem for s in stems.values())
        stems[contestant.key] = f"{stem}~{taken + 1}" if taken else stem
    return stems
