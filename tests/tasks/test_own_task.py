"""A task is one file: it reads cells of its own kind, trains, is evaluated and answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmstudio.comparison.figure import Figure
from mmstudio.data.propose import experiment_from_columns, propose_columns
from mmstudio.data.table import read_table
from mmstudio.errors import UserError
from mmstudio.evaluation.scores import kept_scores
from mmstudio.own_components import component_files, load_components, trust
from mmstudio.tasks.kinds import find_kind, kind_of, kinds, known_tasks, metric_named
from tests.cli.conftest import Run
from tests.cli.conftest import run as run  # a fixture
from tests.one_thread import one_thread as one_thread  # a fixture
from tests.small_project import TOML, read_rows, write_small_project, write_table

GRADES = '''
"""Grades, written 3/5: a share that is learnt as a number."""

import re
from typing import Annotated

import numpy as np
import torch
from torch import nn

import mmstudio
from mmstudio.registry import Range
from mmstudio.tasks import Metric, TargetKind, Task
from mmstudio.tasks.base import Answer
from mmstudio.tasks.kinds import Labels, Proposed

CELL = re.compile(r"([0-5])/5")


class Grade(TargetKind):
    task = "grades"
    use_title = "Predict a grade"
    numeric = True
    needs = ("middle",)
    metrics = (Metric("within_one"), Metric("points_off", share=False, higher_is_better=False))

    def proposed(self, cells):
        if all(CELL.fullmatch(cell) for cell in cells.some):
            return Proposed("Grades out of five.", sure=True)
        return None

    def fit(self, options, cells, rows, target):
        return {"middle": float(np.mean([int(cells[r][0]) for r in rows]))}

    def read(self, spec, cells, target):
        known = np.array([c is not None for c in cells])
        values = [0.0 if c is None else int(c[0]) - spec["middle"] for c in cells]
        return Labels(np.array(values, dtype=np.float32), known)


@mmstudio.tasks.register("grades", title="Grade", summary="Gives a grade.")
class Grades(Task):
    kind = Grade()
    main_metric = "within_one"
    row_figure = "points_off"
    scores = False
    outputs = 1

    def __init__(self, width, spec, *, pull: Annotated[float, Range(0, 1, "to the mean")] = 0.0):
        super().__init__(width, spec)
        self.middle = spec["middle"]
        self.linear = nn.Linear(width, 1)

    def forward(self, fused):
        return (self.linear(fused.views) * fused.weights.unsqueeze(-1)).sum(dim=1)

    def loss(self, outputs, targets, known):
        return (((outputs[:, 0] - targets) ** 2) * known).sum() / known.sum().clamp(min=1)

    def regressed(self, targets):
        return targets.astype(np.float64)[:, None]

    def usual_outputs(self, mean):
        return mean

    def truth_scores(self, outputs, targets):
        return (-(outputs[:, 0] - targets).abs()).exp()

    def support(self, outputs, answered):
        return outputs[..., 0].astype(np.float64) + self.middle

    def metrics(self, outputs, targets):
        off = np.abs(outputs[:, 0] - targets)
        return {"loss": float((off**2).mean()), "within_one": float((off < 1).mean()),
                "points_off": float(off.mean())}

    def row_scores(self, outputs, targets):
        return -np.abs(outputs[:, 0].astype(np.float64) - targets)

    def answers(self, outputs):
        return [Answer(value=float(x) + self.middle, unit="of 5") for x in outputs[:, 0]]
'''
POINTS = {"bar": "1/5", "cross": "3/5", "dot": "5/5"}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A small project with a column of grades, and the task in one file; it goes again."""
    folder = write_small_project(tmp_path / "P")
    rows = [row | {"grade": POINTS[row["shape"]]} for row in read_rows(folder)]
    write_table(folder / "metadata.csv", rows)
    start = TOML.index("[targets.shape]")
    toml = (TOML[:start] + '[targets.grade]\ntask = "grades"\n\n'
            + TOML[TOML.index("[training]"):])
    (folder / "experiment.toml").write_text(toml, encoding="utf-8")
    (folder / "components").mkdir()
    (folder / "components" / "grades.py").write_text(GRADES, encoding="utf-8")
    yield folder
    load_components(tmp_path / "nowhere")


def allow(project: Path) -> None:
    trust(component_files(project))
    assert load_components(project).names == ("task grades",)


@pytest.mark.slow
def test_one_file_trains_evaluates_and_answers(one_thread: None, run: Run, project: Path) -> None:
    allow(project)
    trained = run("train", project / "experiment.toml", "--run", "a", "--json")
    assert trained.code == 0, trained.err
    done = [json.loads(line) for line in trained.out.splitlines()]
    epochs = [e["validation"]["grade"] for e in done if e["event"] == "epoch_done"]
    assert {"within_one", "points_off"} <= set(epochs[-1])
    folder = project / "runs" / "a"
    evaluated = json.loads(run("evaluate", folder, "--json").out)
    assert evaluated["tasks"]["grade"]["points_off"] < 1.4  # of guessing: 1.6
    assert kept_scores(folder) is not None  # an evaluation once more answers nothing anew
    review = run("labels", folder, "--json")
    assert review.code == 0, review.err
    assert json.loads(review.out)["not_judged"] == ["grade"]
    assert "Labels of grade were not judged" in run("labels", folder).out
    answer = json.loads(run("predict", folder, "--input", "words=long line", "--json").out)
    assert 0 < answer["tasks"]["grade"]["value"] < 6
    table, output = project / "metadata.csv", project / "answers.parquet"
    assert run("predict", folder, "--table", table, "--output", output).code == 0
    assert "grade answer" in read_table(output).columns


def test_its_kind_proposes_columns_and_says_how_figures_are_read(project: Path) -> None:
    table = read_table(project / "metadata.csv")
    before = next(c for c in propose_columns(table) if c.name == "grade")
    assert before.role == "ignore"  # the same labels as the shape
    allow(project)
    columns = propose_columns(table)
    grade = next(c for c in columns if c.name == "grade")
    assert (grade.role, grade.task, grade.reason) == ("target", "grades", "Grades out of five.")
    assert experiment_from_columns("metadata.csv", columns).targets["grade"].task == "grades"
    assert kinds()[0].task == "grades" and "grades" in known_tasks()
    assert metric_named("within_one").text(0.5) == "50.0 %"
    assert metric_named("points_off").text(0.5) == "0.5"
    assert Figure("points_off", "points").text(-0.5) == "0.500 points"
    load_components(project / "nowhere")
    assert find_kind("grades") is None


def test_an_unknown_task_is_refused_with_the_nearest_name(run: Run, project: Path) -> None:
    with pytest.raises(UserError, match="'grades' is not a known task"):
        kind_of("grades")
    with pytest.raises(UserError, match=r"targets\.a\.task = 'regresion'") as caught:
        kind_of("regresion", "targets.a.task")
    assert "regression" in str(caught.value.hint)
    toml = project / "experiment.toml"
    toml.write_text(toml.read_text().replace("grades", "clasification"))
    for command in ("train", "check"):
        said = run(command, toml)
        assert said.code == 1 and "classification" in said.err, command


def test_the_task_of_every_kind_is_registered_with_it() -> None:
    from mmstudio.tasks import TASKS

    assert {name: cls.kind for name, cls in TASKS.classes().items()} == known_tasks()
    described = {m.name for kind in kinds() for m in kind.metrics}
    for cls in TASKS.classes().values():
        assert {cls.main_metric, cls.row_figure} <= described
