"""What is decided on rows: kept in a file, held to the rows' content, written into a new table."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from mmstudio.data.table import Table, read_table
from mmstudio.errors import UserError
from mmstudio.evaluation.decided_table import free_place, outcome_of, write_decided
from mmstudio.evaluation.decisions import (
    FILE_NAME,
    KEEP,
    LEAVE_OUT,
    RELABEL,
    Decision,
    answers_to,
    identified,
    placed,
    read_decisions,
    without_last,
    write_decisions,
)
from mmstudio.evaluation.findings import LABEL, OUTLIER, UNLABELLED, Finding
from mmstudio.evaluation.row_contents import RowContents
from mmstudio.experiment import Experiment
from tests.small_project import read_rows, small_experiment, write_small_project, write_table


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_small_project(tmp_path / "project", rows=18)


def contents(table: Table) -> RowContents:
    return RowContents(table, small_experiment(), table.folder)


def made(table: Table, *decisions: Decision) -> list[Decision]:
    return identified(decisions, contents(table))


def placed_in(table: Path, decisions: list[Decision]) -> list[Decision]:
    return placed(decisions, contents(read_table(table)))


def relabel(row: int, label: str, about: str = LABEL) -> Decision:
    return Decision(row, RELABEL, about, "shape", label)


def test_decisions_survive_and_find_their_rows_again(project: Path) -> None:
    table = read_table(project / "metadata.csv")
    decisions = made(table, relabel(2, "bar"), Decision(5, LEAVE_OUT, OUTLIER))
    assert decisions[0].columns == ("audio", "file_name", "text")
    write_decisions(project, decisions)
    assert read_decisions(project) == decisions
    rows = read_rows(project)
    write_table(project / "metadata.csv", [*rows[5:], *rows[1:3]])  # others before, and a copy
    again = placed_in(project / "metadata.csv", read_decisions(project))
    assert [d.row for d in again] == [14, 0]
    write_table(project / "metadata.csv", rows[6:])
    assert [d.row for d in placed_in(project / "metadata.csv", again)] == [-1, -1]


def test_equal_rows_are_told_apart_by_their_numbers(project: Path) -> None:
    rows = read_rows(project)
    write_table(project / "metadata.csv", [rows[0], rows[0], rows[1]])
    table = read_table(project / "metadata.csv")
    decisions = made(table, relabel(1, "dot"), Decision(0, LEAVE_OUT, OUTLIER))
    assert [d.row for d in placed(decisions, contents(table))] == [1, 0]
    write_table(project / "metadata.csv", [rows[1], rows[0], rows[0]])
    table = read_table(project / "metadata.csv")
    assert [d.row for d in placed(decisions, contents(table))] == [2, 1]
    # one of them is gone: nobody can say which was meant, and none of what is left goes too
    write_table(project / "metadata.csv", [rows[1], rows[0]])
    gone = placed_in(project / "metadata.csv", decisions)
    assert [d.row for d in gone] == [-1, -1]
    assert [d.row for d in placed(gone, contents(table))] == [2, 1]  # and back again


def test_many_rows_are_told_apart_as_a_few_are(project: Path) -> None:
    rows = read_rows(project)
    write_table(project / "metadata.csv", [*rows, *rows])
    table = read_table(project / "metadata.csv")
    many = made(table, *(relabel(row, "dot") for row in range(2 * len(rows))))
    each = [made(table, relabel(row, "dot"))[0] for row in range(2 * len(rows))]
    assert many == each and {d.copies for d in many} == {2}


def test_labels_of_two_targets_on_one_row_both_hold() -> None:
    shape = Decision(3, RELABEL, OUTLIER, "shape", "bar")
    size = Decision(3, RELABEL, OUTLIER, "size", "small")
    assert outcome_of([shape, size]).labels == {"shape": {3: "bar"}, "size": {3: "small"}}
    again = replace(shape, label="dot")
    assert outcome_of([shape, size, again]).labels["shape"] == {3: "dot"}
    assert outcome_of([shape, size, Decision(3, KEEP, OUTLIER)]).is_empty
    kept = Finding(OUTLIER, 3, "train", 0.1)
    assert answers_to([kept], [shape]) == [shape]


def test_what_is_left_out_stays_out_when_it_gets_a_label_too() -> None:
    out, label = Decision(3, LEAVE_OUT, OUTLIER), relabel(3, "bar")
    assert outcome_of([out, label]).out == {3}


def test_signs_that_end_lines_elsewhere_stand_in_a_label(project: Path) -> None:
    table = read_table(project / "metadata.csv")
    decisions = made(table, relabel(2, "a\u2028b\u0085c"))
    write_decisions(project, decisions)
    assert read_decisions(project) == decisions


def test_a_damaged_line_is_named_and_nothing_is_lost(project: Path) -> None:
    (project / FILE_NAME).write_text('{"row": 1}\n', encoding="utf-8")
    with pytest.raises(UserError, match="line 1"):
        read_decisions(project)
    assert (project / FILE_NAME).read_text(encoding="utf-8") == '{"row": 1}\n'


def test_what_settles_a_finding() -> None:
    label = Finding(LABEL, 3, "train", 0.1, target="shape")
    size = Finding(LABEL, 3, "train", 0.1, target="size")
    odd = Finding(OUTLIER, 3, "train", 0.1)
    findings = [label, size, odd]
    kept = Decision(3, KEEP, OUTLIER)
    assert answers_to(findings, [kept]) == [None, None, kept]
    new = replace(relabel(3, "dot"), about=OUTLIER)
    assert answers_to(findings, [new]) == [new, None, new]
    out = Decision(3, LEAVE_OUT, LABEL, "size")
    assert answers_to(findings, [out]) == [out, out, out]
    # the last answer to a question holds
    assert answers_to([size], [out, Decision(3, KEEP, LABEL, "size")])[0].verdict == KEEP
    assert answers_to([replace(label, row=4)], [out, kept, new]) == [None]


def test_undo_takes_back_the_last_of_its_kinds() -> None:
    first, second = relabel(1, "dot"), relabel(2, "bar", UNLABELLED)
    assert without_last((first, second), {LABEL}) == ((second,), first)
    assert without_last((first, second), {OUTLIER}) == ((first, second), None)
    assert without_last((second, first, first), {LABEL, UNLABELLED}, 2) == ((second,), first)


def test_later_decisions_on_a_row_hold() -> None:
    outcome = outcome_of([
        relabel(1, "dot"), relabel(1, "bar"), Decision(2, LEAVE_OUT, OUTLIER), relabel(2, "dot"),
        relabel(3, "dot", OUTLIER), Decision(3, KEEP, LABEL, "shape"),
        Decision(-1, LEAVE_OUT, OUTLIER)])
    assert outcome.labels == {"shape": {1: "bar", 2: "dot"}} and outcome.out == {2}


def test_the_table_is_written_anew_and_the_old_one_stays(project: Path) -> None:
    before = (project / "metadata.csv").read_bytes()
    table = read_table(project / "metadata.csv")
    decisions = made(table, relabel(2, "bar"), Decision(5, LEAVE_OUT, OUTLIER))
    experiment = small_experiment()
    path = write_decided(experiment, project, decisions)
    assert path == project / "metadata reviewed.csv"
    assert (project / "metadata.csv").read_bytes() == before
    new = read_table(path)
    assert len(new) == 17 and new.columns == table.columns
    assert new.cell(2, "shape") == "bar" and new.cell(5, "text") == table.cell(6, "text")
    assert write_decided(experiment, project, decisions).name == "metadata reviewed 2.csv"
    # what is decided holds in the new table, too: nothing is left to do
    assert [d.row for d in placed(decisions, contents(new))] == [2, -1]
    with pytest.raises(UserError, match="Nothing was decided"):
        write_decided(experiment, project, made(table, Decision(1, KEEP, OUTLIER)))
    with pytest.raises(UserError, match="Every row"):
        write_decided(experiment, project,
                      made(table, *(Decision(r, LEAVE_OUT, OUTLIER) for r in range(18))))


def test_a_folder_of_pictures_becomes_a_table_beside_it(project: Path, tmp_path: Path) -> None:
    data = tmp_path / "classes"
    for place, label in enumerate(("bar", "dot")):
        (data / label).mkdir(parents=True)
        for number in range(3):
            source = project / "images" / f"{3 * number + place:03d}.png"
            (data / label / source.name).write_bytes(source.read_bytes())
    experiment = Experiment.parse(
        '[data]\ntable = "../classes"\n[inputs.image]\ncolumn = "file_name"\n'
        'modality = "image"\n[targets.label]\n')
    table = read_table(data)
    new = Decision(0, RELABEL, LABEL, "label", "dot")
    decisions = identified([new], RowContents(table, experiment, project))
    path = write_decided(experiment, project, decisions)
    assert path == tmp_path / "classes reviewed.csv"
    written = read_table(path)
    assert written.cell(0, "label") == "dot" and len(written) == 6
    for row in range(6):
        assert written.path_of(row, "file_name") == table.path_of(row, "file_name")
    assert free_place(data, project) == tmp_path / "classes reviewed 2.csv"
    again = placed(decisions, RowContents(written, experiment, project))
    assert [d.row for d in again] == [0]


def test_decisions_hold_in_a_table_that_is_written_into_another_folder(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = read_rows(project)
    write_table(project / "metadata.csv", [rows[0], *rows])  # the first is there twice
    home = tmp_path / "elsewhere" / "home"
    home.mkdir(parents=True)
    experiment = small_experiment({"data.table": "../../project/metadata.csv"})
    table = read_table(home / experiment.data.table)
    decisions = identified(
        [relabel(1, "bar"), relabel(3, "bar"), Decision(6, LEAVE_OUT, OUTLIER)],
        RowContents(table, experiment, home))
    write_decisions(home, decisions)
    can_write = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: (
        Path(path) != project and can_write(path, mode)))
    path = write_decided(experiment, home, read_decisions(home))
    assert path == home / "metadata reviewed.csv"
    new = read_table(path)
    assert new.cell(0, "file_name") == "../../project/images/000.png"
    again = placed(read_decisions(home), RowContents(new, experiment, home))
    assert [d.row for d in again] == [1, 3, -1]
    # what was noted before files counted still goes by the cells
    old = [replace(d, content="") for d in decisions]
    assert [d.row for d in placed(old, RowContents(table, experiment, home))] == [1, 3, 6]
    assert [d.row for d in placed(old, RowContents(new, experiment, home))] == [-1, -1, -1]


def test_decisions_hold_where_the_files_were_moved_with_their_table(
    project: Path, tmp_path: Path
) -> None:
    table = read_table(project / "metadata.csv")
    decisions = identified([relabel(2, "bar")], RowContents(table, small_experiment(), tmp_path))
    project.rename(tmp_path / "data")
    moved = read_table(tmp_path / "data" / "metadata.csv")
    again = placed(decisions, RowContents(moved, small_experiment(), tmp_path))
    assert [d.row for d in again] == [2]
