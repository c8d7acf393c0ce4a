"""The check finds planted faults, and only those."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmstudio.data.checks import Report, check, contradictions
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from tests.mixed_project import mixed_experiment, write_mixed_project
from tests.small_project import read_rows, small_experiment, write_small_project, write_table


def report_of(folder: Path, experiment: Experiment | None = None) -> Report:
    *_, report = check(experiment or small_experiment(), folder)
    assert isinstance(report, Report)
    return report


def found(report: Report) -> set[tuple[int, str, str]]:
    return {(p.row, p.column, p.kind) for p in report.problems}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_small_project(tmp_path / "p")


def test_good_data_has_no_problem(project: Path) -> None:
    assert report_of(project) == Report(60, ())


def test_planted_faults_are_found_in_their_rows(project: Path) -> None:
    rows = read_rows(project)
    (project / rows[3]["file_name"]).write_bytes(b"noise")
    (project / rows[4]["audio"]).unlink()
    rows[5] |= {"file_name": "", "audio": "", "text": ""}
    rows[7] |= {"audio": "", "text": ""}
    (project / rows[7]["file_name"]).write_bytes(b"")
    assert rows[15]["split"] == "test" and rows[12]["split"] == "validation"
    rows[15]["shape"] = "crosss"
    rows[12]["shape"] = "dto"
    rows[0]["shape"] = "rare"
    write_table(project / "metadata.csv", rows)
    report = report_of(project)
    assert report.rows == 60
    assert found(report) == {
        (3, "file_name", "unreadable"), (4, "audio", "unreadable"), (5, "", "no_input"),
        (7, "file_name", "unreadable"), (7, "", "no_input"), (15, "shape", "unknown_label"),
        (12, "shape", "unknown_label"), (0, "shape", "rare_label"),
    }
    assert all(p.message and p.hint for p in report.problems)
    assert [p.row for p in report.problems] == sorted(p.row for p in report.problems)


def test_a_rare_label_is_shown_in_its_training_row(project: Path) -> None:
    rows = read_rows(project)
    table = [rows[15] | {"shape": "rare"}, *rows[:15], rows[0] | {"shape": "rare"}, *rows[16:]]
    write_table(project / "metadata.csv", table)
    assert found(report_of(project)) == {
        (16, "shape", "rare_label"), (1, "shape", "contradiction")}


def test_a_table_that_cannot_be_trained_on_is_one_problem(project: Path) -> None:
    write_table(project / "metadata.csv", [r | {"split": "tset"} for r in read_rows(project)])
    problem, = report_of(project).problems
    assert (problem.row, problem.kind) == (-1, "table")
    assert "tset" in problem.message


def test_a_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"metadata\.csv"):
        report_of(tmp_path)


def test_the_report_is_plain_data(project: Path) -> None:
    rows = read_rows(project)
    (project / rows[3]["file_name"]).write_bytes(b"noise")
    data = report_of(project).to_json()
    assert data["rows"] == 60
    problem, = data["problems"]
    assert problem["row"] == 3
    assert (problem["column"], problem["kind"]) == ("file_name", "unreadable")
    assert "000.png" not in problem["message"] and "003.png" in problem["message"]


def test_a_check_given_up_midway_leaves_no_thread(project: Path) -> None:
    steps = check(small_experiment(), project)
    next(steps)
    steps.close()  # type: ignore[attr-defined]


def test_labels_of_every_task_are_checked(tmp_path: Path) -> None:
    project = write_mixed_project(tmp_path / "mixed")
    assert report_of(project, mixed_experiment()).problems == ()
    rows = read_rows(project)
    assert [rows[r]["split"] for r in (0, 1, 12, 15)] == ["train", "train", "validation", "test"]
    rows[0]["tags"] = "line,rare"
    rows[1]["tags"] = "line,,line, "
    rows[12]["tags"] = "lien,line"
    rows[15]["area"] = "big"
    write_table(project / "metadata.csv", rows)
    report = report_of(project, mixed_experiment())
    assert found(report) == {(0, "tags", "rare_label"), (12, "tags", "unknown_label"),
                             (15, "area", "no_number")}
    assert "'lien'" in report.problems[1].message
    assert all(p.message and p.hint for p in report.problems)


def test_a_training_label_that_is_no_number_is_told(tmp_path: Path) -> None:
    project = write_mixed_project(tmp_path / "mixed")
    rows = read_rows(project)
    rows[0]["area"] = "big"
    write_table(project / "metadata.csv", rows)
    cell, = report_of(project, mixed_experiment()).problems
    assert (cell.row, cell.column, cell.kind, cell.mend) == (0, "area", "no_number", "leave_out")
    for row in rows[: len(rows) // 2]:
        row["area"] = "big"
    write_table(project / "metadata.csv", rows)
    whole = report_of(project, mixed_experiment()).problems[0]
    assert "'area', row 1: 'big' is not a number" in whole.message  # the data can't be prepared


def test_what_was_odd_about_the_table_is_told(project: Path) -> None:
    table = project / "metadata.csv"
    table.write_bytes(table.read_bytes().replace(b"tiny", b"t\xefny", 1))
    note, = report_of(project).problems
    assert (note.row, note.kind, note.message) == (-1, "table_note", "Read as Windows-1252 text.")
    experiment = small_experiment().replaced("data.split", "language")
    assert [p.kind for p in report_of(project, experiment).problems] == ["table", "table_note"]


def test_the_same_sample_with_different_labels_is_told(project: Path) -> None:
    rows = read_rows(project)
    same = {key: rows[0][key] for key in ("file_name", "audio", "text", "split")}
    other = next(r["shape"] for r in rows if r["shape"] != rows[0]["shape"])
    rows[1] |= same | {"shape": other}
    rows[2] |= same | {"shape": rows[0]["shape"]}
    rows[3] |= {"text": rows[0]["text"]}  # another picture: another sample
    write_table(project / "metadata.csv", rows)
    told = [p for p in report_of(project).problems if p.kind == "contradiction"]
    assert [(p.row, p.column, p.rows) for p in told if p.column == "shape"] == [
        (0, "shape", (0, 1, 2))]
    assert f"as '{rows[0]['shape']}' and '{other}'" in told[0].message


def test_short_answers_that_repeat_contradict_nothing(tmp_path: Path) -> None:
    rows = [{"text": ("yes", "no", "thank you")[i % 3], "mood": ("glad", "sad")[i % 2],
             "split": ("train", "validation", "test")[i // 20]} for i in range(60)]
    write_table(tmp_path / "metadata.csv", rows)
    data = {"data": {"table": "metadata.csv", "split": "split"},
            "inputs": {"words": {"column": "text", "modality": "text"}},
            "targets": {"mood": {"column": "mood", "task": "classification"}}}
    found = report_of(tmp_path, Experiment.from_dict(data))
    assert all(p.kind != "contradiction" for p in found.problems)


def test_very_many_contradictions_are_one_problem(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contradictions, "MOST_SINGLE", 1)
    rows = read_rows(project)
    for first, second in ((0, 1), (2, 3)):
        same = {key: rows[first][key] for key in ("file_name", "audio", "text", "split")}
        other = next(r["shape"] for r in rows if r["shape"] != rows[first]["shape"])
        rows[second] |= same | {"shape": other}
    write_table(project / "metadata.csv", rows)
    told = [p for p in report_of(project).problems
            if (p.kind, p.column) == ("contradiction", "shape")]
    assert [(p.row, p.rows) for p in told] == [(0, (0, 1, 2, 3))]
    assert told[0].message.startswith("2 samples are in several rows")
