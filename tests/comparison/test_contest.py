"""The queue of trainings on a small project: it ranks, stops, goes on and survives failures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmstudio.comparison.contest import compare
from mmstudio.comparison.events import (
    ComparedRunStarted,
    ComparisonFinished,
    ComparisonStarted,
    RankingChanged,
    RunFailed,
    RunScored,
    RunTold,
)
from mmstudio.comparison.folder import ComparisonFolder, Failure, list_comparisons
from mmstudio.comparison.plan import Plan, make_plan
from mmstudio.comparison.progress import ComparisonProgress
from mmstudio.comparison.ranking import read_ranking
from mmstudio.comparison.scores import RunScores
from mmstudio.comparison.scoring import same_data
from mmstudio.errors import UserError
from mmstudio.inference.evaluate import Evaluation, evaluate
from mmstudio.training.events import EpochDone, RunFinished, StepDone
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.run_list import list_runs
from tests.one_thread import one_thread as one_thread  # a fixture
from tests.small_project import read_rows, small_experiment, write_small_project, write_table

SMALL = {"inputs.sound.use": False, "training.epochs": 2}


def small_plan(changes: dict[str, Any] | None = None, **options: Any) -> Plan:
    chosen = {"fusions": ["concat", "sum"], "seeds": 1} | options
    return make_plan(small_experiment(SMALL | (changes or {})), "trial", **chosen)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """A project with a whole comparison, and all that it told. Not to be written to."""
    folder = write_small_project(tmp_path_factory.mktemp("contest") / "project")
    return folder, list(compare(small_plan(seeds=2), folder=folder))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_small_project(tmp_path / "project")


@pytest.fixture
def done(finished: tuple[Path, list[Any]], tmp_path: Path) -> Path:
    """The project with the whole comparison, as a copy of the test's own."""
    return Path(shutil.copytree(finished[0], tmp_path / "done"))


def kinds(events: list[Any]) -> list[str]:
    return [type(e).__name__ for e in events if not isinstance(e, RunTold)]


def test_it_tells_each_run_and_ends_with_a_sentence(finished: tuple[Path, list[Any]]) -> None:
    folder, events = finished
    each = ["ComparedRunStarted", "RunScored", "RankingChanged"]
    assert kinds(events) == ["ComparisonStarted", *(each * 8), "ComparisonFinished"]
    start, end = next(e for e in events if isinstance(e, ComparisonStarted)), events[-1]
    assert (start.split, start.done, start.total) == ("test", 0, 8)
    assert end.reason == "completed"
    assert end.sentence.startswith(("Fusion helps", "No clear difference", "The best single input"))
    assert (folder / end.report).is_file()
    assert (folder / "comparisons" / "trial" / "ranking.csv").is_file()
    rankings = [e.ranking for e in events if isinstance(e, RankingChanged)]
    assert [r.done for r in rankings] == list(range(1, 9))
    assert [len(r.waiting) for r in rankings] == [3, 2, 1, 0, 0, 0, 0, 0]
    assert rankings[-1] == read_ranking(ComparisonFolder.of(folder, "trial"))
    assert rankings[-1].is_complete
    for event in events:
        json.dumps(event.to_json(), allow_nan=False)


def test_its_runs_are_ordinary_ones_and_its_scores_those_of_evaluate(
    finished: tuple[Path, list[Any]]
) -> None:
    folder, events = finished
    runs = {run.name: run for run in list_runs(folder)}
    assert len(runs) == 8
    assert {run.status for run in runs.values()} == {"completed"}
    assert runs["trial.only-words.seed1"].inputs == ("words",)
    scored = next(e for e in events if isinstance(e, RunScored) and e.contestant == "fusion:sum")
    result = [*evaluate(folder / "runs" / scored.run)][-1]
    assert isinstance(result, Evaluation)
    assert scored.score == pytest.approx(result.tasks["shape"]["accuracy"])
    history = RunFolder(folder / "runs" / scored.run).history()
    assert scored.validation == pytest.approx(history.at_best()["shape"]["accuracy"])


def test_all_answer_the_same_rows_absent_inputs_or_not(finished: tuple[Path, list[Any]]) -> None:
    files = ComparisonFolder.of(finished[0], "trial")
    found = [files.scores(r.run) for r in files.plan().runs()]
    scores = [s for s in found if isinstance(s, RunScores)]
    assert len(scores) == 8
    table = read_rows(finished[0])
    expected = [i for i, row in enumerate(table) if row["split"] == "test"]
    assert any(not table[i]["file_name"] for i in expected)  # the picture alone answers it too
    for score in scores:
        assert score.rows.tolist() == expected
        assert set(np.unique(score.scores)) <= {0.0, 1.0}
        assert score.bytes == (finished[0] / "runs" / score.run / "best.safetensors").stat().st_size
        assert score.epochs == 2
        assert 0 < score.seconds_per_epoch <= score.seconds


def test_a_whole_comparison_is_not_trained_again(done: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in (done / "runs").rglob("*") if p.is_file()}
    events = list(compare(small_plan(seeds=2), folder=done))
    assert kinds(events) == ["ComparisonStarted", "RankingChanged", "ComparisonFinished"]
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_scores_that_are_lost_come_back_without_training(done: Path) -> None:
    (done / "comparisons" / "trial" / "scores" / "trial.sum.seed1.npz").write_bytes(b"torn")
    events = list(compare(small_plan(seeds=2), folder=done))
    assert [e.run for e in events if isinstance(e, RunScored)] == ["trial.sum.seed1"]
    assert not [e for e in events if isinstance(e, RunTold) and isinstance(e.told, StepDone)]


def test_seeds_and_fusions_can_be_added_to_a_whole_one(done: Path) -> None:
    old = ComparisonFolder.of(done, "trial").plan()
    plan = old.joined(small_plan(fusions=["gated"]))
    events = list(compare(plan, folder=done))
    assert [e.run for e in events if isinstance(e, RunScored)] == [
        "trial.gated.seed0", "trial.gated.seed1"]
    assert len(ComparisonFolder.of(done, "trial").plan().contestants) == 5


def stop_when(event_seen: Callable[[Any], bool], plan: Plan, folder: Path) -> list[Any]:
    """Walk a comparison and ask it to stop as soon as something was told."""
    seen: list[Any] = []
    stopping = []
    for event in compare(plan, folder=folder, should_stop=lambda: bool(stopping)):
        seen.append(event)
        if event_seen(event):
            stopping.append(event)
    return seen


def test_stopped_in_the_middle_of_a_run_it_goes_on_there(project: Path) -> None:
    plan = small_plan({"training.epochs": 3})

    def second_runs_first_epoch(event: Any) -> bool:
        return (isinstance(event, RunTold) and event.run == "trial.sum.seed0"
                and isinstance(event.told, EpochDone))

    events = stop_when(second_runs_first_epoch, plan, project)
    assert isinstance(events[-1], ComparisonFinished)
    assert events[-1].reason == "stopped"
    assert [e.run for e in events if isinstance(e, RunScored)] == ["trial.concat.seed0"]
    summary, = list_comparisons(project)
    assert (summary.done, summary.total, summary.is_complete) == (1, 4, False)

    again = list(compare(plan, folder=project))
    assert next(e for e in again if isinstance(e, ComparisonStarted)).done == 1
    assert [e.run for e in again if isinstance(e, RunScored)] == [
        "trial.sum.seed0", "trial.only-image.seed0", "trial.only-words.seed0"]
    epochs = [e.told.epoch for e in again if isinstance(e, RunTold) and e.run == "trial.sum.seed0"
              and isinstance(e.told, EpochDone)]
    assert epochs == [2, 3]


def test_it_goes_on_where_the_number_of_epochs_is_automatic(project: Path) -> None:
    plan = small_plan({"training.epochs": 0})

    def an_epoch(event: Any) -> bool:
        return isinstance(event, RunTold) and isinstance(event.told, EpochDone)

    for number in (1, 2):
        events = stop_when(an_epoch, plan, project)
        assert not [e for e in events if isinstance(e, RunFailed)]
        assert [e.told.epoch for e in events if an_epoch(e)] == [number]


def test_stopped_while_it_reads_it_has_not_begun(project: Path) -> None:
    events = stop_when(lambda event: True, small_plan(), project)
    assert isinstance(events[-1], ComparisonFinished)
    assert events[-1].reason == "stopped"
    assert len(events) == 2
    assert list_comparisons(project) == []


def test_cut_off_by_a_kill_it_goes_on_too(project: Path) -> None:
    plan = small_plan()
    events = compare(plan, folder=project)
    for event in events:
        if isinstance(event, RunTold) and isinstance(event.told, StepDone) and "sum" in event.run:
            break
    events.close()  # type: ignore[attr-defined]
    again = list(compare(plan, folder=project))
    assert len([e for e in again if isinstance(e, RunScored)]) == 3
    assert again[-1].reason == "completed"


def test_a_run_that_fails_is_told_and_the_next_one_follows(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mmstudio.comparison import contest

    real = contest.train

    def fails_for_sum(experiment: Any, run: Path, **options: Any) -> Iterator[Any]:
        if experiment.fusion.name == "sum":
            raise UserError("The memory does not hold it.", "Take less.")
        yield from real(experiment, run, **options)

    monkeypatch.setattr(contest, "train", fails_for_sum)
    plan = small_plan()
    events = list(compare(plan, folder=project))
    failed, = [e for e in events if isinstance(e, RunFailed)]
    assert (failed.run, failed.message) == ("trial.sum.seed0", "The memory does not hold it.")
    assert len([e for e in events if isinstance(e, RunScored)]) == 3
    ranking = read_ranking(ComparisonFolder.of(project, "trial"))
    assert ranking.failures == (Failure("trial.sum.seed0", "fusion:sum",
                                        "The memory does not hold it.", "Take less."),)
    assert ranking.is_complete
    monkeypatch.setattr(contest, "train", real)
    again = list(compare(plan, folder=project))
    assert [e.run for e in again if isinstance(e, RunScored)] == ["trial.sum.seed0"]


def test_another_run_of_that_name_is_not_taken_for_it(done: Path) -> None:
    run = done / "runs" / "trial.sum.seed0"
    toml = (run / "experiment.toml").read_text(encoding="utf-8")
    (run / "experiment.toml").write_text(toml.replace("epochs = 2", "epochs = 1"), encoding="utf-8")
    (done / "comparisons" / "trial" / "scores" / "trial.sum.seed0.json").unlink()
    failed, = [e for e in compare(small_plan(seeds=2), folder=done) if isinstance(e, RunFailed)]
    assert "with other settings" in failed.message


def test_other_settings_and_other_data_are_refused(done: Path) -> None:
    with pytest.raises(UserError, match=r"other settings: training\.learning_rate"):
        list(compare(small_plan({"training.learning_rate": 0.02}), folder=done))
    with pytest.raises(UserError, match="the target to rank by"):
        list(compare(small_plan(target="size"), folder=done))
    rows = read_rows(done)
    test = next(row for row in rows if row["split"] == "test")
    test["shape"] = "dot" if test["shape"] != "dot" else "bar"
    write_table(done / "metadata.csv", rows)
    with pytest.raises(UserError, match="data has changed"):
        list(compare(small_plan(seeds=2), folder=done))


def test_training_rows_that_changed_are_refused_too(done: Path) -> None:
    rows = read_rows(done)
    train = [row for row in rows if row["split"] == "train"]
    train[3]["split"] = "validation"
    write_table(done / "metadata.csv", rows)
    with pytest.raises(UserError, match="data has changed"):
        list(compare(small_plan(seeds=2), folder=done))


def test_a_fingerprint_from_before_goes_by_the_compared_rows() -> None:
    assert same_data("a.p.m", "a.p.m") and same_data("a", "a.p.m") and same_data("a.q.n", "a.p.m")
    assert not same_data("a.p.n", "a.p.m") and not same_data("b", "a.p.m")
    assert not same_data("b.q.m", "a.p.m")


def test_a_run_that_goes_on_is_told_of_test_rows_that_it_was_trained_on(project: Path) -> None:
    plan = small_plan({"training.epochs": 3})

    def first_epoch(event: Any) -> bool:
        return isinstance(event, RunTold) and isinstance(event.told, EpochDone)

    stop_when(first_epoch, plan, project)
    rows = read_rows(project)
    next(row for row in rows if row["split"] == "train")["split"] = "test"
    write_table(project / "metadata.csv", rows)
    failed = [e for e in compare(plan, folder=project) if isinstance(e, RunFailed)]
    assert [e.run for e in failed] == ["trial.concat.seed0"]
    assert "of the test split were trained on" in failed[0].message


def test_without_test_rows_it_compares_on_validation_rows(project: Path) -> None:
    rows = [row for row in read_rows(project) if row["split"] != "test"]
    write_table(project / "metadata.csv", rows)
    events = list(compare(small_plan(fusions=["sum"]), folder=project))
    start = next(e for e in events if isinstance(e, ComparisonStarted))
    assert start.split == "validation"
    ranking = read_ranking(ComparisonFolder.of(project, "trial"))
    assert ranking.split == "validation"
    assert ranking.verdict is not None
    assert "there is no test split" in ranking.verdict.ground


def test_the_progress_tells_what_runs_and_how_long_it_will_take(
    finished: tuple[Path, list[Any]]
) -> None:
    progress = ComparisonProgress(small_plan().figure)
    shares, left = [], []
    for event in finished[1]:
        progress.apply(event)
        if isinstance(event, ComparedRunStarted):
            assert (progress.run, progress.title) == (event.run, event.title)
        if isinstance(event, RunScored):
            shares.append(progress.share())
            left.append(progress.remaining_s())
        if isinstance(event, RunTold) and isinstance(event.told, RunFinished):
            assert progress.history.finished is not None
    assert shares == [pytest.approx(n / 8) for n in range(1, 9)]
    assert all(seconds is not None and seconds >= 0 for seconds in left)
    assert progress.share() == 1.0
    assert progress.finished is not None


def test_every_look_at_the_test_rows_is_counted_and_a_look_again_at_the_same_is_none(
    done: Path,
) -> None:
    files = ComparisonFolder.of(done, "trial")
    assert (files.looks(), read_ranking(files).looks) == (1, 1)
    list(compare(small_plan(seeds=2), folder=done))
    assert files.looks() == 1
    list(compare(files.plan().joined(small_plan(fusions=["gated"])), folder=done))
    assert (files.looks(), read_ranking(files).looks) == (2, 2)
    assert "looked at 2 times" in files.report.read_text(encoding="utf-8")


def test_the_rows_of_a_group_stay_together_in_its_figures(project: Path) -> None:
    rows = read_rows(project)
    tests = [i for i, row in enumerate(rows) if row["split"] == "test"]
    for i, row in enumerate(rows):
        row["speaker"] = f"s{i % 3}" if i != tests[-1] else ""  # of whom nothing is known
    write_table(project / "metadata.csv", rows)
    plan = small_plan({"data.group": "speaker"}, fusions=["sum"], single=False, combination=True)
    list(compare(plan, folder=project))
    files = ComparisonFolder.of(project, "trial")
    scores = files.scores("trial.sum.seed0")
    assert isinstance(scores, RunScores) and scores.groups is not None
    expected = [rows[i]["speaker"] or str(i) for i in scores.rows]
    assert [expected.index(e) for e in expected] == [
        scores.groups.tolist().index(g) for g in scores.groups]
    ranking = read_ranking(files)
    assert (ranking.groups, ranking.group) == (len(set(expected)), "speaker")
    assert ranking.to_json()["groups"] == ranking.groups
