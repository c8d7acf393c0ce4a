"""A search on a small project: trials, finals, what it tells, stopping and going on."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mmstudio.comparison.figure import Figure
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.inference.ensemble import open_model
from mmstudio.search import ending, workers
from mmstudio.search import search as module
from mmstudio.search.events import (
    FinalFailed,
    FinalStarted,
    SearchFinished,
    SearchStarted,
    SearchTold,
    TrialEnded,
    TrialStarted,
)
from mmstudio.search.finals import RowScores, judged
from mmstudio.search.folder import SearchFolder, SearchPlan, free_name, latest
from mmstudio.search.search import BASELINE, Budget, search
from mmstudio.search.study import Study
from mmstudio.search.watched import Watched
from mmstudio.training.events import EpochDone, Preparing, RunFinished, Started, StepDone
from mmstudio.training.looks import count_looks
from mmstudio.training.run_folder import RunFolder
from tests.one_thread import one_thread as one_thread  # a fixture
from tests.small_project import read_rows, small_experiment, write_small_project, write_table

pytest.importorskip("optuna")

SMALL = {"inputs.sound.use": False, "training.epochs": 2, "training.combine": False}
ENCODERS = ("inputs.image.encoder", "inputs.words.encoder")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "SEEDS", 1)
    monkeypatch.setattr(ending, "FINALISTS", 2)


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
    for run in (files.trial(1), files.baseline):
        assert run.history().epochs
        assert not [*run.path.glob("*.safetensors"), *run.path.glob("*.pt")]


def steps_seen(events: list[Any]) -> int:
    return sum(isinstance(e, SearchTold) and isinstance(e.told, StepDone) for e in events)


@pytest.mark.parametrize("steps", [2, 9, 16])
def test_a_search_that_is_stopped_anywhere_ends_with_the_experiment_among_its_finals(
    project: Path, steps: int
) -> None:
    seen: list[Any] = []
    for event in searched(project, should_stop=lambda: steps_seen(seen) > steps):
        seen.append(event)
    assert seen[-1].reason == "stopped"
    assert not (project / "searches/one/result.json").exists()
    events = list(searched(project))
    assert events[-1].reason == "completed"
    records = Study(SearchFolder.of(project, "one"), 0).trials()
    assert [r.is_baseline for r in records] == [True, *[False] * (len(records) - 1)]
    assert records[0].values["training.learning_rate"] == pytest.approx(
        small_experiment().training.learning_rate)
    assert BASELINE in [final["trial"] for final in events[-1].finals]
    # every other trial was trained with the values that stand beside its figure
    for record in records[1:]:
        run = SearchFolder.of(project, "one").trial(record.number)
        assert run.experiment().training.learning_rate == pytest.approx(
            record.values["training.learning_rate"])
        assert run.experiment().fusion.name == record.values["fusion"]


def test_a_stopped_trial_is_tried_again_with_its_values(project: Path) -> None:
    seen: list[Any] = []

    def in_trial() -> bool:
        return any(isinstance(e, TrialStarted) and e.trial == 1 for e in seen)

    for event in searched(project, should_stop=in_trial):
        seen.append(event)
    cut = next(e.values for e in seen if isinstance(e, TrialStarted) and e.trial == 1)
    again = [e for e in searched(project) if isinstance(e, TrialStarted)]
    assert [e.values for e in again] == [cut]


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
    space = tuple(d for d in module.space_of(small_experiment(SMALL))
                  if d.key == "training.learning_rate")
    files.begin(SearchPlan(small_experiment(SMALL), space))
    one, other = Study(files, 0), Study(files, 1)
    with one.at_work():
        trial, _ = one.ask(space)
        with other.at_work():
            assert other.others_at_work and not one.others_at_work
        one.tell(trial, "done", 0.5)
    assert [t.state for t in one.trials()] == ["done"]


def test_another_process_waits_and_tells_what_was_found(project: Path) -> None:
    first = list(searched(project))
    second = [e for e in searched(project) if not isinstance(e, SearchTold)]
    assert [type(e) for e in second] == [SearchStarted, SearchFinished]
    assert second[-1].sentence == first[-1].sentence and second[-1].trial == first[-1].trial


def test_trials_that_fail_count_and_end_the_search(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.train

    def failing(experiment: Experiment, run: Path, **how: Any) -> Iterator[Any]:
        if run.name != "baseline":
            raise UserError("The device is gone.", "Plug it in.")
        return real(experiment, run, **how)

    monkeypatch.setattr(module, "train", failing)
    with pytest.raises(UserError, match="3 trials after each other failed: The device is gone"):
        list(searched(project, trials=10))


def test_one_final_that_fails_is_out(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = workers.train

    def failing(experiment: Experiment, run: Path, **how: Any) -> Iterator[Any]:
        if run.name.startswith("one.trial1"):
            raise UserError("Training diverged.", "Take a lower rate.")
        return real(experiment, run, **how)

    monkeypatch.setattr(workers, "train", failing)
    events = list(searched(project))
    assert [e.trial for e in events if isinstance(e, FinalFailed)] == [1]
    assert events[-1].reason == "completed" and events[-1].trial == BASELINE


def test_runs_of_another_search_are_not_taken_for_finals(project: Path) -> None:
    list(searched(project))
    shutil.rmtree(project / "searches" / "one")
    assert free_name(project) == "search-1"
    (project / "runs" / "search-1.trial0.seed0").mkdir()
    assert free_name(project) == "search-2"
    other = small_experiment(SMALL | {"training.learning_rate": 0.02})
    with pytest.raises(UserError, match="already exists, with other settings"):
        list(search(other, "one", folder=project, fix=ENCODERS, budget=Budget(None, 2)))


def test_it_goes_on_with_the_time_that_it_began_with(project: Path) -> None:
    files = SearchFolder.of(project, "one")
    files.begin(SearchPlan(small_experiment(SMALL), (), None, 600.0, None))
    assert files.plan().minutes == 600.0 and files.plan().trials is None
    begun = next(search(small_experiment(SMALL), "one", folder=project))
    assert isinstance(begun, SearchStarted) and begun.minutes == 600.0


def test_a_torn_journal_is_cut_and_a_damaged_one_named(project: Path) -> None:
    files = SearchFolder.of(project, "one")
    files.begin(SearchPlan(small_experiment(SMALL), ()))
    Study(files, 0)
    whole = files.journal.read_bytes()
    files.journal.write_bytes(whole + b'{"op_co')
    Study(files, 0)
    lines = files.journal.read_bytes()
    assert lines.startswith(whole) and b'"op_co{' not in lines and lines.endswith(b"\n")
    assert all(json.loads(line) for line in lines.splitlines())
    files.journal.write_bytes(b"not json\n")
    with pytest.raises(UserError, match=r"journal\.log"):
        Study(files, 0)


def test_a_target_without_validation_labels_is_named_at_once(project: Path) -> None:
    rows = read_rows(project)
    for row in rows:
        if row["split"] == "validation":
            row["shape"] = ""
    write_table(project / "metadata.csv", rows)
    target = next(n for n, t in small_experiment().active_targets.items() if t.column == "shape")
    with pytest.raises(UserError, match=f"No validation row has a known label of '{target}'"):
        list(search(small_experiment(SMALL), "one", folder=project, fix=ENCODERS,
                    budget=Budget(None, 2), target=target))


def test_an_experiment_that_cannot_be_trained_ends_the_search(project: Path) -> None:
    (project / "metadata.csv").unlink()
    with pytest.raises(UserError, match=r"metadata\.csv"):
        list(searched(project))


def test_a_search_has_an_end() -> None:
    for wrong in ((None, None), (0, None), (-1, None), (math.nan, None), (None, 1)):
        with pytest.raises(UserError):
            Budget(*wrong)  # type: ignore[arg-type]
    assert Budget(30).trial_minutes == pytest.approx(1.5)


def test_bad_trials_are_pruned_at_a_share_of_their_training() -> None:
    told: list[tuple[float, int]] = []
    trial = SimpleNamespace(report=lambda value, step: told.append((value, step)),
                            should_prune=lambda: len(told) >= 3)
    watched = Watched(None, trial)
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
    files.begin(SearchPlan(small_experiment(SMALL), (), "shape"))
    assert files.name == "search-1" and free_name(project) == "search-2"
    assert latest(project) == "search-1"
    assert files.plan().target == "shape"
    (files.path / "search.json").write_text(json.dumps({"vary": 3}))
    with pytest.raises(UserError, match=r"search\.json"):
        files.plan()


def test_runs_of_the_finals_are_ordinary_runs(project: Path) -> None:
    events = list(searched(project))
    names = [e.run for e in events if isinstance(e, FinalStarted)]
    for name in names:
        assert RunFolder.existing(project / "runs" / name).has_model()


def test_the_best_models_answer_together(project: Path) -> None:
    events = list(search(small_experiment(SMALL), "one", folder=project, fix=ENCODERS,
                         budget=Budget(None, 3), ensemble=True))
    last = events[-1]
    assert isinstance(last, SearchFinished) and last.ensemble["run"] == "one.ensemble"
    files = SearchFolder.of(project, "one")
    assert files.plan().ensemble
    assert "one.ensemble" in last.sentence and "by which they were chosen" in last.sentence
    answer = open_model(project / "runs" / "one.ensemble", "cpu").predict({"words": "dot"})
    assert answer.present == ("words",)
    # models of trials are kept until then, and no longer
    for number in (1, 2):
        assert not files.trial(number).best.exists() and files.trial(number).log.is_file()
    assert not files.baseline.best.exists()
    asked = {e.told.message for e in events
             if isinstance(e, SearchTold) and isinstance(e.told, Preparing)}
    assert {"Asking baseline", "Asking 0001"} <= asked


def test_a_stop_while_the_finals_are_judged_is_heard(project: Path) -> None:
    ended: list[Any] = []
    last = [e for e in searched(project, should_stop=lambda: len(ended) == 2) if (
        ended.append(e) if isinstance(e, SearchTold) and isinstance(e.told, RunFinished)
        and e.run.startswith("one.trial") else True)][-1]
    assert isinstance(last, SearchFinished) and last.reason == "stopped"
    assert SearchFolder.of(project, "one").result() is None  # and no test row was looked at
    last = list(searched(project))[-1]
    assert isinstance(last, SearchFinished) and last.reason == "completed"
