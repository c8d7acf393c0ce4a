"""Cross-validation: folds as runs, their answers as one, going on, what labels make of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from mmstudio.errors import UserError
from mmstudio.evaluation.cross_validation.events import (
    CrossValidationFinished,
    CrossValidationStarted,
    FoldDone,
    FoldRunEvent,
    FoldStarted,
)
from mmstudio.evaluation.cross_validation.folder import FoldsFolder
from mmstudio.evaluation.cross_validation.folds import cross_validate
from mmstudio.evaluation.cross_validation.out_of_fold import (
    NEVER,
    _placed,
    held_out_answers,
    label_scores_of,
    plain_figures,
)
from mmstudio.evaluation.label_review import Review, review_labels
from mmstudio.evaluation.scores import TaskScores
from mmstudio.inference.predictor import Predictor
from mmstudio.training.events import StepDone
from mmstudio.training.looks import count_looks
from mmstudio.training.run_list import list_runs
from tests.one_thread import one_thread as one_thread  # a fixture
from tests.small_project import read_rows, small_experiment, write_small_project, write_table

SMALL = {"inputs.sound.use": False, "training.epochs": 2}
FOLDS = 2


def validated(project: Path, *, resume: bool = False) -> list[Any]:
    return list(cross_validate(small_experiment(SMALL), "cv", folder=project, folds=FOLDS,
                               resume=resume))


@pytest.fixture(scope="module")
def project(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_project(tmp_path_factory.mktemp("folds") / "project", rows=120)


@pytest.fixture(scope="module")
def events(project: Path) -> list[Any]:
    return validated(project)


def test_it_trains_each_fold_and_tells_the_figures_of_all_rows(
    project: Path, events: list[Any]
) -> None:
    assert isinstance(events[0], CrossValidationStarted) and events[0].rows == 102
    assert [e.run for e in events if isinstance(e, FoldStarted)] == [
        "runs/cv.fold1", "runs/cv.fold2"]
    done = [e for e in events if isinstance(e, FoldDone)]
    last = events[-1]
    assert isinstance(last, CrossValidationFinished) and last.reason == "completed"
    assert last.samples == sum(e.samples for e in done) == len(
        [r for r in read_rows(project) if r["split"] != "test"
         and (r["file_name"] or r["text"])])
    shape = last.tasks["shape"]
    mean = sum(e.samples * e.tasks["shape"]["accuracy"] for e in done) / last.samples
    assert shape["accuracy"] == pytest.approx(mean)
    low, high = shape["interval"]["accuracy"]
    assert low <= shape["accuracy"] <= high
    assert sum(map(sum, shape["confusion"]["counts"])) == last.samples
    assert [one["fold"] for one in last.each] == [1, 2]
    told = next(e for e in events if isinstance(e, FoldRunEvent)).to_json()
    assert told["fold"] == 1 and "event" in told
    # nobody looked at the test rows
    assert not any(count_looks(FoldsFolder(project / "runs" / "cv").fold(n).path) for n in (1, 2))


def test_no_fold_starts_from_a_run_that_may_have_seen_what_is_held_out(
    project: Path, events: list[Any]
) -> None:
    experiment = small_experiment(SMALL | {"training.start_from": "runs/cv.fold1"})
    begun = cross_validate(experiment, "anew", folder=project, folds=FOLDS,
                           should_stop=lambda: True)
    assert isinstance(list(begun)[-1], CrossValidationFinished)
    files = FoldsFolder(project / "runs" / "anew")
    assert files.experiment().training.start_from == ""
    assert files.fold(1).experiment().training.start_from == ""


def test_a_wish_to_stop_after_the_epoch_ends_the_fold_there(
    project: Path, events: list[Any]
) -> None:
    begun = list(cross_validate(small_experiment(SMALL), "wished", folder=project, folds=FOLDS,
                                stop_after_epoch=lambda: True))
    assert isinstance(begun[-1], CrossValidationFinished) and begun[-1].reason == "stopped"
    history = FoldsFolder(project / "runs" / "wished").fold(1).history()
    assert list(history.epochs) == [1] and not (project / "runs" / "wished.fold2").exists()


def test_the_answers_are_kept_by_rows(project: Path, events: list[Any]) -> None:
    scores = held_out_answers(FoldsFolder(project / "runs" / "cv"))
    table = read_rows(project)
    assert (np.diff(scores.rows) > 0).all()
    assert all(table[row]["split"] != "test" for row in scores.rows)
    task = scores.tasks["shape"]
    truth = [table[row]["shape"] for row in scores.rows]
    answers = [task.labels[a] for a in task.answers(0)]
    assert [task.labels[v] for v in task.values] == truth
    told = events[-1].tasks["shape"]
    assert told["accuracy"] == pytest.approx(accuracy_score(truth, answers))
    assert told["macro_f1"] == pytest.approx(f1_score(truth, answers, average="macro"))
    known = [bool(table[row]["size"]) for row in scores.rows]
    assert scores.tasks["size"].known.tolist() == known


def test_labels_are_judged_by_them(project: Path, events: list[Any]) -> None:
    files = FoldsFolder(project / "runs" / "cv")
    judged = {one.target: one for one in label_scores_of(held_out_answers(files))}
    assert set(judged) == {"shape", "size"} and set(judged["shape"].alone) == {"image", "words"}
    assert judged["shape"].together.sum(axis=1) == pytest.approx(1)
    *_, review = review_labels(files.path, "cpu")
    assert isinstance(review, Review)
    assert review.looked_at == events[-1].samples
    table = read_rows(project)
    assert all(table[f.row]["split"] != "test" and f.split == table[f.row]["split"]
               for f in review.findings)
    truth = judged["shape"].labels
    doubted = judged["shape"].rows[judged["shape"].together.argmax(axis=1) != truth]
    found = {f.row for f in review.findings if f.target == "shape"}
    assert found == set(doubted.tolist())


def test_what_needs_one_run_names_the_folds(project: Path, events: list[Any]) -> None:
    with pytest.raises(UserError, match="is a cross-validation, not one run") as caught:
        Predictor(project / "runs" / "cv")
    assert "cv.fold1" in caught.value.hint
    assert {run.name for run in list_runs(project) if run.name.startswith("cv")} == {
        "cv.fold1", "cv.fold2"}


def test_what_is_done_is_not_trained_again(project: Path, events: list[Any]) -> None:
    again = validated(project, resume=True)
    assert again[0].done == FOLDS
    assert not any(isinstance(e, FoldRunEvent) and isinstance(e.event, StepDone) for e in again)
    assert again[-1].to_json() == events[-1].to_json()
    with pytest.raises(UserError, match="already exists"):
        validated(project)


def test_one_that_was_stopped_goes_on(tmp_path: Path) -> None:
    project = write_small_project(tmp_path / "project")
    stopped: list[Any] = []

    def within_the_second() -> bool:
        return any(isinstance(e, FoldRunEvent) and e.fold == 2 and isinstance(e.event, StepDone)
                   for e in stopped)

    stopped.extend(cross_validate(small_experiment(SMALL), "cv", folder=project, folds=FOLDS,
                                  should_stop=within_the_second))
    assert isinstance(stopped[-1], CrossValidationFinished) and stopped[-1].reason == "stopped"
    with pytest.raises(UserError, match="not all of its folds are trained"):
        list(review_labels(project / "runs" / "cv", "cpu"))
    again = validated(project, resume=True)
    assert again[0].done == 1 and again[-1].reason == "completed"
    assert {e.fold for e in again if isinstance(e, FoldRunEvent)
            and isinstance(e.event, StepDone)} == {2}
    # answers are told to rows by their numbers: of another table they would be to others
    rows = read_rows(project)
    write_table(project / "metadata.csv", rows[1:])
    with pytest.raises(UserError, match="The table has changed"):
        held_out_answers(FoldsFolder(project / "runs" / "cv"))


def test_a_failing_fold_names_itself(tmp_path: Path) -> None:
    project = write_small_project(tmp_path / "project")
    experiment = small_experiment({**SMALL, "training.device": "cuda:7"})
    with pytest.raises(UserError, match=r"^Fold 1 of 3 \(runs/cv\.fold1\): "):
        list(cross_validate(experiment, "cv", folder=project, folds=3))


def test_what_can_not_work_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = write_small_project(tmp_path / "project")
    for folds, what in ((1, "1 folds are out of range"), (60, "can't make 60 folds")):
        with pytest.raises(UserError, match=what):
            list(cross_validate(small_experiment(SMALL), "cv", folder=project, folds=folds))
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="by one process"):
        validated(project)
    assert not (project / "runs").exists()


def test_a_label_that_a_fold_lacks_is_never_its_answer() -> None:
    part = TaskScores("classification", ("a", "c"), ("b",), np.array([[[2.0, -1.0]]], np.float32),
                      np.array([2]), np.array([True]))
    placed = _placed(part, ("a", "b", "c"), 1)
    assert placed.tolist() == [[[2.0, NEVER, -1.0]]]


def test_figures_of_numbers_and_label_sets() -> None:
    number = TaskScores("regression", (), (), np.array([[[0.0], [1.0], [3.0]]], np.float32),
                        np.array([10.0, 12.0, 14.0]), np.ones(3, bool), mean=10.0, deviation=2.0)
    # answers 10, 12 and 16: 1 - 4 / 8
    assert plain_figures(number) == pytest.approx({"r2": 0.5, "mean_absolute_error": 2 / 3})
    sets = TaskScores("multilabel", ("a", "b"), (), np.array([[[1.0, -1.0], [1.0, 1.0]]],
                      np.float32), np.array([[1, 0], [0, 1]], np.uint8), np.ones(2, bool))
    assert plain_figures(sets)["micro_f1"] == pytest.approx(0.8)
