"""How far a search is, told by its events, and where a value lies on its axis."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmstudio.search.clock import Stopwatch
from mmstudio.search.events import (
    FinalStarted,
    SearchFinished,
    SearchStarted,
    TrialEnded,
    TrialStarted,
)
from mmstudio.search.folder import SearchFolder
from mmstudio.search.progress import (
    SearchProgress,
    SearchSummary,
    TrialLine,
    best_so_far,
    list_searches,
    place_of,
    read_search,
    value_text,
)
from mmstudio.search.search import Budget, search
from mmstudio.search.space import Dimension
from tests.one_thread import one_thread as one_thread  # a fixture
from tests.small_project import small_experiment, write_small_project


def test_the_time_left_is_that_of_the_trials_and_of_the_finals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    progress = SearchProgress()
    assert progress.share() == 0 and progress.remaining_s() is None
    progress.apply(SearchStarted("one", ["width"], 10.0, None, 0))
    progress.apply(TrialStarted(0, {"width": 64}, 300.0))
    now[0] += 60
    assert progress.remaining_s() == 240 + 300
    assert progress.share() == pytest.approx(0.1)
    assert progress.current == TrialLine(0, {"width": 64}, "running")
    progress.apply(TrialEnded(0, "done", 0.5, 61.0, 0))
    assert progress.current is None and progress.ended() == 1
    assert progress.trials[0] == TrialLine(0, {"width": 64}, "done", 0.5, 61.0)
    progress.apply(FinalStarted("r", 0, 1, 7, 9, 100.0))
    now[0] += 20
    assert progress.remaining_s() == 80
    progress.apply(SearchFinished("completed", "one"))
    assert progress.share() == 1


def test_without_minutes_the_trials_are_counted() -> None:
    progress = SearchProgress()
    progress.apply(SearchStarted("one", [], None, 4, 0))
    progress.apply(TrialStarted(0, {}, None))
    progress.apply(TrialEnded(0, "done", 0.5, 1.0, 0))
    assert progress.remaining_s() is None and progress.share() == pytest.approx(0.125)
    progress.apply(FinalStarted("r", 0, 1, 1, 2))
    assert progress.share() == 0.5


def test_the_best_figure_never_falls() -> None:
    figures = {0: 0.5, 1: math.nan, 2: 0.4, 3: 0.7}
    trials = [TrialLine(n, {}, "done", f) for n, f in reversed(figures.items())]
    assert best_so_far(trials) == [(0, 0.5), (2, 0.5), (3, 0.7)]


@pytest.mark.parametrize(("dimension", "value", "place"), [
    (Dimension("f", "F", ("a", "b", "c")), "b", 0.5),
    (Dimension("f", "F", ("a",)), "a", 0.5),
    (Dimension("f", "F", ("a", "b")), "z", None),
    (Dimension("r", "R", low=0.001, high=0.1, log=True), 0.01, 0.5),
    (Dimension("r", "R", low=0.0, high=4.0), 1.0, 0.25),
    (Dimension("r", "R", low=0.0, high=4.0), 9.0, 1.0),
    (Dimension("r", "R", low=0.0, high=4.0), None, None),
])
def test_where_a_value_lies(dimension: Dimension, value: object, place: float | None) -> None:
    found = place_of(dimension, value)  # type: ignore[arg-type]
    assert found is place is None or found == pytest.approx(place)


def test_how_a_value_reads() -> None:
    assert [value_text(v) for v in (None, True, 0.00214, 64, "gated")] == [
        "—", "on", "0.00214", "64", "gated"]


def test_a_folder_tells_what_the_events_told(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    project = write_small_project(tmp_path / "project")
    settings = small_experiment(
        {"inputs.sound.use": False, "training.epochs": 1, "training.combine": False})
    progress = SearchProgress()
    events = search(settings, "one", folder=project, budget=Budget(None, 2),
                    fix=("inputs.image.encoder", "inputs.words.encoder"),
                    should_stop=lambda: progress.final is not None)
    for event in events:
        progress.apply(event)
    view = read_search(SearchFolder.of(project, "one"))
    assert view.result is None and view.plan.trials == 2
    assert {t.number: (t.state, pytest.approx(t.figure), t.values) for t in view.trials} == {
        n: (t.state, t.figure, t.values) for n, t in progress.trials.items()}
    assert list_searches(project) == [SearchSummary("one", False, 2)]


def test_a_pause_is_no_time_of_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    progress = SearchProgress()
    progress.apply(SearchStarted("one", [], 10.0, None, 0))
    progress.apply(TrialStarted(1, {}, 200.0))
    progress.hold(True)
    now[0] += 1000
    assert progress.remaining_s() == 200 + 300
    progress.hold(False)
    now[0] += 50
    assert progress.remaining_s() == 150 + 300

    def training() -> Iterator[int]:
        for step in range(3):
            now[0] += 2
            yield step

    clock = Stopwatch()
    for _ in clock.timed(training()):
        now[0] += 100  # nobody asks for the next one
    assert clock.seconds == 6


def test_a_trial_that_was_stopped_is_not_running_any_more() -> None:
    progress = SearchProgress()
    progress.apply(TrialStarted(0, {}, None))
    progress.apply(TrialEnded(0, "done", 0.5, 1.0, 0))
    progress.apply(TrialStarted(1, {}, None))
    progress.apply(SearchFinished("stopped", "one"))
    assert list(progress.trials) == [0]
