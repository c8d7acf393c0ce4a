"""A search as a generator of events: trials, then the best of them against the settings as found.

Half of the time goes to trials, each of a twentieth of the whole; the other half trains the best
again with several seeds. Pausing is not iterating; stopping is an argument; going on is calling
it again.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmstudio.comparison.figure import Figure
from mmstudio.comparison.plan import flat
from mmstudio.comparison.statistics import Interval
from mmstudio.data.prepare import Progress
from mmstudio.errors import UserError, nearest
from mmstudio.experiment import Experiment
from mmstudio.search.events import (
    FinalFailed,
    FinalStarted,
    SearchEvent,
    SearchFinished,
    SearchStarted,
    SearchTold,
    TrialEnded,
    TrialStarted,
)
from mmstudio.search.finals import Finalist, RowScores, judged, note_looks, score_rows
from mmstudio.search.folder import SearchFolder, SearchPlan
from mmstudio.search.space import applied, chosen, space_of, values_of
from mmstudio.search.study import TENTHS, Study, TrialRecord
from mmstudio.training.choose import without_auto
from mmstudio.training.events import EpochDone, Preparing, RunEvent, Shortened, Started
from mmstudio.training.loop import train
from mmstudio.training.model import completed
from mmstudio.training.run_folder import RunFolder

if TYPE_CHECKING:
    from filelock import FileLock
    from optuna import Trial

EXPLORING = 0.5
"""Of a search's time, for its trials; the rest is for the finals."""
PER_TRIAL = 0.05
"""Of a search's time, for one trial."""
LEAST_MINUTES = 0.1
FINALISTS, SEEDS = 3, 3
BASELINE = 0
"""The number of the trial that is the experiment as it was: it is noted before any other."""
MOST_FAILURES = 3
WAIT_S = 0.5
RUNS_OUT = 0.5
"""No trial is begun for which less than this share of its time is left."""

ShouldStop = Callable[[], bool]


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

    def exploring_s(self, spent_s: float) -> float:
        """Seconds that are left for trials."""
        return math.inf if self.minutes is None else 60 * EXPLORING * self.minutes - spent_s


def search(
    experiment: Experiment, name: str, *, folder: Path, budget: Budget | None = None,
    vary: Sequence[str] = (), fix: Sequence[str] = (), target: str | None = None,
    should_stop: ShouldStop = lambda: False,
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
            completed(experiment)  # every key must be in order before hours are spent
            limits = budget or Budget()
            space = chosen(space_of(without_auto(experiment)), vary, fix)
            study = Study(files, experiment.training.seed)
            files.begin(SearchPlan(experiment, space, target, limits.minutes, limits.trials))
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
        self._experiment = plan.experiment.replaced("training.device", device)
        self._space, self._target = plan.space, plan.target
        self._own_target = plan.target or next(iter(plan.experiment.active_targets))

    def events(self) -> Iterator[SearchEvent]:
        over = self._study.trials()
        yield SearchStarted(self._files.name, [d.key for d in self._space],
                            self._budget.minutes, self._budget.trials, len(over))
        for part in (self._first(), self._trials(), self._ended()):
            if not (yield from part):
                yield SearchFinished("stopped", self._files.name)
                return

    def _alone(
        self, lock: str, over: Callable[[], bool]
    ) -> Generator[SearchEvent, None, FileLock | None]:
        """Wait until no other process does a part of the search.

        Args:
            lock: The part's name.
            over: Whether it has been done.

        Returns:
            The lock, held; None where the part is done, or the search was stopped.
        """
        from filelock import FileLock, Timeout

        held = FileLock(self._files.path / f"{lock}.lock")
        told = False
        while not over() and not self._should_stop():
            try:
                held.acquire(timeout=0)
            except Timeout:
                if not told:
                    yield SearchTold("", Preparing("Another process is at work on this", 0, 0))
                told = True
                time.sleep(WAIT_S)
                continue
            if not over():
                return held
            held.release()
        return None

    # The experiment as it is ---------------------------------------------------------------

    def _first(self) -> Generator[SearchEvent, None, bool]:
        """Train the experiment as it is, unless that was done; False where it was stopped."""
        held = yield from self._alone("baseline", lambda: self._files.base() is not None)
        if held is None:
            return self._files.base() is not None
        try:
            return (yield from self._baseline())
        finally:
            held.release()

    def _baseline(self) -> Generator[SearchEvent, None, bool]:
        run = self._files.baseline
        start = values_of(without_auto(self._experiment), self._space)
        yield TrialStarted(BASELINE, start, self._left_s(0.0))
        watched, began = _Watched(self._target), time.perf_counter()
        settings = _as_trial(self._experiment, self._budget.trial_minutes)
        if not (yield from self._trained(settings, run, "your settings", watched.take)):
            return False
        for event in run.events():  # those of a training that was resumed too
            watched.take(event)
        if self._own_target in watched.unlabelled:
            raise UserError(f"No validation row has a known label of '{self._own_target}'.",
                            "Label some, or give another --target.")
        base = _with_inputs_of(run.experiment(), self._experiment)
        self._study.add_baseline(
            self._space, values_of(base, self._space), watched.best, watched.reports,
            time.perf_counter() - began)
        self._files.write_base(base)
        self._files.drop_weights_of(run)
        yield TrialEnded(BASELINE, "done", watched.best, time.perf_counter() - began, BASELINE)
        return True

    # Trials --------------------------------------------------------------------------------

    def _trials(self) -> Generator[SearchEvent, None, bool]:
        """Try settings until the time or the number is reached; False where it was stopped."""
        failed = 0
        while True:
            over = self._study.trials()
            spent = sum(t.seconds for t in over)
            if not self._goes_on(over, spent):
                return True
            if self._should_stop():
                return False
            ended = yield from self._trial(spent)
            if ended is None:
                return False
            failed = failed + 1 if ended.state == "failed" else 0
            if failed == MOST_FAILURES:
                raise UserError(f"{failed} trials after each other failed: {ended.message}",
                                "Search again with --resume once that is mended.")

    def _goes_on(self, over: Sequence[TrialRecord], spent_s: float) -> bool:
        most = self._budget.trials
        if most is not None and len(over) >= most:
            return False
        each = 60 * (self._budget.trial_minutes or 0.0)
        return self._budget.exploring_s(spent_s) > RUNS_OUT * each

    def _left_s(self, spent_s: float) -> float | None:
        left = self._budget.exploring_s(spent_s)
        return None if math.isinf(left) else left

    def _trial(self, spent_s: float) -> Generator[SearchEvent, None, TrialEnded | None]:
        """Try some settings; None where that was stopped."""
        base = self._files.base() or self._experiment
        trial, values = self._study.ask(self._space)
        files = self._files.trial(trial.number)
        settings = _as_trial(applied(base, values), self._budget.trial_minutes)
        yield TrialStarted(trial.number, values, self._left_s(spent_s))
        watched, began = _Watched(self._target, trial), time.perf_counter()
        state, message = "done", ""
        try:
            for event in train(settings, files.path, folder=self._folder,
                               should_stop=lambda: watched.pruned or self._should_stop()):
                watched.take(event)
                yield SearchTold(f"trial {trial.number}", event)
        except UserError as error:
            state, message = "failed", f"{error.message} {error.hint}".strip()
        self._files.drop_weights_of(files)
        if watched.pruned:
            state = "pruned"
        elif state == "done" and self._should_stop():
            self._study.tell(trial, "stopped", math.nan)
            self._study.again(values)
            return None
        elif state == "done" and math.isnan(watched.best):
            state, message = "failed", "It has no figure of the validation rows."
        self._study.tell(trial, state, watched.best)
        best = self._best()
        ended = TrialEnded(trial.number, state, watched.best, time.perf_counter() - began,
                           best[0].number if best else BASELINE, message)
        yield ended
        return ended

    def _best(self) -> list[TrialRecord]:
        """The trials that were not pruned, the best first; of equal ones the earlier."""
        done = [t for t in self._study.trials() if t.state == "done"]
        return sorted(done, key=lambda t: (-t.figure, t.number))

    # Finals --------------------------------------------------------------------------------

    def _ended(self) -> Generator[SearchEvent, None, bool]:
        """The finals, made by one process alone; False where it was stopped."""
        while self._study.others_at_work and not self._should_stop():
            time.sleep(WAIT_S)  # what they find may be among the best
        held = yield from self._alone("finals", lambda: self._files.result() is not None)
        if held is None:
            result = self._files.result()
            if result is not None:
                yield _finished_of(result)
            return result is not None
        try:
            return (yield from self._finals())
        finally:
            held.release()

    def _finals(self) -> Generator[SearchEvent, None, bool]:
        """Train the best again and tell who won; False where it was stopped."""
        finalists = self._finalists()
        seeds = [self._experiment.training.seed + i for i in range(SEEDS)]
        minutes = None
        if self._budget.minutes is not None:
            total = (1 - EXPLORING) * self._budget.minutes
            minutes = max(LEAST_MINUTES, total / (len(finalists) * SEEDS))
        planned = [(f, seed, f.runs[i]) for i, seed in enumerate(seeds) for f in finalists]
        out: set[int] = set()
        for number, (finalist, seed, name) in enumerate(planned, start=1):
            if finalist.trial in out:
                continue
            yield FinalStarted(name, finalist.trial, seed, number, len(planned))
            run = RunFolder(self._folder / "runs" / name)
            try:
                self._check_run_fits(finalist, run)
                if not (yield from self._trained(
                        finalist.with_seed(seed, minutes), run, name)):
                    return False
            except UserError as error:
                out.add(finalist.trial)
                if len(out) == len(finalists):
                    raise
                yield FinalFailed(name, finalist.trial, error.message, error.hint)
        yield from self._told([f for f in finalists if f.trial not in out])
        return True

    def _finalists(self) -> list[Finalist]:
        """The best trials of different settings, and the experiment as it was."""
        base = self._files.base() or self._experiment
        different: dict[str, TrialRecord] = {}
        best = self._best()
        own = next((t for t in best if t.is_baseline), None)
        for trial in best:
            same = own is not None and trial.values == own.values
            different.setdefault(
                json.dumps(trial.values, sort_keys=True), own if same and own else trial)
        picked = list(different.values())[:FINALISTS]
        if own is not None and own not in picked:
            picked = [*picked[:FINALISTS - 1], own]
        first = self._experiment.training.seed
        return [Finalist(
            t.number, t.values, base if t.is_baseline else applied(base, t.values),
            tuple(f"{self._files.name}.trial{t.number}.seed{first + s}" for s in range(SEEDS)),
            t.is_baseline) for t in picked]

    def _check_run_fits(self, finalist: Finalist, run: RunFolder) -> None:
        """A folder that is there already must be this very run. Raises UserError."""
        if not (run.path / "experiment.toml").is_file():
            return
        begun, asked = (values_of(e, self._space)
                        for e in (run.experiment(), finalist.experiment))
        if begun != asked:
            raise UserError(f"runs/{run.name} is there already, with other settings.",
                            "Rename or delete that run, or give the search another name.")

    def _trained(
        self, experiment: Experiment, run: RunFolder, name: str,
        watch: Callable[[RunEvent], None] = lambda _: None,
    ) -> Generator[SearchEvent, None, bool]:
        """Train a run, or what is left of it; False where it was stopped."""
        begun = (run.path / "experiment.toml").is_file()
        finished = run.history().finished if begun else None
        if finished is not None and finished.reason != "stopped" and run.has_model():
            return True
        for event in train(experiment, run.path, folder=self._folder, resume=begun,
                           should_stop=self._should_stop):
            yield SearchTold(name, event)
        finished = run.history().finished
        return finished is not None and finished.reason != "stopped"

    def _told(self, finalists: Sequence[Finalist]) -> Iterator[SearchEvent]:
        from mmstudio.tasks import TASKS

        target = self._own_target
        settings = self._experiment.active_targets[target]
        figure = Figure(TASKS.get(settings.task).row_figure,
                        str(settings.options.get("unit", "")))
        baseline = next((f.trial for f in finalists if f.is_baseline), None)
        validation = yield from self._scored(finalists, target, "validation")
        verdict = judged(validation, figure.is_share, baseline)
        by_trial = {f.trial: f for f in finalists}
        taken = by_trial[verdict.trial]
        finals = [{"trial": f.trial, "values": f.values, "runs": list(f.runs),
                   "validation": dataclasses.asdict(verdict.means[f.trial])} for f in finalists]
        sentence = verdict.sentence(figure)
        looked = [taken, *(f for f in finalists if f.is_baseline and f is not taken)]
        test = yield from self._scored(looked, target, "test")
        if all(len(one.scores) for each in test.values() for one in each):
            note_looks(self._files.path, [RunFolder(self._folder / "runs" / run)
                                          for f in looked for run in f.runs])
            on_test = judged(test, figure.is_share, baseline).means
            for final in finals:
                if final["trial"] in on_test:
                    final["test"] = dataclasses.asdict(on_test[final["trial"]])
            sentence += _test_sentence(on_test, taken.trial, baseline, figure)
        found = self._experiment if taken.is_baseline else taken.experiment
        changes = changed_keys(self._files.base() or self._experiment, taken.experiment)
        finished = SearchFinished("completed", self._files.name, taken.trial, taken.values,
                                  changes, sentence, finals)
        self._files.write_found(found, finished.to_json() | {
            "importance": self._study.importances(), "figure": figure.name})
        yield finished

    def _scored(
        self, finalists: Sequence[Finalist], target: str, split: str
    ) -> Generator[SearchEvent, None, dict[int, list[RowScores]]]:
        found: dict[int, list[RowScores]] = {}
        for finalist in finalists:
            for name in finalist.runs:
                run = RunFolder.existing(self._folder / "runs" / name)
                steps = score_rows(run, self._folder, target, split,
                                   self._experiment.training.device)
                scores = yield from _telling(name, steps)
                found.setdefault(finalist.trial, []).append(scores)
        return found


class _Watched:
    """The figures of a trial while it trains.

    Attributes:
        best: The best validation figure so far; nan before the first.
        pruned: Whether the trial has fallen behind the others.
        reports: Per tenth of its training the best figure till then.
        unlabelled: The targets of which the validation knows no figure.
    """

    def __init__(self, target: str | None, trial: Trial | None = None) -> None:
        self.best, self.pruned = math.nan, False
        self.reports: dict[int, float] = {}
        self.unlabelled: set[str] = set()
        self._target, self._trial = target, trial
        self._main: dict[str, str] = {}
        self._epochs = 0

    def take(self, event: RunEvent) -> None:
        """Take an event of its training in."""
        if isinstance(event, Started):
            self._epochs = event.epochs
            self._main = dict(event.tasks)
        elif isinstance(event, Shortened):
            self._epochs = event.epochs
        elif isinstance(event, EpochDone):
            each = {t: _known(event.validation.get(t, {}).get(figure))
                    for t, figure in self._main.items()}
            self.unlabelled = {t for t, figure in each.items() if math.isnan(figure)}
            counted = [max(-1.0, figure) for t, figure in each.items()
                       if self._target in (None, t) and not math.isnan(figure)]
            if counted:
                mean = sum(counted) / len(counted)
                self.best = mean if math.isnan(self.best) else max(self.best, mean)
            self._report(event.epoch)

    def _report(self, epoch: int) -> None:
        tenth = TENTHS * epoch // max(1, self._epochs)
        if math.isnan(self.best) or tenth >= TENTHS or tenth <= max(self.reports, default=0):
            return
        self.reports[tenth] = self.best
        if self._trial is not None:
            self._trial.report(self.best, tenth)
            self.pruned = bool(self._trial.should_prune())


def _known(figure: float | None) -> float:
    return math.nan if figure is None else figure  # the log holds null for nan


def changed_keys(before: Experiment, now: Experiment) -> list[str]:
    """What differs between two experiments, as ``key: before → now``."""
    old, new = flat(completed(before).to_dict()), flat(completed(now).to_dict())
    return [f"{key}: {old.get(key, '–')} → {new.get(key, '–')}"
            for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]


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


def _test_sentence(
    means: dict[int, Interval], trial: int, baseline: int | None, figure: Figure
) -> str:
    text = f" On the test rows, looked at once: {figure.text(means[trial].mean)}"
    if baseline is not None and baseline != trial:
        text += f", your settings {figure.text(means[baseline].mean)}"
    return text + "."


def _finished_of(result: dict[str, Any]) -> SearchFinished:
    """The last event, of what another process has found. Raises UserError."""
    names = {f.name for f in dataclasses.fields(SearchFinished)}
    try:
        return SearchFinished(**{k: v for k, v in result.items() if k in names})
    except TypeError:
        raise UserError("The search's result.json is damaged.", "Search again.") from None


def _telling(
    run: str, steps: Generator[Progress, None, RowScores]
) -> Generator[SearchEvent, None, RowScores]:
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            result: RowScores = end.value
            return result
        yield SearchTold(run, Preparing(step.message, step.done, step.total))

