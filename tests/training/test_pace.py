"""Threads and number format by measurement, on a made-up machine with a clock of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from mmstudio.data.batches import Batch, InputBatch
from mmstudio.training.events import Tuned
from mmstudio.training.pace import Pace, Work
from mmstudio.training.trial import Setting

F1, F2 = Setting(1, "float32"), Setting(2, "float32")
B1, B2 = Setting(1, "bfloat16"), Setting(2, "bfloat16")
ALL = [F2, B2, F1, B1]
QUIET = {F1: 0.2, F2: 0.12, B1: 0.25, B2: 0.15}
BUSY = {F1: 0.2, F2: 0.9, B1: 0.25, B2: 1.1}


class Machine:
    """Makes steps of known length, and keeps how each was made and when it ended."""

    def __init__(self, settings: list[Setting], layouts: tuple[str, ...] = ()) -> None:
        self.now = 100.0
        self.made: list[Setting] = []
        self.ended: list[float] = []
        self.kept: list[Tuned] = []
        self.told: list[Tuned] = []
        self.setting = settings[0]
        self.applied = 0
        self.hope, self.lost = True, 0.0
        self.pace = Pace(settings, self._apply, layouts=layouts, keep=self.kept.append,
                         hopeful=lambda: self.hope, clock=lambda: self.now,
                         own_clock=lambda: self.now - self.lost)

    def _apply(self, setting: Setting) -> None:
        self.setting, self.applied = setting, self.applied + 1

    def step(
        self, times: dict[Setting, float], work: float = 1.0, interrupted: float = 0.0
    ) -> None:
        with self.pace.step(work):
            self.made.append(self.setting)
            self.now += times[self.setting] * work + interrupted
            self.lost += interrupted
            self.ended.append(self.now)
        self.told += self.pace.told()

    def run(self, times: dict[Setting, float], until: Callable[[], bool]) -> None:
        for _ in range(20_000):
            if until():
                return
            self.step(times)
        pytest.fail("it did not come to that")

    def run_for(self, times: dict[Setting, float], seconds: float) -> None:
        end = self.now + seconds
        self.run(times, lambda: self.now >= end)

    def settle(self, times: dict[Setting, float]) -> None:
        self.run(times, lambda: bool(self.told))
        for _ in range(5):
            self.step(times)


@pytest.mark.parametrize(("times", "fastest"), [
    (QUIET, F2), (BUSY, F1),
    ({F1: 0.2, F2: 0.12, B1: 0.1, B2: 0.06}, B2),
    ({F1: 0.2, F2: 0.6, B1: 0.1, B2: 0.6}, B1),
    ({F1: 0.100, F2: 0.098, B1: 0.099, B2: 0.097}, F1),  # alike: the fewest threads, float32
    ({F1: 0.002, F2: 0.001, B1: 0.002, B2: 0.002}, F2),
    ({F1: 4.0, F2: 2.0, B1: 4.0, B2: 3.0}, F2)])
def test_the_fastest_is_taken(times: dict[Setting, float], fastest: Setting) -> None:
    machine = Machine(ALL)
    machine.run(times, lambda: bool(machine.told))
    tuned = machine.told[0]
    assert (tuned.threads, tuned.precision, tuned.reason) == (
        fastest.threads, fastest.precision, "start")
    told = {str(s): t for s, t in times.items() if str(s) in tuned.step_s}
    assert tuned.step_s == pytest.approx(told)
    assert str(fastest) in told and len(told) >= (4 if max(times.values()) < 1 else 2)
    assert machine.kept == [tuned]
    assert machine.pace.settled and machine.pace.setting == fastest
    machine.step(times)
    assert machine.made[-1] == fastest


LAID = {s: replace(s, layout="contiguous") for s in ALL}


@pytest.mark.parametrize(("share", "layout"), [
    (0.8, "contiguous"), (1.2, "channels_last"), (0.99, "channels_last")])  # alike: the usual one
@pytest.mark.parametrize("settings", [ALL, [F1]])
def test_the_layout_is_tried_behind_the_format_and_stays(
    settings: list[Setting], share: float, layout: str
) -> None:
    times = QUIET | {LAID[s]: share * t for s, t in QUIET.items()}
    machine = Machine(settings, ("contiguous",))
    while not machine.told:
        assert not machine.pace.settled
        machine.step(times)
    (tuned,) = machine.told
    fastest = F2 if settings == ALL else F1
    assert (tuned.threads, tuned.precision, tuned.layout) == (fastest.threads, "float32", layout)
    assert machine.kept == [tuned] and machine.pace.settled
    # of all ways only the fastest is tried with the other layout, in a few steps
    assert {s for s in machine.made if s.layout == "contiguous"} == {LAID[fastest]}
    assert machine.made.count(LAID[fastest]) <= 6
    assert tuned.step_s[str(LAID[fastest])] == pytest.approx(times[LAID[fastest]])
    assert str(LAID[fastest]).endswith("float32, contiguous")
    busy = BUSY | {LAID[s]: share * t for s, t in BUSY.items()}
    before = len(machine.made)
    machine.run_for(busy, 30)
    assert {s.layout for s in machine.made[before:]} == {layout}


def test_a_layout_that_is_set_is_the_only_one() -> None:
    machine = Machine([LAID[F1]])
    machine.run_for({LAID[F1]: 0.1}, 10)
    assert set(machine.made) == {LAID[F1]} and machine.pace.settled and not machine.told


def test_measuring_takes_little() -> None:
    machine = Machine(ALL)
    began = machine.now
    machine.run(BUSY, lambda: bool(machine.told))
    assert machine.now - began < 5
    assert machine.made.count(F2) + machine.made.count(B2) <= 3
    assert machine.pace.lost_s == pytest.approx(
        machine.now - began - 0.2 * len(machine.made))


def test_a_step_that_takes_seconds_is_made_once() -> None:
    machine = Machine([F1, B1, F2, B2])
    stuck = {F1: 0.2, B1: 0.25, F2: 7.0, B2: 7.0}
    machine.run(stuck, lambda: bool(machine.told))
    assert machine.pace.setting == F1
    assert machine.made.count(F2) == 1 and B2 not in machine.made
    assert set(machine.told[0].step_s) == {str(F1), str(B1)}


def test_more_threads_are_not_tried_while_there_is_no_hope() -> None:
    machine = Machine(ALL)
    machine.hope = False
    machine.settle(BUSY)
    machine.run_for(BUSY, 150)
    assert set(machine.made) == {F1, B1}
    machine.hope = True
    machine.run(QUIET, lambda: len(machine.told) > 1)
    assert machine.pace.setting == F2
    machine.hope = False
    before = len(machine.made)
    machine.run(BUSY, lambda: len(machine.told) > 2)
    assert machine.pace.setting == F1
    assert machine.made[before:].count(F2) <= 4  # until it is seen that the machine is busy


def test_interruptions_do_not_decide_on_the_format() -> None:
    """On a machine with many programs a step may wait ten times as long as it works."""
    for seed in range(20):
        chance = np.random.default_rng(seed)
        machine = Machine([F1, B1])
        while not machine.told:
            machine.step({F1: 0.20, B1: 0.24}, interrupted=chance.exponential(0.5))
        assert machine.pace.setting == F1


def test_without_hope_nothing_is_measured_and_nothing_kept() -> None:
    machine = Machine([F1, F2])
    machine.hope = False
    machine.step(BUSY)
    assert [(t.threads, t.step_s) for t in machine.told] == [(1, {})]
    assert not machine.kept
    machine.run_for(BUSY, 30)
    assert set(machine.made) == {F1}


def test_the_first_step_of_each_does_not_count() -> None:
    machine = Machine([F1, F2])
    machine.step({F1: 5.0, F2: 0.1})
    machine.step({F1: 5.0, F2: 5.0})
    machine.run({F1: 0.1, F2: 0.2}, lambda: bool(machine.told))
    assert machine.pace.setting == F1
    assert machine.told[0].step_s["1 thread, float32"] == pytest.approx(0.1)


def test_batches_of_other_lengths_mislead_nobody() -> None:
    machine = Machine([F1, F2])
    lengths = [1.0, 0.3]  # by turns, as the settings are
    while not machine.told:
        machine.step(QUIET, lengths[len(machine.made) % 2])
    assert machine.pace.setting == F2
    assert machine.told[0].step_s == pytest.approx({str(s): QUIET[s] for s in (F1, F2)})
    before = len(machine.made)
    for at in range(20):
        machine.step(QUIET, lengths[at % 2])
    assert set(machine.made[before:]) == {F2}


def test_one_setting_is_never_measured() -> None:
    machine = Machine([B1])
    machine.run_for({B1: 0.1}, 200)
    machine.run_for({B1: 5.0}, 200)
    assert machine.applied == 1 and not machine.told and not machine.kept


def test_a_busy_machine_gets_one_thread_within_seconds() -> None:
    machine = Machine(ALL)
    machine.settle(QUIET)
    began = machine.now
    machine.run(BUSY, lambda: len(machine.told) > 1)
    assert machine.now - began < 8
    tuned = machine.told[1]
    assert (tuned.threads, tuned.precision, tuned.reason) == (1, "float32", "load")
    assert set(tuned.step_s) == {"1 thread, float32", "2 threads, float32"}


def test_a_slow_step_now_and_then_changes_nothing() -> None:
    machine = Machine([F1, F2])
    machine.settle(QUIET)
    began, before = machine.now, len(machine.made)
    while machine.now < began + 4:
        for _ in range(3):
            machine.step(QUIET)
        for _ in range(2):
            machine.step(BUSY)
    assert set(machine.made[before:]) == {F2}


def test_it_comes_back_when_the_machine_is_quiet() -> None:
    machine = Machine(ALL)
    machine.settle(BUSY)
    assert machine.pace.setting == F1
    machine.run_for(BUSY, 100)
    assert len(machine.told) == 1
    began = machine.now
    machine.run(QUIET, lambda: len(machine.told) > 1)
    assert machine.pace.setting == F2
    assert machine.now - began < 65


def test_it_looks_at_growing_intervals_and_loses_little() -> None:
    machine = Machine(ALL)
    machine.settle(BUSY)
    before, began = len(machine.made), machine.now
    machine.run_for(BUSY, 300)
    looks = [at for at, made in zip(machine.ended[before:], machine.made[before:], strict=True)
             if made == F2]
    waits = [b - a for a, b in zip([began, *looks], looks, strict=False)]
    assert waits[0] < 10
    assert all(b >= a - 2 for a, b in pairwise(waits))
    assert 55 < waits[-1] < 65
    assert len(looks) * 0.7 < 0.03 * 300
    assert {s.precision for s in machine.made[before:]} == {"float32"}


def test_what_is_kept_is_in_the_event_once_per_change() -> None:
    machine = Machine([F1, F2])
    machine.settle(QUIET)
    for times in (BUSY, QUIET, BUSY):
        told = len(machine.told)
        machine.run(times, lambda told=told: len(machine.told) > told)  # type: ignore[misc]
    assert [t.threads for t in machine.told] == [2, 1, 2, 1]
    assert len(machine.kept) == 1


def batch_of(rows: int, length: int) -> Batch:
    there = torch.ones(rows, dtype=torch.bool)
    inputs = {"picture": InputBatch(torch.zeros(rows, 3, 8, 8), None, there),
              "sound": InputBatch(torch.zeros(rows, length), None, there)}
    return Batch(inputs, {}, {"label": there})


def test_the_work_of_a_batch_goes_by_its_size() -> None:
    work = Work(64)
    assert work.of(batch_of(64, 1000)) == 1
    assert work.of(batch_of(64, 2000)) == pytest.approx((1 + 2) / 2)
    assert work.of(batch_of(40, 1000)) == pytest.approx(40 / 64, rel=0.1)
    assert work.of(batch_of(20, 1000)) == 0
