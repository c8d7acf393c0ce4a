"""Made-up comparisons: a plan without data, and scores with a known truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mmstudio.comparison.figure import Figure
from mmstudio.comparison.plan import Contestant, Plan
from mmstudio.comparison.ranking import Ranking, rank
from mmstudio.comparison.scores import RunScores
from tests.small_project import small_experiment

ACCURACY = Figure("accuracy")
YEARS = Figure("mean_absolute_error", "years")
TITLES = {"gated": "Gated", "concat": "Concatenation"}


def made_plan(
    fusions: Sequence[str] = ("gated",), inputs: Sequence[str] = ("sound",), seeds: int = 1,
    figure: Figure = ACCURACY,
) -> Plan:
    contestants = [Contestant("fusion", f, TITLES.get(f, f)) for f in fusions]
    contestants += [Contestant("input", i, f"{i} alone") for i in inputs]
    return Plan("trial", small_experiment(), tuple(contestants), seeds, "shape", figure)


def made_scores(
    key: str, scores: np.ndarray, seed: int = 0, validation: float | None = None,
    split: str = "test", groups: np.ndarray | None = None,
) -> RunScores:
    scores = np.asarray(scores, dtype=np.float64)
    return RunScores(
        run=f"trial.{key}.seed{seed}", contestant=key, seed=seed, rows=np.arange(len(scores)),
        scores=scores, validation=float(scores.mean()) if validation is None else validation,
        split=split, fingerprint="f", metrics={}, epochs=3, seconds_per_epoch=0.5, seconds=1.5,
        parameters=1000, bytes=4200, device="cpu", groups=groups)


def ranked(
    scores: Mapping[str, Sequence[np.ndarray]], figure: Figure = ACCURACY,
    validation: Mapping[str, float] | None = None, split: str = "test", resamples: int = 2000,
    groups: np.ndarray | None = None, looks: int = 0,
) -> Ranking:
    """The ranking of scores per contestant and seed: ``{"fusion:gated": [...]}``."""
    names = {kind: [k.partition(":")[2] for k in scores if k.startswith(kind)]
             for kind in ("fusion", "input")}
    plan = made_plan(names["fusion"], names["input"], max(map(len, scores.values())), figure)
    runs = [
        made_scores(key, part, seed, None if validation is None else validation[key], split,
                    groups)
        for key, parts in scores.items() for seed, part in enumerate(parts)]
    return rank(plan, runs, resamples=resamples, looks=looks)


def answers(right: int, of: int) -> np.ndarray:
    """0 and 1 per row: the first ``right`` rows are right."""
    return (np.arange(of) < right).astype(float)
