"""A run's figures are scikit-learn's on its predictions."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from sklearn.metrics import accuracy_score, f1_score

from mmstudio.data.prepare import Progress
from mmstudio.errors import UserError
from mmstudio.inference.evaluate import Evaluation, evaluate
from mmstudio.inference.predictor import Predictor
from mmstudio.training.run_folder import RunFolder
from tests.small_project import read_rows, write_table


def evaluated(run: Path, *args: Any) -> Evaluation:
    *progress, last = evaluate(run, *args)
    assert all(isinstance(p, Progress) for p in progress)
    assert isinstance(last, Evaluation)
    return last


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_figures_are_scikit_learns_on_the_predictions(trained: Path, split: str) -> None:
    folder = trained.parent.parent
    predictor = Predictor(trained)
    rows = [r for r in read_rows(folder) if r["split"] == split]
    write_table(folder / f"{split}.csv", rows)
    from mmstudio.data.table import read_table

    answers = list(predictor.predict_table(read_table(folder / f"{split}.csv")))
    result = evaluated(trained, split)
    assert (result.split, result.samples) == (split, len(rows))
    total = 0.0
    for task, weight in (("shape", 1.0), ("size", 0.5)):
        known = [(r[task], a.tasks[task]) for r, a in zip(rows, answers, strict=True) if r[task]]
        truth, labels = [t for t, _ in known], [a.label for _, a in known]
        figures = result.tasks[task]
        assert figures["accuracy"] == pytest.approx(accuracy_score(truth, labels))
        assert figures["macro_f1"] == pytest.approx(f1_score(truth, labels, average="macro"))
        loss = -sum(math.log(a.scores[t]) for t, a in known) / len(known)
        assert figures["loss"] == pytest.approx(loss, rel=1e-3)
        total += weight * figures["loss"]
    assert result.loss == pytest.approx(total)


def test_validation_figures_are_those_of_the_best_epoch(trained: Path) -> None:
    best = RunFolder(trained).history().at_best()
    assert evaluated(trained, "validation").tasks["shape"] == pytest.approx(best["shape"])


def test_another_table_counts_all_its_rows(copied: Path) -> None:
    folder = copied.parent.parent
    rows = read_rows(folder)[:20]
    write_table(folder / "other.csv", [{k: v for k, v in r.items() if k != "split"} for r in rows])
    assert evaluated(copied, "test", folder / "other.csv").samples == 20


def test_rows_without_label_do_not_count(copied: Path) -> None:
    folder = copied.parent.parent
    rows = read_rows(folder)[:12]
    plain = evaluated_table(copied, folder, rows)
    assert "unseen" not in plain.to_json()
    extra = rows[0] | {"shape": "", "size": ""}
    assert evaluated_table(copied, folder, [*rows, extra]) == plain


def test_rows_of_a_label_that_training_never_saw_are_wrong(copied: Path) -> None:
    folder = copied.parent.parent
    rows = [r | {"size": "big"} for r in read_rows(folder)[:12]]
    plain = evaluated_table(copied, folder, rows)
    rows += [rows[1] | {"shape": "star"}, rows[2] | {"shape": "star"},
             rows[3] | {"shape": "ring", "size": "?"},
             rows[4] | {"shape": "ring", "file_name": "", "audio": "", "text": ""}]  # no input
    result = evaluated_table(copied, folder, rows)
    from mmstudio.data.table import read_table

    table = read_table(folder / "other.csv")
    answers = list(Predictor(copied).predict_table(table))[:15]
    for task in ("shape", "size"):
        truth = [r[task] for r in rows[:15]]
        labels = [a.tasks[task].label for a in answers]
        assert result.tasks[task]["accuracy"] == pytest.approx(accuracy_score(truth, labels))
        assert result.tasks[task]["macro_f1"] == pytest.approx(
            f1_score(truth, labels, average="macro"))
    assert result.samples == 15
    assert result.to_json()["unseen"] == {"shape": 3, "size": 1}
    assert result.tasks["shape"]["loss"] == pytest.approx(plain.tasks["shape"]["loss"])
    first, second, third = result.warnings()
    assert "were trained on" in third
    assert first.startswith("3 rows have a label of 'shape' that training never saw")
    assert second.startswith("1 row has")


def test_an_input_that_is_absent_throughout_is_fine(copied: Path) -> None:
    folder = copied.parent.parent
    rows = [r | {"audio": "", "file_name": ""} for r in read_rows(folder)[:9]]
    assert evaluated_table(copied, folder, [r for r in rows if r["text"]]).samples == 9


def test_a_target_without_labels_is_null_in_json(copied: Path) -> None:
    folder = copied.parent.parent
    rows = [{k: v for k, v in r.items() if k != "size"} for r in read_rows(folder)[:9]]
    result = evaluated_table(copied, folder, rows)
    assert result.loss == pytest.approx(result.tasks["shape"]["loss"])
    data = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert data["tasks"]["size"]["accuracy"] is None
    assert data["tasks"]["shape"]["accuracy"] is not None


def evaluated_table(run: Path, folder: Path, rows: list[dict[str, str]]) -> Evaluation:
    write_table(folder / "other.csv", rows)
    return evaluated(run, "test", folder / "other.csv")


def test_what_cannot_be_evaluated_is_a_user_error(copied: Path) -> None:
    folder = copied.parent.parent
    write_table(folder / "nothing.csv", [r | {"shape": "star", "size": "?"}
                                         for r in read_rows(folder)[:3]])
    for args, message in (
        (("tset",), "no split 'tset'"), (("test", folder / "none.csv"), r"none\.csv"),
        (("test", folder / "nothing.csv"), "No row"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            evaluated(copied, *args)
        assert caught.value.hint
    with pytest.raises(UserError, match="not a run folder"):
        evaluated(folder / "images")


def test_rows_that_were_trained_on_are_told(copied: Path) -> None:
    folder = copied.parent.parent
    assert not evaluated(copied).changed
    rows = read_rows(folder)
    mine = evaluated_table(copied, folder, rows)
    assert mine.trained_on == sum(r["split"] == "train" for r in rows)
    assert f"{mine.trained_on} of 60 rows were trained on" in next(mine.warnings())
    for row in [r for r in rows if r["split"] == "train"][:5]:
        row["split"] = "test"
    rows[0]["shape"] = "cross"
    write_table(folder / "metadata.csv", rows)
    result = evaluated(copied)
    assert result.to_json()["trained_on"] == result.trained_on == 5
    first, second = result.changed
    assert list(result.warnings())[-2:] == [first, second]
    assert first.startswith("5 of 14 rows were trained on")
    assert "5 rows are in another split, 1 row has another label" in second
    assert not list(evaluated(copied, "train").warnings())


def test_a_column_that_is_no_more_is_named(copied: Path) -> None:
    folder = copied.parent.parent
    rows = [{("new" if k == "text" else k): v for k, v in r.items()} for r in read_rows(folder)]
    write_table(folder / "metadata.csv", rows)
    (told,) = evaluated(copied).changed
    assert "metadata.csv has no column 'text'" in told
def test_every_look_at_the_test_rows_is_counted_and_told(copied: Path) -> None:
    (copied / "looks.jsonl").unlink(missing_ok=True)  # of other tests
    assert (evaluated(copied, "validation").looks, evaluated(copied, "train").looks) == (0, 0)
    first, second = evaluated(copied), evaluated(copied)
    assert (first.looks, second.looks) == (1, 2)
    assert second.to_json()["test_looks"] == 2 and "looks" not in second.to_json()
    assert not list(first.warnings())
    assert list(second.warnings()) == [
        "The test rows were looked at 2 times: figures of what was changed or chosen after the "
        "first are somewhat too good."]
    lines = (copied / "looks.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["what"] for line in lines] == ["an evaluation"] * 2


def test_a_run_that_can_not_count_its_looks_says_so(copied: Path) -> None:
    (copied / "looks.jsonl").unlink(missing_ok=True)
    (copied / "looks.jsonl").mkdir()
    result = evaluated(copied)
    assert result.looks is None and result.to_json()["test_looks"] is None
    assert "keeps no count" in next(result.warnings())
