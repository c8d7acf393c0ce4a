"""A search on a small project: trials, finals, what it tells, stopping and going on."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mmstudio.comparison.figure import Figure
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.search import search as module
from mmstudio.search.events import (
    FinalStarted,
    SearchFinished,
    SearchStarted,
    SearchTold,
    TrialEnded,
    TrialStarted,
)
from mmstudio.search.finals import RowScores, judged
from mmstudio.search.folder import SearchFolder, free_name, latest
from mmstudio.search.search import Budget, search
from mmstudio.search.study import Study
from mmstudio.training.events import EpochDone, Started, StepDone
from mmstudio.training.looks import count_looks
from mmstudio.training.run_folder import RunFolder
from tests.one_thread import one_thread as one_thread  # a fixture
from tests.small_project import small_experiment, write_small_project

pytest.importorskip("optuna")

SMALL = {"inputs.sound.use": False, "training.epochs": 2, "training.combine": False}
ENCODERS = ("inputs.image.encoder", "inputs.words.encoder")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEEDS", 1)
    monkeypatch.setattr(module, "FINALISTS", 2)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_small_project(tmp_path / "project")


def searched(
    project: Path, trials: int = 2, should_stop: Callable[[], bool] = lambda: False
) -> Iterator[Any]:
    return search(small_experiment(SMALL), "one", folder=project, fix=ENCODERS,
                  budget=Budget(None, trials), should_stop=should_stop)


def test_it_tries_trains_the_best_again_and_says_what_to_take(project: Path) -> None:
    events = [e for e in searched(project) if not isinstance(e, SearchTold)]
    assert isinstance(events[0], SearchStarted) and events[0].done == 0
    trials = [e for e in events if isinstance(e, TrialStarted)]
    assert [t.trial for t in trials] == [0, 1]
    # the first is the experiment as it is
    assert trials[0].values["fusion"] == "concat"
    assert trials[0].values["training.learning_rate"] == pytest.approx(
        small_experiment().training.learning_rate)
    assert [e.state for e in events if isinstance(e, TrialEnded)] == ["done", "done"]
    finals = [e for e in events if isinstance(e, FinalStarted)]
    assert {f.trial for f in finals} == {0, 1} and finals[0].total == 2
    last = events[-1]
    assert isinstance(last, SearchFinished) and last.reason == "completed"
    assert last.trial in (0, 1) and "validation rows" in last.sentence
    files = SearchFolder.of(project, "one")
    found = Experiment.load(files.found)
    assert found.training.learning_rate == pytest.approx(
        last.values["training.learning_rate"])
    assert found.training.epochs == 2 and found.data.table == small_experiment().data.table
    result = files.result()
    assert result is not None and result["trial"] == last.trial
    # the test rows were looked at once, and only for what was asked
    assert count_looks(files.path) == 1
    # trials keep their curves, and no weights
    run = files.trial(1)
    assert run.history().epochs and not run.best.exists() and not run.state.exists()


def test_a_stopped_search_goes_on_and_ends_as_one(project: Path) -> None:
    seen: list[Any] = []
    for event in searched(project, should_stop=lambda: sum(
            isinstance(e, SearchTold) and isinstance(e.told, StepDone) for e in seen) > 8):
        seen.append(event)
    assert seen[-1].reason == "stopped"
    assert not (project / "searches/one/result.json").exists()
    events = list(searched(project))
    done = sum(isinstance(e, TrialEnded) and e.state == "done" for e in seen)
    assert events[0].done == done
    assert events[-1].reason == "completed"


def test_a_killed_trial_is_tried_again_with_its_values(project: Path) -> None:
    going = searched(project)
    for event in going:
        if isinstance(event, TrialStarted) and event.trial == 1:
            cut = event.values
            break
    # as a kill leaves it: the trial runs on in the journal, and its process's lock is free
    del going
    again = [e for e in searched(project) if isinstance(e, TrialStarted)]
    assert [e.values for e in again] == [cut]


def test_a_trial_of_a_living_process_is_left_alone(project: Path) -> None:
    files = SearchFolder.of(project, "one")
    files.begin(small_experiment(SMALL), ["training.learning_rate"], None)
    one, other = Study(files, 0), Study(files, 1)
    space = [d for d in module.space_of(small_experiment(SMALL))
             if d.key == "training.learning_rate"]
    with one.at_work():
        trial, _ = one.ask(space)
        with other.at_work():
            pass
        one.tell(trial, "done", 0.5)
    assert [t.state for t in one.trials()] == ["done"]


def test_an_experiment_that_cannot_be_trained_ends_the_search(project: Path) -> None:
    (project / "metadata.csv").unlink()
    with pytest.raises(UserError, match=r"metadata\.csv"):
        list(searched(project))


def test_a_search_has_an_end() -> None:
    for wrong in ((None, None), (0, None), (-1, None), (math.nan, None), (None, 1)):
        with pytest.raises(UserError):
            Budget(*wrong)  # type: ignore[arg-type]
    assert Budget(30).trial_minutes == pytest.approx(1.5)
    assert Budget(30).exploring_s(300) == pytest.approx(600)


def test_bad_trials_are_pruned_at_a_share_of_their_training() -> None:
    told: list[tuple[float, int]] = []
    trial = SimpleNamespace(report=lambda value, step: told.append((value, step)),
                            should_prune=lambda: len(told) >= 3)
    watched = module._Watched(None, trial)
    watched.take(Started("r", "CPU", "float32", 1, 20, 5, 1, {}, [], {"digit": "accuracy"}))
    for epoch, accuracy in enumerate((0.1, 0.3, 0.2, 0.4, 0.5, 0.6), start=1):
        watched.take(EpochDone(epoch, {}, {"loss": 1.0, "digit": {"accuracy": accuracy}},
                               1.0, 1.0, 1.0, 0))
        if watched.pruned:
            break
    assert told == [(0.3, 1), (0.4, 2), (0.6, 3)]  # the best so far, per tenth
    assert watched.pruned


def test_the_finals_are_judged_by_paired_rows() -> None:
    chance = np.random.default_rng(0)
    own = (chance.random(400) < 0.6).astype(float)
    better = np.maximum(own, (chance.random(400) < 0.3).astype(float))
    scores = {0: [RowScores(own, None)], 4: [RowScores(better, None)]}
    verdict = judged(scores, shares=True)
    assert verdict.trial == 4 and verdict.is_sure
    assert verdict.gain is not None
    assert verdict.gain.mean == pytest.approx(better.mean() - own.mean())
    assert "better by" in verdict.sentence(Figure("accuracy"))
    same = judged({0: [RowScores(own, None)], 4: [RowScores(own, None)]}, shares=True)
    assert same.trial == 0 and same.gain is None
    assert "Your settings are the best" in same.sentence(Figure("accuracy"))


def test_names_are_free_and_the_latest_is_found(project: Path) -> None:
    assert latest(project) is None
    files = SearchFolder.of(project, free_name(project))
    files.begin(small_experiment(SMALL), ["fusion"], "digit")
    assert files.name == "search-1" and free_name(project) == "search-2"
    assert latest(project) == "search-1"
    assert files.plan()[1:] == (["fusion"], "digit")
    (files.path / "search.json").write_text(json.dumps({"vary": 3}))
    with pytest.raises(UserError, match=r"search\.json"):
        files.plan()


def test_runs_of_the_finals_are_ordinary_runs(project: Path) -> None:
    events = list(searched(project))
    names = [e.run for e in events if isinstance(e, FinalStarted)]
    for name in names:
        assert RunFolder.existing(project / "runs" / name).has_model()
