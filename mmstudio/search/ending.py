"""The end of a search: the best trials are trained again with three seeds, and one is taken."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from mmstudio.comparison.figure import Figure
from mmstudio.comparison.statistics import Interval
from mmstudio.errors import UserError
from mmstudio.evaluation.ensembling import EnsembleMade
from mmstudio.experiment import Experiment
from mmstudio.experiment_keys import by_key
from mmstudio.search.clock import LEAST_FINALS, SearchClock, typical_s
from mmstudio.search.ensemble import ensemble_of, ensemble_sentence
from mmstudio.search.events import SearchEvent, SearchFinished
from mmstudio.search.finals import Finalist, RowScores, judged, note_looks
from mmstudio.search.folder import SearchFolder, SearchPlan
from mmstudio.search.rounds import FinalRounds, scored
from mmstudio.search.space import applied, values_of
from mmstudio.search.study import Study, TrialRecord
from mmstudio.search.workers import WAIT_S, ShouldStop, alone
from mmstudio.training.model import completed
from mmstudio.training.run_folder import RunFolder

FINALISTS, SEEDS = 3, 3
SHORT = (" Each of these trainings had under a minute, too short for the quick models that a run "
         "answers with besides its network: whole trainings may rank the settings differently, "
         "and a longer search compares those.")


class Finals:
    """The finals of a search, made by one process while others wait.

    Args:
        files: Of the search.
        folder: The project.
        plan: What is searched.
        clock: Of the search.
        study: Its trials.
        should_stop: Asked at every step.
    """

    def __init__(
        self, files: SearchFolder, folder: Path, plan: SearchPlan, clock: SearchClock,
        study: Study, should_stop: ShouldStop,
    ) -> None:
        self._files, self._folder, self._study = files, folder, study
        self._experiment, self._space = plan.experiment, plan.space
        self._own_target = plan.target or next(iter(plan.experiment.active_targets))
        self._plan = plan
        self._clock, self._should_stop = clock, should_stop

    def events(self) -> Generator[SearchEvent, None, bool]:
        """The finals, made by one process alone; False where it was stopped."""
        while self._study.others_at_work and not self._should_stop():
            time.sleep(WAIT_S)  # what they find may be among the best
        held = yield from alone(
            self._files, "finals", lambda: self._files.result() is not None, self._should_stop)
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
        finalists, trials = self._finalists(), self._study.trials()
        rounds = FinalRounds(
            self._folder, self._own_target, self._experiment.training.device, self._clock,
            trials, self._should_stop, self._check_run_fits)
        plan = rounds.plan(len(finalists), SEEDS, typical_s(trials))
        begun = any(self._is_trained(f.runs[0]) for f in finalists)
        if begun and plan is None:  # by a process before this one: little is left to do
            plan = rounds.plan(len(finalists), 1, 0.0)
        if plan is None or (len(finalists) < LEAST_FINALS and not math.isinf(self._clock.limit_s)):
            return (yield from self._without_finals())
        if not (yield from rounds.events(finalists, self._experiment.training.seed, plan)):
            return False
        if not rounds.finalists:
            return (yield from self._without_finals())
        return (yield from self._concluded(rounds, len(finalists)))

    def _is_trained(self, name: str) -> bool:
        run = RunFolder(self._folder / "runs" / name)
        return run.log.is_file() and run.history().finished is not None and run.has_model()

    def _without_finals(self) -> Generator[SearchEvent, None, bool]:
        """Keep what the trials alone tell, where no time is left to train any of them again."""
        best = self._study.best()[0]
        base = self._files.base() or self._experiment
        taken = base if best.is_baseline else applied(base, best.values)
        minutes = f"{self._clock.limit_s / 60:g} minutes"
        if len(self._study.trials()) == 1:
            sentence = (f"One training with your settings takes {best.seconds:.0f} s: in {minutes} "
                        "there was no time for others. Search longer.")
        else:
            sentence = (f"Trial {best.number} was the best of {len(self._study.trials())}, but in "
                        f"{minutes} there was no time to train it again: that may be chance. "
                        "Search longer.")
        yield self._kept(best.is_baseline, taken, SearchFinished(
            "completed", self._files.name, best.number, best.values,
            changed_keys(base, taken), sentence), "")
        return True

    def _finalists(self) -> list[Finalist]:
        """The best trials of different settings, and the experiment as it was."""
        base = self._files.base() or self._experiment
        different: dict[str, TrialRecord] = {}
        best = self._study.best()
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
            raise UserError(f"runs/{run.name} already exists, with other settings.",
                            "Rename or delete that run, or give the search another name.")

    def _concluded(
        self, rounds: FinalRounds, wanted: int
    ) -> Generator[SearchEvent, None, bool]:
        """Judge the finals and keep what was found; False where it was stopped."""
        from mmstudio.tasks import TASKS

        target, finalists = self._own_target, rounds.finalists
        settings = self._experiment.active_targets[target]
        figure = Figure(TASKS.get(settings.task).row_figure,
                        str(settings.options.get("unit", "")))
        baseline = next((f.trial for f in finalists if f.is_baseline), None)
        verdict = judged(rounds.scores, figure.is_share, baseline)
        by_trial = {f.trial: f for f in finalists}
        taken = by_trial[verdict.trial]
        finals = [{"trial": f.trial, "values": f.values, "runs": list(f.runs),
                   "validation": dataclasses.asdict(verdict.means[f.trial])} for f in finalists]
        sentence = verdict.sentence(figure)
        looked = [taken, *(f for f in finalists if f.is_baseline and f is not taken)]
        test = yield from self._scored(looked, target, "test")
        if test is None:
            return False
        if all(len(one.scores) for each in test.values() for one in each):
            note_looks(self._files.path, [RunFolder(self._folder / "runs" / run)
                                          for f in looked for run in f.runs])
            on_test = judged(test, figure.is_share, baseline).means
            for final in finals:
                if final["trial"] in on_test:
                    final["test"] = dataclasses.asdict(on_test[final["trial"]])
            sentence += _test_sentence(on_test, taken.trial, baseline, figure)
        sentence += _fewer_sentence(finalists, wanted)
        if rounds.short and self._experiment.training.combine:
            sentence += SHORT
        ensemble: dict[str, Any] = {}
        if self._plan.ensemble:
            made = yield from self._ensemble(
                [taken, *(f for f in finalists if f is not taken)], rounds.score_s)
            ensemble = {} if isinstance(made, str) else made.to_json()
            sentence += ensemble_sentence(made, {
                n: TASKS.get(t.task).main_metric
                for n, t in self._experiment.active_targets.items()})
        changes = changed_keys(self._files.base() or self._experiment, taken.experiment)
        yield self._kept(taken.is_baseline, taken.experiment, SearchFinished(
            "completed", self._files.name, taken.trial, taken.values, changes, sentence, finals,
            ensemble), figure.name)
        return True

    def _kept(
        self, own: bool, taken: Experiment, finished: SearchFinished, figure: str
    ) -> SearchFinished:
        """Keep what was found."""
        self._files.write_settings_found(
            self._experiment if own else taken, finished.to_json() | {
                "importance": self._study.importances(), "figure": figure})
        return finished

    def _ensemble(
        self, finalists: Sequence[Finalist], score_s: float
    ) -> Generator[SearchEvent, None, EnsembleMade | str]:
        left_s = self._clock.left_s(self._study.trials())
        fit = None if math.isinf(left_s) else max(0, int(left_s / max(score_s, 1e-3)))
        runs = [self._folder / "runs" / name for f in finalists for name in f.runs]
        return (yield from ensemble_of(
            self._files, self._study, runs, folder=self._folder,
            device=self._experiment.training.device, target=self._plan.target, most=fit))

    def _scored(
        self, finalists: Sequence[Finalist], target: str, split: str
    ) -> Generator[SearchEvent, None, dict[int, list[RowScores]] | None]:
        """The scores of the finalists' runs; None where it was stopped."""
        found: dict[int, list[RowScores]] = {}
        for finalist in finalists:
            for name in finalist.runs:
                if self._should_stop():
                    return None
                run = RunFolder.existing(self._folder / "runs" / name)
                scores = yield from scored(run, self._folder, target, split,
                                           self._experiment.training.device)
                found.setdefault(finalist.trial, []).append(scores)
        return found


def changed_keys(before: Experiment, now: Experiment) -> list[str]:
    """What differs between two experiments, as ``key: before → now``."""
    old, new = by_key(completed(before).to_dict()), by_key(completed(now).to_dict())
    return [f"{key}: {old.get(key, '–')} → {new.get(key, '–')}"
            for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]


def _test_sentence(
    means: dict[int, Interval], trial: int, baseline: int | None, figure: Figure
) -> str:
    text = f" On the test rows, looked at once: {figure.text(means[trial].mean)}"
    if baseline is not None and baseline != trial:
        text += f", your settings {figure.text(means[baseline].mean)}"
    return text + "."


def _fewer_sentence(finalists: Sequence[Finalist], wanted: int) -> str:
    """That fewer finals were trained than usual, where that is so."""
    seeds = len(finalists[0].runs)
    if len(finalists) == wanted and seeds == SEEDS:
        return ""
    return (f" {len(finalists)} of {wanted} finalists were trained again, {seeds} of {SEEDS} "
            "times each: there was no time for more.")


def _finished_of(result: dict[str, Any]) -> SearchFinished:
    """The last event, of what another process has found. Raises UserError."""
    names = {f.name for f in dataclasses.fields(SearchFinished)}
    try:
        return SearchFinished(**{k: v for k, v in result.items() if k in names})
    except TypeError:
        raise UserError("The search's result.json is damaged.", "Search again.") from None
