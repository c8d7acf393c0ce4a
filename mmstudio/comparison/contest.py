"""A comparison as a generator of events: a queue of trainings, each scored when it ends.

Pausing is not iterating; stopping is an argument; going on is calling it again.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TypeVar

from mmstudio.comparison.events import (
    ComparedRunStarted,
    ComparisonEvent,
    ComparisonFinished,
    ComparisonStarted,
    RankingChanged,
    RunFailed,
    RunScored,
    RunTold,
)
from mmstudio.comparison.folder import FOLDER, ComparisonFolder, Failure
from mmstudio.comparison.plan import Plan, PlannedRun, changes_between
from mmstudio.comparison.ranking import read_ranking
from mmstudio.comparison.report import write_report
from mmstudio.comparison.scores import RunScores
from mmstudio.comparison.scoring import (
    ComparedRows,
    check_run_fits,
    find_rows,
    same_data,
    score_run,
)
from mmstudio.data.prepare import Progress
from mmstudio.errors import UserError
from mmstudio.training.events import Preparing
from mmstudio.training.loop import train
from mmstudio.training.run_folder import RunFolder

T = TypeVar("T")


def compare(
    plan: Plan, *, folder: Path, should_stop: Callable[[], bool] = lambda: False
) -> Iterator[ComparisonEvent]:
    """Train and rank all contestants, or go on with a comparison that was begun.

    Runs that were scored are left alone; one that was cut off goes on after its last whole epoch;
    one that has failed is tried again.

    Args:
        plan: What to compare; of the same name as before goes on with it.
        folder: The project: what ``data.table`` is relative to, and where ``runs`` and
            ``comparisons`` are.
        should_stop: Asked at every step; True ends the comparison, which can be resumed.

    Yields:
        Events, in order; the last is ComparisonFinished.

    Raises:
        UserError: Other settings than those that the comparison began with, other data, or data
            that can't be read. What only one run fails of is told, and the next one follows.
    """
    files = ComparisonFolder.of(folder, plan.name)
    if files.exists:
        check_same(files.plan(), plan)
    compared = yield from _telling("", find_rows(plan, folder), should_stop)
    if compared is None:
        yield ComparisonFinished("stopped", plan.name, "", "")
        return
    runs = plan.runs()
    found = {r.run: files.scores(r.run) for r in runs}
    done = {run for run, scores in found.items() if isinstance(scores, RunScores)}
    for scores in found.values():
        if isinstance(scores, RunScores) and not same_data(
                scores.fingerprint, compared.fingerprint):
            raise UserError(f"The data has changed since {FOLDER}/{plan.name} began.",
                            "Start a new comparison under another name.")
    files.write_plan(plan)
    yield ComparisonStarted(plan.name, compared.split, len(compared.rows), len(done), len(runs))
    if done:
        yield RankingChanged(read_ranking(files))
    reason, looked = "completed", False
    for number, planned in enumerate(runs, start=1):
        if planned.run in done:
            continue
        if should_stop():
            reason = "stopped"
            break
        contestant = planned.contestant
        yield ComparedRunStarted(planned.run, contestant.key, contestant.title, planned.seed,
                                 number, len(runs))
        ended = yield from _one_run(plan, planned, compared, files, folder, should_stop)
        if not ended:
            reason = "stopped"
            break
        if compared.split == "test" and not looked:
            looked = True
            files.note_look(len(runs))
        yield RankingChanged(read_ranking(files))
    ranking = read_ranking(files)
    write_report(files, ranking)
    sentence = ranking.verdict.sentence if ranking.verdict is not None else ""
    yield ComparisonFinished(reason, plan.name, sentence, f"{FOLDER}/{plan.name}/report.html")


def check_same(before: Plan, now: Plan) -> None:
    """A comparison goes on with what it began with; contestants and seeds may be added.

    Raises:
        UserError: Other settings; names them.
    """
    changed = changes_between(before.experiment, now.experiment)
    if before.target != now.target:
        changed.append("the target to rank by")
    if changed:
        shown = ", ".join(changed[:4]) + (" …" if len(changed) > 4 else "")
        raise UserError(f"{FOLDER}/{now.name} was begun with other settings: {shown}.",
                        "Set them back, or start a new comparison under another name.")


def _one_run(
    plan: Plan, planned: PlannedRun, compared: ComparedRows, files: ComparisonFolder,
    folder: Path, should_stop: Callable[[], bool],
) -> Generator[ComparisonEvent, None, bool]:
    """Train and score a run; False where it was stopped on the way."""
    try:
        trained = yield from _trained(plan, planned, folder, should_stop)
        if not trained:
            return False
        scores = yield from _telling(
            planned.run, score_run(plan, planned, compared, folder), should_stop)
    except UserError as error:
        key = planned.contestant.key
        files.write_failure(Failure(planned.run, key, error.message, error.hint))
        yield RunFailed(planned.run, key, error.message, error.hint)
        return True
    if scores is None:
        return False
    files.write_scores(scores)
    yield RunScored(planned.run, scores.contestant, planned.seed, scores.mean,
                    scores.validation, scores.seconds)
    return True


def _trained(
    plan: Plan, planned: PlannedRun, folder: Path, should_stop: Callable[[], bool]
) -> Generator[ComparisonEvent, None, bool]:
    """Train a run, or what is left of it; False where it was stopped."""
    run = RunFolder(folder / "runs" / planned.run)
    begun = (run.path / "experiment.toml").is_file()
    if begun:
        check_run_fits(plan, planned, run)
        finished = run.history(steps=False).finished
        if finished is not None and finished.reason != "stopped" and run.has_model():
            return True
    for event in train(plan.experiment_of(planned), run.path, folder=folder, resume=begun,
                       should_stop=should_stop):
        yield RunTold(planned.run, event)
    finished = run.history(steps=False).finished
    return finished is not None and finished.reason != "stopped"


def _telling(
    run: str, steps: Generator[Progress, None, T], should_stop: Callable[[], bool]
) -> Generator[ComparisonEvent, None, T | None]:
    """The steps of reading data as events; what they return, None where it was stopped."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        yield RunTold(run, Preparing(step.message, step.done, step.total))
        if should_stop():
            steps.close()
            return None
