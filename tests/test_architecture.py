"""The house rules that a machine can check: who imports whom, and what stays out of the code."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "mmstudio"
SOURCES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

# A room imports from lower floors and from itself; the rooms of one floor don't know each other.
FLOORS = {
    "version": 0, "errors": 0, "paths": 0, "threads": 0, "units": 0, "rng": 0, "signals": 0,
    "quiet": 0, "generators": 0, "column_cells": 0, "shapes": 0, "portable": 0, "numbers": 0,
    "awake": 0,
    "without_compiler": -1,  # a word to torch: whatever uses torch may ask for it
    "registry": 1, "safe_files": 1, "reading": 1,
    "settings_file": 1.5,
    "own_components": 1.5,  # it registers and reads; all components stand above it
    "modalities": 2, "tasks": 2,
    "experiment": 3,
    "pretrained": 4,
    "data": 5,
    "project": 5.5,
    "encoders": 6, "fusion": 6,
    "combining": 7,
    "training": 8, "advice": 8,
    "inference": 9,
    "comparison": 10, "evaluation": 10, "explanation": 10, "jobs_queue": 10,
    "export": 10.2,  # its card tells what an evaluation found
    "search": 10.5, "report": 10.5,
    "gui": 11,
    "cluster": 11,
    "cli": 12,
    "api": 13,
    "__main__": 13,
    "": 14,  # the names that mmstudio itself gives
}  # fmt: skip
SHARED_TYPES = "mmstudio.encoders.base"  # the types that encoders and fusions pass on
QT = {"PySide6", "PyQt5", "PyQt6", "shiboken6", "qtpy", "pyqtgraph", "qtawesome"}

# The window must stand before anything heavy is loaded.
QUICK = [
    "mmstudio.cli", "mmstudio.experiment", "mmstudio.registry", "mmstudio.errors",
    "mmstudio.paths", "mmstudio.modalities", "mmstudio.data.table", "mmstudio.data.propose",
    "mmstudio.training.events", "mmstudio.training.history", "mmstudio.training.run_folder",
    "mmstudio.training.run_list",
    "mmstudio.pretrained.catalogue", "mmstudio.pretrained.source",
    "mmstudio.pretrained.preprocessing", "mmstudio.data.schema", "mmstudio.tasks.kinds",
    "mmstudio.project.opening",
]  # fmt: skip
HEAVY = [
    "torch", "transformers", "huggingface_hub", "peft", "tokenizers", "sklearn", "scipy", "soxr",
]
HEAVY_FOR_THE_WINDOW = [*HEAVY, "pyqtgraph", "PySide6.QtMultimedia"]


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def room_of(module: str) -> str:
    """The part below the package; ``experiment`` stands for ``experiment_...`` too, and so on."""
    room = [*module.split("."), ""][1]
    whole = room.partition("_")[0]
    return whole if whole in FLOORS else room


@functools.cache
def walked(path: Path) -> tuple[ast.AST, ...]:
    """All that a file's code is made of: many rules go by it, so it is read once."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


@pytest.fixture(autouse=True, scope="module")
def forgotten_afterwards() -> Iterator[None]:
    """The other tests of this process need the memory."""
    yield
    walked.cache_clear()
    imports_of.cache_clear()


@functools.cache
def imports_of(path: Path) -> list[tuple[int, str]]:
    """Every module that a file imports, wherever in the file: (line, full name)."""
    return list(imports_in(path))


def imports_in(path: Path) -> Iterator[tuple[int, str]]:
    package = name_of(path) if path.name == "__init__.py" else name_of(path).rpartition(".")[0]
    for node in walked(path):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield node.lineno, full if is_module(full) else base


@functools.cache
def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or path.is_dir()


def places(found: Iterator[tuple[Path, int, str]]) -> list[str]:
    return [f"{path.relative_to(ROOT)}:{line} {what}" for path, line, what in found]


def test_imports_run_downward_only() -> None:
    def wrong() -> Iterator[tuple[Path, int, str]]:
        for path in SOURCES:
            room = room_of(name_of(path))
            for line, module in imports_of(path):
                other = room_of(module)
                if module.split(".")[0] != "mmstudio" or other in ("", room):
                    continue
                if FLOORS[other] >= FLOORS[room] and module != SHARED_TYPES:
                    yield path, line, f"imports {module}"

    assert not places(wrong())


# Modules that import each other in a circle, TYPE_CHECKING imports counted: the list only shrinks.
CIRCLES = [
    {"data.columns", "data.flat_folder", "data.folders", "data.table", "data.tables_in_folder"},
    {"evaluation.answering", "evaluation.scores"},
    {"modalities.audio", "modalities.glance.sounds"},
    {"modalities.corrupting.records", "modalities.tabular"},
    {"modalities.corrupting.texts", "modalities.glance.texts", "modalities.pointing.texts",
     "modalities.text"},
    {"modalities.glance.pictures", "modalities.image"},
]


def circles() -> list[set[str]]:
    """The groups of modules of which each reaches every other by imports.

    The package's own ``__init__`` is left out: it gives its names lazily.
    """
    names = {name_of(path): path for path in SOURCES if name_of(path) != "mmstudio"}
    graph = {name: {module for _, module in imports_of(path) if module in names and module != name}
             for name, path in names.items()}

    def reached(start: str) -> set[str]:
        found: set[str] = set()
        ahead = [start]
        while ahead:
            for module in graph[ahead.pop()] - found:
                found.add(module)
                ahead.append(module)
        return found

    reach = {name: reached(name) for name in graph}
    groups = {frozenset(other for other in reach[name] if name in reach[other])
              for name in graph if name in reach[name]}
    return [{name.removeprefix("mmstudio.") for name in group} for group in groups]


def test_modules_import_each_other_in_no_circle() -> None:
    found = circles()
    assert sorted(map(sorted, found)) == sorted(map(sorted, CIRCLES))
    assert not [circle for circle in found if any(name.startswith("gui.") for name in circle)]


STORES = {
    "jobs", "libraries", "heavy", "project", "opener", "runs", "check", "mending", "models",
    "training", "comparing", "queue", "testing", "similar", "advice", "fit",
}  # fmt: skip


def test_only_its_owner_writes_a_stores_field() -> None:
    """``self._project.folder = …`` stands nowhere: a store's methods write its own fields."""

    def wrong() -> Iterator[tuple[Path, int, str]]:
        for path, node in nodes((ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Delete)):
            if room_of(name_of(path)) != "gui":
                continue
            for target in ast.walk(node):
                if isinstance(target, ast.Attribute) and not isinstance(target.ctx, ast.Load):
                    owner = ast.unparse(target.value).rpartition(".")[2].lstrip("_")
                    if owner in STORES:
                        yield path, target.lineno, ast.unparse(target)

    assert not places(wrong())


def test_pages_and_widgets_take_stores_and_never_the_session() -> None:
    allowed = {"app", "main_window", "pages.listed", "state.session"}
    found = (
        (path, line, "imports the session")
        for path in SOURCES if name_of(path).removeprefix("mmstudio.gui.") not in allowed
        for line, module in imports_of(path) if module == "mmstudio.gui.state.session"
    )
    assert not places(found)


def test_only_the_gui_knows_qt() -> None:
    found = (
        (path, line, f"imports {module}")
        for path in SOURCES if room_of(name_of(path)) != "gui"
        for line, module in imports_of(path) if module.split(".")[0] in QT
    )
    assert not places(found)


def test_the_command_line_reaches_the_gui_inside_a_function() -> None:
    cli = [path for path in SOURCES if room_of(name_of(path)) == "cli"]
    found = (
        (path, node.lineno, ast.unparse(node))
        for path in cli
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Import | ast.ImportFrom) and "mmstudio.gui" in ast.unparse(node)
    )
    assert not places(found)


def test_only_jobs_makes_threads_for_the_app() -> None:
    makers = {"Thread", "QThread", "QThreadPool", "ThreadPoolExecutor", "Timer"}

    def wrong() -> Iterator[tuple[Path, int, str]]:
        for path in sorted((PACKAGE / "gui").rglob("*.py")):
            if path.name == "jobs.py":
                continue
            for node in walked(path):
                if isinstance(node, ast.Call):
                    called = ast.unparse(node.func).split(".")
                    if called[-1] in makers and called[0] != "QTimer":
                        yield path, node.lineno, ast.unparse(node.func)

    assert not places(wrong())


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [(QUICK, HEAVY), (["mmstudio.gui.app", "mmstudio.gui.main_window"], HEAVY_FOR_THE_WINDOW),
     # made on the GUI thread, which nothing may hold up
     (["mmstudio.gui.pages.testing.page", "mmstudio.gui.pages.results.page"], ["torch"])],
    ids=["core", "window", "pages"],
)
def test_imports_stay_quick(modules: list[str], heavy: list[str]) -> None:
    code = (
        f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["utils", "helpers", "common", "misc"])
def test_names_say_what_is_inside(name: str) -> None:
    assert not [str(path) for path in SOURCES + TESTS if name in (path.stem, path.parent.name)]


def nodes(kind: type[ast.AST] | tuple[type[ast.AST], ...]) -> Iterator[tuple[Path, ast.AST]]:
    for path in SOURCES:
        for node in walked(path):
            if isinstance(node, kind):
                yield path, node


def test_the_program_holds_no_assert() -> None:
    found = ((path, node.lineno, "assert") for path, node in nodes(ast.Assert))
    assert not places(found)


def test_no_exception_is_swallowed_unnamed() -> None:
    found = (
        (path, node.lineno, "bare except") for path, node in nodes(ast.ExceptHandler)
        if node.type is None
        or (ast.unparse(node.type) in ("Exception", "BaseException") and is_silent(node))
    )
    assert not places(found)


def is_silent(handler: ast.ExceptHandler) -> bool:
    return all(isinstance(node, ast.Pass | ast.Continue) for node in handler.body)


def test_no_pickle_is_executed() -> None:
    def wrong() -> Iterator[tuple[Path, int, str]]:
        for path, node in nodes(ast.Call):
            called = ast.unparse(node.func)
            options = {word.arg: ast.unparse(word.value) for word in node.keywords}
            if (
                called in ("pickle.load", "pickle.loads", "pickle.Unpickler", "joblib.load")
                or (called == "torch.load" and options.get("weights_only") != "True")
                or (called in ("np.load", "numpy.load") and "allow_pickle" in options)
            ):
                yield path, node.lineno, ast.unparse(node)

    assert not places(wrong())


def test_pictures_are_opened_as_known_formats_only() -> None:
    """Without ``formats`` Pillow asks other programs to read what a file holds."""
    found = (
        (path, node.lineno, ast.unparse(node)) for path, node in nodes(ast.Call)
        if ast.unparse(node.func).endswith("Image.open")
        and "formats" not in [word.arg for word in node.keywords]
    )
    assert not places(found)


def test_the_command_line_prints_through_its_two_doors_only() -> None:
    """``cli.output`` and ``cli.terminal`` let no escape sequence of a name through."""
    found = (
        (path, node.lineno, ast.unparse(node)[:60])
        for path, node in nodes((ast.Call, ast.ImportFrom))
        if room_of(name_of(path)) == "cli" and path.stem not in ("output", "terminal")
        and (ast.unparse(node) == "from rich.console import Console"
             or (isinstance(node, ast.Call) and ast.unparse(node.func) == "print"))
    )
    assert not places(found)


def test_tests_wait_for_what_happens_and_not_for_time() -> None:
    def wrong() -> Iterator[tuple[Path, int, str]]:
        for path in TESTS:
            if {"benchmarks", "trials"} & {*path.parts}:  # they measure over time, and kill
                continue
            for node in walked(path):
                if isinstance(node, ast.Call):
                    called = ast.unparse(node.func)
                    if called in ("time.sleep", "sleep", "qtbot.wait", "QTest.qWait", "qWait"):
                        yield path, node.lineno, called

    assert not places(wrong())


def written_files() -> list[Path]:
    """What people wrote and read: code, documents and settings, not the sample's media."""
    kinds = {".py", ".md", ".toml", ".txt", ".qss", ".yml", ".cfg", ".sh", ""}
    folders = ("mmstudio", "resources", "tests", ".ci")
    found = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    found += [path for path in ROOT.glob("*") if path.name != ".git"]
    return sorted(path for path in found if path.is_file() and path.suffix in kinds)


HOME_FOLDER = re.compile(r"(?<![\w.$}~])/(?:home|root|Users|work|opt|tmp)/[\w.]")
ADDRESS = re.compile(r"https?://([\w.-]+)")
KNOWN_HOSTS = {
    "127.0.0.1", "arxiv.org", "creativecommons.org", "docs.astral.sh", "doi.org",
    "download.pytorch.org", "example.org", "github.com",
    "huggingface.co", "keepachangelog.com", "localhost", "pytorch.org",
    "schemas.openxmlformats.org", "semver.org", "www.w3.org",
}  # fmt: skip
UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b")


def test_files_hold_no_machine_and_nothing_unfinished() -> None:
    def wrong() -> Iterator[tuple[Path, int, str]]:
        for path in written_files():
            text = path.read_text(encoding="utf-8")
            for line, content in enumerate(text.splitlines(), start=1):
                for match in [*HOME_FOLDER.finditer(content), *UNFINISHED.finditer(content)]:
                    yield path, line, match[0]
                for host in set(ADDRESS.findall(content)) - KNOWN_HOSTS:
                    yield path, line, f"names the host {host}"

    assert not places(wrong())
