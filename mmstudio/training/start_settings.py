"""The settings of a project that goes on from a run's model."""

from __future__ import annotations

from dataclasses import replace

from mmstudio.experiment import Experiment


def continued(project: Experiment, run: Experiment, name: str) -> Experiment:
    """The project's experiment with the model of a run, and its weights to start from.

    Data, targets and training stay the project's: they may be new. Inputs of the same name and
    modality get the run's encoder and options; whether they are varied in training stays theirs.

    Args:
        project: As it is.
        run: As run.
        name: The run, as seen from the project's folder: ``runs/first``.
    """
    inputs = {}
    for key, settings in project.inputs.items():
        known = run.inputs.get(key)
        if known is not None and known.modality == settings.modality:
            settings = replace(settings, encoder=known.encoder, options=known.options,
                               use=known.use)
        inputs[key] = settings
    if not any(settings.use for settings in inputs.values()):
        inputs = project.inputs
    return replace(project, inputs=inputs, fusion=run.fusion,
                   training=replace(project.training, start_from=name))
