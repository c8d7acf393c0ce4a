"""What a run tells of what it was made with; runs that were moved, and files that changed."""

from __future__ import annotations

import getpass
import json
import shutil
import socket
from pathlib import Path

import torch
from PIL import Image

import mmstudio
from mmstudio.inference.evaluate import Evaluation, evaluate
from mmstudio.inference.predictor import Predictor
from mmstudio.training.environment import starts_of
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.run_list import list_runs
from tests.small_project import read_rows, train_small

ONE = {"training.epochs": 1, "training.threads": 1}


def evaluated(run: Path) -> Evaluation:
    return next(step for step in evaluate(run) if isinstance(step, Evaluation))


def repaint(project: Path, split: str) -> None:
    """Give a picture of the split another content of the same size, under its old name."""
    row = next(r for r in read_rows(project) if r["split"] == split and r["file_name"])
    Image.new("L", (16, 16), 200).save(project / row["file_name"])


def test_each_start_is_noted(project: Path) -> None:
    train_small(project, ONE)
    train_small(project, ONE | {"training.epochs": 2}, resume=True)
    first, second = starts_of(RunFolder(project / "runs" / "first"))
    assert first["versions"]["mmstudio"] == mmstudio.__version__
    assert first["versions"]["torch"] == torch.__version__.partition("+")[0] or (
        first["versions"]["torch"] == torch.__version__)
    assert (first["device"], first["seed"], first["threads"]) == ("CPU", 0, 1)
    assert first["rows"] == {"train": 42, "validation": 9, "test": 9}
    assert first["files"] == second["files"] and set(first["files"]) == {"image", "sound"}
    assert mmstudio.load_run(project / "runs" / "first").environment == [first, second]


def test_a_damaged_note_counts_as_none(project: Path) -> None:
    train_small(project, ONE)
    path = project / "runs" / "first" / "environment.json"
    for content in ("", "[" * 9000, '{"starts": [{"versions": 3}]}'):
        path.write_text(content)
        assert starts_of(RunFolder(project / "runs" / "first")) == []
    assert evaluated(project / "runs" / "first").changed == ()


def test_files_that_hold_something_else_are_told(project: Path) -> None:
    train_small(project, ONE)
    assert evaluated(project / "runs" / "first").changed == ()
    repaint(project, "train")
    told, = evaluated(project / "runs" / "first").changed
    assert told == ("Files of input 'image' hold something else than when runs/first was trained "
                    "on them.")
    events = train_small(project, ONE | {"training.epochs": 2}, resume=True)
    assert [e.message for e in events if getattr(e, "message", "") == told]
    assert evaluated(project / "runs" / "first").changed == ()


def test_other_versions_may_read_a_file_differently(project: Path) -> None:
    train_small(project, ONE)
    path = project / "runs" / "first" / "environment.json"
    told = json.loads(path.read_text())
    told["starts"][-1]["versions"]["pillow"] = "1.0"
    path.write_text(json.dumps(told))
    repaint(project, "train")
    assert evaluated(project / "runs" / "first").changed == ()


def test_a_run_can_be_packed_and_opened_elsewhere(project: Path, tmp_path: Path) -> None:
    train_small(project, ONE)
    before = Predictor(project / "runs" / "first").predict({"words": "round little point"})
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", project)
    shutil.rmtree(project)
    other = tmp_path / "far away" / "project"
    shutil.unpack_archive(archive, other)
    run, = list_runs(other)
    assert run.status == "completed"
    after = Predictor(run.path).predict({"words": "round little point"})
    assert after.tasks["shape"].scores == before.tasks["shape"].scores
    assert evaluated(run.path).changed == ()
    assert train_small(other, ONE | {"training.epochs": 2}, resume=True)[-1].epochs == 2


def test_a_run_names_neither_the_machine_nor_its_user(project: Path) -> None:
    train_small(project, ONE)
    places = [str(project).encode(), str(Path.home()).encode() + b"/"]
    names = [name.encode() for name in (socket.gethostname(), getpass.getuser()) if len(name) > 4]
    for path in (project / "runs" / "first").rglob("*"):
        content = path.read_bytes()
        assert not [p for p in (*places, *names) if p in content], path.name
