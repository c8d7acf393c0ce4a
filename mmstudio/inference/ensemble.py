"""Several runs that answer together: the weighted mean of what they say.

The mean is of the outputs of the heads. Of labels these are logits, so that it is the weighted
geometric mean of their probabilities; of a number it is the mean of the estimates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmstudio.inference.loaded_model import completed_experiment
from mmstudio.inference.predictor import Predictor
from mmstudio.training.ensemble_file import is_ensemble, members_of, refuse_ensemble
from mmstudio.training.run_folder import RunFolder


class Ensemble(Predictor):
    """Answers as a ``Predictor`` does; what needs the one model is refused by name.

    Args:
        run: The ensemble's folder.
        device: As in ``training.device``.

    Raises:
        UserError: No ensemble, or a member can't be opened.
    """

    def __init__(self, run: Path, device: str = "auto") -> None:
        self.run = RunFolder.existing(run)
        members = members_of(run)
        self.members = [Predictor(path, device) for path, _ in members]
        self.weights = [weight for _, weight in members]
        first = self.members[0]
        self.experiment, self.schema = completed_experiment(self.run), first.schema
        self.device, self.heads = first.device, first.heads
        self.inputs, self.modalities = first.inputs, first.modalities
        self.tasks, self.separators = first.tasks, first.separators
        self.usual_errors = self._read_usual_errors()
        self.calibration = self._read_calibration()

    def __getattr__(self, name: str) -> Any:
        """Refuse the one model that others have. Raises UserError."""
        if name == "model":
            refuse_ensemble(self.run.path)
        raise AttributeError(name)

    @property
    def finds_similar(self) -> bool:
        """False: each member has a representation of its own."""
        return False

    def decode(self, name: str, value: Any) -> Any:
        """One input's value as each member decodes it, None where it is absent.

        Raises:
            UserError: No such input, or the file can't be read.
        """
        decoded: list[np.ndarray] = []
        for at, member in enumerate(self.members):
            alike = next((other for other in range(at) if self.members[other].schema.inputs[name]
                          == member.schema.inputs[name]), None) if name in self.inputs else None
            array = decoded[alike] if alike is not None else member.decode(name, value)
            if array is None:
                return None
            decoded.append(array)
        return decoded

    def _outputs(self, arrays: Mapping[str, Sequence[Any]]) -> dict[str, torch.Tensor]:
        return weighted_mean(
            (member._outputs(own) for member, own in self._each(arrays)), self.weights)

    def _subset_outputs(self, arrays: Mapping[str, Sequence[Any]]) -> dict[str, torch.Tensor]:
        return weighted_mean(
            (member._subset_outputs(own) for member, own in self._each(arrays)), self.weights)

    def _each(
        self, arrays: Mapping[str, Sequence[Any]]
    ) -> list[tuple[Predictor, dict[str, list[np.ndarray | None]]]]:
        """Each member with its own decoded inputs."""
        return [(member, {name: [None if one is None else one[at] for one in column]
                          for name, column in arrays.items()})
                for at, member in enumerate(self.members)]


def weighted_mean(
    each: Iterable[Mapping[str, torch.Tensor]], weights: Sequence[float]
) -> dict[str, torch.Tensor]:
    """Per target the mean of the models' outputs, by weights that add up to 1."""
    found: dict[str, torch.Tensor] = {}
    for outputs, weight in zip(each, weights, strict=True):
        for name, values in outputs.items():
            part = weight * values.float()
            found[name] = found[name] + part if name in found else part
    return found


def open_model(run: Path, device: str = "auto") -> Predictor:
    """A run's best model, or the models of an ensemble.

    Args:
        run: The run folder.
        device: As in ``training.device``.

    Raises:
        UserError: No run, no model in it, or damaged files.
    """
    return Ensemble(run, device) if is_ensemble(run) else Predictor(run, device)
