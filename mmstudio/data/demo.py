"""The embedded sample project: a digit seen, heard and read."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from mmstudio.errors import UserError
from mmstudio.paths import resources_dir


def write_demo(folder: Path) -> Path:
    """Write the sample project into a folder.

    The folder appears complete or not at all: the files are copied beside it and renamed.

    Args:
        folder: A folder that is not there yet, or an empty one.

    Returns:
        The path of its ``experiment.toml``.

    Raises:
        UserError: The folder has content, is a file, or can't be written.
    """
    source = resources_dir() / "sample"
    if not (source / "experiment.toml").is_file():
        raise UserError(f"The sample project is missing from {source}.",
                        "Install Multimodal Studio again.")
    # Absolute, so that "." has a name and a parent; links are kept as the user wrote them.
    folder = Path(os.path.abspath(Path(folder).expanduser()))
    try:
        _check_free(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".mmstudio-", dir=folder.parent) as beside:
            copy = Path(beside) / "sample"
            # copyfile, not copy2: a read-only installation must not give read-only files
            shutil.copytree(source, copy, copy_function=shutil.copyfile)
            _put(copy, folder)
    except OSError as error:
        raise UserError(f"The sample project can't be written to {folder}: {error}.",
                        "Choose a folder on a disk that you may write to.") from None
    return folder / "experiment.toml"


def _check_free(folder: Path) -> None:
    if folder.is_dir():
        if any(folder.iterdir()):
            raise UserError(f"The folder {folder} is not empty.",
                            "Give the name of a new folder, or of an empty one.")
    elif folder.exists() or folder.is_symlink():
        raise UserError(f"{folder} is a file, not a folder.", "Give the name of a new folder.")


def _put(copy: Path, folder: Path) -> None:
    """Rename the finished copy to the folder, or fill an empty folder that is there."""
    _make_writable(copy)
    if not folder.exists():
        copy.rename(folder)
        return
    # Somebody may stand in the empty folder, or it is a mount point or a link: it stays, and
    # experiment.toml comes last, since it is what makes the folder a project.
    names = sorted(path.name for path in copy.iterdir() if path.name != "experiment.toml")
    for name in [*names, "experiment.toml"]:
        (copy / name).rename(folder / name)


def _make_writable(copy: Path) -> None:
    """Give folders the user's usual rights; copytree takes over those of the installation."""
    for path in [copy, *(inner for inner in copy.rglob("*") if inner.is_dir())]:
        path.chmod(path.stat().st_mode | 0o700)
