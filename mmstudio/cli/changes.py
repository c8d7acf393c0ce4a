"""Keys of the experiment that the command line overrides."""

from __future__ import annotations

from collections.abc import Sequence

from mmstudio.errors import UserError
from mmstudio.experiment import Experiment, value_of_text


def changed(experiment: Experiment, changes: Sequence[str], device: str) -> Experiment:
    """The experiment with what ``--set KEY=VALUE`` and ``--device`` say.

    Raises:
        UserError: A change without a value, or one that is not allowed.
    """
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals:
            raise UserError(f"--set {change} has no value.",
                            "Write it like --set training.epochs=3.")
        experiment = experiment.replaced(key.strip(), value_of_text(text.strip()))
    return experiment.replaced("training.device", device) if device else experiment
