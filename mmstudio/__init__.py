"""mmstudio: the desktop workbench for multimodal learning in PyTorch.

In Python, on the same project folders as the window and the command line::

    import mmstudio

    experiment = mmstudio.Experiment.load("digits/experiment.toml")
    run = mmstudio.train(experiment, "digits/runs/a", progress=True)
    answer = run.model().predict(image="three.png")

Names are loaded when they are first used: importing this loads neither PyTorch nor Qt.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mmstudio.version import __version__

if TYPE_CHECKING:
    from mmstudio import encoders, fusion, modalities, tasks
    from mmstudio.api.model import Model
    from mmstudio.api.runs import Run, load_components, load_run, train, train_events
    from mmstudio.errors import UserError
    from mmstudio.experiment import Experiment
    from mmstudio.inference.predictor import Predictor

__all__ = [
    "Experiment",
    "Model",
    "Predictor",
    "Run",
    "UserError",
    "__version__",
    "encoders",
    "fusion",
    "load_components",
    "load_run",
    "modalities",
    "tasks",
    "train",
    "train_events",
]

_PLACES = {
    "Experiment": "mmstudio.experiment", "Model": "mmstudio.api.model",
    "Predictor": "mmstudio.inference.predictor", "Run": "mmstudio.api.runs",
    "UserError": "mmstudio.errors", "load_components": "mmstudio.api.runs",
    "load_run": "mmstudio.api.runs",
    "train": "mmstudio.api.runs", "train_events": "mmstudio.api.runs",
}
_ROOMS = ("encoders", "fusion", "modalities", "tasks")


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(importlib.import_module(_PLACES[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"mmstudio.{name}")
    raise AttributeError(f"module 'mmstudio' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
