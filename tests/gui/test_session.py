"""The app's state: what arrives and what does not, edits, training, stopping, failing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from pytestqt.qtbot import QtBot

from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.gui.state.session import Session
from mmstudio.inference.predictor import Predictor
from mmstudio.project import opening
from mmstudio.project.opening import Opened
from mmstudio.training import loop, step
from mmstudio.training.events import EpochDone, StepDone
from mmstudio.training.run_folder import RunFolder
from tests.gui.conftest import PATIENCE_MS
from tests.small_project import read_rows, write_small_project, write_table

Open = Callable[[Path], Session]
MANY = 10_000
"""Epochs of a run that only ends by being stopped."""
COMMAND_S = 4 * PATIENCE_MS / 1000
"""How long a command may take that loads torch and trains, in a process of its own."""


def heard(signal: Any) -> list[tuple[Any, ...]]:
    """Everything that a signal brings from now on."""
    said: list[tuple[Any, ...]] = []
    signal.connect(lambda *what: said.append(what))
    return said


def train(qtbot: QtBot, session: Session, **settings: Any) -> str:
    """Train to the end, model loaded; the reason of the end."""
    for name, value in settings.items():
        assert session.project.edit(f"training.{name}", value)
    ends = heard(session.training.ended)
    with qtbot.waitSignals([session.training.ended, session.testing.changed], timeout=PATIENCE_MS):
        session.training.start()
    [(reason,)] = ends
    return str(reason)


def start(qtbot: QtBot, session: Session, epochs: int = MANY) -> None:
    """Start a training and wait for its first whole epoch."""
    assert session.project.edit("training.epochs", epochs)
    session.project.edit("training.patience", 1000)
    session.training.start()
    qtbot.waitUntil(
        lambda: session.runs.history is not None and bool(session.runs.history.epochs),
        timeout=PATIENCE_MS,
    )


# Projects ----------------------------------------------------------------------------------


def test_the_sample_project_opens_and_is_made_only_once(qtbot: QtBot, session: Session) -> None:
    for _ in range(2):
        with qtbot.waitSignal(session.project.changed, timeout=PATIENCE_MS):
            session.opener.open_sample()
        assert session.project.folder is not None and "Digits" in session.project.folder.name
    assert len(list(session.project.folder.parent.iterdir())) == 1
    assert session.project.table is not None and len(session.project.table) > 1000
    assert set(session.project.splits) == {"train", "validation", "test"}


def test_of_many_jobs_that_end_at_once_each_tells_its_result(
    qtbot: QtBot, session: Session
) -> None:
    told: list[int] = []
    for number in range(100):
        session.jobs.start(lambda number=number: number, told.append)
    qtbot.waitUntil(lambda: len(told) == 100, timeout=PATIENCE_MS)
    assert sorted(told) == list(range(100))


def test_of_two_projects_opened_at_once_only_the_last_arrives(
    qtbot: QtBot, session: Session, tmp_path: Path
) -> None:
    first = write_small_project(tmp_path / "First", rows=12)
    second = write_small_project(tmp_path / "Second", rows=12)
    projects: list[Path | None] = []
    session.project.changed.connect(lambda: projects.append(session.project.folder))
    session.opener.open(first)
    with qtbot.waitSignal(session.runs.changed, timeout=PATIENCE_MS):
        session.opener.open(second)
    assert projects == [second]


def test_a_folder_that_is_no_project_is_told(
    qtbot: QtBot, session: Session, tmp_path: Path
) -> None:
    with qtbot.waitSignal(session.jobs.problem, timeout=PATIENCE_MS) as problem:
        session.opener.open(tmp_path)
    assert str(tmp_path) in problem.args[0]
    assert problem.args[1]
    assert session.project.folder is None


def test_a_project_whose_table_is_gone_opens_with_a_problem(
    qtbot: QtBot, session: Session, small_project: Path
) -> None:
    (small_project / "metadata.csv").unlink()
    with qtbot.waitSignal(session.jobs.problem, timeout=PATIENCE_MS) as problem:
        session.opener.open(small_project)
    assert "metadata.csv" in problem.args[0]
    assert session.project.folder == small_project
    assert session.project.experiment is not None and session.project.table is None


def test_a_new_project_from_a_table_is_ready_to_train(
    qtbot: QtBot, session: Session, small_project: Path, tmp_path: Path
) -> None:
    (small_project / "experiment.toml").unlink()
    folder = tmp_path / "New"
    with qtbot.waitSignal(session.project.changed, timeout=PATIENCE_MS):
        session.opener.make(folder, small_project / "metadata.csv")
    assert session.project.experiment is not None
    found = {i.modality for i in session.project.experiment.inputs.values()}
    assert found == {"image", "audio", "text"}
    assert (folder / "experiment.toml").is_file()


def test_the_data_is_checked_and_what_is_wrong_is_named(
    qtbot: QtBot, opened: Open, small_project: Path
) -> None:
    (small_project / "images" / "004.png").write_bytes(b"not a picture")
    session = opened(small_project)
    qtbot.waitUntil(lambda: session.check.report is not None, timeout=PATIENCE_MS)
    assert [(p.row, p.column) for p in session.check.report.problems] == [(4, "file_name")]


# Edits -------------------------------------------------------------------------------------


def test_an_edit_is_saved_and_the_file_keeps_its_comments(
    qtbot: QtBot, session: Session
) -> None:
    with qtbot.waitSignal(session.project.changed, timeout=PATIENCE_MS):
        session.opener.open_sample()
    file = session.project.folder / "experiment.toml"
    before = file.read_text(encoding="utf-8")
    assert session.project.edit("training.epochs", 7)
    assert session.project.edit("inputs.words.use", False)
    assert session.project.edit("fusion.name", "gated")
    qtbot.waitUntil(lambda: file.read_text(encoding="utf-8") != before, timeout=PATIENCE_MS)
    after = file.read_text(encoding="utf-8")
    comments = [line.partition("#")[2] for line in before.splitlines() if "#" in line]
    assert len(comments) > 5
    for comment in comments:
        assert comment in after, f"the comment {comment!r} is gone"
    assert "epochs = 7" in after and 'name = "gated"' in after and "use = false" in after


def test_an_edit_is_not_lost_when_the_app_is_closed_at_once(
    opened: Open, small_project: Path
) -> None:
    session = opened(small_project)
    session.project.edit("training.epochs", 11)
    session.shutdown()
    assert "epochs = 11" in (small_project / "experiment.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("key", "value"),
    [("training.epochs", -1), ("training.precision", "half"), ("inputs.smell.use", True)],
)
def test_an_edit_that_is_refused_changes_nothing_and_says_why(
    qtbot: QtBot, opened: Open, small_project: Path, key: str, value: object
) -> None:
    session = opened(small_project)
    before = session.project.experiment
    problems, shown_again = heard(session.jobs.problem), heard(session.project.experiment_changed)
    assert not session.project.edit(key, value)
    assert session.project.experiment == before
    [(message, hint)] = problems
    assert len(shown_again) == 1  # so that the field takes its old value back
    assert key.rpartition(".")[0] in message and hint


def test_the_split_follows_the_experiment(qtbot: QtBot, opened: Open, small_project: Path) -> None:
    session = opened(small_project)
    with qtbot.waitSignal(session.project.splits_changed, timeout=PATIENCE_MS):
        session.project.edit("data.split", {"train": 0.5, "validation": 0.25, "test": 0.25})
    assert 5 < (session.project.splits == "test").sum() < 25


# Training ----------------------------------------------------------------------------------


def test_training_shows_every_step_and_ends_with_a_model(
    qtbot: QtBot, opened: Open, small_project: Path
) -> None:
    session = opened(small_project)
    lists = heard(session.training.events)
    assert train(qtbot, session, epochs=2) == "completed"
    events = [event for (batch,) in lists for event in batch]
    assert [e.step for e in events if isinstance(e, StepDone)] == list(
        range(1, len(session.runs.history.step_loss) + 1)
    )
    assert session.runs.history.epochs == [1, 2]
    assert not session.training.running
    assert session.testing.run == session.runs.shown
    assert [run.path for run in session.runs.listed] == [session.runs.shown]


def test_the_window_and_the_command_line_learn_the_same_weights(
    qtbot: QtBot, opened: Open, small_project: Path
) -> None:
    session = opened(small_project)
    assert train(qtbot, session, epochs=2, seed=3, device="cpu") == "completed"
    by_window = session.runs.shown
    session.project.save()
    done = subprocess.run(
        [sys.executable, "-m", "mmstudio", "train", str(small_project / "experiment.toml"),
         "--run", "by command", "--json"],
        capture_output=True, text=True, timeout=COMMAND_S,
        env=os.environ | {"OMP_NUM_THREADS": "1"},  # as here: the order of sums depends on it
    )
    assert done.returncode == 0, done.stderr
    by_command = small_project / "runs" / "by command"
    for name in ("best.safetensors", "last.safetensors", "experiment.toml", "schema.json"):
        assert (by_window / name).read_bytes() == (by_command / name).read_bytes(), name
    losses = [
        [json.loads(line)["loss"] for line in (run / "events.jsonl").read_text().splitlines()
         if '"step_done"' in line]
        for run in (by_window, by_command)
    ]
    assert losses[0] == losses[1]


def test_stop_keeps_a_usable_model(qtbot: QtBot, opened: Open, small_project: Path) -> None:
    session = opened(small_project)
    start(qtbot, session)
    ends = heard(session.training.ended)
    with qtbot.waitSignals([session.training.ended, session.testing.changed], timeout=PATIENCE_MS):
        session.training.stop()
        assert session.training.stopping
    assert ends == [("stopped",)]
    assert not session.training.stopping and not session.training.running
    assert session.testing.predictor.predict({"words": "two roads meet"}).tasks["shape"].label
    assert session.runs.listed[0].status == "stopped"


def test_a_training_ends_after_its_epoch_where_that_is_asked(
    qtbot: QtBot, opened: Open, small_project: Path
) -> None:
    session = opened(small_project)
    start(qtbot, session)
    ends = heard(session.training.ended)
    session.training.stop_after_epoch()
    session.training.stop_after_epoch(False)
    session.training.pause(True)
    session.training.stop_after_epoch()
    assert session.training.state.ending and session.training.paused
    with qtbot.waitSignal(session.training.ended, timeout=PATIENCE_MS):
        session.training.pause(False)
    assert ends == [("stopped",)] and not session.training.state.ending
    history = session.runs.history
    assert history.step_epochs[-1] == history.epochs[-1]  # no step of another epoch
    run = session.runs.shown
    session.project.edit("training.epochs", 3)  # a run goes on as its own settings say
    with qtbot.waitSignal(session.training.started, timeout=PATIENCE_MS):
        session.training.resume(run)
    last = history.epochs[-1]
    qtbot.waitUntil(lambda: session.runs.history.epochs[-1] > last, timeout=PATIENCE_MS)
    with qtbot.waitSignal(session.training.ended, timeout=PATIENCE_MS):
        session.training.stop()
    assert session.runs.history.epochs[:last + 1] == list(range(1, last + 2))
    assert [one.path for one in session.runs.listed] == [run]


def test_a_run_that_is_gone_is_not_resumed(
    qtbot: QtBot, opened: Open, small_project: Path
) -> None:
    session = opened(small_project)
    with qtbot.waitSignal(session.training.failed, timeout=PATIENCE_MS) as failed:
        session.training.resume(small_project / "runs" / "gone")
    assert "gone" in failed.args[0] and not session.training.running


def test_a_paused_training_makes_no_step_until_it_goes_on(
    qtbot: QtBot, opened: Open, small_project: Path
) -> None:
    session = opened(small_project)
    start(qtbot, session)
    session.training.pause(True)
    assert session.training.paused
    quiet = False
    for _ in range(20):  # what was on its way when it was paused still arrives
        with qtbot.waitSignal(session.training.events, timeout=400, raising=False) as waited:
            pass
        if quiet := not waited.signal_triggered:
            break
    assert quiet, "steps go on arriving while the training is paused"
    with qtbot.waitSignal(session.training.events, timeout=PATIENCE_MS):
        session.training.pause(False)
    assert not session.training.paused
    with qtbot.waitSignal(session.training.ended, timeout=PATIENCE_MS):
        session.training.stop()


def test_a_paused_training_can_be_stopped(
    qtbot: QtBot, opened: Open, small_project: Path
) -> None:
    session = opened(small_project)
    start(qtbot, session)
    session.training.pause(True)
    with qtbot.waitSignal(session.training.ended, timeout=PATIENCE_MS) as ended:
        session.training.stop()
    assert ended.args == ["stopped"]
    assert not session.training.paused


def failing(error: Exception) -> Callable[..., Iterator[Any]]:
    """A `train` that fails after it has begun."""

    def train(*_: Any, **__: Any) -> Iterator[Any]:
        raise error
        yield

    return train


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (UserError("Row 3 is broken.", "Mend it."), "Row 3 is broken.", "Mend it."),
        (RuntimeError("mat1 and mat2"), "mat1 and mat2", "mmstudio.log"),
    ],
)
def test_a_training_that_fails_says_so_and_the_next_one_runs(
    qtbot: QtBot, opened: Open, small_project: Path, monkeypatch: pytest.MonkeyPatch,
    error: Exception, message: str, hint: str,
) -> None:
    session = opened(small_project)
    failures, ends = heard(session.training.failed), heard(session.training.ended)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "train", failing(error))
        with qtbot.waitSignal(session.training.ended, timeout=PATIENCE_MS):
            session.training.start()
    [(said, remedy)] = failures
    assert message in said and hint in remedy
    assert ends == [("failed",)]
    assert not session.training.running
    assert train(qtbot, session, epochs=1) == "completed"


def test_too_little_memory_is_told_with_a_remedy(
    qtbot: QtBot, opened: Open, small_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("tried to allocate 80 GiB")

    session = opened(small_project)
    with monkeypatch.context() as patch:
        patch.setattr(step, "update", full)
        with qtbot.waitSignal(session.training.failed, timeout=PATIENCE_MS) as failed:
            session.training.start()
    message, hint = failed.args
    assert "memory" in message and "one sample" in message
    assert "smaller encoders" in hint and "frozen" in hint
    assert train(qtbot, session, epochs=1) == "completed"


def test_closing_the_app_while_it_trains_keeps_a_usable_model(
    qtbot: QtBot, opened: Open, small_project: Path
) -> None:
    session = opened(small_project)
    start(qtbot, session)
    run = session.runs.shown
    session.shutdown()
    assert RunFolder(run).history().finished.reason == "stopped"
    answer = Predictor(run, device="cpu").predict({"words": "two roads meet"})
    assert set(answer.tasks["shape"].scores) == {"bar", "cross", "dot"}


def test_while_it_trains_no_other_project_is_opened(
    qtbot: QtBot, opened: Open, small_project: Path, tmp_path: Path
) -> None:
    session = opened(small_project)
    start(qtbot, session)
    with qtbot.waitSignal(session.jobs.problem):
        session.opener.open(write_small_project(tmp_path / "Other", rows=6))
    assert not session.opener.close()
    assert session.project.folder == small_project
    with qtbot.waitSignal(session.training.ended, timeout=PATIENCE_MS):
        session.training.stop()


# Runs and models ---------------------------------------------------------------------------


def test_an_old_run_opens_with_its_curves_and_its_model(
    qtbot: QtBot, opened: Open, project_with_run: Path
) -> None:
    session = opened(project_with_run)
    assert {run.name for run in session.runs.listed} == {"first", "second"}
    run = project_with_run / "runs" / "first"
    with qtbot.waitSignals([session.runs.opened, session.testing.changed], timeout=PATIENCE_MS):
        session.runs.open(run)
    assert session.runs.shown == session.testing.run == run
    events = list(RunFolder(run).events())
    assert session.runs.history.validation_loss == [
        e.validation["loss"] for e in events if isinstance(e, EpochDone)
    ]


def test_of_two_models_loaded_at_once_only_the_last_arrives(
    qtbot: QtBot, opened: Open, project_with_run: Path
) -> None:
    session = opened(project_with_run)
    loaded: list[Path | None] = []
    session.testing.changed.connect(lambda: loaded.append(session.testing.run))
    session.testing.load(project_with_run / "runs" / "first")
    with qtbot.waitSignal(session.testing.changed, timeout=PATIENCE_MS):
        session.testing.load(project_with_run / "runs" / "second")
    session.shutdown()
    assert loaded == [project_with_run / "runs" / "second"]


# Predictions -------------------------------------------------------------------------------


class SlowPredictor:
    """Answers with the text it was asked about, when `go` allows it."""

    def __init__(self) -> None:
        self.began = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self.asked: list[str] = []

    def predict(self, inputs: dict[str, Any], use: set[str]) -> str:
        self.asked.append(inputs["words"])
        self.began.release()
        self.go.acquire()
        if inputs["words"] == "bad":
            raise UserError("It can't be read.", "Take another.")
        return str(inputs["words"])


@pytest.fixture
def slow(session: Session) -> Iterator[SlowPredictor]:
    predictor = SlowPredictor()
    session.testing.predictor = predictor  # type: ignore[assignment]
    yield predictor
    predictor.go.release(100)


def test_a_stale_answer_never_arrives(
    qtbot: QtBot, session: Session, slow: SlowPredictor
) -> None:
    answers = heard(session.testing.predicted)
    for text in ("first", "second", "third"):
        session.testing.predict({"words": text}, {"words"})
        if text == "first":
            assert slow.began.acquire(timeout=PATIENCE_MS / 1000)
    with qtbot.waitSignal(session.testing.predicted, timeout=PATIENCE_MS):
        slow.go.release(3)
    assert answers == [("third",)]
    assert slow.asked == ["first", "third"]  # and the one between was never worked on


def test_a_stale_failure_never_arrives_either(
    qtbot: QtBot, session: Session, slow: SlowPredictor
) -> None:
    failures = heard(session.testing.failed)
    session.testing.predict({"words": "bad"}, {"words"})
    assert slow.began.acquire(timeout=PATIENCE_MS / 1000)
    session.testing.predict({"words": "good"}, {"words"})
    with qtbot.waitSignal(session.testing.predicted, timeout=PATIENCE_MS):
        slow.go.release(2)
    assert not failures


def test_a_prediction_that_fails_says_why(
    qtbot: QtBot, session: Session, slow: SlowPredictor
) -> None:
    slow.go.release()
    with qtbot.waitSignal(session.testing.failed, timeout=PATIENCE_MS) as failed:
        session.testing.predict({"words": "bad"}, {"words"})
    assert failed.args == ["It can't be read.", "Take another."]


def test_no_answer_of_the_project_before_arrives(
    qtbot: QtBot, session: Session, slow: SlowPredictor, small_project: Path
) -> None:
    answers = heard(session.testing.predicted)
    session.testing.predict({"words": "before"}, {"words"})
    assert slow.began.acquire(timeout=PATIENCE_MS / 1000)
    with qtbot.waitSignal(session.project.changed, timeout=PATIENCE_MS):
        session.opener.open(small_project)
    slow.go.release()
    session.shutdown()
    assert not answers


def test_the_test_rows_are_walked_in_order_and_anew(
    qtbot: QtBot, opened: Open, small_project: Path
) -> None:
    rows = read_rows(small_project)
    expected = [number for number, row in enumerate(rows) if row["split"] == "test"]
    session = opened(small_project)
    seen = [session.testing.next_sample() for _ in range(len(expected) + 1)]
    assert [row for row, _, _ in seen] == [*expected, expected[0]]
    for row, inputs, truth in seen:
        assert inputs["words"] == (rows[row]["text"] or None)
        assert (inputs["image"] is None) == (not rows[row]["file_name"])
        assert truth == {"shape": rows[row]["shape"], "size": rows[row]["size"] or None}


def test_without_test_rows_there_is_no_test_sample(
    qtbot: QtBot, opened: Open, small_project: Path
) -> None:
    rows = [row | {"split": row["split"].replace("test", "train")}
            for row in read_rows(small_project)]
    write_table(small_project / "metadata.csv", rows)
    assert opened(small_project).testing.next_sample() is None


def test_the_test_samples_are_those_of_the_models_own_split(
    qtbot: QtBot, opened: Open, project_with_run: Path
) -> None:
    tests = [number for number, row in enumerate(read_rows(project_with_run))
             if row["split"] == "test"]
    session = opened(project_with_run)
    with qtbot.waitSignal(session.testing.changed, timeout=PATIENCE_MS):
        session.testing.load(project_with_run / "runs" / "first")
    splits = session.project.splits.copy()
    splits[:] = "train"
    splits[[row for row in range(len(splits)) if row not in tests]] = "test"
    session.project.splits = splits  # the experiment was edited since
    session.project.splits_changed.emit(splits)
    seen = [session.testing.next_sample() for _ in tests]
    assert [row for row, _, _ in seen] == tests


def test_edits_made_while_data_is_imported_are_kept(
    qtbot: QtBot, opened: Open, small_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = opened(small_project)
    go, read = threading.Event(), opening.import_data

    def late(*given: Any) -> Any:
        found = read(*given)
        assert go.wait(60)
        return found

    monkeypatch.setattr(opening, "import_data", late)
    session.opener.import_data(small_project / "metadata.csv")
    assert session.project.edit("training.epochs", 77)
    told = heard(session.jobs.problem)
    with qtbot.waitSignal(session.project.changed, timeout=PATIENCE_MS):
        go.set()
    assert session.project.experiment.training.epochs == 77
    kept = Experiment.load(small_project / "experiment.toml")
    assert kept == session.project.experiment and told == []


def test_an_edit_that_waits_is_saved_before_another_project_is_taken(
    opened: Open, small_project: Path
) -> None:
    session = opened(small_project)
    assert session.project.edit("training.epochs", 77)
    session.project.take(Opened(None, None, None, None, ()))
    assert Experiment.load(small_project / "experiment.toml").training.epochs == 77


def test_curves_of_a_project_that_was_left_never_arrive(
    qtbot: QtBot, opened: Open, project_with_run: Path
) -> None:
    session = opened(project_with_run)
    arrived: list[object] = []
    session.run_curves.changed.connect(arrived.append)
    session.run_curves.show_runs([project_with_run / "runs" / "first"])
    session.project.scope.close()
    qtbot.waitUntil(lambda: session.jobs.all_over, timeout=PATIENCE_MS)
    assert arrived == []
