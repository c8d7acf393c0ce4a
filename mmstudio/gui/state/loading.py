"""What the session loads in its jobs: heavy libraries, the components, a run's model."""

from __future__ import annotations

import gc
import importlib.util
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmstudio.errors import UserError
from mmstudio.project.rows import inputs_of, splits_of

if TYPE_CHECKING:
    import numpy as np

    from mmstudio.data.table import Table
    from mmstudio.experiment import Experiment
    from mmstudio.inference.predictor import Predictor

log = logging.getLogger("mmstudio.gui")

TORCH_LIBRARIES = (
    "libtorch_global_deps",
    "libc10",
    "libtorch_cpu",
    "libc10_cuda",
    "libtorch_cuda",
    "libtorch",
    "libtorch_python",
)
"""In the order of what needs what; those of CUDA are there in CUDA's builds only."""


def load_table_reader() -> None:
    """Import what reads tables and writes settings: numpy, polars, tomlkit, the data package."""
    _map_libraries("_polars_runtime_32", "", ("_polars_runtime.abi3",))
    import tomlkit  # noqa: F401

    import mmstudio.project.proposal
    import mmstudio.training.run_folder  # noqa: F401


def load_components() -> str:
    """Import torch and all components; the name of the device that "auto" means.

    An import holds the interpreter's lock while the system maps its libraries, which takes
    seconds for torch and would freeze the window. So the libraries are mapped first through a
    foreign function, which lets the lock go; the import then finds them in place.
    """
    if "torch" not in sys.modules:
        _map_libraries("torch", "lib", TORCH_LIBRARIES)
    collecting = gc.isenabled()
    gc.disable()  # hundreds of thousands of new objects, none of them garbage
    try:
        import torch

        components()
        import mmstudio.inference.predictor
        import mmstudio.training.loop  # noqa: F401
    finally:
        # What was imported stays for good: later collections need not look at it.
        gc.freeze()
        if collecting:
            gc.enable()
    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name(0))
    if torch.backends.mps.is_available():
        return "Apple GPU"
    return "CPU"


def _map_libraries(package: str, folder: str, names: Sequence[str]) -> None:
    """Map a package's libraries without holding the interpreter's lock (Linux)."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.restype = ctypes.c_void_p
    dlopen.argtypes = [ctypes.c_char_p, ctypes.c_int]
    for name in names:
        path = Path(spec.origin).parent / folder / f"{name}.so"
        if path.is_file():
            shared = os.RTLD_GLOBAL if name == "libtorch_global_deps" else os.RTLD_LOCAL
            if not dlopen(os.fsencode(path), os.RTLD_LAZY | shared):
                log.info("%s could not be mapped ahead of the import", path)


@dataclass(frozen=True)
class Components:
    """All components by name."""

    encoders: dict[str, type]
    fusions: dict[str, type]
    tasks: dict[str, type]


def components() -> Components:
    """All components. Imports torch: ask only when the session is ready."""
    from mmstudio.encoders import ENCODERS
    from mmstudio.fusion import FUSIONS
    from mmstudio.tasks import TASKS

    return Components(ENCODERS.classes(), FUSIONS.classes(), TASKS.classes())


def has_model(run: Path) -> bool:
    """Whether a run has a model to load."""
    from mmstudio.training.ensemble_file import is_ensemble
    from mmstudio.training.run_folder import RunFolder

    return RunFolder(run).has_model() or is_ensemble(run)


def load_predictor(run: Path, table: Table | None) -> tuple[Predictor, Experiment]:
    """A run's model, or an ensemble's, and its experiment; it has answered once, so it is warm."""
    from mmstudio.inference.ensemble import open_model
    from mmstudio.training.run_folder import RunFolder

    experiment = RunFolder(run).experiment()
    predictor = open_model(run)
    if table is not None and len(table):
        inputs: dict[str, Any] = inputs_of(table, experiment, 0)
        try:
            predictor.predict(inputs)
        except UserError as error:
            log.info("the first sample gave no answer: %s", error)
    return predictor, experiment


def splits_of_run(
    experiment: Experiment, table: Table | None, project: Path | None
) -> np.ndarray | None:
    """The open table's rows as a run's own experiment splits them; None where it can't."""
    if table is None or project is None:
        return None
    try:
        return splits_of(table, experiment, project)
    except UserError as error:  # of another table, say
        log.info("the run's splits are not known: %s", error)
        return None


def move_to_trash(run: Path) -> None:
    """Move a run's folder to the trash. Raises UserError where there is none."""
    from PySide6.QtCore import QFile, QStandardPaths

    # Where the trash is made when it is first needed; Qt does not make the folder above it.
    kind = QStandardPaths.StandardLocation.GenericDataLocation
    Path(QStandardPaths.writableLocation(kind)).mkdir(parents=True, exist_ok=True)
    moved = QFile.moveToTrash(str(run))
    if not (moved[0] if isinstance(moved, tuple) else moved):
        raise UserError(
            f"The run {run.name} could not be moved to the trash.",
            f"Delete its folder yourself: {run}",
        )
