"""The end of a search: the best trials are trained again with three seeds, and one is taken."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from mmstudio.comparison.figure import Figure
from mmstudio.comparison.statistics import Interval
from mmstudio.data.prepare import Progress
from mmstudio.errors import UserError
from mmstudio.evaluation.ensembling import EnsembleMade
from mmstudio.experiment import Experiment
from mmstudio.experiment_keys import by_key
from mmstudio.search.ensemble import ensemble_of, ensemble_sentence
from mmstudio.search.events import (
    FinalFailed,
    FinalStarted,
    SearchEvent,
    SearchFinished,
    SearchTold,
)
from mmstudio.search.finals import Finalist, RowScores, judged, note_looks, score_rows
from mmstudio.search.folder import SearchFolder, SearchPlan
from mmstudio.search.space import applied, values_of
from mmstudio.search.study import Study, TrialRecord
from mmstudio.search.workers import WAIT_S, ShouldStop, alone, trained
from mmstudio.training.events import Preparing
from mmstudio.training.model import completed
from mmstudio.training.run_folder import RunFolder

EXPLORING = 0.5
"""Of a search's time, for its trials; the rest is for the finals."""
LEAST_MINUTES = 0.1
FINALISTS, SEEDS = 3, 3


class Finals:
    """The finals of a search, made by one process while others wait.

    Args:
        files: Of the search.
        folder: The project.
        plan: What is searched.
        minutes: Of the whole search; None where its trials are counted.
        study: Its trials.
        should_stop: Asked at every step.
    """

    def __init__(
        self, files: SearchFolder, folder: Path, plan: SearchPlan, minutes: float | None,
        study: Study, should_stop: ShouldStop,
    ) -> None:
        self._files, self._folder, self._study = files, folder, study
        self._experiment, self._space = plan.experiment, plan.space
        self._own_target = plan.target or next(iter(plan.experiment.active_targets))
        self._plan = plan
        self._minutes, self._should_stop = minutes, should_stop

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
        finalists = self._finalists()
        seeds = [self._experiment.training.seed + i for i in range(SEEDS)]
        minutes = None
        if self._minutes is not None:
            total = (1 - EXPLORING) * self._minutes
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
                if not (yield from trained(
                        finalist.with_seed(seed, minutes), run, name, folder=self._folder,
                        should_stop=self._should_stop)):
                    return False
            except UserError as error:
                out.add(finalist.trial)
                if len(out) == len(finalists):
                    raise
                yield FinalFailed(name, finalist.trial, error.message, error.hint)
        return (yield from self._concluded([f for f in finalists if f.trial not in out]))

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

    def _concluded(self, finalists: Sequence[Finalist]) -> Generator[SearchEvent, None, bool]:
        """Judge the finals and keep what was found; False where it was stopped."""
        from mmstudio.tasks import TASKS

        target = self._own_target
        settings = self._experiment.active_targets[target]
        figure = Figure(TASKS.get(settings.task).row_figure,
                        str(settings.options.get("unit", "")))
        baseline = next((f.trial for f in finalists if f.is_baseline), None)
        validation = yield from self._scored(finalists, target, "validation")
        if validation is None:
            return False
        verdict = judged(validation, figure.is_share, baseline)
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
        ensemble: dict[str, Any] = {}
        if self._plan.ensemble:
            made = yield from self._ensemble([taken, *(f for f in finalists if f is not taken)])
            ensemble = {} if isinstance(made, str) else made.to_json()
            sentence += ensemble_sentence(made, {
                n: TASKS.get(t.task).main_metric
                for n, t in self._experiment.active_targets.items()})
        found = self._experiment if taken.is_baseline else taken.experiment
        changes = changed_keys(self._files.base() or self._experiment, taken.experiment)
        finished = SearchFinished("completed", self._files.name, taken.trial, taken.values,
                                  changes, sentence, finals, ensemble)
        self._files.write_settings_found(found, finished.to_json() | {
            "importance": self._study.importances(), "figure": figure.name})
        yield finished
        return True

    def _ensemble(
        self, finalists: Sequence[Finalist]
    ) -> Generator[SearchEvent, None, EnsembleMade | str]:
        runs = [self._folder / "runs" / name for f in finalists for name in f.runs]
        return (yield from ensemble_of(
            self._files, self._study, runs, folder=self._folder,
            device=self._experiment.training.device, target=self._plan.target))

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
                steps = score_rows(run, self._folder, target, split,
                                   self._experiment.training.device)
                scores = yield from _telling(name, steps)
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

