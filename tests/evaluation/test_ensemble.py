"""Greedy selection, and the ensemble as a run that predicts and evaluates."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mmstudio.api.model import Model
from mmstudio.errors import UserError
from mmstudio.evaluation.ensemble_selection import greedy_weights
from mmstudio.evaluation.ensembling import EnsembleMade, make_ensemble
from mmstudio.evaluation.report import Evaluated, evaluated
from mmstudio.evaluation.scores import Scores, scores_of
from mmstudio.explanation.asked import Asked
from mmstudio.explanation.explain import explain
from mmstudio.inference.ensemble import Ensemble, open_model
from mmstudio.inference.prediction import Prediction
from mmstudio.inference.predictor import Predictor
from mmstudio.training.ensemble_file import FILE, Member, members_of, write_members
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.run_hold import LOCK
from mmstudio.training.run_list import list_runs
from tests.one_thread import one_thread as one_thread  # a fixture
from tests.small_project import read_rows, train_small, write_small_project, write_table

SMALL = {"inputs.sound.use": False, "training.epochs": 2}


@pytest.fixture(scope="module")
def project(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs, two of which are alike."""
    folder = write_small_project(tmp_path_factory.mktemp("ensemble") / "project")
    train_small(folder, SMALL, run="first")
    train_small(folder, {**SMALL, "fusion.name": "late", "training.seed": 1,
                         "training.combine": True}, run="second")
    train_small(folder, {**SMALL, "inputs.words.use": False}, run="other")
    return folder


@pytest.fixture(scope="module")
def made(project: Path) -> EnsembleMade:
    runs = [project / "runs" / name for name in ("first", "second", "other", "none")]
    *_, ensemble = make_ensemble(runs, "both", folder=project, device="cpu")
    assert isinstance(ensemble, EnsembleMade)
    return ensemble


@pytest.fixture(scope="module")
def half(project: Path, made: EnsembleMade) -> Path:
    """An ensemble in which both count, whatever was chosen."""
    import shutil

    place = project / "runs" / "half"
    place.mkdir()
    for name in ("experiment.toml", "schema.json", "rows.bin", "environment.json",
                 "events.jsonl"):
        shutil.copyfile(project / "runs" / "first" / name, place / name)
    for number, name in enumerate(("first", "second"), start=1):
        shutil.copytree(project / "runs" / name, place / "members" / str(number))
    write_members(place, [Member("first", 0.25), Member("second", 0.75)])
    return place


def sample(project: Path) -> dict[str, str | Path]:
    row = next(r for r in read_rows(project) if r["file_name"] and r["text"])
    return {"image": project / row["file_name"], "words": row["text"]}


def test_the_models_that_help_each_other_are_chosen() -> None:
    # each of the first two is off by as much to either side, the third by more
    answers, truth = np.array([[1.0, 3.0], [3.0, 1.0], [5.0, 5.0]]), np.array([2.0, 2.0])
    weights = greedy_weights(3, lambda w: (-float(np.abs(w @ answers - truth).sum()),))
    assert weights == pytest.approx([0.5, 0.5, 0.0])


def test_with_replacement_a_better_model_counts_more() -> None:
    answers = np.array([0.0, 4.0])
    weights = greedy_weights(2, lambda w: (-abs(float(w @ answers) - 1.0),))
    assert weights == pytest.approx([0.75, 0.25])


def test_one_model_that_none_helps_answers_alone() -> None:
    assert greedy_weights(3, lambda w: (float(w[1]),)) == pytest.approx([0, 1, 0])
    assert greedy_weights(1, lambda w: (0.0,)) == pytest.approx([1])
    # of equally good ones the first
    assert greedy_weights(3, lambda w: (0.0,)) == pytest.approx([1, 0, 0])


def test_what_cannot_answer_with_the_others_is_left_out_with_its_reason(
    project: Path, made: EnsembleMade
) -> None:
    assert made.left_out["other"] == "It has other inputs."
    assert "is not a run folder" in made.left_out["none"]
    assert {m.run for m in made.members} <= {"first", "second"}
    assert sum(m.weight for m in made.members) == pytest.approx(1)
    main = [made.figures[t]["accuracy"] for t in ("shape", "size")]
    alone = [made.best_alone[t]["accuracy"] for t in ("shape", "size")]
    assert sum(main) >= sum(alone) - 1e-9
    json.dumps(made.to_json())


def test_it_is_listed_as_a_run_with_its_figures(project: Path, made: EnsembleMade) -> None:
    run = next(r for r in list_runs(project) if r.name == "both")
    assert run.status == "completed"
    assert run.metrics["shape accuracy"] == pytest.approx(made.figures["shape"]["accuracy"])
    with pytest.raises(UserError, match="already exists"):
        list(make_ensemble([project / "runs" / "first"], "both", folder=project))
    assert not list((project / "runs").glob(".ensemble-*"))


def test_it_answers_with_the_weighted_mean(project: Path, half: Path) -> None:
    given = sample(project)
    logits = []
    for name in ("first", "second"):
        one = Predictor(project / "runs" / name, "cpu")
        columns = {n: [one.decode(n, v)] for n, v in given.items()}
        logits.append(one._outputs(columns)["shape"].double())
    wanted = (0.25 * logits[0] + 0.75 * logits[1]).softmax(dim=1)[0]
    both = open_model(half, "cpu")
    assert isinstance(both, Ensemble)
    answer = both.predict(given)
    scores = torch.tensor([answer.tasks["shape"].scores[c]
                           for c in both.schema.targets["shape"]["classes"]])
    assert scores.double() == pytest.approx(wanted, abs=1e-5)
    told = answer.contributions["shape"]
    assert told.nothing + sum(told.inputs.values()) == pytest.approx(told.everything, abs=1e-4)
    alone = both.predict({"words": given["words"]})
    assert alone.present == ("words",)


def test_a_table_is_answered_as_its_samples_are(project: Path, half: Path) -> None:
    from mmstudio.data.table import read_table

    both = open_model(half, "cpu")
    table = read_table(project / "metadata.csv")
    answers = list(both.predict_table(table))
    at = next(i for i, r in enumerate(read_rows(project)) if r["file_name"] and r["text"])
    row, one = answers[at], both.predict(sample(project))
    assert isinstance(row, Prediction) and len(answers) == len(table)
    assert row.tasks["shape"].scores == pytest.approx(one.tasks["shape"].scores, abs=1e-4)


def test_it_is_evaluated_with_intervals_and_calibrated(project: Path, half: Path) -> None:
    each: list[Scores] = []
    for run in (project / "runs" / "first", project / "runs" / "second", half):
        *_, scores = scores_of(run, "test", None, "cpu")
        assert isinstance(scores, Scores)
        each.append(scores)
    outputs = [one.tasks["shape"].outputs for one in each]
    assert outputs[2] == pytest.approx(0.25 * outputs[0] + 0.75 * outputs[1], abs=1e-5)
    *_, found = evaluated(half, "test", None, "cpu", True)
    assert isinstance(found, Evaluated)
    right = each[2].tasks["shape"].answers(0) == each[2].tasks["shape"].values
    assert found.evaluation.tasks["shape"]["accuracy"] == pytest.approx(right.mean())
    assert found.evaluation.inputs is not None and found.calibration is not None
    assert set(found.details["shape"]["interval"]) >= {"accuracy", "macro_f1"}
    assert found.evaluation.looks == 1
    assert open_model(half, "cpu").calibration is not None


def test_members_with_and_without_alignment_answer_the_same_rows(
    one_thread: None, tmp_path: Path
) -> None:
    import shutil

    folder = write_small_project(tmp_path / "project")
    rows = read_rows(folder)
    for row in rows:
        if row["split"] == "test" and row["file_name"] and row["text"]:
            row["shape"] = row["size"] = ""  # alignment learns from such a row
            break
    write_table(folder / "metadata.csv", rows)
    for name, more in (("plain", {}), ("aligned", {"training.alignment": 1.0})):
        train_small(folder, {**SMALL, "training.epochs": 1, **more}, run=name)
    for first, second in (("plain", "aligned"), ("aligned", "plain")):
        place = folder / "runs" / f"{first}-first"
        place.mkdir()
        for name in ("experiment.toml", "schema.json", "rows.bin", "environment.json",
                     "events.jsonl"):
            shutil.copyfile(folder / "runs" / first / name, place / name)
        for number, name in enumerate((first, second), start=1):
            shutil.copytree(folder / "runs" / name, place / "members" / str(number))
        write_members(place, [Member(first, 0.5), Member(second, 0.5)])
        *_, scores = scores_of(place, "test", None, "cpu")
        assert isinstance(scores, Scores)
        assert len(scores.rows) and all(rows[r]["shape"] or rows[r]["size"] for r in scores.rows)


def test_it_is_explained_by_hiding_pieces_from_all(project: Path, half: Path) -> None:
    given = sample(project)
    found = explain(open_model(half, "cpu"), given, "shape")
    each = [Asked(Predictor(project / "runs" / name, "cpu"), given)
            for name in ("first", "second")]
    assert set(found.inputs) == {"image", "words"} and found.tried
    at = each[0].model.tasks["shape"].labels.index(str(found.label))
    for name, one in found.inputs.items():
        assert one.method == "occlusion" and one.unit == "log-odds"
        # nothing hidden, and the first piece
        gone = np.zeros((2, one.weights.size), bool)
        gone[1, 0] = True
        outputs = [asked.without(name, gone.reshape(2, *one.weights.shape))["shape"].double()
                   for asked in each]
        chance = (0.25 * outputs[0] + 0.75 * outputs[1]).softmax(dim=1)[:, at]
        odds = (chance / (1 - chance)).log()
        assert float(one.weights.flat[0]) == pytest.approx(float(odds[0] - odds[1]), abs=1e-4)
    assert found.answer.label == open_model(half, "cpu").predict(given).tasks["shape"].label


def test_what_needs_one_model_is_refused_by_name(project: Path, half: Path) -> None:
    from mmstudio.evaluation.label_review import review_labels
    from mmstudio.export.exporting import export

    with pytest.raises(UserError, match="is an ensemble: this works on one model") as caught:
        Predictor(half, "cpu")
    assert str(Path("members") / "1") in caught.value.hint
    with pytest.raises(UserError, match="is an ensemble"):
        list(review_labels(half, "cpu"))
    with pytest.raises(UserError, match="is an ensemble"):
        list(export(half, project / "exported"))
    model = Model(half, "cpu")
    with pytest.raises(UserError, match="is an ensemble"):
        model.embed(**sample(project))
    before = sorted(p.name for p in half.iterdir())
    with pytest.raises(UserError, match="is an ensemble"):
        train_small(project, SMALL, run="half", resume=True)
    assert sorted(p.name for p in half.iterdir() if p.name != LOCK) == before
    # a member is a run
    assert Predictor(half / "members" / "1", "cpu").predict(sample(project)).present


@pytest.mark.parametrize("text", [
    "", "{}", '{"format": 1, "members": []}', '{"format": 2, "members": []}',
    '{"format": 1, "members": [{"run": "a", "weight": 0.5}]}',
    '{"format": 1, "members": [{"run": "a", "weight": "all"}]}'])
def test_a_damaged_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(UserError, match=FILE):
        members_of(tmp_path)


def test_links_are_not_followed(tmp_path: Path) -> None:
    write_members(tmp_path, [Member("a", 1.0)])
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "members").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="is a link"):
        members_of(tmp_path)


def test_no_label_is_no_ensemble(tmp_path: Path, project: Path) -> None:
    with pytest.raises(UserError, match="Not one of the runs can answer"):
        list(make_ensemble([RunFolder(tmp_path / "none").path], "a", folder=tmp_path))
