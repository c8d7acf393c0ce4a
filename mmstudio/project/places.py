"""Where projects are: the folder of a project, a place for a new one, paths as it names them."""

from __future__ import annotations

import os
from pathlib import Path

from mmstudio.errors import UserError

EXPERIMENT_FILE = "experiment.toml"


def projects_dir() -> Path:
    """Where new projects go: MMSTUDIO_PROJECTS, or a folder in the user's documents."""
    if override := os.environ.get("MMSTUDIO_PROJECTS"):
        return Path(override)
    import platformdirs

    return Path(platformdirs.user_documents_path()) / "Multimodal Studio"


def free_folder(folder: Path) -> Path:
    """The folder, or the first of "folder 2", "folder 3", … that does not exist yet."""
    number = 1
    result = folder
    while _is_taken(result):
        number += 1
        result = folder.with_name(f"{folder.name} {number}")
    return result


def _is_taken(folder: Path) -> bool:
    if not folder.is_dir():
        return folder.exists()
    try:
        return any(folder.iterdir())
    except OSError:
        return True  # what can't be looked into is somebody's


def project_of(path: Path) -> Path:
    """The project folder that a path means: the folder, its experiment file, a run in it.

    Raises:
        UserError: There is no project there.
    """
    path = path.absolute()
    folder = path.parent if path.is_file() else path
    if not folder.exists():
        raise UserError(f"There is no folder {folder}.", "It may have been moved or renamed.")
    for candidate in (folder, *folder.parents[:2]):
        inside_run = (candidate.parent.name == "runs"
                      and (candidate.parent.parent / EXPERIMENT_FILE).is_file())
        if (candidate / EXPERIMENT_FILE).is_file() and not inside_run:
            return candidate
    raise UserError(
        f"{folder} is not a project: it has no {EXPERIMENT_FILE}.",
        "Choose a project folder, or make a new project from your data.",
    )


def check_free(folder: Path) -> None:
    """Raise UserError where a folder is a project already."""
    path = folder / EXPERIMENT_FILE
    if path.exists() or path.is_symlink():
        raise UserError(f"{folder} is a project already.",
                        "Give the name of another folder; nothing was changed.")


def path_from(folder: Path, target: Path) -> str:
    """A path as an experiment file in ``folder`` names it: relative where that is possible."""
    try:
        # ".." is followed from where the folder really is, also where it is reached by a link
        return Path(os.path.relpath(os.path.abspath(target), folder.resolve())).as_posix()
    except ValueError:  # on another drive
        return Path(os.path.abspath(target)).as_posix()
