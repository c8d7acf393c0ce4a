"""The settings of a project that goes on from a run's model, or takes what a search has found."""

from __future__ import annotations

from dataclasses import replace

from mmstudio.experiment import Experiment, InputSettings


def continued(project: Experiment, run: Experiment, name: str) -> Experiment:
    """The project's experiment with the model of a run, and its weights to start from.

    Data, targets and training stay the project's: they may be new. Inputs of the same name and
    modality get the run's encoder and options; whether they are varied in training stays theirs.

    Args:
        project: As it is.
        run: As run.
        name: The run, as seen from the project's folder: ``runs/first``.
    """
    inputs = _read_alike(project, run)
    inputs = {key: replace(settings, use=run.inputs[key].use) if key in run.inputs
              and run.inputs[key].modality == settings.modality else settings
              for key, settings in inputs.items()}
    if not any(settings.use for settings in inputs.values()):
        inputs = project.inputs
    return replace(project, inputs=inputs, fusion=run.fusion,
                   training=replace(project.training, start_from=name))


def with_found(project: Experiment, found: Experiment) -> Experiment:
    """The project's experiment with the model and the training that a search has found.

    Data, targets, which inputs are used, the device and the run to start from stay the project's:
    they may have changed since the search began.
    """
    own = project.training
    return replace(
        project, inputs=_read_alike(project, found), fusion=found.fusion,
        training=replace(found.training, device=own.device, start_from=own.start_from))


def _read_alike(project: Experiment, other: Experiment) -> dict[str, InputSettings]:
    """The project's inputs; those that the other has too get its encoder and options."""
    found = {}
    for key, settings in project.inputs.items():
        known = other.inputs.get(key)
        if known is not None and known.modality == settings.modality:
            settings = replace(settings, encoder=known.encoder, options=known.options)
        found[key] = settings
    return found
