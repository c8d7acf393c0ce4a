"""Table to dataset: the schema comes from the training rows, absent is normal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmstudio.data.prepare import Dataset, Progress, prepare
from mmstudio.data.schema import Schema
from mmstudio.data.table import read_table
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from tests.small_project import read_rows, small_experiment, write_small_project, write_table


def prepared(folder: Path, experiment: Experiment | None = None, **others: Any) -> Dataset:
    *progress, last = prepare(experiment or small_experiment(), folder, **others)
    assert all(isinstance(p, Progress) and 0 <= p.done <= p.total for p in progress)
    assert isinstance(last, Dataset)
    return last


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_small_project(tmp_path / "p")


def rewrite(project: Path, change: Any) -> None:
    rows = read_rows(project)
    for i, row in enumerate(rows):
        change(i, row)
    write_table(project / "metadata.csv", rows)


def test_every_row_finds_its_split_labels_and_contents(project: Path) -> None:
    dataset = prepared(project)
    table = read_rows(project)
    assert dataset.splits.tolist() == [r["split"] for r in table]
    assert dataset.schema.targets["shape"] == {
        "classes": ["bar", "cross", "dot"], "counts": [14, 14, 14]}
    size = dataset.labels["size"]
    assert size.known.tolist() == [r["size"] != "" for r in table]
    assert size.values.tolist() == [
        0 if not r["size"] else ["big", "small"].index(r["size"]) for r in table]
    assert [dataset.decoded["sound"].row(i) is None for i in range(60)] == [
        not r["audio"] for r in table]
    assert {s: len(dataset.rows(s)) for s in ("train", "validation", "test")} == {
        "train": 42, "validation": 9, "test": 9}


def test_a_second_start_opens_no_media_file(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepared(project)

    def opened(path: Any, *_: Any) -> Any:
        raise AssertionError(f"{path} is opened again")

    for module in ("image", "picture_files"):
        monkeypatch.setattr(f"mmstudio.modalities.{module}.opened_picture", opened)
    for module in ("audio", "sound_files"):
        monkeypatch.setattr(f"mmstudio.modalities.{module}.opened_sound", opened)
    assert prepared(project).schema == first.schema
    # other options, or a file that changed, are looked at anew
    with pytest.raises(AssertionError, match="opened again"):
        prepared(project, small_experiment().replaced("inputs.sound.sample_rate_hz", 4000))
    (project / read_rows(project)[0]["file_name"]).touch()
    with pytest.raises(AssertionError, match="opened again"):
        prepared(project)


def test_the_schema_is_learnt_from_the_training_rows_only(project: Path) -> None:
    def change(i: int, row: dict[str, str]) -> None:
        if row["split"] == "test":
            row.update(shape="star", text="unheard words")

    rewrite(project, change)
    dataset = prepared(project)
    assert dataset.schema.targets["shape"]["classes"] == ["bar", "cross", "dot"]
    assert '"unheard"' not in dataset.schema.inputs["words"]["tokenizer"]
    assert not dataset.labels["shape"].known[dataset.splits == "test"].any()


def test_rows_without_input_or_without_label_are_left_out(project: Path) -> None:
    def change(i: int, row: dict[str, str]) -> None:
        if i in (0, 1):
            row.update(file_name="", audio="", text="")
        if i in (2, 3):
            row.update(shape="", size="")

    rewrite(project, change)
    assert prepared(project).rows("train")[:2].tolist() == [4, 5]


def test_rows_without_split_are_left_out(project: Path) -> None:
    rewrite(project, lambda i, row: row.update(split="") if i < 3 else None)
    dataset = prepared(project)
    assert 0 not in np.concatenate([dataset.rows(s) for s in ("train", "validation", "test")])


def test_switched_off_inputs_and_targets_are_not_read(project: Path) -> None:
    experiment = small_experiment({"inputs.sound.use": False, "targets.size.use": False,
                                   "inputs.sound.column": "nowhere"})
    dataset = prepared(project, experiment)
    assert list(dataset.decoded) == ["image", "words"]
    assert list(dataset.labels) == ["shape"]


def test_numbers_are_classes_in_their_order(project: Path) -> None:
    rewrite(project, lambda i, row: row.update(shape=["10", "9", "2", "b", "-1.5"][i % 5]))
    assert prepared(project).schema.targets["shape"]["classes"] == ["-1.5", "2", "9", "10", "b"]


def test_another_table_may_lack_contents_and_labels(project: Path) -> None:
    schema = prepared(project).schema
    rows = [r | {"audio": "", "size": ""} for r in read_rows(project)[:5]]
    write_table(project / "other.csv", [{k: v for k, v in r.items() if k != "shape"}
                                        for r in rows])
    other = read_table(project / "other.csv")
    dataset = prepared(project, schema=schema, table=other, splits=np.full(5, "test"))
    assert [dataset.decoded["sound"].row(i) for i in range(5)] == [None] * 5
    assert not dataset.labels["shape"].known.any()


def test_a_schema_survives_its_file(project: Path) -> None:
    schema = prepared(project).schema
    (project / "schema.json").write_text(schema.to_text(), encoding="utf-8")
    assert Schema.load(project / "schema.json") == schema
    (project / "schema.json").write_text(schema.to_text()[:50])
    with pytest.raises(UserError, match=r"schema\.json"):
        Schema.load(project / "schema.json")
    with pytest.raises(UserError, match=r"none\.json"):
        Schema.load(project / "none.json")


BAD = {
    "an input that is always empty": (
        lambda i, r: r.update(audio=""), "'sound' is empty", "inputs.sound.use = false"),
    "an input of which nothing can be read": (
        lambda i, r: r.update(audio="none.wav"), "'sound'", "folder"),
    "a target without labels": (
        lambda i, r: r.update(size=""), "'size' has no label", "targets.size"),
    "a target of one class": (
        lambda i, r: r.update(size="big"), "one class only, 'big'", "two or more"),
    "a target that never repeats": (
        lambda i, r: r.update(shape=f"s{i}", split=["train", "val"][i > 55]),
        "56 classes in 56", "repeat"),
    "no training rows": (
        lambda i, r: r.update(split="test"), "no row for train", "split"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_learnt_is_refused_with_a_remedy(case: str, project: Path) -> None:
    change, message, hint = BAD[case]
    rewrite(project, change)
    with pytest.raises(UserError) as caught:
        prepared(project)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_an_unknown_column_is_refused_with_the_nearest(project: Path) -> None:
    for key, message in (("inputs.words.column", "Did you mean 'text'"),
                         ("targets.shape.column", "Did you mean 'text'")):
        with pytest.raises(UserError, match=message):
            prepared(project, small_experiment({key: "texts"}))
