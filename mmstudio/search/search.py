"""A search as a generator of events: trials, then the best of them against the settings as found.

Half of the time goes to trials, each of a twentieth of the whole; the other half trains the best
again with several seeds. Pausing is not iterating; stopping is an argument; going on is calling
it again.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmstudio.comparison.figure import Figure
from mmstudio.comparison.plan import flat
from mmstudio.data.prepare import Progress
from mmstudio.errors import UserError, nearest
from mmstudio.experiment import Experiment
from mmstudio.search.events import (
    FinalStarted,
    SearchEvent,
    SearchFinished,
    SearchStarted,
    SearchTold,
    TrialEnded,
    TrialStarted,
)
from mmstudio.search.finals import Finalist, RowScores, judged, note_looks, score_rows
from mmstudio.search.folder import SearchFolder
from mmstudio.search.space import Dimension, applied, chosen, space_of, values_of
from mmstudio.search.study import TENTHS, Study, TrialRecord
from mmstudio.training.choose import without_auto
from mmstudio.training.events import EpochDone, Preparing, Shortened, Started
from mmstudio.training.loop import train
from mmstudio.training.model import completed
from mmstudio.training.run_folder import RunFolder

EXPLORING = 0.5
"""Of a search's time, for its trials; the rest is for the finals."""
PER_TRIAL = 0.05
"""Of a search's time, for one trial."""
LEAST_MINUTES = 0.1
FINALISTS, SEEDS = 3, 3
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
            raise UserError("The search has no end.", "Give --minutes or --trials.")
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
    experiment: Experiment, name: str, *, folder: Path, budget: Budget,
    vary: Sequence[str] = (), fix: Sequence[str] = (), target: str | None = None,
    should_stop: ShouldStop = lambda: False,
) -> Iterator[SearchEvent]:
    """Search for better settings, or go on with a search that was begun.

    The first trial is the experiment as it is; it names the encoders that are left open. The best
    three, the experiment among them, are then trained with three seeds each, and held against
    each other on the validation rows. The test rows are looked at once, at the end, for the
    settings that were found and those that the experiment had.

    Args:
        experiment: Where the search begins.
        name: Of the search; the same as before goes on with it.
        folder: The project: what ``data.table`` is relative to, and where ``searches`` is.
        budget: How long it may take, of all its trials together.
        vary: Keys that vary besides the usual ones.
        fix: Keys that don't.
        target: Whose figure counts; None takes the mean of all targets' main figures for the
            trials, and the first target for the finals.
        should_stop: Asked at every step; True ends the search, which can be resumed.

    Yields:
        Events, in order; the last is SearchFinished.

    Raises:
        UserError: A key, data or a setting that the user can mend; Optuna is not installed.
    """
    files = SearchFolder.of(folder, name)
    if target is not None and target not in experiment.active_targets:
        raise UserError(f"There is no target '{target}'.",
                        nearest(target, experiment.active_targets))
    if not files.exists:
        completed(experiment)  # every key must be in order before hours are spent
        space = chosen(space_of(without_auto(experiment)), vary, fix)
        study = Study(files, experiment.training.seed)
        files.begin(experiment, [d.key for d in space], target)
    else:
        study = Study(files, experiment.training.seed)
    going = _Search(files, folder, budget, study, should_stop)
    with study.at_work():
        yield from going.events()


class _Search:
    """What a search works with."""

    def __init__(
        self, files: SearchFolder, folder: Path, budget: Budget, study: Study,
        should_stop: ShouldStop,
    ) -> None:
        self._files, self._folder, self._budget = files, folder, budget
        self._study, self._should_stop = study, should_stop
        self._experiment, self._keys, self._target = files.plan()

    def events(self) -> Iterator[SearchEvent]:
        over = self._study.trials()
        yield SearchStarted(self._files.name, self._keys, self._budget.minutes,
                            self._budget.trials, len(over))
        if not (yield from self._trials()) or not (yield from self._finals()):
            yield SearchFinished("stopped", self._files.name)

    # Trials --------------------------------------------------------------------------------

    def _trials(self) -> Generator[SearchEvent, None, bool]:
        """Try settings until the time or the number is reached; False where it was stopped."""
        while True:
            over = self._study.trials()
            spent = sum(t.seconds for t in over)
            if over and not self._goes_on(over, spent):
                return True
            if self._should_stop():
                return False
            if not (yield from self._trial(spent)):
                return False

    def _goes_on(self, over: Sequence[TrialRecord], spent_s: float) -> bool:
        most = self._budget.trials
        if most is not None and len(over) >= most:
            return False
        each = 60 * (self._budget.trial_minutes or 0.0)
        return self._budget.exploring_s(spent_s) > RUNS_OUT * each

    def _trial(self, spent_s: float) -> Generator[SearchEvent, None, bool]:
        base = self._files.base()
        start = without_auto(self._experiment) if base is None else base
        space = self._space(start)
        if base is None:
            self._study.suggest_first(values_of(start, space))
        trial, values = self._study.ask(space)
        files = self._files.trial(trial.number)
        settings = self._experiment if base is None else applied(base, values)
        settings = _as_trial(settings, self._budget.trial_minutes)
        left = self._budget.exploring_s(spent_s)
        yield TrialStarted(trial.number, values, None if math.isinf(left) else left)
        watched = _Watched(self._target, trial)
        began, state, message = time.perf_counter(), "done", ""
        try:
            for event in train(settings, files.path, folder=self._folder,
                               should_stop=lambda: watched.pruned or self._should_stop()):
                watched.take(event)
                yield SearchTold(f"trial {trial.number}", event)
        except UserError as error:
            if base is None:
                self._study.tell(trial, "failed", math.nan)
                raise  # the experiment itself can't be trained
            state, message = "failed", f"{error.message} {error.hint}".strip()
        if watched.pruned:
            state = "pruned"
        elif self._should_stop() or (state == "done" and math.isnan(watched.best)):
            self._study.tell(trial, "failed", math.nan)
            self._study.suggest_first(values)
            return False
        if base is None:
            self._files.write_base(_with_inputs_of(files.experiment(), self._experiment))
        self._study.tell(trial, state, watched.best)
        self._files.drop_weights(trial.number)
        yield TrialEnded(trial.number, state, watched.best, time.perf_counter() - began,
                         self._best()[0].number if self._best() else 0, message)
        return True

    def _space(self, start: Experiment) -> tuple[Dimension, ...]:
        return tuple(d for d in space_of(start) if d.key in self._keys)

    def _best(self) -> list[TrialRecord]:
        """The trials that were not pruned, the best first; of equal ones the earlier."""
        done = [t for t in self._study.trials() if t.state == "done"]
        return sorted(done, key=lambda t: (-t.figure, t.number))

    # Finals --------------------------------------------------------------------------------

    def _finals(self) -> Generator[SearchEvent, None, bool]:
        """Train the best again and tell who won; False where it was stopped."""
        finalists = self._finalists()
        seeds = [self._experiment.training.seed + i for i in range(SEEDS)]
        minutes = None
        if self._budget.minutes is not None:
            total = (1 - EXPLORING) * self._budget.minutes
            minutes = max(LEAST_MINUTES, total / (len(finalists) * SEEDS))
        planned = [(f, seed, run) for i, seed in enumerate(seeds)
                   for f in finalists for run in (f.runs[i],)]
        for number, (finalist, seed, name) in enumerate(planned, start=1):
            yield FinalStarted(name, finalist.trial, seed, number, len(planned))
            run = RunFolder(self._folder / "runs" / name)
            if not (yield from self._trained(finalist.with_seed(seed, minutes), run)):
                return False
        yield from self._told(finalists)
        return True

    def _finalists(self) -> list[Finalist]:
        """The best trials of different settings, and the experiment as it was."""
        base = self._files.base() or self._experiment
        best = self._best()
        own = next((t for t in best if t.number == 0), None)
        picked = best[:FINALISTS]
        if own is not None and own not in picked:
            picked = [*picked[:-1], own]
        seeds = range(SEEDS)
        return [Finalist(
            t.number, t.values, base if t.number == 0 else applied(base, t.values),
            tuple(f"{self._files.name}.trial{t.number}.seed{self._experiment.training.seed + s}"
                  for s in seeds)) for t in picked]

    def _trained(
        self, experiment: Experiment, run: RunFolder
    ) -> Generator[SearchEvent, None, bool]:
        """Train a run, or what is left of it; False where it was stopped."""
        begun = (run.path / "experiment.toml").is_file()
        finished = run.history().finished if begun else None
        if finished is not None and finished.reason != "stopped" and run.has_model():
            return True
        for event in train(experiment, run.path, folder=self._folder, resume=begun,
                           should_stop=self._should_stop):
            yield SearchTold(run.name, event)
        finished = run.history().finished
        return finished is not None and finished.reason != "stopped"

    def _told(self, finalists: Sequence[Finalist]) -> Iterator[SearchEvent]:
        from mmstudio.tasks import TASKS

        target = self._target or next(iter(self._experiment.active_targets))
        settings = self._experiment.active_targets[target]
        figure = Figure(TASKS.get(settings.task).row_figure,
                        str(settings.options.get("unit", "")))
        validation = yield from self._scored(finalists, target, "validation")
        verdict = judged(validation, figure.is_share)
        by_trial = {f.trial: f for f in finalists}
        taken = by_trial[verdict.trial]
        finals = [{"trial": f.trial, "values": f.values, "runs": list(f.runs),
                   "validation": dataclasses.asdict(verdict.means[f.trial])} for f in finalists]
        sentence = verdict.sentence(figure)
        looked = {f.trial for f in (taken, by_trial.get(0, taken))}
        test = yield from self._scored([by_trial[t] for t in sorted(looked)], target, "test")
        if all(len(one.scores) for each in test.values() for one in each):
            note_looks(self._files.path, [RunFolder(self._folder / "runs" / run)
                                          for t in looked for run in by_trial[t].runs])
            on_test = judged(test, figure.is_share).means
            for final in finals:
                if final["trial"] in on_test:
                    final["test"] = dataclasses.asdict(on_test[final["trial"]])
            sentence += _test_sentence(on_test, verdict.trial, figure)
        found = taken.experiment if taken.trial else self._experiment
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
    """The figures of a trial while it trains."""

    def __init__(self, target: str | None, trial: Any) -> None:
        self.best, self.pruned = math.nan, False
        self._target, self._trial = target, trial
        self._main: dict[str, str] = {}
        self._epochs = self._told = 0

    def take(self, event: Any) -> None:
        """Take an event of its training in."""
        if isinstance(event, Started):
            self._epochs = event.epochs
            self._main = {t: figure for t, figure in event.tasks.items()
                          if self._target in (None, t)}
        elif isinstance(event, Shortened):
            self._epochs = event.epochs
        elif isinstance(event, EpochDone):
            figures = [max(-1.0, event.validation[t].get(figure, math.nan))
                       for t, figure in self._main.items()]
            figures = [f for f in figures if not math.isnan(f)]
            if figures:
                mean = sum(figures) / len(figures)
                self.best = mean if math.isnan(self.best) else max(self.best, mean)
            self._tell(event.epoch)

    def _tell(self, epoch: int) -> None:
        tenth = TENTHS * epoch // max(1, self._epochs)
        if tenth <= self._told or math.isnan(self.best) or tenth >= TENTHS:
            return
        self._told = tenth
        self._trial.report(self.best, tenth)
        self.pruned = bool(self._trial.should_prune())


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


def _test_sentence(means: dict[int, Any], trial: int, figure: Figure) -> str:
    text = f" On the test rows, looked at once: {figure.text(means[trial].mean)}"
    if trial and 0 in means:
        text += f", your settings {figure.text(means[0].mean)}"
    return text + "."


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

