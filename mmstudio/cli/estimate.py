"""``mmstudio estimate``: what a training would take: memory, time, and which batch size fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmstudio.cli.arguments import Changes, Device, ExperimentFile, Json
from mmstudio.cli.output import print_json, tell
from mmstudio.cli.own import Trust, own_components
from mmstudio.units import duration_text, size_text

if TYPE_CHECKING:
    from mmstudio.training.fit import Fit


def estimate(
    experiment_file: ExperimentFile,
    device: Device = "",
    changes: Changes = None,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Try a few steps, and tell the memory, the time per epoch and a batch size that fits."""
    from mmstudio.cli.changes import changed
    from mmstudio.cli.progress import last_of
    from mmstudio.experiment import Experiment
    from mmstudio.training.fit import fit

    own_components(experiment_file.resolve().parent, trust)
    experiment = changed(Experiment.load(experiment_file), changes or [], device)
    found: Fit = last_of(fit(experiment, experiment_file.resolve().parent), quiet=as_json)
    if as_json:
        from mmstudio.training.events import without_nan

        print_json(without_nan(found.to_json()))
    else:
        show_estimate(found)


def show_estimate(found: Fit) -> None:
    """The figures in a few lines; what to take instead, where it does not fit."""
    if not found.fits:
        tell(f"{found.message}\n{found.hint}")
    if found.too_large:
        return
    needed, free = size_text(found.memory_bytes), size_text(found.free_bytes)
    tell(f"Device      {found.device}\n"
         f"Parameters  {found.parameters:,}, of which training changes {found.trained:,}\n"
         f"Memory      {needed} of {free} that are free\n"
         f"Batch size  {found.batch_size} ({found.steps_per_epoch:,} steps per epoch)\n"
         f"Epoch       about {duration_text(found.seconds_per_epoch)}")
    if found.encode_seconds:
        tell(f"Before it   about {duration_text(found.encode_seconds)}, once: frozen encoders read "
             "all rows")

