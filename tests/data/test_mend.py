"""What the check found is mended by the experiment; the data's own files are never changed."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mmstudio.data.checks import Problem, Report, check
from mmstudio.data.excluded import FILE_NAME, excluded_rows
from mmstudio.data.mend import Mended, mended, read_left_out, write_list
from mmstudio.data.merged_labels import merged
from mmstudio.data.prepare import Dataset, prepare
from mmstudio.data.split import split_of
from mmstudio.data.table import Table, read_table
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment, SplitShares
from tests.small_project import read_rows, small_experiment, write_small_project, write_table


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_small_project(tmp_path / "p", rows=120)


def problems_of(folder: Path, experiment: Experiment) -> list[Problem]:
    *_, report = check(experiment, folder)
    assert isinstance(report, Report)
    return list(report.problems)


def mend_all(folder: Path, experiment: Experiment) -> Mended:
    result = mended(experiment, folder, problems_of(folder, experiment))
    result.write(folder)
    assert Experiment.parse(result.experiment.to_toml()) == result.experiment
    return result


def prepared(folder: Path, experiment: Experiment) -> Dataset:
    *_, dataset = prepare(experiment, folder)
    assert isinstance(dataset, Dataset)
    return dataset


def contents(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.md5(p.read_bytes()).hexdigest()
            for p in folder.rglob("*") if p.is_file() and p.name != FILE_NAME}


@pytest.fixture
def silent_rows(project: Path) -> list[int]:
    rows = read_rows(project)
    chosen = [r for r, cells in enumerate(rows) if cells["audio"] and cells["split"] == "train"][:4]
    for row in chosen:
        soundfile.write(project / rows[row]["audio"], np.zeros(2400), 8000)
    return chosen


def test_rows_are_left_out_of_training_and_of_the_next_check(
    project: Path, silent_rows: list[int]
) -> None:
    before = contents(project)
    result = mend_all(project, small_experiment())
    assert result.summary == "4 rows are left out, as left_out.csv says."
    assert contents(project) == before
    dataset = prepared(project, result.experiment)
    assert not set(silent_rows) & set(dataset.rows("train").tolist())
    assert np.flatnonzero(dataset.splits == "").tolist() == silent_rows
    assert not problems_of(project, result.experiment)


def test_rows_left_out_are_known_in_any_order_and_with_more_columns(
    project: Path, silent_rows: list[int]
) -> None:
    experiment = mend_all(project, small_experiment()).experiment
    rows = [r | {"note": str(i)} for i, r in enumerate(read_rows(project))][::-1]
    write_table(project / "metadata.csv", rows)
    splits = split_of(experiment, read_table(project / "metadata.csv"), project)
    assert np.flatnonzero(splits == "").tolist() == sorted(119 - r for r in silent_rows)


def test_rows_are_added_to_the_list(project: Path, silent_rows: list[int]) -> None:
    experiment = mend_all(project, small_experiment()).experiment
    other = next(r for r in range(120) if r not in silent_rows and read_rows(project)[r]["audio"])
    soundfile.write(project / read_rows(project)[other]["audio"], np.zeros(2400), 8000)
    again = mend_all(project, experiment).experiment
    table = read_table(project / "metadata.csv")
    left_out = np.flatnonzero(excluded_rows(table, again.data.leave_out, project))
    assert left_out.tolist() == sorted([*silent_rows, other])


def test_leaving_rows_out_moves_no_other_row(project: Path, silent_rows: list[int]) -> None:
    experiment = small_experiment({"data.split": {"train": 0.6, "validation": 0.2, "test": 0.2}})
    table = read_table(project / "metadata.csv")
    before = split_of(experiment, table, project)
    after = split_of(mend_all(project, experiment).experiment, table, project)
    kept = after != ""
    assert (~kept).sum() == 4
    assert after[kept].tolist() == before[kept].tolist()


def test_mending_is_taken_back(project: Path, silent_rows: list[int]) -> None:
    experiment = small_experiment()
    before = read_left_out(experiment, project)
    mend_all(project, experiment)
    write_list(project / FILE_NAME, before)
    assert before is None and not (project / FILE_NAME).exists()
    assert len(problems_of(project, experiment)) == len(silent_rows)


def test_a_missing_list_is_refused(project: Path) -> None:
    experiment = small_experiment({"data.leave_out": "gone.csv"})
    with pytest.raises(UserError, match=r"gone\.csv, is missing") as caught:
        prepared(project, experiment)
    assert "data.leave_out" in caught.value.hint


def test_a_list_that_names_an_unknown_column_is_refused(project: Path) -> None:
    (project / "out.csv").write_text("fil_name,left_out_because\nx,y\n")
    with pytest.raises(UserError, match="fil_name") as caught:
        prepared(project, small_experiment({"data.leave_out": "out.csv"}))
    assert "file_name" in caught.value.hint


def test_labels_are_merged_and_stay_so(project: Path) -> None:
    rows = read_rows(project)
    for row, label in ((0, "BAR"), (3, "Bar"), (1, " cross")):
        rows[row]["shape"] = label
    write_table(project / "metadata.csv", rows)
    assert len(prepared(project, small_experiment()).schema.targets["shape"]["classes"]) == 5
    result = mend_all(project, small_experiment())
    assert result.experiment.targets["shape"].merge == {"BAR": "bar", "Bar": "bar"}
    dataset = prepared(project, result.experiment)
    assert dataset.schema.targets["shape"]["classes"] == ["bar", "cross", "dot"]
    assert dataset.labels["shape"].values[[0, 3, 6]].tolist() == [0, 0, 0]
    assert not problems_of(project, result.experiment)


def test_labels_of_a_multilabel_cell_are_merged_one_by_one(project: Path) -> None:
    rows = [r | {"shape": f"{r['shape']};Tag" if i % 2 else "tag;TAG"}
            for i, r in enumerate(read_rows(project))]
    write_table(project / "metadata.csv", rows)
    data = small_experiment().to_dict()
    data["targets"]["shape"] |= {"task": "multilabel", "merge": {"Tag": "tag", "TAG": "tag"}}
    table = merged(read_table(project / "metadata.csv"), Experiment.from_dict(data))
    assert Counter(table.column("shape").to_list()[:4]) == {
        "tag": 2, "cross;tag": 1, "bar;tag": 1}


def test_groups_are_kept_together_by_a_new_split(project: Path) -> None:
    rows = [r | {"speaker": f"s{i % 12}"} for i, r in enumerate(read_rows(project))]
    write_table(project / "metadata.csv", rows)
    experiment = small_experiment({"data.group": "speaker"})
    result = mend_all(project, experiment)
    split = result.experiment.data.split
    assert isinstance(split, SplitShares) and split.group == "speaker"
    assert (split.validation, split.test) == (0.15, 0.15)
    assert result.experiment.data.group is None
    splits = split_of(result.experiment, read_table(project / "metadata.csv"), project)
    for speaker in range(12):
        assert len(set(splits[speaker::12])) == 1
    assert not problems_of(project, result.experiment)


def test_what_cannot_be_mended_is_refused(project: Path) -> None:
    with pytest.raises(UserError, match="'huge' can't be fixed automatically") as caught:
        mended(small_experiment(), project, [Problem(0, "image", "huge", "")])
    assert "similar_label" in caught.value.hint


def test_a_row_with_an_unreadable_file_trains_on_its_other_inputs(project: Path) -> None:
    rows = read_rows(project)
    row = next(r for r, cells in enumerate(rows) if cells["split"] == "train" and all(
        cells[c] for c in ("file_name", "audio", "text")))
    (project / rows[row]["file_name"]).write_bytes(b"noise")
    dataset = prepared(project, small_experiment())
    assert row in dataset.rows("train")
    assert dataset.decoded["image"].row(row) is None
    assert dataset.decoded["sound"].row(row) is not None
    whole = Table(Path("t"), project, read_table(project / "metadata.csv").frame)
    assert len(whole) == len(dataset.decoded["image"])
