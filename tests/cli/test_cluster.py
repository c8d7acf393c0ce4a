"""``mmstudio cluster``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.small_project import TOML


@pytest.mark.parametrize(("scheduler", "name"), [
    ("slurm", "train.slurm.sh"), ("ray", "train_on_ray.py"), ("skypilot", "train.sky.yaml")])
def test_it_writes_a_file_that_names_no_place(
    run: Run, tmp_path: Path, scheduler: str, name: str
) -> None:
    experiment = tmp_path / "my experiment.toml"
    experiment.write_text(TOML, "utf-8")
    result = run("cluster", scheduler, experiment, "--nodes", "2", "--gpus-per-node", "8",
                 "--time", "2:00:00", "--set", "training.epochs=3", "--json")
    assert result.code == 0, result.err
    assert result.lines[0]["run"] == "concat-image-words-sound-1"
    text = (tmp_path / name).read_text("utf-8")
    assert str(tmp_path) not in text and "training.epochs=3" in text
    assert "./my experiment.toml" in text
    again = run("cluster", scheduler, experiment)
    assert again.code == 1 and "already exists" in again.err
    assert (tmp_path / name).read_text("utf-8") == text


def test_the_command_names_the_file_from_the_experiments_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "job files").mkdir()
    experiment = tmp_path / "project" / "experiment.toml"
    experiment.write_text(TOML, "utf-8")
    inside = tmp_path / "project" / "job files" / "a.sh"
    for output, named in ((inside, "'job files/a.sh'"), (tmp_path / "b.sh", "../b.sh")):
        result = run("cluster", "slurm", experiment, "--output", output, "--json")
        assert result.lines[0]["submit"] == f"sbatch {named}", result.err


def test_what_the_cluster_would_refuse_is_refused_here(run: Run, tmp_path: Path) -> None:
    experiment = tmp_path / "experiment.toml"
    experiment.write_text(TOML, "utf-8")
    for more in (["--set", "training.epochs=-3"], ["--time", "soon"], ["--run", "a/b"]):
        result = run("cluster", "slurm", experiment, *more)
        assert result.code == 1 and not (tmp_path / "train.slurm.sh").exists()
    assert run("cluster", "slurm", tmp_path / "none.toml").code == 1
