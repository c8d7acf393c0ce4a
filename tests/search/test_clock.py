"""A search ends within its minutes, however long its trainings last beyond theirs."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mmstudio.data.prepare import Progress
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.search import clock, ending, rounds, workers
from mmstudio.search import search as module
from mmstudio.search.clock import (
    FinalsPlan,
    SearchClock,
    finals_that_fit,
    typical_s,
)
from mmstudio.search.events import (
    FinalFailed,
    FinalStarted,
    SearchFinished,
    SearchTold,
    TrialStarted,
)
from mmstudio.search.finals import Finalist, RowScores
from mmstudio.search.folder import SearchFolder
from mmstudio.search.search import Budget, search
from mmstudio.search.study import TrialRecord
from mmstudio.training.events import EpochDone, Preparing, RunEvent, RunFinished, Started
from mmstudio.training.run_folder import RunFolder
from tests.small_project import small_experiment

pytest.importorskip("optuna")

SMALL = {"inputs.sound.use": False, "training.epochs": 2, "training.combine": False}
ENCODERS = ("inputs.image.encoder", "inputs.words.encoder")


class FakeClock:
    """Seconds that pass only where a test has them pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    fake = FakeClock()
    monkeypatch.setattr(clock, "time", SimpleNamespace(perf_counter=fake))
    monkeypatch.setattr(ending, "SEEDS", 3)
    return fake


def lasting(
    monkeypatch: pytest.MonkeyPatch, fake: FakeClock, prepare_s: Callable[[str], float],
    epoch_s: float = 1.0, score_s: float = 1.0,
) -> None:
    """Have trainings last so long: for their preparation, by the run's name, and per epoch.

    Nothing is trained: what a search reads of a run is written.
    """

    def train(
        experiment: Experiment, run: Path, *, should_stop: Callable[[], bool], **how: Any
    ) -> Iterator[Any]:
        files = RunFolder(run)
        files.path.mkdir(parents=True)
        began = fake.now
        fake.now += prepare_s(run.name)
        files.write_experiment(experiment)
        yield Preparing("Reading", 0, 1)
        stopped = should_stop()

        def events() -> Iterator[RunEvent]:
            yield Started("r", "CPU", "float32", 1, 2, 1, 1, {}, [], {"shape": "accuracy"})
            for epoch in () if stopped else (1, 2):
                fake.now += epoch_s
                figure = experiment.training.learning_rate
                yield EpochDone(epoch, {}, {"loss": 1.0, "shape": {"accuracy": figure}},
                                1.0, 1.0, 1.0, 0)
            files.best.write_bytes(b"weights")
            files.write_text("schema.json", "{}")
            yield RunFinished("stopped" if stopped else "completed", "r", 1, 2, fake.now - began)

        for event in events():
            files.log_event(event, ())
            yield event

    def score(*args: Any) -> Generator[Progress, None, RowScores]:
        yield Progress("Scoring", 0, 1)
        fake.now += score_s
        return RowScores(np.array([0.0, 1.0, 1.0]), None)

    monkeypatch.setattr(module, "train", train)
    monkeypatch.setattr(workers, "train", train)
    monkeypatch.setattr(rounds, "score_rows", score)


def events_of(project: Path, minutes: float) -> list[Any]:
    return [e for e in search(small_experiment(SMALL), "one", folder=project, fix=ENCODERS,
                              budget=Budget(minutes)) if not isinstance(e, SearchTold)]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return tmp_path


def record(number: int, seconds: float, state: str = "done") -> TrialRecord:
    return TrialRecord(number, state, {}, 0.5, seconds, number == 0)


@pytest.mark.parametrize("minutes", [2.2, 4.0])
def test_preparation_counts_and_the_whole_ends_in_time(
    project: Path, monkeypatch: pytest.MonkeyPatch, ticking: FakeClock, minutes: float
) -> None:
    # as on the sample project: a training of six seconds lasts 15, a final 22
    lasting(monkeypatch, ticking, lambda name: 20.0 if name.startswith("one.") else 13.0)
    events = events_of(project, minutes)
    last = events[-1]
    assert isinstance(last, SearchFinished) and last.reason == "completed"
    assert ticking.now <= 60 * minutes
    finals = [e for e in events if isinstance(e, FinalStarted)]
    assert len({e.trial for e in finals}) >= 2
    assert all(e.remaining_s is not None and e.remaining_s > 0 for e in finals)
    each = {len(final["runs"]) for final in last.finals}
    assert len(each) == 1 and each.pop() * len(last.finals) <= len(finals)
    assert "there was no time for more" in last.sentence
    assert f"{len(last.finals)} of" in last.sentence


def test_a_final_longer_than_any_trial_leaves_out_the_seeds_that_do_not_fit(
    project: Path, monkeypatch: pytest.MonkeyPatch, ticking: FakeClock
) -> None:
    lasting(monkeypatch, ticking, lambda name: 40.0 if name.startswith("one.") else 2.0)
    events = events_of(project, 5.0)
    last = events[-1]
    assert ticking.now <= 300
    assert {len(final["runs"]) for final in last.finals} == {1}
    assert "1 of 3 times each" in last.sentence


def test_what_quick_finals_leave_goes_to_the_slow_ones(
    project: Path, monkeypatch: pytest.MonkeyPatch, ticking: FakeClock
) -> None:
    lasting(monkeypatch, ticking, lambda name: 30.0 if "trial0" in name else 5.0)
    asked: list[tuple[int, float]] = []
    with_seed = Finalist.with_seed

    def noted(finalist: Finalist, seed: int, minutes: float | None, short: bool) -> Experiment:
        assert minutes is not None
        asked.append((finalist.trial, minutes))
        return with_seed(finalist, seed, minutes, short)

    monkeypatch.setattr(Finalist, "with_seed", noted)
    events = events_of(project, 10.0)
    assert ticking.now <= 600 and {len(f["runs"]) for f in events[-1].finals} == {3}
    assert [trial for trial, _ in asked[2::3]] == [0, 0, 0]  # the slowest is the last of each round
    minutes = [m for _, m in asked]
    assert minutes == sorted(minutes) and minutes[-1] > 1.5 * minutes[0]
    assert "under a minute" not in events[-1].sentence  # its trainings combine nothing anyhow


def test_finals_too_short_for_the_quick_models_say_so(
    project: Path, monkeypatch: pytest.MonkeyPatch, ticking: FakeClock
) -> None:
    lasting(monkeypatch, ticking, lambda _: 5.0)
    experiment = small_experiment(SMALL | {"training.combine": True})
    sentences = {}
    for minutes in (5.0, 40.0):
        *_, last = search(experiment, f"for-{minutes:g}", folder=project, fix=ENCODERS,
                          budget=Budget(minutes, 8))
        assert isinstance(last, SearchFinished)
        sentences[minutes] = last.sentence
    assert "under a minute" in sentences[5.0] and "under a minute" not in sentences[40.0]


def test_a_final_that_outlasts_the_search_is_cut(
    project: Path, monkeypatch: pytest.MonkeyPatch, ticking: FakeClock
) -> None:
    lasting(monkeypatch, ticking, lambda name: 400.0 if name.startswith("one.") else 2.0)
    events = events_of(project, 5.0)
    assert [e for e in events if isinstance(e, FinalFailed)]
    # one preparation can't be cut; no other one is begun after it
    assert len([e for e in events if isinstance(e, FinalStarted)]) <= 3
    assert isinstance(events[-1], SearchFinished) and "may be chance" in events[-1].sentence


def test_without_time_for_finals_it_says_so(
    project: Path, monkeypatch: pytest.MonkeyPatch, ticking: FakeClock
) -> None:
    lasting(monkeypatch, ticking, lambda _: 2.0, epoch_s=10.0)
    events = events_of(project, 1.0)
    assert ticking.now <= 60
    assert [e.trial for e in events if isinstance(e, TrialStarted)] == [0]
    last = events[-1]
    assert isinstance(last, SearchFinished) and not last.finals and last.trial == 0
    assert "there was no time for others" in last.sentence and not last.changes
    assert SearchFolder.of(project, "one").result() is not None


def test_own_settings_that_outlast_the_search_end_it(
    project: Path, monkeypatch: pytest.MonkeyPatch, ticking: FakeClock
) -> None:
    lasting(monkeypatch, ticking, lambda _: 100.0)
    with pytest.raises(UserError, match="1 minutes are over"):
        events_of(project, 1.0)
    assert ticking.now <= 130


def test_most_finals_that_fit() -> None:
    assert finals_that_fit(90, 10, 3, 3) == FinalsPlan(3, 3, 10)
    assert finals_that_fit(89, 10, 3, 3) == FinalsPlan(3, 2, 89 / 6)
    assert finals_that_fit(45, 10, 3, 3) == FinalsPlan(2, 2, 45 / 4)
    assert finals_that_fit(30, 10, 3, 3) == FinalsPlan(3, 1, 10)
    assert finals_that_fit(20, 10, 3, 3) == FinalsPlan(2, 1, 10)
    assert finals_that_fit(19, 10, 3, 3) is None
    assert finals_that_fit(math.inf, 0, 2, 3) == FinalsPlan(2, 3, math.inf)


def test_the_finals_time_is_held_back_from_trials() -> None:
    now = FakeClock()
    whole = SearchClock(10, now=now)
    assert whole.for_trials_s([]) == 300
    # two finals, each half as long again as a trial of 120 s, need 360 s
    assert whole.for_trials_s([record(0, 120)]) == 600 - 120 - 360
    assert typical_s([TrialRecord(0, "done", {}, 0.5, 120, True, 90)]) == 30
    # the first trial decoded the data, and says less than the others; pruned ones say nothing
    lengths = [record(0, 120), record(1, 30), record(2, 34), record(3, 5, "pruned")]
    assert typical_s(lengths) == 32
    assert whole.for_trials_s(lengths) == 600 - 189 - 300
    assert whole.for_trials_s(lengths, least=True) == 600 - 189 - 64
    assert math.isinf(SearchClock(None, now=now).for_trials_s(lengths))
