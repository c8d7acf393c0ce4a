"""A new run that starts from an earlier one's weights, on the same data or on other data.

What goes on must mean the same: an encoder's weights are taken together with what the earlier run
had learnt of its input's cells (words, rates, means), a head's row goes with its label.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from mmstudio.data.schema import Schema
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.experiment_settings import InputSettings
from mmstudio.reading import reading
from mmstudio.training.checkpoint import checkpoint_state, load_tensors
from mmstudio.training.choose import with_encoders_of
from mmstudio.training.events import WeightsTaken
from mmstudio.training.model import MultimodalModel, completed
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.suited import with_suited

KEY = "training.start_from"
HINT = f"Choose another run, or leave {KEY} empty to start anew."


@dataclass(frozen=True)
class Origin:
    """The run that another starts from."""

    files: RunFolder
    experiment: Experiment
    schema: Schema

    @classmethod
    def of(cls, experiment: Experiment, folder: Path) -> Origin | None:
        """The one that an experiment names; None where it names none.

        Args:
            experiment: Names the run as seen from ``folder``: ``runs/first``.
            folder: The project's.

        Raises:
            UserError: It is not there, holds no model, or can't be read.
        """
        name = experiment.training.start_from
        if not name:
            return None
        try:
            files = RunFolder.existing(folder / name)
        except UserError as error:
            raise UserError(f"{KEY} = '{name}': {error.message}", HINT) from None
        if not files.has_model():
            raise UserError(f"{KEY} = '{name}': this run holds no model.", HINT)
        return cls(files, completed(files.experiment()), files.schema())

    def completes(self, experiment: Experiment) -> Experiment:
        """The experiment with what the run has for all that it leaves open."""
        experiment = with_encoders_of(self.experiment, experiment)
        return with_suited(self.experiment, completed(experiment))

    def schema_for(self, experiment: Experiment) -> Schema:
        """What of the run's schema stays: inputs that are read alike, and scales of numbers."""
        old = self.experiment
        inputs = {name: self.schema.inputs[name]
                  for name, settings in experiment.active_inputs.items()
                  if _read_alike(old.active_inputs.get(name), settings)}
        targets = {name: self.schema.targets[name]
                   for name, target in experiment.active_targets.items()
                   if name in old.active_targets and target.task == old.active_targets[name].task
                   and "classes" not in self.schema.targets[name]}
        return Schema(inputs, targets)


def take_weights(
    model: MultimodalModel, experiment: Experiment, schema: Schema, origin: Origin
) -> WeightsTaken:
    """Give a new model the weights of the run's best epoch, as far as they fit.

    Args:
        model: A fresh one of the experiment and the schema, on any device.
        experiment: Completed.
        schema: Of the new run, made with ``origin.schema_for``.
        origin: The run to start from.

    Raises:
        UserError: Its weights can't be read, or none of them fits.
    """
    best = origin.files.best
    with reading(best, "Choose another run to start from."):
        weights = load_tensors(best)
    own = checkpoint_state(model)
    taken = 0
    whole: set[str] = set()
    for new, old in _pairs(experiment, origin.experiment):
        labels = _labels_of(new, experiment, schema), _labels_of(old, origin.experiment,
                                                                 origin.schema)
        for name, tensor in own.items():
            is_of_it = name == new or name.startswith(f"{new}.")
            there = weights.get(old + name[len(new):]) if is_of_it else None
            if there is None:
                continue
            count = _copied(tensor, there, *labels)
            taken += count
            if count == tensor.numel():
                whole.add(name)
    if not taken:
        raise UserError(
            f"{KEY} = '{experiment.training.start_from}': none of its weights fits this model.",
            "Give the inputs the encoders that the run has, or leave the setting empty.")
    return WeightsTaken(
        f"{origin.files.path.parent.name}/{origin.files.name}", taken,
        sum(t.numel() for t in own.values()), _fresh(model, set(own) - whole))


def _read_alike(old: InputSettings | None, new: InputSettings) -> bool:
    """Whether cells of an input become the same numbers for the same kind of encoder."""
    if old is None:
        return False
    model = old.encoder.options.get("model"), new.encoder.options.get("model")
    return ((old.modality, old.options, old.columns, old.encoder.name, model[0])
            == (new.modality, new.options, new.columns, new.encoder.name, model[1]))


def _pairs(new: Experiment, old: Experiment) -> Iterator[tuple[str, str]]:
    """Parts of the new model by their names in its state, and the same of the old one."""
    new_inputs, old_inputs = list(new.active_inputs), list(old.active_inputs)
    for i, name in enumerate(new_inputs):
        if _read_alike(old.active_inputs.get(name), new.active_inputs[name]):
            j = old_inputs.index(name)
            yield f"encoders.{i}", f"encoders.{j}"
            yield f"absent.{i}", f"absent.{j}"
    if new_inputs != old_inputs:
        return  # what stands behind the encoders knows them by their places
    if new.fusion.name == old.fusion.name:
        yield "fusion", "fusion"
        old_targets = list(old.active_targets)
        for i, name in enumerate(new.active_targets):
            target = old.active_targets.get(name)
            if target is not None and target.task == new.active_targets[name].task:
                yield f"heads.{i}", f"heads.{old_targets.index(name)}"
    yield "alignment", "alignment"
    if list(new.active_targets) == list(old.active_targets):
        yield "balancing", "balancing"


def _labels_of(part: str, experiment: Experiment, schema: Schema) -> Sequence[str]:
    """What a head's rows stand for; empty for what is no head, or one of a number."""
    if not part.startswith("heads."):
        return ()
    name = list(experiment.active_targets)[int(part.split(".")[1])]
    return schema.targets[name].get("classes") or ()


def _copied(
    own: torch.Tensor, there: torch.Tensor, labels: Sequence[str], old_labels: Sequence[str]
) -> int:
    """Copy a tensor where its size agrees, a head's row by row; how many numbers were copied."""
    if not bool(there.isfinite().all()):
        return 0
    with torch.no_grad():
        if labels != old_labels:
            if (not own.dim() or own.shape[1:] != there.shape[1:] or len(own) != len(labels)
                    or len(there) != len(old_labels)):
                return 0
            at = {label: row for row, label in enumerate(old_labels)}
            rows = [row for row, label in enumerate(labels) if label in at]
            own[rows] = there[[at[labels[row]] for row in rows]].to(own.device, own.dtype)
            return own[rows].numel()
        if own.shape != there.shape:
            return 0
        own.copy_(there)
    return own.numel()


def _fresh(model: MultimodalModel, names: set[str]) -> list[str]:
    """Which parts of the model begin anew, or in part, in words."""
    parts: Mapping[str, Sequence[str]] = {
        "encoders": model.names, "absent": model.names, "heads": model.task_names}
    found = {}
    for name in names:
        part, _, rest = name.partition(".")
        known = parts.get(part)
        number = rest.partition(".")[0] if known else ""
        found[(part != "encoders", part, number)] = (
            f"{part.removesuffix('s')} {known[int(number)]}" if known else part)
    return [found[key] for key in sorted(found) if key[1] != "absent"]
