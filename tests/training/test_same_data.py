"""A run that goes on looks at what it goes on with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mmstudio.data.row_marks import RowMarks
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.inference.evaluate import Evaluation, evaluate
from mmstudio.training.events import RunFinished, Warned
from mmstudio.training.loop import train
from mmstudio.training.same_data import NAME
from tests.small_project import read_rows, train_small, write_table

Rows = list[dict[str, str]]


@pytest.fixture
def begun(project: Path) -> Path:
    """A project whose run has one epoch."""
    train_small(project, {"training.epochs": 1})
    return project


def resumed(project: Path, rows: Rows) -> list[Warned]:
    """What is told where the run goes on with these rows for an epoch."""
    write_table(project / "metadata.csv", rows)
    events = train_small(project, {"training.epochs": 2}, resume=True)
    assert isinstance(events[-1], RunFinished) and events[-1].reason == "completed"
    return [e for e in events if isinstance(e, Warned)]


def refused(project: Path, rows: Rows) -> UserError:
    """Why it can't go on; the run stays as it was."""
    run = project / "runs" / "first"
    before = {p.name: p.read_bytes() for p in run.iterdir()}
    write_table(project / "metadata.csv", rows)
    with pytest.raises(UserError) as caught:
        train_small(project, {"training.epochs": 2}, resume=True)
    assert {p.name: p.read_bytes() for p in run.iterdir()} == before
    assert "new run" in caught.value.hint
    return caught.value


def of_split(rows: Rows, split: str) -> Rows:
    return [r for r in rows if r["split"] == split]


def test_the_same_data_is_no_change_and_leaves_the_note_as_it_is(begun: Path) -> None:
    note = begun / "runs" / "first" / NAME
    before = note.read_bytes()
    assert resumed(begun, read_rows(begun)[::-1]) == []
    assert note.read_bytes() == before


def test_test_rows_that_were_trained_on_are_refused(begun: Path) -> None:
    rows = read_rows(begun)
    held = len(of_split(rows, "test"))
    for row in of_split(rows, "train")[:4]:
        row["split"] = "test"
    told = refused(begun, rows).message
    assert f"4 of {held + 4} rows of the test split were trained on" in told
    assert "4 rows are in another split" in told


def test_validation_rows_that_were_trained_on_are_refused(begun: Path) -> None:
    rows = read_rows(begun)
    of_split(rows, "train")[0]["split"] = "validation"
    assert "1 of 10 rows of the validation split were trained on" in refused(begun, rows).message


def test_rows_that_left_the_training_are_not_forgotten(begun: Path) -> None:
    rows = read_rows(begun)
    away = of_split(rows, "train")[:3]
    (told,) = resumed(begun, [r for r in rows if r not in away])
    assert "3 rows of train are gone" in told.message
    for row in away:
        row["split"] = "test"
    assert "3 of 12 rows of the test split were trained on" in refused(begun, rows).message


def test_rows_that_are_new_or_gone_are_told(begun: Path) -> None:
    rows = read_rows(begun)
    new = [r | {"text": f"another text {i}", "split": "train"} for i, r in enumerate(rows[:5])]
    (told,) = resumed(begun, [*rows[:-2], *new])
    assert "5 rows are new in train" in told.message
    assert "2 rows of train are gone" in told.message


def test_other_rows_throughout_are_refused(begun: Path) -> None:
    rows = [r | {"text": f"{r['text']} !"} for r in read_rows(begun)]
    told = refused(begun, rows)
    assert "not one of the 60 rows" in told.message and "60 rows are others" in told.message


def test_labels_that_changed_are_told_and_too_many_are_refused(begun: Path) -> None:
    rows = read_rows(begun)
    for row in rows[:3]:
        row["shape"] = {"bar": "dot", "dot": "cross", "cross": "bar"}[row["shape"]]
    (told,) = resumed(begun, rows)
    assert "3 rows have another label" in told.message
    for row in rows:
        row["size"] = {"big": "small", "small": "big"}.get(row["size"], "")
    assert "rows have other labels than it was trained on" in refused(begun, rows).message


def test_a_label_that_is_no_more_is_refused_and_the_new_one_named(begun: Path) -> None:
    rows = [r | {"shape": r["shape"].replace("dot", "Dot")} for r in read_rows(begun)]
    told = refused(begun, rows)
    assert "no training row has the label 'dot' of 'shape' any more" in told.message
    assert "'Dot' is a label of 'shape' that the run never saw" in told.message
    assert "20 rows of it are left out" in told.message
    assert "targets.shape.merge" in told.hint


def test_a_new_label_is_told_and_its_rows_are_left_out(begun: Path) -> None:
    rows = read_rows(begun)
    new = [r | {"text": f"a star {i}", "shape": "star", "split": "train"}
           for i, r in enumerate(rows[:4])]
    first, second = resumed(begun, [*rows, *new])
    assert first.message == ("'star' is a label of 'shape' that the run never saw, and 4 rows of "
                             "it are left out.")
    assert "4 rows are new in train" in second.message


@pytest.mark.parametrize("column", ["text", "shape"])
def test_a_column_of_another_name_is_refused(begun: Path, column: str) -> None:
    rows = [{("new" if k == column else k): v for k, v in r.items()} for r in read_rows(begun)]
    assert f"metadata.csv has no column '{column}'" in refused(begun, rows).message


@pytest.mark.parametrize("note", [None, b"", b"no marks\n", "of another polars"])
def test_a_run_without_a_note_goes_on_and_says_so(begun: Path, note: Any) -> None:
    path = begun / "runs" / "first" / NAME
    if note is None:
        path.unlink()
    elif isinstance(note, bytes):
        path.write_bytes(note)
    else:
        path.write_bytes(RowMarks(RowMarks.from_bytes(path.read_bytes()).marks, "0").to_bytes())
    (told,) = resumed(begun, read_rows(begun))
    assert "can't be checked" in told.message
    assert ("polars" in told.message) == (note == "of another polars")
    assert train_small(begun, {"training.epochs": 3}, resume=True)[-1].reason == "completed"


def test_stratified_shares_that_move_rows_are_named(project: Path) -> None:
    shares = {"train": 0.6, "validation": 0.2, "test": 0.2, "stratify": "shape"}
    changes = {"data.split": shares, "training.epochs": 1}
    train_small(project, changes)
    rows = read_rows(project)
    write_table(project / "metadata.csv", [
        *rows, *(r | {"text": f"another text {i}"} for i, r in enumerate(rows[:40]))])
    with pytest.raises(UserError, match="were trained on") as caught:
        train_small(project, changes | {"training.epochs": 2}, resume=True)
    assert "in another split" in caught.value.message
    assert "data.split.stratify is 'shape'" in caught.value.hint


def of_few_columns(folder: Path, more: Sequence[dict[str, str]] = ()) -> None:
    """A project of numbers and categories that repeat; those of class 0 and f are for training."""
    rows = [{"pclass": str(i % 3), "sex": "fm"[i % 2], "survived": "ny"[i % 5 % 2],
             "split": ("train", "train", "train", "validation", "test")[i % 6 and i // 6 % 5]}
            for i in range(90)]
    write_table(folder / "metadata.csv", [*rows, *more])
    (folder / "experiment.toml").write_text("""\
[data]
table = "metadata.csv"
split = "split"
[inputs.person]
columns = ["pclass", "sex"]
modality = "tabular"
[targets.survived]
[training]
combine = false
device = "cpu"
""", encoding="utf-8")


def test_a_new_row_of_few_valued_columns_forbids_no_resume(tmp_path: Path) -> None:
    def trained(epochs: int, resume: bool) -> list[Any]:
        experiment = Experiment.load(tmp_path / "experiment.toml").replaced(
            "training.epochs", epochs)
        return list(train(experiment, tmp_path / "runs" / "first", folder=tmp_path, resume=resume))

    of_few_columns(tmp_path)
    trained(1, resume=False)
    new = {"pclass": "0", "sex": "f", "survived": "y", "split": "test"}
    of_few_columns(tmp_path, [new])
    events = trained(2, resume=True)
    assert isinstance(events[-1], RunFinished) and events[-1].reason == "completed"
    (told,) = [e.message for e in events if isinstance(e, Warned)]
    assert "1 row is new in test" in told
    *_, found = evaluate(tmp_path / "runs" / "first")
    assert isinstance(found, Evaluation)
    assert found.trained_on == 0
    *_, other = evaluate(tmp_path / "runs" / "first", table=tmp_path / "metadata.csv")
    assert isinstance(other, Evaluation)
    assert other.trained_on == 0 and not other.changed
