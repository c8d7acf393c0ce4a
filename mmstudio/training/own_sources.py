"""The source of components of one's own, kept in the run as text: it says what was trained."""

from __future__ import annotations

from mmstudio.encoders import ENCODERS
from mmstudio.experiment import Experiment
from mmstudio.fusion import FUSIONS
from mmstudio.modalities import MODALITIES
from mmstudio.own_components import FOLDER, source_of
from mmstudio.tasks import TASKS
from mmstudio.training.run_folder import RunFolder


def keep_sources(files: RunFolder, experiment: Experiment) -> None:
    """Write ``components/NAME.py.txt`` per file that a component of this run stands in.

    Args:
        files: The run's.
        experiment: A completed experiment.

    Raises:
        OSError: It can't be written.
    """
    inputs, targets = experiment.active_inputs.values(), experiment.active_targets.values()
    classes: list[type] = [MODALITIES.get(i.modality) for i in inputs]
    classes += [ENCODERS.get(i.encoder.name) for i in inputs]
    classes += [TASKS.get(t.task) for t in targets]
    classes.append(FUSIONS.get(experiment.fusion.name))
    sources = dict(found for found in map(source_of, classes) if found is not None)
    for name, text in sources.items():
        (files.path / FOLDER).mkdir(exist_ok=True)
        files.write_text(f"{FOLDER}/{name}.txt", text)
