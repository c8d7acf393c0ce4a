"""Components of a project's own and of installed packages: asked for, found, refused, kept."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mmstudio
from mmstudio import own_components, registry
from mmstudio.errors import UserError
from mmstudio.fusion import FUSIONS
from mmstudio.own_components import (
    component_files,
    load_components,
    project_of_run,
    trust,
    untrusted_of,
)
from mmstudio.registry import options_of
from tests.cli.conftest import Run
from tests.cli.conftest import run as run  # a fixture
from tests.one_thread import one_thread as one_thread  # a fixture
from tests.small_project import write_small_project

LARGEST = '''
"""Fusion by the largest value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import nn

import mmstudio
from mmstudio.encoders.base import Features, Fused
from mmstudio.registry import Range


@mmstudio.fusion.register("NAME", title="Largest", summary="Takes the strongest input.")
class Largest(mmstudio.fusion.Fusion):
    """The largest of the inputs' layers."""

    def __init__(
        self, widths: Sequence[int], *, hidden: Annotated[int, Range(8, 64, "its width")] = 16
    ) -> None:
        super().__init__(widths)
        self.width = hidden
        self.linears = nn.ModuleList(nn.Linear(width, hidden) for width in widths)

    def forward(self, features: Sequence[Features], present: torch.Tensor) -> Fused:
        parts = torch.stack(
            [f(x.pooled()) for f, x in zip(self.linears, features, strict=True)], dim=1)
        return Fused.joint(parts.relu().masked_fill(~present.unsqueeze(-1), 0).amax(dim=1))
'''


def write_component(project: Path, name: str = "largest", file: str = "largest.py") -> Path:
    path = project / "components" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(LARGEST.replace("NAME", name), encoding="utf-8")
    return path


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A small project with a fusion of its own, which goes again."""
    folder = write_small_project(tmp_path / "P")
    write_component(folder)
    yield folder
    load_components(tmp_path / "nowhere")


def allowed(project: Path) -> own_components.Loaded:
    trust(component_files(project))
    return load_components(project)


def test_nothing_runs_before_it_is_allowed_and_then_it_is_remembered(project: Path) -> None:
    proof = project / "ran"
    path = project / "components" / "largest.py"
    path.write_text(path.read_text() + f"\nopen({str(proof)!r}, 'w').close()\n")
    loaded = load_components(project)
    assert [f.path.name for f in loaded.untrusted] == ["largest.py"]
    assert loaded.names == () and not proof.exists() and "largest" not in FUSIONS.names()
    assert allowed(project).names == ("fusion largest",)
    assert proof.exists() and list(options_of(FUSIONS.get("largest"))) == ["hidden"]
    proof.unlink()
    assert load_components(project).names == ("fusion largest",)
    assert not proof.exists(), "it is run once, not at each look"


def test_a_changed_file_is_asked_about_anew_and_its_old_classes_go(project: Path) -> None:
    allowed(project)
    write_component(project, "greatest")
    loaded = load_components(project)
    assert len(loaded.untrusted) == 1 and loaded.names == ()
    assert "largest" not in FUSIONS.names() and "greatest" not in FUSIONS.names()
    assert allowed(project).names == ("fusion greatest",)


def test_another_project_does_not_have_them(project: Path, tmp_path: Path) -> None:
    allowed(project)
    other = tmp_path / "other"
    write_component(other, "largest")
    assert load_components(other).names == ("fusion largest",), "the same text was allowed"
    load_components(tmp_path / "third")
    assert "largest" not in FUSIONS.names()


@pytest.mark.parametrize("text, message", [
    (LARGEST.replace("NAME", "gated"), "two fusions are named gated"),
    (LARGEST.replace("NAME", "one") + LARGEST.replace("NAME", "one").replace(
        "class Largest", "class Other").replace("from __future__ import annotations", ""),
     "two fusions are named one"),
    ("def f(:\n", "line 1"), ("x = 1\n", "registers no component"),
    ("import sys\nsys.exit()\n", "line 2"), ("\n\nmissing\n", "line 3.*NameError"),
])
def test_one_that_fails_or_takes_a_name_is_refused_whole(
    text: str, message: str, project: Path
) -> None:
    before = FUSIONS.classes()
    (project / "components" / "largest.py").write_text(text)
    write_component(project, "fine", "fine.py")
    loaded = allowed(project)
    assert loaded.names == ("fusion fine",)
    (problem,) = loaded.problems
    with pytest.raises(UserError, match=message):
        raise problem
    assert {k: v for k, v in FUSIONS.classes().items() if k != "fine"} == before


def test_a_run_folder_brings_no_program(project: Path) -> None:
    run = project / "runs" / "sent"
    write_component(run, "evil")
    (run / "experiment.toml").write_text("")
    assert component_files(run) == []
    moved = project.parent / "sent"
    run.rename(moved)
    for name in ("schema.json", "events.jsonl"):
        (moved / name).write_text("")
    assert component_files(moved) == []


@pytest.mark.parametrize("name", ["schema.json", "events.jsonl"])
def test_a_project_whose_data_is_named_like_a_file_of_a_run_is_no_run(
    name: str, project: Path
) -> None:
    (project / name).write_text("")
    assert [f.path.name for f in component_files(project)] == ["largest.py"]


def test_only_a_run_in_a_project_has_the_components_around_it(
    project: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert project_of_run(project / "runs" / "a") == project
    monkeypatch.chdir(project / "components")
    assert project_of_run(Path("../runs/a")) == project
    assert project_of_run(project / "data" / "a") is None
    proof = project / "ran"
    path = project / "components" / "largest.py"
    path.write_text(path.read_text() + f"\nopen({str(proof)!r}, 'w').close()\n")
    (project / "experiment.toml").rename(project / "other.toml")
    sent = project / "runs" / "sent"  # its folder is no project
    sent.mkdir(parents=True)
    for arguments in (("evaluate", sent), ("predict", sent, "--input", "a=b"),
                      ("similar", sent, "--input", "a=b"), ("labels", sent),
                      ("drift", sent, "--table", "a.csv"), ("robustness", sent)):
        assert run(*arguments, "--trust").code == 1
    with pytest.raises(UserError, match="is not a run folder"):
        mmstudio.load_run(sent)
    assert not proof.exists() and len(untrusted_of(component_files(project))) == 1


def test_what_cannot_be_read_is_told(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "components" / "latin.py").write_bytes(b"# \xff")
    (problem,) = load_components(project).problems
    assert "latin.py" in problem.message
    (project / "components" / "latin.py").unlink()
    monkeypatch.setattr(own_components, "MOST_FILES", 0)
    (problem,) = load_components(project).problems
    assert "limit" in problem.message


def test_a_damaged_list_of_what_was_allowed_asks_again(project: Path) -> None:
    allowed(project)
    own_components._trusted_path().write_text("[1]")
    assert len(untrusted_of(component_files(project))) == 1
    assert len(json.loads(own_components._trusted_path().read_text())) == 1


def test_the_command_line_says_so_and_runs_it_with_trust(
    one_thread: None, run: Run, project: Path
) -> None:
    file = project / "experiment.toml"
    arguments = ("--set", "fusion.name=largest", "--set", "fusion.hidden=24", "--set",
                 "training.epochs=1", "--run", "a")
    refused = run("train", file, *arguments)
    assert refused.code == 1
    assert "largest.py was not run" in refused.err and "--trust" in refused.err
    assert "'largest' is not a known fusion" in refused.err
    assert run("train", file, "--trust", *arguments).code == 0
    saved = project / "runs" / "a"
    assert (saved / "components" / "largest.py.txt").read_text() == LARGEST.replace(
        "NAME", "largest")
    assert not list((saved / "components").glob("*.py"))
    assert 'name = "largest"' in (saved / "experiment.toml").read_text()
    load_components(project.parent)  # as in a process that has not seen it
    figures = run("evaluate", saved, "--json")
    assert figures.code == 0 and "was not run" not in figures.err
    answer = run("predict", saved, "--input", "words=round little point", "--json")
    assert answer.code == 0
    listed = run("components", "fusion", "--project", project, "--json")
    assert "largest" in [item["name"] for item in listed.lines]


@pytest.mark.parametrize("answer", [True, False])
def test_on_a_terminal_it_is_asked(
    answer: bool, run: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import typer

    asked = []
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(typer, "confirm", lambda *a, **k: asked.append(a) or answer)
    listed = run("components", "fusion", "--project", project, "--json")
    assert len(asked) == 1 and "can do all that you can do" in listed.err
    assert ("largest" in [item["name"] for item in listed.lines]) is answer
    run("components", "fusion", "--project", project)
    assert len(asked) == (1 if answer else 2)


def test_one_that_fails_ends_the_command_with_its_line(run: Run, project: Path) -> None:
    (project / "components" / "largest.py").write_text("1 / 0\n")
    result = run("check", project / "experiment.toml", "--trust")
    assert result.code == 1 and "largest.py, line 1 can't be used" in result.err
    assert "division by zero" in result.err


def test_in_python_they_are_loaded_by_name(project: Path) -> None:
    assert mmstudio.load_components(project) == ()
    assert mmstudio.load_components(str(project), trust=True) == ("fusion largest",)
    assert "largest" in mmstudio.fusion.names()
    (project / "components" / "largest.py").write_text("1 / 0\n")
    with pytest.raises(UserError, match="division by zero"):
        mmstudio.load_components(project, trust=True)


def test_in_python_a_run_has_its_own_after_another_projects_and_warns_of_what_may_not_run(
    one_thread: None, project: Path, tmp_path: Path
) -> None:
    experiment = mmstudio.Experiment.load(project / "experiment.toml").replaced(
        "training.epochs", 1)
    allowed(project)
    first = mmstudio.train(experiment.replaced("fusion.name", "largest"), project / "runs" / "a")
    other = write_small_project(tmp_path / "other")
    write_component(other, "greatest")
    with pytest.warns(UserWarning, match=r"largest\.py was not run.*load_components\('.*other'"):
        mmstudio.train(experiment, other / "runs" / "b")
    assert "largest" not in FUSIONS.names()
    assert first.model().predict(words="round").present == ("words",)
    load_components(other)
    assert first.evaluate().samples > 0


@pytest.fixture
def installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """Installs packages with an entry point; they go again."""
    before = FUSIONS.classes()

    def install(package: str, text: str) -> None:
        folder = tmp_path / "site"
        (folder / f"{package}-1.0.dist-info").mkdir(parents=True)
        (folder / f"{package}-1.0.dist-info" / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (folder / f"{package}-1.0.dist-info" / "entry_points.txt").write_text(
            f"[mmstudio.components]\n{package} = {package}\n")
        (folder / f"{package}.py").write_text(text)
        importlib.invalidate_caches()
        packages.append(package)

    packages: list[str] = []
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setattr(registry, "_installed_loaded", False)
    monkeypatch.setattr(registry, "PROBLEMS", [])
    yield install
    for name in set(FUSIONS.classes()) - set(before):
        FUSIONS.remove(name)
    for package in packages:
        sys.modules.pop(package, None)


def test_an_installed_package_brings_its_own(
    one_thread: None, installed: Any, tmp_path: Path
) -> None:
    installed("largest_fusion", LARGEST.replace("NAME", "largest"))
    assert "largest" in FUSIONS.names()
    folder = write_small_project(tmp_path / "P")
    experiment = mmstudio.Experiment.load(folder / "experiment.toml")
    experiment = experiment.replaced("fusion.name", "largest").replaced("training.epochs", 1)
    trained = mmstudio.train(experiment, folder / "runs" / "a")
    assert trained.experiment.fusion.options == {"hidden": 16}
    kept = trained.path / "components" / "largest_fusion.py.txt"
    assert kept.read_text() == LARGEST.replace("NAME", "largest")
    assert trained.model().predict(words="round").present == ("words",)


def test_a_package_that_takes_a_name_or_fails_is_told_and_hinders_nobody(installed: Any) -> None:
    installed("gated_again", LARGEST.replace("NAME", "gated"))
    installed("broken_one", "import nothing_of_this_name\n")
    installed("largest_fusion", LARGEST.replace("NAME", "largest"))
    assert {"gated", "largest"} <= set(FUSIONS.names())
    assert FUSIONS.get("gated").__module__ == "mmstudio.fusion.gated"
    assert len(registry.PROBLEMS) == 2
    assert any("gated_again" in p and "two fusions are named gated" in p
               for p in registry.PROBLEMS)
    assert any("broken_one" in p and "nothing_of_this_name" in p for p in registry.PROBLEMS)


LETTERS = '''
from collections import Counter
from typing import Annotated

import numpy as np
import torch

import mmstudio
from mmstudio.encoders.base import Features
from mmstudio.registry import Range
from mmstudio.tasks.classification import Classification

ALPHABET = "abcdefghijklmnopqrstuvwxyz"


@mmstudio.modalities.register("letters", title="Letters", summary="Which letters a cell has.")
class Letters(mmstudio.modalities.Modality):
    default_encoder = "letter_line"
    dtype = "float32"

    def locate(self, cell, folder):
        return cell

    def fit(self, values, wanted={}):
        return {"letters": len(ALPHABET)}

    def decode(self, value, spec):
        counts = Counter(str(value).lower())
        return np.array([counts[letter] for letter in ALPHABET], dtype=np.float32)

    def collate(self, arrays, spec):
        rows = [np.zeros(spec["letters"], np.float32) if a is None else a for a in arrays]
        return torch.from_numpy(np.stack(rows)), None


@mmstudio.encoders.register("letter_line", modality="letters", title="A line", summary="Sums up.")
class LetterLine(mmstudio.encoders.Encoder):
    def __init__(self, spec, *, width: Annotated[int, Range(4, 64, "its width")] = 16) -> None:
        super().__init__(spec)
        self.width = width
        self.line = torch.nn.Linear(spec["letters"], width)

    def forward(self, values, mask):
        tokens = self.line(values).unsqueeze(1)
        return Features(tokens, torch.ones(len(tokens), 1, dtype=torch.bool, device=tokens.device))


@mmstudio.tasks.register("named_classes", title="Classes", summary="As the built-in one.")
class NamedClasses(Classification):
    pass
'''


@pytest.mark.parametrize("combine", [False, True])
def test_a_modality_an_encoder_and_a_task_of_ones_own_are_trained(
    combine: bool, one_thread: None, run: Run, project: Path
) -> None:
    (project / "components" / "largest.py").write_text(LETTERS)
    file = project / "experiment.toml"
    toml = file.read_text()
    start, end = toml.index("[inputs.image]"), toml.index("[fusion]")
    toml = toml[:start] + ('[inputs.said]\ncolumn = "text"\nmodality = "letters"\n\n'
                           '[inputs.image]\ncolumn = "file_name"\nmodality = "image"\n'
                           'encoder = { name = "cnn", width = 16 }\n\n') + toml[end:]
    toml = toml.replace('[targets.shape]\ntask = "classification"',
                        '[targets.shape]\ntask = "named_classes"')
    file.write_text(toml.replace("combine = false", f"combine = {str(combine).lower()}"))
    refused = run("check", file)
    assert refused.code == 1 and "'letters' is not a known modality" in refused.err
    checked = run("check", file, "--trust", "--json")
    assert checked.code == 0, checked.err
    trained = run("train", file, "--run", "a", "--json")
    assert trained.code == 0, trained.err
    saved = project / "runs" / "a"
    assert [p.name for p in (saved / "components").iterdir()] == ["largest.py.txt"]
    load_components(project.parent)
    assert "cnn" in mmstudio.encoders.names(), "what comes with mmstudio stays"
    figures = run("evaluate", saved, "--json")
    assert figures.code == 0 and figures.lines[0]["tasks"]["shape"]["accuracy"] >= 0
    answer = run("predict", saved, "--input", "said=two roads meet", "--json")
    assert answer.code == 0 and answer.lines[0]["present"] == ["said"]
    assert run("advise", file).code == 0
    assert run("estimate", file).code == 0
