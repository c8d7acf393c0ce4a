"""The wheel, installed into an environment of its own, is whole: it needs no checkout beside it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.small_project import write_digits

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent


def run(*command: str | Path, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd, env=environment, capture_output=True, text=True, timeout=240,
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(
        sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT,
        cwd=folder,
    )
    (path,) = folder.glob("mmstudio-*.whl")
    return path


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel in it; returns the folder of its programs."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    places = {"base": str(folder), "platbase": str(folder)}
    programs = Path(sysconfig.get_path("scripts", "venv", places))
    packages = Path(sysconfig.get_path("purelib", "venv", places))
    run(
        sys.executable, "-m", "pip", "--disable-pip-version-check",
        "--python", next(programs.glob("python*")),
        "install", "--quiet", "--no-deps", "--no-index", wheel,
        cwd=folder,
    )
    # What mmstudio stands on comes from this environment, by a path: its own .pth files, and so
    # an editable mmstudio, are not followed from there.
    outer = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (packages / "outer.pth").write_text("\n".join(sorted(outer)) + "\n")
    return programs


def test_the_wheel_holds_the_sample_and_no_screenshots(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    sample = [name for name in names if name.startswith("mmstudio/resources/sample/")]
    assert "mmstudio/resources/sample/experiment.toml" in names
    assert any(name.endswith(".png") for name in sample)
    assert any(name.endswith(".ogg") for name in sample)
    assert "mmstudio/py.typed" in names
    assert not [name for name in names if "screenshot" in name]
    assert not [name for name in names if name.startswith(("resources", "tests"))]
    assert not [
        name for name in names
        if name.startswith("mmstudio/resources/") and name.endswith((".py", ".pyc"))
    ]


def test_every_resource_of_the_checkout_is_inside(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    missing = [
        path for path in (ROOT / "resources").rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc") and "screenshots" not in path.parts
        and f"mmstudio/{path.relative_to(ROOT).as_posix()}" not in inside
    ]
    assert not missing


def test_every_module_of_the_checkout_is_inside(wheel: Path) -> None:
    """A folder that git is told to ignore is left out of a wheel without a word."""
    sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / "mmstudio").rglob("*.py")}
    with zipfile.ZipFile(wheel) as archive:
        assert sources <= set(archive.namelist())


def test_the_installed_program_runs(programs: Path, tmp_path: Path) -> None:
    where = run(
        programs / "python", "-c", "import mmstudio; print(mmstudio.__file__)", cwd=tmp_path
    )
    assert Path(where.strip()).is_relative_to(programs.parent)
    assert "train" in run(programs / "mmstudio", "--help", cwd=tmp_path)
    run(programs / "mmstudio", "demo", tmp_path / "sample", cwd=tmp_path)
    assert (tmp_path / "sample" / "experiment.toml").is_file()
    assert list((tmp_path / "sample").rglob("*.ogg"))


def test_the_python_of_the_readme_runs_outside_the_checkout(
    programs: Path, tmp_path: Path
) -> None:
    document = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", document, re.DOTALL | re.MULTILINE)
    write_digits(tmp_path / "digits")
    (tmp_path / "readme.py").write_text(code, encoding="utf-8")
    out = run(programs / "python", "readme.py", cwd=tmp_path)
    assert "train loss" in out and "digit answer" in out


def test_the_installed_window_finds_its_resources(programs: Path, tmp_path: Path) -> None:
    code = (
        "import mmstudio.gui.main_window, mmstudio.paths as paths\n"
        "print(paths.resources_dir())"
    )
    folder = Path(run(programs / "python", "-c", code, cwd=tmp_path).strip())
    assert folder.is_relative_to(programs.parent)
    assert (folder / "sample" / "metadata.csv").is_file()
