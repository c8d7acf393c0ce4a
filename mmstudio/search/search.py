"""A search as a generator of events: trials, then the best of them against the settings as found.

Half of the time goes to trials, each of a twentieth of the whole; the other half trains the best
again with several seeds, fewer of them where the time is short. Nothing is begun that can't end
within the search's minutes. Pausing is not iterating; stopping is an argument; going on is
calling it again.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmstudio.errors import UserError, nearest
from mmstudio.experiment import Experiment
from mmstudio.search.clock import LEAST_MINUTES, SearchClock, Stopwatch, typical_s
from mmstudio.search.ending import Finals
from mmstudio.search.ensemble import MOST_IN_ENSEMBLE, trial_run
from mmstudio.search.events import (
    SearchEvent,
    SearchFinished,
    SearchStarted,
    SearchTold,
    TrialEnded,
    TrialStarted,
)
from mmstudio.search.folder import SearchFolder, SearchPlan
from mmstudio.search.space import applied, chosen, space_of, values_of
from mmstudio.search.study import Study, TrialRecord
from mmstudio.search.watched import Watched
from mmstudio.search.workers import ShouldStop, alone, trained
from mmstudio.training.choose import without_auto
from mmstudio.training.events import RunEvent, RunFinished, Started
from mmstudio.training.loop import train
from mmstudio.training.model import completed
from mmstudio.training.run_folder import RunFolder

if TYPE_CHECKING:
    pass

PER_TRIAL = 0.05
"""Of a search's time, for one trial."""
BASELINE = 0
"""The number of the trial that is the experiment as it was: it is noted before any other."""
MOST_FAILURES = 3


@dataclass(frozen=True)
class Budget:
    """How long a search may take.

    Attributes:
        minutes: Of all; None leaves the time to ``trials``, each as long as the experiment says.
        trials: How many at most; None takes as many as the time allows.
    """

    minutes: float | None = 30.0
    trials: int | None = None

    def __post_init__(self) -> None:
        """Refuse a search without an end. Raises UserError."""
        if self.minutes is None and self.trials is None:
            raise UserError("The search has no limit.", "Give --minutes or --trials.")
        if self.minutes is not None and not self.minutes > 0:
            raise UserError(f"{self.minutes} minutes are out of range.", "Give more than 0.")
        if self.trials is not None and self.trials < 2:
            raise UserError(f"{self.trials} trials are out of range.", "Give at least 2.")

    @property
    def trial_minutes(self) -> float | None:
        """How long a trial may take."""
        return None if self.minutes is None else max(LEAST_MINUTES, PER_TRIAL * self.minutes)


def search(
    experiment: Experiment, name: str, *, folder: Path, budget: Budget | None = None,
    vary: Sequence[str] = (), fix: Sequence[str] = (), target: str | None = None,
    ensemble: bool = False, should_stop: ShouldStop = lambda: False,
) -> Iterator[SearchEvent]:
    """Search for better settings, or go on with a search that was begun.

    The first trial is the experiment as it is; it names the encoders that are left open. The best
    three of different settings, the experiment among them, are then trained with three seeds each,
    and held against each other on the validation rows. The test rows are looked at once, at the
    end, for the settings that were found and those that the experiment had.

    Several processes may search under one name: while one trains the experiment as it is, or the
    finals, the others wait.

    Args:
        experiment: Where the search begins; of one that goes on, only its device counts.
        name: Of the search; the same as before goes on with it.
        folder: The project: what ``data.table`` is relative to, and where ``searches`` is.
        budget: How long it may take, of all its trials together; None takes what it began with,
            or half an hour.
        vary: Keys that vary besides the usual ones.
        fix: Keys that don't.
        target: Whose figure counts; None takes the mean of all targets' main figures for the
            trials, and the first target for the finals.
        ensemble: At the end, choose among the finals' models and those of the best trials by
            greedy selection which answer together, and keep them as the run ``NAME.ensemble``.
        should_stop: Asked at every step; True ends the search, which can be resumed.

    Yields:
        Events, in order; the last is SearchFinished.

    Raises:
        UserError: A key, data or a setting that the user can mend; a folder that can't be written
            to; Optuna is not installed.
    """
    files = SearchFolder.of(folder, name)
    files.refuse_links()
    if target is not None and target not in experiment.active_targets:
        raise UserError(f"There is no target '{target}'.",
                        nearest(target, experiment.active_targets))
    try:
        if not files.exists:
            experiment = experiment.replaced("training.start_from", "")  # all begin alike
            completed(experiment)  # every key must be in order before hours are spent
            limits = budget or Budget()
            space = chosen(space_of(without_auto(experiment)), vary, fix)
            study = Study(files, experiment.training.seed)
            files.begin(SearchPlan(
                experiment, space, target, limits.minutes, limits.trials, ensemble))
        else:
            plan = files.plan()
            limits = budget or Budget(plan.minutes, plan.trials)
            study = Study(files, plan.experiment.training.seed)
        going = _Search(files, folder, limits, study, experiment.training.device, should_stop)
        with study.at_work():
            yield from going.events()
    except OSError as error:
        raise UserError(f"{files.path} can't be written: {error}.",
                        "Free some space, or search in a folder that you may write to.") from None


class _Search:
    """What a search works with."""

    def __init__(
        self, files: SearchFolder, folder: Path, budget: Budget, study: Study, device: str,
        should_stop: ShouldStop,
    ) -> None:
        self._files, self._folder, self._budget = files, folder, budget
        self._study, self._should_stop = study, should_stop
        plan = files.plan()
        self._plan = plan = dataclasses.replace(
            plan, experiment=plan.experiment.replaced("training.device", device))
        self._experiment, self._space, self._target = plan.experiment, plan.space, plan.target
        self._own_target = plan.target or next(iter(plan.experiment.active_targets))
        self._clock = SearchClock(budget.minutes, self._spent_s())

    def _spent_s(self) -> float:
        """What processes before this one have trained, seconds."""
        finals = (self._folder / "runs").glob(f"{self._files.name}.trial*.seed*")
        over = [RunFolder(path).history().finished for path in finals
                if (path / "events.jsonl").is_file()]
        return (sum(t.seconds for t in self._study.trials())
                + sum(one.seconds for one in over if one is not None))

    def events(self) -> Iterator[SearchEvent]:
        """All events, their time counted."""
        return self._clock.timed(self._events())

    def _events(self) -> Iterator[SearchEvent]:
        over = self._study.trials()
        yield SearchStarted(self._files.name, [d.key for d in self._space],
                            self._budget.minutes, self._budget.trials, len(over))
        finals = Finals(self._files, self._folder, self._plan, self._clock,
                        self._study, self._should_stop)
        for part in (self._first(), self._trials(), finals.events()):
            if not (yield from part):
                yield SearchFinished("stopped", self._files.name)
                return

    # The experiment as it is ---------------------------------------------------------------

    def _first(self) -> Generator[SearchEvent, None, bool]:
        """Train the experiment as it is, unless that was done; False where it was stopped."""
        held = yield from alone(
            self._files, "baseline", lambda: self._files.base() is not None, self._should_stop)
        if held is None:
            return self._files.base() is not None
        try:
            return (yield from self._baseline())
        finally:
            held.release()

    def _baseline(self) -> Generator[SearchEvent, None, bool]:
        run = self._files.baseline
        start = values_of(without_auto(self._experiment), self._space)
        yield TrialStarted(BASELINE, start, self._left_s())
        watched, clock = Watched(self._target), Stopwatch(self._clock.now)
        over = self._clock.over_after(self._clock.left_s())
        prepared_s = 0.0

        def watch(event: RunEvent) -> None:
            nonlocal prepared_s
            watched.take(event)
            if isinstance(event, Started):
                prepared_s = clock.seconds

        settings = _as_trial(self._experiment, self._budget.trial_minutes)
        if not (yield from trained(settings, run, "your settings", folder=self._folder,
                                   should_stop=lambda: self._should_stop() or over(),
                                   watch=watch, clock=clock)):
            if self._should_stop():
                return False
            raise UserError(
                f"{self._budget.minutes:g} minutes are over, and your own settings are not "
                "trained yet.", "Go on with --resume and more --minutes.")
        for event in run.events():  # those of a training that was resumed too
            watched.take(event)
        if self._own_target in watched.unlabelled:
            raise UserError(f"No validation row has a known label of '{self._own_target}'.",
                            "Label some, or give another --target.")
        base = _with_inputs_of(run.experiment(), self._experiment)
        self._study.add_baseline(
            self._space, values_of(base, self._space), watched.best, watched.reports,
            clock.seconds, prepared_s)
        self._files.write_base(base)
        self._let_go(run, "done")
        yield TrialEnded(BASELINE, "done", watched.best, clock.seconds, BASELINE)
        return True

    # Trials --------------------------------------------------------------------------------

    def _trials(self) -> Generator[SearchEvent, None, bool]:
        """Try settings until the time or the number is reached; False where it was stopped."""
        failed = 0
        while True:
            over = self._study.trials()
            if not self._goes_on(over):
                return True
            if self._should_stop():
                return False
            ended = yield from self._trial(over)
            if ended is None:
                return False
            failed = failed + 1 if ended.state == "failed" else 0
            if failed == MOST_FAILURES:
                raise UserError(f"{failed} trials after each other failed: {ended.message}",
                                "Fix that, then search again with --resume.")

    def _goes_on(self, over: Sequence[TrialRecord]) -> bool:
        most = self._budget.trials
        if most is not None and len(over) >= most:
            return False
        # without one trial there is nothing to tell: for the first less is held back
        return self._clock.for_trials_s(over, least=len(over) == 1) > typical_s(over)

    def _left_s(self, over: Sequence[TrialRecord] = ()) -> float | None:
        left = self._clock.for_trials_s(over)
        return None if math.isinf(left) else max(0.0, left)

    def _trial(
        self, over: Sequence[TrialRecord]
    ) -> Generator[SearchEvent, None, TrialEnded | None]:
        """Try some settings; None where that was stopped."""
        base = self._files.base() or self._experiment
        trial, values = self._study.ask(self._space)
        files = self._files.trial(trial.number)
        settings = _as_trial(applied(base, values), self._budget.trial_minutes)
        yield TrialStarted(trial.number, values, self._left_s(over))
        watched, clock = Watched(self._target, trial), Stopwatch(self._clock.now)
        late = self._clock.over_after(self._clock.for_trials_s(over, least=True))
        cut = False
        state, message = "done", ""
        try:
            for event in clock.timed(train(
                    settings, files.path, folder=self._folder,
                    should_stop=lambda: watched.pruned or self._should_stop() or late())):
                watched.take(event)
                cut = isinstance(event, RunFinished) and event.reason == "stopped"
                yield SearchTold(f"trial {trial.number}", event)
        except UserError as error:
            state, message = "failed", f"{error.message} {error.hint}".strip()
        if watched.pruned:
            state = "pruned"
        elif state == "done" and self._should_stop():
            self._files.drop_weights_of(files)
            self._study.tell(trial, "stopped", math.nan)
            self._study.again(values)
            return None
        elif cut:  # by the time: it would be held against others that had all of theirs
            state = "pruned"
        elif state == "done" and math.isnan(watched.best):
            state, message = "failed", "It has no figure of the validation rows."
        self._study.tell(trial, state, watched.best, clock.seconds)
        self._let_go(files, state)
        best = self._study.best()
        ended = TrialEnded(trial.number, state, watched.best, clock.seconds,
                           best[0].number if best else BASELINE, message)
        yield ended
        return ended

    def _let_go(self, run: RunFolder, state: str) -> None:
        """Keep a trial's curves; its model too where it may answer in the ensemble."""
        if not self._plan.ensemble or state != "done":
            self._files.drop_weights_of(run)
            return
        self._files.drop_state_of(run)
        for worse in self._study.best()[MOST_IN_ENSEMBLE:]:
            self._files.drop_weights_of(trial_run(self._files, worse))


def _as_trial(experiment: Experiment, minutes: float | None) -> Experiment:
    """As short as a trial is, answering with its network alone: the rest is the same in all."""
    changed: dict[str, Any] = {"combine": False}
    if minutes is not None:
        changed["minutes"] = minutes
    return dataclasses.replace(
        experiment, training=dataclasses.replace(experiment.training, **changed))


def _with_inputs_of(run: Experiment, experiment: Experiment) -> Experiment:
    """The experiment with the inputs as a run of it found them suited."""
    return dataclasses.replace(experiment, inputs=run.inputs)
