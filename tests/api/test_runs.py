"""What `import mmstudio` gives: names that load late, training, runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import mmstudio
from mmstudio.training.events import EpochDone, RunFinished, Started
from tests.small_project import write_digits

ROOT = Path(__file__).resolve().parents[2]


def child(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_it_is_quick_and_loads_nothing_heavy() -> None:
    out = child(
        "import sys, time\nbegan = time.process_time()\nimport mmstudio\n"
        "took = time.process_time() - began\n"
        "heavy = ('torch', 'numpy', 'polars', 'PySide6', 'transformers', 'sklearn')\n"
        "print(took < 0.3, [n for n in heavy if n in sys.modules])")
    assert out == "True []"


def test_its_light_names_load_neither_torch_nor_qt() -> None:
    out = child(
        "import sys, mmstudio\nmmstudio.Experiment, mmstudio.train, mmstudio.train_events\n"
        "mmstudio.load_run, mmstudio.Run, mmstudio.UserError, mmstudio.modalities.register\n"
        "print([n for n in ('torch', 'PySide6', 'transformers') if n in sys.modules])")
    assert out == "[]"


def test_every_name_is_there_and_no_other() -> None:
    assert set(mmstudio.__all__) <= set(dir(mmstudio))
    for name in mmstudio.__all__:
        assert getattr(mmstudio, name) is not None
    for room in (mmstudio.encoders, mmstudio.fusion, mmstudio.tasks, mmstudio.modalities):
        assert callable(room.register) and room.names()
    assert "gated" in mmstudio.fusion.names()
    with pytest.raises(AttributeError, match="no attribute 'learn'"):
        mmstudio.learn  # noqa: B018


def test_a_run_tells_its_history_and_its_figures(run: mmstudio.Run) -> None:
    assert repr(run) == f"Run({str(run.path)!r})" and run.name == "a"
    assert run.experiment.training.epochs == 3
    frame = run.history.to_polars()
    assert frame["epoch"].to_list() == [1, 2, 3]
    assert {"train loss", "validation loss", "validation digit accuracy"} <= set(frame.columns)
    assert frame["validation loss"].to_list() == run.history.validation_loss
    figures = run.evaluate("test")
    assert figures.samples > 0 and 0 <= figures.tasks["digit"]["accuracy"] <= 1
    other = run.evaluate(table=run.path.parent.parent / "metadata.csv")
    assert other.samples > figures.samples
    with pytest.raises(mmstudio.UserError, match="no split 'all'"):
        run.evaluate("all")


def test_a_history_without_an_epoch_has_no_rows() -> None:
    from mmstudio.training.history import RunHistory

    assert RunHistory().to_polars().shape == (0, 3)


def test_a_run_is_found_again_and_not_made_twice(run: mmstudio.Run) -> None:
    assert mmstudio.load_run(str(run.path)).experiment == run.experiment
    with pytest.raises(mmstudio.UserError, match="is not a run folder"):
        mmstudio.load_run(run.path.parent)
    with pytest.raises(mmstudio.UserError):
        mmstudio.train(run.experiment, run.path)


def test_events_come_one_by_one_and_can_be_stopped(one_thread: None, tmp_path: Path) -> None:
    project = write_digits(tmp_path / "digits")
    experiment = mmstudio.Experiment.load(project / "experiment.toml")
    seen: list[object] = []
    for event in mmstudio.train_events(
            experiment, str(project / "runs" / "b"),
            should_stop=lambda: any(isinstance(e, EpochDone) for e in seen)):
        seen.append(event)
    assert any(isinstance(e, Started) for e in seen)
    last = seen[-1]
    assert isinstance(last, RunFinished) and last.reason == "stopped"
    run = mmstudio.train(experiment, project / "runs" / "b", resume=True)
    assert run.history.to_polars()["epoch"].to_list() == [1, 2, 3]
