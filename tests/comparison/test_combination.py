"""All together, weighed: one more contestant, beside fusions that answer by themselves."""

from __future__ import annotations

import dataclasses
import html
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmstudio.comparison.contest import compare
from mmstudio.comparison.events import ComparisonFinished
from mmstudio.comparison.folder import ComparisonFolder
from mmstudio.comparison.plan import Contestant, Plan, changes_between, make_plan
from mmstudio.comparison.ranking import Ranking, rank, read_ranking
from mmstudio.comparison.report import report_html
from mmstudio.comparison.scores import RunScores
from mmstudio.comparison.scoring import check_run_fits
from mmstudio.errors import UserError
from mmstudio.inference.evaluate import Evaluation, evaluate
from mmstudio.training.run_folder import RunFolder
from tests.comparison.made_up import answers, made_plan, made_scores
from tests.one_thread import one_thread as one_thread  # a fixture
from tests.small_project import small_experiment, write_small_project

KEY, RUN = "combination:weighed", "trial.all-weighed.seed0"
SMALL = {"inputs.sound.use": False, "training.epochs": 2, "training.combine": True}


def small_plan(changes: dict[str, Any] | None = None, **options: Any) -> Plan:
    chosen = {"fusions": ["sum"], "seeds": 1} | options
    return make_plan(small_experiment(SMALL | (changes or {})), "trial", **chosen)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_small_project(tmp_path / "project")


def test_it_stands_between_fusions_and_inputs_and_has_the_experiments_own_fusion() -> None:
    plan = small_plan({"fusion.name": "gated"})
    assert [r.run for r in plan.runs()] == [
        "trial.sum.seed0", RUN, "trial.only-image.seed0", "trial.only-words.seed0"]
    assert plan.contestants[1] == Contestant("combination", "weighed", "All together, weighed")
    asked = {r.contestant.key: plan.experiment_of(r) for r in plan.runs()}
    assert asked[KEY].fusion.name == "gated"
    assert {key: e.training.combine for key, e in asked.items()} == {
        "fusion:sum": False, KEY: True, "input:image": False, "input:words": False}
    assert Plan.from_dict("trial", plan.to_dict(), plan.experiment) == plan


def test_it_is_there_where_the_experiment_combines_or_it_is_asked_for() -> None:
    kinds = [[c.kind for c in plan.contestants] for plan in (
        small_plan({"training.combine": False}), small_plan(combination=False),
        small_plan({"training.combine": False}, combination=True))]
    assert [("combination" in k) for k in kinds] == [False, False, True]
    joined = small_plan(combination=False).joined(small_plan(fusions=["concat"]))
    assert [c.key for c in joined.contestants] == [
        "fusion:sum", "fusion:concat", KEY, "input:image", "input:words"]
    assert changes_between(small_experiment(SMALL), small_experiment(
        SMALL | {"training.combine": False})) == []


def test_it_is_ranked_by_rows_that_it_has_not_learnt_from(project: Path) -> None:
    end = list(compare(small_plan(), folder=project))[-1]
    assert isinstance(end, ComparisonFinished) and end.reason == "completed"
    folder = ComparisonFolder.of(project, "trial")
    scores = folder.scores(RUN)
    assert isinstance(scores, RunScores)
    runs = RunFolder(project / "runs" / RUN), RunFolder(project / "runs" / "trial.sum.seed0")
    assert [r.answers.is_file() for r in runs] == [True, False]
    assert scores.bytes == runs[0].best.stat().st_size + runs[0].answers.stat().st_size
    for split, mean in (("test", scores.mean), ("validation", scores.validation)):
        result = list(evaluate(runs[0].path, split))[-1]
        assert isinstance(result, Evaluation)
        assert mean == pytest.approx(result.tasks["shape"]["accuracy"])
    ranking = read_ranking(folder)
    assert KEY in [s.contestant.key for s in ranking.standings]
    assert ranking.verdict is not None and "weighed together" in ranking.verdict.together
    assert ranking.verdict.fusion == "fusion:sum"
    page = folder.report.read_text(encoding="utf-8")
    assert "All together, weighed" in page and html.escape(ranking.verdict.together) in page


@pytest.mark.parametrize(("right", "sentence"), [
    (480, "All answers weighed together are 4.0 points better than Gated (95 % interval +2."),
    (400, "All answers weighed together are 12.0 points worse than Gated (95 % interval −15."),
    (460, "All answers weighed together can't be distinguished from Gated (95 % interval −0.6 to "
          "+0.6)."),
])
def test_what_it_gains_is_said(right: int, sentence: str) -> None:
    verdict = made_ranking({"fusion:gated": 460, KEY: right, "input:sound": 300}).verdict
    assert verdict is not None and verdict.together.startswith(sentence)
    assert verdict.sentence.startswith("Fusion helps: Gated is 32.0 points better than sound")


def test_without_fusions_or_inputs_it_is_still_told() -> None:
    ranking = made_ranking({KEY: 480, "input:sound": 300})
    assert ranking.verdict is not None and ranking.verdict.kind == "open"
    assert "36.0 points better than sound alone" in ranking.verdict.together
    assert "36.0 points better than sound alone" in report_html(ranking)
    alone = made_ranking({KEY: 480}).verdict
    assert alone is not None and alone.together == ""


def made_ranking(right: dict[str, int]) -> Ranking:
    names = {kind: [k.partition(":")[2] for k in right if k.startswith(kind)]
             for kind in ("fusion", "input")}
    plan = made_plan(names["fusion"], names["input"])
    whole = Plan(plan.name, plan.experiment, (*plan.contestants, Contestant(
        "combination", "weighed", "All together, weighed")), 1, plan.target, plan.figure)
    return rank(whole, [made_scores(key, answers(many, 500)) for key, many in right.items()])


def test_a_run_that_chose_encoders_or_was_cut_in_time_is_the_one_asked_for(
    project: Path,
) -> None:
    plan = small_plan({"inputs.words.encoder": {"name": "auto"}, "training.epochs": 0,
                       "training.minutes": 5.0})
    planned = plan.runs()[0]
    run = RunFolder(project / "runs" / planned.run)
    run.path.mkdir(parents=True)
    begun = plan.experiment_of(planned).replaced("training.epochs", 12).replaced(
        "inputs.words.encoder", {"name": "ngrams"})
    begun.save(run.path / "experiment.toml")
    check_run_fits(plan, planned, run)
    other = plan.experiment_of(planned).replaced("training.batch_size", 8)
    other.save(run.path / "experiment.toml")
    with pytest.raises(UserError, match="other settings"):
        check_run_fits(plan, planned, run)


def test_a_run_from_before_there_were_combinations_goes_on(project: Path) -> None:
    plan = small_plan()
    planned = plan.runs()[0]
    run = RunFolder(project / "runs" / planned.run)
    run.path.mkdir(parents=True)
    text = plan.experiment_of(planned).to_toml()
    assert "combine = false" in text
    (run.path / "experiment.toml").write_text(text.replace("combine = false\n", ""),
                                              encoding="utf-8")
    check_run_fits(plan, planned, run)
    run.answers.write_bytes(b"")
    with pytest.raises(UserError, match="other settings"):
        check_run_fits(plan, planned, run)


def test_scores_of_old_comparisons_still_open(project: Path) -> None:
    plan = small_plan(combination=False)
    folder = ComparisonFolder.of(project, "trial")
    folder.write_plan(plan)
    for file in ("plan.toml", "experiment.toml"):
        path = folder.path / file
        path.write_text(path.read_text(encoding="utf-8").replace("combine = true\n", ""),
                        encoding="utf-8")
    for run in plan.runs():
        scores = made_scores(run.contestant.key, np.ones(9))
        folder.write_scores(dataclasses.replace(scores, run=run.run))
    assert [c.key for c in folder.plan().contestants] == [
        "fusion:sum", "input:image", "input:words"]
    ranking = read_ranking(folder)
    assert ranking.is_complete and ranking.verdict is not None and ranking.verdict.together == ""
