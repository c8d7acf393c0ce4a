"""The contestants in the order of what they reached, with how sure that is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmstudio.comparison.figure import Figure
from mmstudio.comparison.folder import ComparisonFolder, Failure
from mmstudio.comparison.plan import Contestant, Plan
from mmstudio.comparison.scores import RunScores
from mmstudio.comparison.statistics import RESAMPLES, Interval, Resampled
from mmstudio.comparison.verdict import Verdict, best_of, judge, too_few


@dataclass(frozen=True)
class Standing:
    """One contestant's place.

    Attributes:
        contestant: Whose.
        runs: Trained and scored so far.
        score: Mean over seeds and rows, with its interval.
        validation: Mean score on the validation rows.
        difference: To the best one by validation, on the same rows, wide enough for all of these
            together; None for itself.
        tied: Whether it can't be told from the best one.
        seconds_per_epoch: Mean over the runs, as are those below.
        seconds: Of the whole training.
        epochs: Trained.
        parameters: Trained numbers.
        bytes: Of the weights on disk.
    """

    contestant: Contestant
    runs: int
    score: Interval
    validation: float
    difference: Interval | None
    tied: bool
    seconds_per_epoch: float
    seconds: float
    epochs: float
    parameters: int
    bytes: int


@dataclass(frozen=True)
class Ranking:
    """All contestants that have a score, best first, and who is still waiting.

    Attributes:
        name: The comparison's.
        target: Whose figure it is.
        figure: What the scores are.
        rows: Compared rows.
        split: ``test``, or ``validation`` where there is no test split.
        done: Runs scored; ``total`` of them are planned.
        best: Key of the contestant with the best validation score; of equals the smallest model.
        verdict: Does fusion help? None before there is anything to compare.
        groups: How many groups the rows are of; None where no column names any.
        group: That column.
        looks: How often figures of the test rows were to be seen, this time included.
    """

    name: str
    target: str
    figure: Figure
    standings: tuple[Standing, ...]
    waiting: tuple[Contestant, ...]
    failures: tuple[Failure, ...]
    rows: int
    split: str
    seeds: int
    done: int
    total: int
    best: str
    verdict: Verdict | None
    groups: int | None = None
    group: str = ""
    looks: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether every run was scored or has failed."""
        return self.done + len(self.failures) == self.total

    def to_json(self) -> dict[str, Any]:
        """As plain data; scores as the task gives them, more is better."""
        rows = []
        for rank, standing in enumerate(self.standings, start=1):
            data = dataclasses.asdict(standing)
            contestant = data.pop("contestant")
            rows.append({"rank": rank, **contestant, **data})
        verdict = None if self.verdict is None else dataclasses.asdict(self.verdict)
        return {
            "comparison": self.name, "target": self.target, "figure": self.figure.name,
            "unit": self.figure.unit, "split": self.split, "rows": self.rows,
            "seeds": self.seeds, "done": self.done, "total": self.total, "best": self.best,
            "complete": self.is_complete, "ranking": rows,
            "waiting": [c.key for c in self.waiting],
            "failures": [dataclasses.asdict(f) for f in self.failures], "verdict": verdict,
            "groups": self.groups, "group": self.group, "test_looks": self.looks,
        }


def read_ranking(folder: ComparisonFolder) -> Ranking:
    """The ranking of what a comparison's folder holds. Raises UserError where it is damaged."""
    plan = folder.plan()
    found = [folder.scores(r.run) for r in plan.runs()]
    scores = [s for s in found if isinstance(s, RunScores)]
    failures = [f for f in found if isinstance(f, Failure)]
    return rank(plan, scores, failures, looks=folder.looks())


def rank(
    plan: Plan, scores: Sequence[RunScores], failures: Sequence[Failure] = (), *,
    resamples: int = RESAMPLES, looks: int = 0,
) -> Ranking:
    """The ranking of these runs; all must have been scored on the same rows.

    Args:
        plan: What is compared.
        scores: Of the runs that are done.
        failures: Runs that could not be trained.
        resamples: Draws of the bootstrap.
        looks: How often figures of the test rows were to be seen.
    """
    split = scores[0].split if scores else "test"
    by_key: dict[str, list[RunScores]] = {}
    for run in scores:
        by_key.setdefault(run.contestant, []).append(run)
    contestants = {c.key: c for c in plan.contestants}
    arrays = {key: np.stack([r.scores for r in runs]) for key, runs in by_key.items()}
    standings: list[Standing] = []
    best, verdict, groups = "", None, None
    column = plan.experiment.data.group_column or ""
    if arrays:
        # runs that were scored before groups were kept have none: the rows are the same
        of_rows = next((r.groups for r in scores if r.groups is not None), None)
        drawn = Resampled(
            arrays, groups=of_rows, shares=plan.figure.is_share, resamples=resamples)
        groups = drawn.groups
        validation = {k: float(np.mean([r.validation for r in runs]))
                      for k, runs in by_key.items()}
        order = sorted(arrays, key=lambda k: np.mean([r.parameters for r in by_key[k]]))
        best = best_of(validation, order)
        others = [key for key in by_key if key != best]
        differences = dict(zip(
            others, drawn.corrected([(key, best) for key in others]), strict=True))
        standings = [
            _standing(contestants[key], runs, validation[key], drawn.mean(key),
                      differences.get(key), too_few(groups))
            for key, runs in by_key.items()]
        standings.sort(key=lambda s: (-s.score.mean, -s.validation))
        verdict = judge(
            contestants, validation, drawn, arrays, order, plan.figure, split, column)
    return Ranking(
        plan.name, plan.target, plan.figure, tuple(standings),
        tuple(c for c in plan.contestants if c.key not in arrays), tuple(failures),
        rows=len(scores[0].rows) if scores else 0, split=split, seeds=plan.seeds,
        done=len(scores), total=len(plan.runs()), best=best, verdict=verdict,
        groups=groups, group=column if groups is not None else "", looks=looks)


def _standing(
    contestant: Contestant, runs: Sequence[RunScores], validation: float, score: Interval,
    difference: Interval | None, untold: bool,
) -> Standing:
    return Standing(
        contestant, len(runs), score, validation, difference,
        tied=untold or difference is None or difference.low <= 0 <= difference.high,
        seconds_per_epoch=float(np.mean([r.seconds_per_epoch for r in runs])),
        seconds=float(np.mean([r.seconds for r in runs])),
        epochs=float(np.mean([r.epochs for r in runs])),
        parameters=round(np.mean([r.parameters for r in runs])),
        bytes=round(np.mean([r.bytes for r in runs])))


def tied_with_best(ranking: Ranking) -> list[Standing]:
    """Those that can't be told from the best one, itself left out."""
    return [s for s in ranking.standings if s.tied and s.contestant.key != ranking.best]
