"""The trainings of the finals: seed by seed, as many as the time allows, each then scored."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path

from mmstudio.errors import UserError
from mmstudio.generators import mapped
from mmstudio.search.clock import (
    FINAL_TO_TRIAL,
    LEAST_FINALS,
    LEAST_MINUTES,
    SCORING_SHARE,
    FinalsPlan,
    SearchClock,
    Stopwatch,
    finals_that_fit,
)
from mmstudio.search.events import FinalFailed, FinalStarted, SearchEvent, SearchTold
from mmstudio.search.finals import Finalist, RowScores, score_rows
from mmstudio.search.study import TrialRecord
from mmstudio.search.workers import ShouldStop, trained
from mmstudio.training.events import Preparing
from mmstudio.training.run_folder import RunFolder

SHORT_S = 60.0
"""A final with less time than this fits no quick models, which may take half of it."""
TRAINING_SHARE = 0.9
"""Of a final's time, for its training; the rest is for the scoring."""


class FinalRounds:
    """Trains finalists with one seed after the other, and scores their validation rows.

    Args:
        folder: The project.
        target: Whose rows are scored.
        device: As in ``training.device``.
        clock: Of the search.
        trials: Those that are over.
        should_stop: Asked at every step.
        check: Raises UserError where the run folder of a finalist is another's.

    Attributes:
        scores: Per trial its runs' validation scores, the same number of runs in all.
        finalists: Those with scores, with the runs that count.
        score_s: How long scoring a run took, the longest.
        short: Whether its trainings have no time for quick models, and answer with the network
            alone.
    """

    def __init__(
        self, folder: Path, target: str, device: str, clock: SearchClock,
        trials: Sequence[TrialRecord], should_stop: ShouldStop,
        check: Callable[[Finalist, RunFolder], None],
    ) -> None:
        self._folder, self._target, self._device = folder, target, device
        self._clock, self._trials, self._should_stop = clock, trials, should_stop
        self._check = check
        self._trained_s: list[float] = []
        self._active: list[Finalist] = []
        self.scores: dict[int, list[RowScores]] = {}
        self.finalists: list[Finalist] = []
        self.score_s = 0.0
        self.short = False

    def plan(self, finalists: int, seeds: int, typical_s: float) -> FinalsPlan | None:
        """How many fit in what is left; None where not even two do.

        Args:
            finalists: How many at most.
            seeds: How many at most.
            typical_s: How long a trial takes.
        """
        left_s = max(0.0, (1 - SCORING_SHARE) * self._clock.left_s(self._trials))
        least_s = max(typical_s, 0.0 if math.isinf(self._clock.limit_s) else 60 * LEAST_MINUTES)
        # rather two that may be cut than none
        return (finals_that_fit(left_s, FINAL_TO_TRIAL * least_s, finalists, seeds)
                or finals_that_fit(left_s, least_s, min(LEAST_FINALS, finalists), 1))

    def events(
        self, finalists: Sequence[Finalist], first_seed: int, plan: FinalsPlan
    ) -> Generator[SearchEvent, None, bool]:
        """Train and score what is planned, or less where it lasts longer; False where stopped.

        Raises:
            UserError: Of the last finalist that could be trained.
        """
        lasted = {trial.number: trial.seconds for trial in self._trials}
        # the quick ones first: the time that they leave goes to the slow ones
        self._active = sorted(finalists[:plan.finalists], key=lambda f: lasted.get(f.trial, 0.0))
        self.short = plan.each_s < SHORT_S
        rounds = 0
        for number in range(plan.seeds):
            if number and not self._another_fits():
                break
            before = {trial: list(scores) for trial, scores in self.scores.items()}
            ended = yield from self._round(number, first_seed + number, plan)
            if ended == "stopped":
                return False
            if ended == "cut":
                self.scores = before  # all of a round count, or none
                break
            rounds = number + 1
            if not self._active:
                break
        self._conclude(rounds)
        return True

    def _round(
        self, number: int, seed: int, plan: FinalsPlan
    ) -> Generator[SearchEvent, None, str]:
        """Each finalist with one seed: ``done``, ``stopped``, or ``cut`` by the time."""
        for place, finalist in enumerate(list(self._active)):
            name = finalist.runs[number]
            yield FinalStarted(name, finalist.trial, seed, number * plan.finalists + place + 1,
                               plan.finalists * plan.seeds, self._left_s())
            # without the first round there is nothing to tell: each has its part of the time
            left_s = self._clock.left_s(self._trials) * (1 - SCORING_SHARE)
            in_round = plan.finalists - place
            share_s = left_s / in_round if number == 0 else left_s
            each_s = left_s / (in_round + (plan.seeds - number - 1) * plan.finalists)
            try:
                ended = yield from self._one(finalist, number, seed, each_s, share_s)
            except UserError as error:
                self._drop(finalist)
                if not self._active:
                    raise
                yield FinalFailed(name, finalist.trial, error.message, error.hint)
                continue
            if ended == "stopped" or (ended == "cut" and number):
                return ended
            if ended == "cut":
                self._drop(finalist)
                yield FinalFailed(name, finalist.trial, "Its time was over before its first epoch "
                                  "was.", "Search for more minutes.")
        return "done"

    def _drop(self, finalist: Finalist) -> None:
        self._active = [f for f in self._active if f is not finalist]
        self.scores.pop(finalist.trial, None)

    def _conclude(self, rounds: int) -> None:
        self.finalists = [replace(f, runs=f.runs[:rounds]) for f in self._active]
        self.scores = {f.trial: self.scores[f.trial][:rounds] for f in self._active}

    def _another_fits(self) -> bool:
        """Whether there is time for each of the finalists once more, and for the last look."""
        last_look_s = 2 * (len(next(iter(self.scores.values()), [])) + 1) * self.score_s
        each_s = max(self._trained_s, default=0.0) + self.score_s
        return len(self._active) * each_s + last_look_s <= self._clock.left_s(self._trials)

    def _one(
        self, finalist: Finalist, number: int, seed: int, each_s: float, share_s: float
    ) -> Generator[SearchEvent, None, str]:
        """Train and score one: ``done``, ``stopped`` by whoever asked, or ``cut`` by the time.

        Args:
            finalist: Whose settings are trained.
            number: Which of its runs.
            seed: Of the training.
            each_s: Seconds that the training and its scoring are meant to take.
            share_s: Seconds after which it is cut.
        """
        name = finalist.runs[number]
        run = RunFolder(self._folder / "runs" / name)
        self._check(finalist, run)
        over = self._clock.over_after(share_s)
        minutes = None if math.isinf(each_s) else max(LEAST_MINUTES, TRAINING_SHARE * each_s / 60)
        watch = Stopwatch(self._clock.now)
        ended = yield from trained(
            finalist.with_seed(seed, minutes, self.short), run, name, folder=self._folder,
            should_stop=lambda: self._should_stop() or over(), clock=watch)
        if self._should_stop():
            return "stopped"
        self._trained_s.append(watch.seconds)
        if not ended and (number or not run.history().epochs):
            return "cut"
        scoring = Stopwatch(self._clock.now)
        steps = scored(run, self._folder, self._target, "validation", self._device)
        scores = yield from counted(scoring, steps)
        self.score_s = max(self.score_s, scoring.seconds)
        self.scores.setdefault(finalist.trial, []).append(scores)
        return "stopped" if self._should_stop() else "done"

    def _left_s(self) -> float | None:
        left = self._clock.left_s(self._trials)
        return None if math.isinf(left) else max(0.0, left)


def counted(
    clock: Stopwatch, events: Generator[SearchEvent, None, RowScores]
) -> Generator[SearchEvent, None, RowScores]:
    """The events of a scoring, their time counted; what it returns."""
    result: list[RowScores] = []

    def all_of() -> Generator[SearchEvent, None, None]:
        result.append((yield from events))

    yield from clock.timed(all_of())
    return result[0]


def scored(
    run: RunFolder, folder: Path, target: str, split: str, device: str
) -> Generator[SearchEvent, None, RowScores]:
    """A run's scores of the rows of a split, its steps told as the search's events."""
    return mapped(score_rows(run, folder, target, split, device), lambda step: SearchTold(
        run.name, Preparing(step.message, step.done, step.total)))
