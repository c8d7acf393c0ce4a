"""Components that a project brings along, in ``components/*.py``: run only once they are trusted.

Such a file is a program, and may do all that its user may. So each is asked about once, by its
name, and what was allowed is remembered by the hash of its text: another text is asked about again.
A run folder's copies are texts for people, and are never run.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
import threading
import types
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmstudio.errors import UserError
from mmstudio.paths import config_dir
from mmstudio.reading import read_json, read_text, reading, reason_of
from mmstudio.registry import Registry, recorded
from mmstudio.safe_files import write_whole

FOLDER = "components"
MOST_BYTES, MOST_FILES = 1_000_000, 200
MOST_TRUSTED_BYTES = 10_000_000
RUN_FILES = ("schema.json", "events.jsonl")
"""What every run holds; one of them alone may be anybody's data."""
WARNING = ("This is program code that came with the project, and can do all that you can do on "
           "this computer: read, change, send and delete your files. Allow it only if you know "
           "what it does, or trust who wrote it.")


@dataclass(frozen=True)
class ComponentFile:
    """One file of components.

    Attributes:
        path: Where it lies.
        text: What stands in it.
    """

    path: Path
    text: str

    @property
    def digest(self) -> str:
        """The hash of its text."""
        return hashlib.sha256(self.text.encode("utf-8")).hexdigest()


@dataclass(frozen=True)
class Loaded:
    """What came of a project's files.

    Attributes:
        untrusted: Those that were not run.
        problems: What went wrong with others.
        names: What the rest registered: ``("fusion maximum",)``.
    """

    untrusted: tuple[ComponentFile, ...] = ()
    problems: tuple[UserError, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Module:
    name: str
    file: ComponentFile
    made: list[tuple[Registry[Any], str]] = field(default_factory=list)

    def remove(self) -> None:
        for registry, name in self.made:
            registry.remove(name)
        sys.modules.pop(self.name, None)


_modules: dict[tuple[Path, str], _Module] = {}
_lock = threading.RLock()


def component_files(project: Path) -> list[ComponentFile]:
    """The files of components in a project, in the order of their names; none in a run folder.

    Raises:
        UserError: One can't be read, or there are too many.
    """
    project = Path(project).resolve()
    folder = project / FOLDER
    if is_run(project) or not folder.is_dir():
        return []
    with reading(folder, "Check its permissions."):
        paths = sorted(p for p in folder.iterdir() if p.suffix == ".py" and p.is_file())
    if len(paths) > MOST_FILES:
        raise UserError(f"{folder} holds {len(paths):,} files; {MOST_FILES} are the limit.",
                        "Keep in it what this project needs.")
    found = []
    for path in paths:
        with reading(path, "It must be Python in UTF-8."):
            found.append(ComponentFile(path, read_text(path, MOST_BYTES)))
    return found


def is_run(folder: Path) -> bool:
    """Whether a folder is a run, which somebody may have sent, and no project."""
    inside = folder.parent.name == "runs" and (folder.parent.parent / "experiment.toml").exists()
    return inside or all((folder / name).exists() for name in RUN_FILES)


def project_of_run(run: Path) -> Path | None:
    """The project that a run lies in, the components of which it may need.

    Args:
        run: The run's folder.

    Returns:
        None unless it is ``PROJECT/runs/NAME`` and PROJECT has an experiment file: what lies around
        a run that somebody sent belongs to no project.
    """
    runs = run.resolve().parent
    inside = runs.name == "runs" and (runs.parent / "experiment.toml").is_file()
    return runs.parent if inside else None


def untrusted_of(files: Iterable[ComponentFile]) -> list[ComponentFile]:
    """Those that nobody has allowed to run."""
    known = _trusted()
    return [file for file in files if file.digest not in known]


def trust(files: Sequence[ComponentFile]) -> None:
    """Remember that these may run.

    Raises:
        UserError: That can't be written.
    """
    with _lock:
        known = _trusted() | {file.digest: str(file.path) for file in files}
        path = _trusted_path()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, json.dumps(known, indent=1))
        except OSError as error:
            raise UserError(f"{path} can't be written: {error}.",
                            "Set MMSTUDIO_CONFIG to a folder that you may write to.") from None


def _trusted_path() -> Path:
    return config_dir() / "trusted_components.json"


def _trusted() -> dict[str, str]:
    """Per hash where its file lay; what can't be read is asked about again."""
    try:
        return {str(k): str(v) for k, v in
                read_json(_trusted_path(), MOST_TRUSTED_BYTES).items()}
    except (OSError, ValueError, RecursionError):
        return {}


def load_components(project: Path, wanted: Callable[[], bool] = lambda: True) -> Loaded:
    """Have the components of this project, as far as they are trusted, and of no other.

    Args:
        project: Its folder.
        wanted: Asked when no other thread is at it; where it says no, all stays as it is.
    """
    with _lock:
        if not wanted():
            return Loaded()
        try:
            files = component_files(project)
        except UserError as error:
            files, problems = [], [error]
        else:
            problems = []
        untrusted = untrusted_of(files)
        allowed = {(f.path, f.digest): f for f in files if f not in untrusted}
        for key in set(_modules) - set(allowed):
            _modules.pop(key).remove()
        for key, file in allowed.items():
            if key not in _modules:
                try:
                    _modules[key] = _run(file)
                except UserError as error:
                    problems.append(error)
        names = [f"{registry.kind} {name}" for m in _modules.values() for registry, name in m.made]
        return Loaded(tuple(untrusted), tuple(problems), tuple(names))


def _run(file: ComponentFile) -> _Module:
    """Run a file; one that fails leaves nothing behind."""
    module = types.ModuleType(f"mmstudio_components_{file.digest[:12]}_{file.path.stem}")
    module.__file__ = str(file.path)
    sys.modules[module.__name__] = module
    with recorded() as made:
        loaded = _Module(module.__name__, file, made)
        try:
            exec(compile(file.text, str(file.path), "exec"), module.__dict__)
        except (Exception, SystemExit) as error:  # whatever somebody's program runs into
            loaded.remove()
            raise UserError(f"{file.path}{_line(error, file.path)} can't be used: {_told(error)}.",
                            "Correct it, or take it out of the folder.") from error
    if not made:
        loaded.remove()
        raise UserError(f"{file.path} registers no component.",
                        "Decorate a class as CONTRIBUTING.md shows, or remove the file.")
    return loaded


def _told(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return str(error.msg)
    said = reason_of(error) if isinstance(error, Exception) else "it ended the program"
    return said if isinstance(error, ValueError) else f"{type(error).__name__}: {said}"


def _line(error: BaseException, path: Path) -> str:
    """Where in the file it happened."""
    if isinstance(error, SyntaxError):
        return f", line {error.lineno}"
    lines, trace = [], error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return f", line {lines[-1]}" if lines else ""


def source_of(component: type) -> tuple[str, str] | None:
    """The name and the text of the file that a component of one's own stands in.

    Returns:
        None for those that come with mmstudio, and where the text is not to be had.
    """
    module = component.__module__
    if module.split(".")[0] == "mmstudio":
        return None
    own = next((m.file for m in _modules.values() if m.name == module), None)
    if own is not None:
        return own.path.name, own.text
    for whole in (sys.modules.get(module), component):
        try:
            if whole is not None:
                return f"{module}.py", inspect.getsource(whole)
        except (OSError, TypeError):
            continue
    return None
