"""Columns of yes and no as one target of several labels: proposed, written, learnt, evaluated."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from mmstudio import cli
from mmstudio.data.checks import Report, check
from mmstudio.data.joined_labels import joinable, joined, joined_of, separated
from mmstudio.data.merged_labels import free_separator, merged
from mmstudio.data.table import read_table
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.project.proposal import propose, write_project

LABELS = ("genre_drama", "genre_comedy", "genre_war")
ROWS = 90


def films(folder: Path, labels: tuple[str, ...] = LABELS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    held = [[int(row % (k + 2) == 0) for row in range(ROWS)] for k in range(len(labels))]
    said = [" ".join(w for w, h in zip(("tears", "jokes", "guns"), held, strict=False) if h[row])
            + f" in film {row}" for row in range(ROWS)]
    pl.DataFrame({"plot": said, **dict(zip(labels, held, strict=False))}).write_csv(
        folder / "films.csv")
    return folder / "films.csv"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["mmstudio", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_they_stay_apart_until_joined_and_can_be_taken_apart(tmp_path: Path) -> None:
    proposal = propose(films(tmp_path))
    assert [c.name for c in joinable(proposal.columns)] == list(LABELS)
    assert any("--multilabel" in line for line in proposal.said())
    one = joined(proposal.columns)
    assert [(c.name, c.task, c.options) for c in joined_of(one)] == [
        (name, "multilabel", {"into": "genre"}) for name in LABELS]
    assert all("'genre'" in c.reason for c in joined_of(one))
    assert [(c.role, c.task, c.options) for c in separated(one)] == [
        (c.role, c.task, c.options) for c in proposal.columns]


def test_beside_a_surer_label_they_can_still_be_joined(tmp_path: Path) -> None:
    path = films(tmp_path, ("holds_tears", "holds_jokes", "holds_guns"))
    frame = pl.read_csv(path).with_columns(
        pl.Series("label", [("good", "bad", "odd")[row % 3] for row in range(ROWS)]))
    frame.write_csv(path)
    proposal = propose(path)
    assert {c.name for c in proposal.columns if c.role == "target"} == {"label"}
    assert joinable(proposal.columns) == []
    experiment = Experiment.load(write_project(tmp_path / "p", proposal.with_joined()))
    assert list(experiment.targets) == ["label", "holds"]


def test_the_experiment_file_says_it_and_is_read_back(tmp_path: Path) -> None:
    proposal = propose(films(tmp_path)).with_joined()
    path = write_project(tmp_path / "project", proposal)
    text = path.read_text()
    assert 'columns = ["genre_drama", "genre_comedy", "genre_war"]' in text
    assert "\ncolumn = \"genre\"" not in text
    experiment = Experiment.load(path)
    assert list(experiment.targets) == ["genre"]
    assert experiment.targets["genre"].columns == LABELS
    assert Experiment.parse(experiment.to_toml()) == experiment
    assert experiment.replaced("targets.genre.weight", 2.0).targets["genre"].columns == LABELS


@pytest.mark.parametrize("row, cells, expected", [
    (0, ("1", "0", "1"), "genre_drama;genre_war"), (1, ("0", "0", "0"), ";"),
    (2, (None, "1", None), "genre_comedy"), (3, (None, None, None), None),
    (4, ("TRUE", "no", "1.0"), "genre_drama;genre_war"),
])
def test_a_row_has_the_labels_whose_columns_say_yes(
    row: int, cells: tuple[str | None, ...], expected: str | None, tmp_path: Path
) -> None:
    path = films(tmp_path)
    experiment = Experiment.load(write_project(tmp_path / "p", propose(path).with_joined()))
    frame = pl.DataFrame([pl.Series(n, [c, "1", "0"]) for n, c in zip(LABELS, cells, strict=True)])
    table = read_table(path).with_frame(frame)
    assert merged(table, experiment).column("genre").to_list()[0] == expected


@pytest.mark.parametrize("change, message", [
    ({"columns": ["a"]}, "two or more different"), ({"columns": "a"}, "not a list"),
    ({"columns": ["a", "a"]}, "two or more different"), ({"columns": ["a", 1]}, "not a list"),
    ({"columns": ["a", "b"], "column": "a"}, "both column and columns"),
    ({"columns": ["a", "b"], "task": "classification"}, "multilabel"),
])
def test_a_wrong_list_is_refused_by_its_key(change: dict[str, object], message: str) -> None:
    data = {"data": {"table": "t.csv"}, "inputs": {"x": {"column": "x", "modality": "text"}},
            "targets": {"both": change}}
    with pytest.raises(UserError, match=rf"targets\.both.*{message}"):
        Experiment.from_dict(data)


def test_what_is_neither_yes_nor_no_and_what_is_missing_is_named(tmp_path: Path) -> None:
    path = films(tmp_path)
    experiment = Experiment.load(write_project(tmp_path / "p", propose(path).with_joined()))
    table = read_table(path)
    odd = table.with_frame(table.frame.with_columns(pl.lit("maybe").alias("genre_war")))
    with pytest.raises(UserError, match="'genre_war', row 1: 'maybe' says neither"):
        merged(odd, experiment)
    with pytest.raises(UserError, match="no column 'genre_war'"):
        merged(table.with_frame(table.frame.drop("genre_war")), experiment)
    with pytest.raises(UserError, match="a column 'genre' too"):
        merged(table.with_frame(table.frame.with_columns(pl.lit("x").alias("genre"))), experiment)
    without = table.with_frame(table.frame.drop(LABELS))
    assert merged(without, experiment) is without


def odd_films(folder: Path, rows: int) -> Path:
    """A project with ``rows`` cells that say neither yes nor no; returns its experiment file."""
    path = films(folder)
    frame = pl.read_csv(path, infer_schema=False)
    war = ["maybe" if row < rows else str(int(row == 85)) for row in range(ROWS)]
    frame = pl.concat([frame.with_columns(pl.Series("genre_war", war))] * 3)
    plots = [f"{plot} {row}" for row, plot in enumerate(frame["plot"])]
    experiment = write_project(folder / "p", propose(path).with_joined())
    frame.with_columns(pl.Series("plot", plots)).write_csv(path)
    return experiment


def test_the_check_tells_every_cell_that_is_neither_and_goes_on(tmp_path: Path) -> None:
    path = odd_films(tmp_path, 2)
    experiment = Experiment.load(path).replaced("data.leave_out", "out.csv")
    # training refuses it in a row that is left out too
    plot = pl.read_csv(tmp_path / "films.csv")["plot"][1]
    pl.DataFrame({"plot": [plot]}).write_csv(path.parent / "out.csv")
    report = list(check(experiment, path.parent))[-1]
    assert isinstance(report, Report) and report.rows == 3 * ROWS
    odd = [p for p in report.problems if p.kind == "table"]
    assert [(p.row, p.column) for p in odd] == [
        (row, "genre_war") for row in (0, 1, ROWS, ROWS + 1, 2 * ROWS, 2 * ROWS + 1)]
    assert "'genre_war', row 2: 'maybe' says neither yes nor no" in odd[1].message
    assert "Write 1 or 0" in odd[1].hint
    seldom = [p for p in report.problems if p.kind == "lopsided"]  # the other checks have looked
    assert ["'genre_war' of 'genre' applies to 3 of 270 rows." in p.message for p in seldom] == [1]


def test_very_many_of_them_are_one_problem(tmp_path: Path) -> None:
    path = odd_films(tmp_path, 80)
    report = list(check(Experiment.load(path), path.parent))[-1]
    assert isinstance(report, Report)
    (odd,) = [p for p in report.problems if p.kind == "table" and p.column == "genre_war"]
    assert odd.row == -1 and len(odd.rows) == 240
    assert odd.message.startswith("240 rows are like row 1: 'genre_war', row 1: 'maybe'")


def test_a_target_that_is_switched_off_joins_nothing(tmp_path: Path) -> None:
    experiment = Experiment.load(odd_films(tmp_path, 2))
    table = read_table(tmp_path / "films.csv")
    with pytest.raises(UserError, match="says neither"):
        merged(table, experiment)
    off = replace(experiment, targets={"genre": replace(experiment.targets["genre"], use=False)})
    assert merged(table, off) is table


def test_names_that_hold_the_separator_get_another_one(tmp_path: Path) -> None:
    proposal = propose(films(tmp_path, ("a;b", "c", "d"))).with_joined()
    experiment = Experiment.load(write_project(tmp_path / "p", proposal))
    target = experiment.targets["labels"]
    assert target.options == {"separator": "|"}
    assert merged(proposal.table, experiment).column("labels")[0] == "a;b|c|d"
    assert free_separator([";|"]) == "\x1f"
    broken = replace(target, options={})
    with pytest.raises(UserError, match="holds"):
        merged(proposal.table, replace(experiment, targets={"labels": broken}))


def test_from_the_command_to_the_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table, project = films(tmp_path), tmp_path / "project"
    assert run(monkeypatch, "new", project, "--data", table, "--multilabel") == 0
    assert capsys.readouterr().out.count("label of genre") == 3
    file = project / "experiment.toml"
    report = next(x for x in check(Experiment.load(file), project) if isinstance(x, Report))
    assert not [p for p in report.problems if p.kind == "table"]
    assert run(monkeypatch, "train", file, "--run", "a", "--device", "cpu", "--set",
               "training.epochs=2", "--set", "inputs.plot.encoder.name=rnn", "--json") == 0
    capsys.readouterr()
    assert run(monkeypatch, "evaluate", project / "runs" / "a", "--json") == 0
    figures = json.loads(capsys.readouterr().out)["tasks"]["genre"]
    assert "macro_average_precision" in figures
    assert run(monkeypatch, "predict", project / "runs" / "a", "--input", "plot=jokes", "--json"
               ) == 0
    answer = json.loads(capsys.readouterr().out)["tasks"]["genre"]
    assert set(answer["scores"]) == set(LABELS)


def test_the_check_tells_of_a_column_that_hardly_ever_says_yes(tmp_path: Path) -> None:
    path = films(tmp_path)
    frame = pl.read_csv(path)
    seldom = [int(row in (3, 30, 60)) for row in range(ROWS)]
    frame.with_columns(pl.Series("genre_war", seldom)).write_csv(path)
    file = write_project(tmp_path / "p", propose(path).with_joined())
    report = next(x for x in check(Experiment.load(file), file.parent) if isinstance(x, Report))
    (told,) = [p for p in report.problems if p.kind == "lopsided"]
    assert told.column == "genre_war" and "applies to 3 of 90 rows" in told.message
    assert not told.out


def test_without_such_columns_the_option_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.csv").write_text("text,label\n" + "".join(
        f"some words {i} here,{'ab'[i % 2]}\n" for i in range(20)))
    assert run(monkeypatch, "new", tmp_path / "p", "--data", tmp_path / "t.csv", "--multilabel"
               ) == 1
    assert "say yes or no" in capsys.readouterr().err
    assert not (tmp_path / "p").exists()
