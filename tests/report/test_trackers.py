"""Runs handed to a table, to MLflow and to wandb; the latter two are not the real ones."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mmstudio.errors import UserError
from mmstudio.report import trackers
from mmstudio.report.trackers import to_csv, to_mlflow, to_wandb, tracked
from mmstudio.training.events import CheckpointSaved, EpochDone, Started
from mmstudio.training.run_folder import RunFolder
from tests.small_project import small_experiment


def make_run(project: Path, name: str, accuracies: list[float]) -> Path:
    """A run as its log would have it after so many epochs."""
    files = RunFolder(project / "runs" / name)
    files.path.mkdir(parents=True)
    files.write_experiment(small_experiment())
    files.log_event(Started("runs/x", "cpu", "float32", 1, 2, 3, 1, {"train": 4}, ["image"],
                            {"shape": "accuracy"}))
    for epoch, value in enumerate(accuracies, start=1):
        files.log_event(EpochDone(epoch, {"loss": 2.0 / epoch}, {"loss": 1.0, "shape": {
            "accuracy": value}}, 1.0, 4.0, 0.0, 0))
        files.log_event(CheckpointSaved(epoch, True))
    return files.path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "digits"
    make_run(folder, "first", [0.5, 0.75])
    make_run(folder, "=second", [0.25])
    return folder


def test_a_table_has_a_row_per_run_and_epoch(project: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from mmstudio.cli import app

    told = CliRunner().invoke(app, [
        "runs", "export", str(project), "--to", "csv", "--output", str(tmp_path / "out.csv")])
    assert told.exit_code == 0, told.output
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = {(r["run"], r["epoch"]): (r["train loss"], r["validation shape accuracy"])
             for r in rows}
    assert found == {("first", "1"): ("2.0", "0.5"), ("first", "2"): ("1.0", "0.75"),
                     ("'=second", "1"): ("2.0", "0.25")}
    assert "train shape accuracy" not in rows[0]  # nan in all


def test_settings_are_flat(project: Path) -> None:
    found = tracked(project / "runs" / "first")
    assert found.project == "digits" and found.name == "first"
    assert found.settings["training.batch_size"] == 16
    assert found.settings["inputs.words.encoder.name"] == "rnn"
    assert found.answered == {"shape accuracy": 0.75}


class FakeMlflow(SimpleNamespace):
    """Notes what it is told; refuses names as the real one does."""

    def __init__(self) -> None:
        super().__init__(told=[])

    def set_experiment(self, name: str) -> None:
        self.told.append(("experiment", name))

    def start_run(self, run_name: str) -> Any:
        import contextlib

        self.told.append(("run", run_name))
        return contextlib.nullcontext()

    def log_params(self, params: dict[str, str]) -> None:
        assert all(len(v) <= 500 for v in params.values())
        self.told.append(("epochs", params["training.epochs"]))

    def log_metrics(self, figures: dict[str, float], step: int | None = None) -> None:
        if any("=" in name for name in figures):
            raise ValueError("Invalid metric name")
        self.told.append((step, figures))

    def get_tracking_uri(self) -> str:
        return "file:///here"


def test_mlflow_is_told_of_every_epoch(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeMlflow()
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    assert to_mlflow([tracked(project / "runs" / "first")]) == "file:///here"
    assert fake.told[:3] == [("experiment", "digits"), ("run", "first"), ("epochs", "3")]
    assert fake.told[3:] == [
        (1, {"train loss": 2.0, "validation loss": 1.0, "validation shape accuracy": 0.5}),
        (2, {"train loss": 1.0, "validation loss": 1.0, "validation shape accuracy": 0.75}),
        (None, {"answered shape accuracy": 0.75})]


def test_wandb_is_told_of_every_epoch(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    session = SimpleNamespace(summary={}, url="https://example.org/run", finish=lambda: None,
                              log=lambda figures, step: told.append((step, figures)))

    def init(**how: Any) -> Any:
        told.append((how["project"], how["name"], how["config"]["training.epochs"]))
        return session

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    assert to_wandb([tracked(project / "runs" / "first")]) == "https://example.org/run"
    assert told[0] == ("digits", "first", 3)
    assert [step for step, _ in told[1:]] == [1, 2]
    assert session.summary == {"answered shape accuracy": 0.75}


@pytest.mark.parametrize(("name", "hand_over"), [("mlflow", to_mlflow), ("wandb", to_wandb)])
def test_what_is_not_installed_or_refuses_is_told(
    name: str, hand_over: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [tracked(project / "runs" / "first")]
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=f"{name} is not installed") as told:
        hand_over(runs)
    assert f"pip install {name}" in told.value.hint

    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("not logged in\nmore")

    monkeypatch.setitem(sys.modules, name, SimpleNamespace(init=refuse, set_experiment=refuse))
    with pytest.raises(UserError, match=r"did not take the runs: not logged in Check that") as told:
        hand_over(runs)
    assert "logged in" in told.value.hint


def test_a_run_without_an_epoch_is_refused(project: Path, tmp_path: Path) -> None:
    empty = make_run(tmp_path / "other", "none", [])
    with pytest.raises(UserError, match="no whole epoch"):
        tracked(empty)
    to_csv([tracked(project / "runs" / "first")], tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").count("\n") == 3


def test_what_a_package_prints_is_no_json(capsys: pytest.CaptureFixture[str]) -> None:
    def hand_over() -> str:
        print("View run at http://localhost")
        return "there"

    assert trackers._refusals_told("mlflow", hand_over) == "there"
    told = capsys.readouterr()
    assert told.out == "" and "View run" in told.err
